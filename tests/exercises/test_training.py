"""The exercises of "Training": the solutions pass, typical slips do not."""

import keras
import numpy as np
import pytest

from exercises.reading import solution

PAGE = "code/training"


# ---------------------------------------------------------------- the blind loss


def check_blind_loss(blind_loss):
    equal = blind_loss(np.repeat(np.arange(10), 7))
    assert not np.isclose(equal, np.log2(10)), "the loss has a natural logarithm"
    assert np.isclose(equal, np.log(10)), "ten equal classes cost ln 10"
    nine_to_one = blind_loss(np.array([0] * 9 + [1]))
    hint = "whoever knows that one class is frequent bets more on it"
    assert np.isclose(nine_to_one, 0.3251, atol=1e-4), hint
    hint = "a class that does not occur costs nothing: 0 * log(0) is NaN"
    assert np.isclose(blind_loss(np.array([0, 2])), np.log(2)), hint
    assert np.isclose(blind_loss(np.array([3, 3])), 0), "one class is no riddle"


def test_blind_loss():
    check_blind_loss(solution(PAGE, "ex-training-blind")["blind_loss"])


def log_of_the_number_of_classes(labels):
    return np.log(len(np.unique(labels)))


def in_bits(labels):
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return -np.sum(shares * np.log2(shares))


@pytest.mark.parametrize(
    "wrong, hint",
    [(log_of_the_number_of_classes, "bets more"), (in_bits, "natural logarithm")],
)
def test_wrong_blind_loss(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_blind_loss(wrong)


# ---------------------------------------------------------------- hide a column


def check_hide_column(hide_column):
    images = np.random.default_rng(1).uniform(0.1, 1, (50, 4, 6, 2)).astype("float32")
    before = images.copy()
    hidden = hide_column(images, np.random.default_rng(0))
    assert np.array_equal(images, before), "the pictures that came must not change"
    assert hidden.shape == images.shape, "the shape stays"
    black = (hidden == 0).all(axis=(1, 3))  # (picture, column)
    assert (black.sum(axis=1) == 1).all(), "one whole column in each picture"
    kept = ~np.broadcast_to(black[:, None, :, None], images.shape)
    assert np.array_equal(hidden[kept], images[kept]), "other columns stay"
    columns = black.argmax(axis=1)
    assert len(set(columns)) > 1, "each picture draws a column of its own"
    assert set(columns) == set(range(6)), "any column may be hidden"
    again = hide_column(images, np.random.default_rng(0))
    hint = "draw from rng alone: the same rng must give the same pictures"
    assert np.array_equal(hidden, again), hint


def test_hide_column():
    check_hide_column(solution(PAGE, "ex-training-hide")["hide_column"])


def hides_in_place(images, rng):
    images[np.arange(len(images)), :, rng.integers(0, images.shape[2], len(images))] = 0
    return images


def hides_the_same_everywhere(images, rng):
    hidden = images.copy()
    hidden[:, :, rng.integers(0, images.shape[2])] = 0
    return hidden


def hides_by_dice_of_its_own(images, rng):
    return solution(PAGE, "ex-training-hide")["hide_column"](
        images, np.random.default_rng()
    )


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (hides_in_place, "must not change"),
        (hides_the_same_everywhere, "of its own"),
        (hides_by_dice_of_its_own, "from rng alone"),
    ],
)
def test_wrong_hide_column(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_hide_column(wrong)


# ---------------------------------------------------------------- one step by hand


def step_by_keras(weights, bias, x, labels, rate):
    dense = keras.layers.Dense(weights.shape[1], activation="softmax")
    model = keras.Sequential([keras.Input(x.shape[1:]), dense])
    dense.set_weights([weights, bias])
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy")
    model.train_on_batch(x, labels)
    return dense.get_weights()


def check_step(step):
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(size=(5, 3)), rng.normal(size=3)
    x, labels = rng.normal(size=(8, 5)), rng.integers(0, 3, 8)
    expected = step_by_keras(weights, bias, x, labels, rate=0.1)
    found = step(weights.copy(), bias.copy(), x, labels, 0.1)
    moved = [e - b for e, b in zip(expected, (weights, bias), strict=True)]
    ours = [f - b for f, b in zip(found, (weights, bias), strict=True)]
    for name, right, mine in zip(("weights", "bias"), moved, ours, strict=True):
        factor = np.sum(right * mine) / np.sum(right**2)
        assert factor > 0, f"the {name} go uphill: subtract the gradient"
        assert factor < 4, f"the {name} move too far: the loss is a mean, not a sum"
        assert np.allclose(right, mine, atol=1e-5), f"the {name} are not those of Keras"


def test_step():
    check_step(solution(PAGE, "ex-training-step")["step"])


def sums_over_the_batch(weights, bias, x, labels, rate):
    return solution(PAGE, "ex-training-step")["step"](
        weights, bias, x, labels, rate * len(x)
    )


def climbs(weights, bias, x, labels, rate):
    return solution(PAGE, "ex-training-step")["step"](weights, bias, x, labels, -rate)


@pytest.mark.parametrize(
    "wrong, hint", [(sums_over_the_batch, "not a sum"), (climbs, "uphill")]
)
def test_wrong_step(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_step(wrong)
