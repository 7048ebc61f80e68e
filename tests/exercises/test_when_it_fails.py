"""The exercises of "When it does not learn": solutions pass, typical slips do not."""

import keras
import numpy as np
import pytest

from exercises.reading import solution

PAGE = "code/when_it_fails"


# ---------------------------------------------------------------- the floor


def check_floor(floor):
    for classes in (2, 10, 100):
        scores = np.full((1, classes), -1e4, "float32")
        scores[0, 0] = 1e4  # as sure, and as right, as a model can be
        probabilities = keras.ops.softmax(keras.ops.softmax(scores))
        least = -np.log(float(probabilities[0, 0]))
        found = floor(classes)
        hint = "the softmax does not return 1 for an input of 1: it sees 1 and zeros"
        assert not np.isclose(found, 0), hint
        assert not np.isclose(found, np.log(classes)), "a sure model beats the blind"
        assert np.isclose(found, least, atol=1e-4), (
            f"for {classes} classes: {least:.3f}"
        )


def test_floor():
    check_floor(solution(PAGE, "ex-fails-floor")["floor"])


@pytest.mark.parametrize(
    "wrong, hint", [(lambda classes: 0.0, "sees 1 and zeros"), (np.log, "the blind")]
)
def test_wrong_floor(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_floor(wrong)


# ---------------------------------------------------------------- how many steps


def check_steps(steps):
    for momentum in (0.5, 0.9, 0.99, 0.999):
        left, count = 1.0, 0  # the share that the first value still has
        while left >= 0.01:
            left, count = left * momentum, count + 1
        found = steps(momentum)
        hint = "1 / (1 - momentum) steps leave a third of the first value"
        assert not np.isclose(found, 1 / (1 - momentum)), hint
        assert found == int(found), "steps are whole numbers"
        assert found != count - 1, "one step too few: round up"
        assert found == count, f"momentum {momentum} takes {count} steps"


def test_steps():
    check_steps(solution(PAGE, "ex-fails-momentum")["steps"])


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda momentum: round(1 / (1 - momentum)), "a third"),
        (lambda momentum: int(np.log(0.01) / np.log(momentum)), "round up"),
    ],
)
def test_wrong_steps(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_steps(wrong)


# ---------------------------------------------------------------- the leak


def check_leak(leaked):
    rng = np.random.default_rng(0)
    train = rng.random((30, 4, 4, 1), dtype="float32")
    test = rng.random((20, 4, 4, 1), dtype="float32")
    assert leaked(train, test) == 0, "no picture stands on both sides"
    test[[3, 7]] = train[[25, 0]]
    hint = "a copy may stand anywhere: compare each test picture with all"
    assert leaked(train, test) == 2, hint
    turned = test.copy()
    turned[3] = turned[3].transpose(1, 0, 2)  # the same pixels, another picture
    assert leaked(train, turned) == 1, "sums and sorted pixels do not tell pictures"
    test[8] = test[7]
    assert leaked(train, test) == 3, "count test pictures, not different ones"


def test_leak():
    check_leak(solution(PAGE, "ex-fails-leak")["leaked"])


def at_the_same_place(train, test):
    return sum(np.array_equal(a, b) for a, b in zip(train, test, strict=False))


def by_their_sums(train, test):
    sums = {round(float(np.sum(picture)), 3) for picture in train}
    return sum(round(float(np.sum(picture)), 3) in sums for picture in test)


def different_ones(train, test):
    return len({x.tobytes() for x in train} & {x.tobytes() for x in test})


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (at_the_same_place, "anywhere"),
        (by_their_sums, "do not tell"),
        (different_ones, "not different"),
    ],
)
def test_wrong_leak(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_leak(wrong)
