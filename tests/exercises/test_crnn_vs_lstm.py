"""The exercises of "When are rows enough?": the solutions pass, wrong answers fail."""

import keras
import numpy as np
import pytest
from keras import layers

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "concepts/crnn_vs_lstm"

# ------------------------------------------------------------ predict: parameters


def check_parameters(parameters):
    for side, units in [(8, 32), (32, 32), (20, 7)]:
        model = ct.build_lstm_model((side, side, 1), 10, units=units, along="height")
        assert parameters(side, units) == model.count_params(), (
            "four gates, each with weights for the row, the state and a bias, read in "
            "two directions; all rows share them; then a dense layer for ten classes"
        )


def test_the_number_of_parameters():
    check_parameters(solution(PAGE, "ex-lstm-parameters")["parameters"])


def weights_for_each_row(side, units):
    return side * 8 * units * (side + units + 1) + 10 * (2 * units + 1)


def no_bias(side, units):
    return 8 * units * (side + units) + 10 * 2 * units


@pytest.mark.parametrize("wrong", [weights_for_each_row, no_bias])
def test_a_wrong_number_is_told_why(wrong):
    with pytest.raises(AssertionError, match="all rows share them"):
        check_parameters(wrong)


# ------------------------------------------------------------ change: half-life


def memory_left(bias, steps):
    """Run an LSTM that only forgets: zero weights, a memory of 1, zero inputs."""
    lstm = layers.LSTM(1, return_state=True)
    lstm.build((1, steps, 1))
    weights = [np.zeros(w.shape) for w in lstm.get_weights()]
    weights[2][1] = bias  # gates in the order i, f, c, o
    lstm.set_weights(weights)
    start = [np.zeros((1, 1), "float32"), np.ones((1, 1), "float32")]
    *_, cell = lstm(np.zeros((1, steps, 1), "float32"), initial_state=start)
    return float(keras.ops.convert_to_numpy(cell)[0, 0])


def check_half_life(bias_for):
    for steps in (1, 10, 100):
        left = memory_left(bias_for(steps), steps)
        assert left == pytest.approx(0.5, abs=0.01), (
            f"after {steps} steps {left:.0%} of the memory is left: the gate is the "
            "sigmoid of the bias, and it is applied at each step"
        )


def test_half_of_the_memory_is_left():
    check_half_life(solution(PAGE, "ex-lstm-half-life")["bias_for"])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda steps: 0.5 ** (1 / steps),
        lambda steps: np.log(steps),
    ],
    ids=["the gate itself", "one e-th"],
)
def test_another_bias_is_told_why(wrong):
    with pytest.raises(AssertionError, match="sigmoid of the bias"):
        check_half_life(wrong)


# ------------------------------------------------------------ build: to the corner


def roam(images, seed):
    canvas = np.pad(images, [(0, 0), (12, 12), (12, 12), (0, 0)])
    rng = np.random.default_rng(seed)
    return ct.augment_shift(canvas, rng, pixels=12)


def check_to_corner(to_corner):
    images = ct.load_digits(seed=0).test.images[:20]
    here, there = roam(images, seed=1), roam(images, seed=2)
    kept = here.copy()
    moved = to_corner(here)
    assert np.shape(moved) == here.shape, "the pictures keep their size"
    assert np.array_equal(here, kept), "the pictures that came were changed"
    assert np.allclose(np.sum(moved), here.sum()), "ink was lost"
    assert np.array_equal(moved, to_corner(there)), (
        "the same digit at two places gives two pictures: move rows *and* columns, "
        "each picture by its own distance"
    )
    assert not np.any(to_corner(np.zeros((1, 32, 32, 1)))), "an empty picture stays"


def test_wherever_the_digit_stands():
    check_to_corner(solution(PAGE, "ex-lstm-corner")["to_corner"])


def rows_only(images):
    first = (images > 0).any(axis=(2, 3)).argmax(axis=1)
    moved = [np.roll(i, -k, axis=0) for i, k in zip(images, first, strict=True)]
    return np.stack(moved)


def all_alike(images):
    row = (images > 0).any(axis=(0, 2, 3)).argmax()
    column = (images > 0).any(axis=(0, 1, 3)).argmax()
    return np.roll(images, (-row, -column), axis=(1, 2))


def cut_out(images):
    return images[:, 12:20, 12:20]


@pytest.mark.parametrize(
    "wrong, words",
    [
        (rows_only, r"rows \*and\* columns"),
        (all_alike, "its own distance"),
        (cut_out, "keep their size"),
    ],
)
def test_other_ways_are_told_why_not(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_to_corner(wrong)
