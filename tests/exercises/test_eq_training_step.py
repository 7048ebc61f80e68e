"""The exercises of "All by hand, once": solutions pass, wrong answers fail.

A checker says what is wrong in a way that leads on, as it would to a learner.
"""

import numpy as np
import pytest

from crnn_tutorial import equations
from crnn_tutorial.equations.network import (
    CRNN,
    Convolution,
    Joint,
    Pooling,
    Recurrence,
    Scores,
)
from exercises.reading import solution

PAGE = "equations/training_step"
NAMES = {
    "convolution, kernel": (3, 3, 1, 4),
    "convolution, bias": (4,),
    "LSTM, kernel": (16, 32),
    "LSTM, recurrent kernel": (8, 32),
    "LSTM, bias": (32,),
    "dense, kernel": (8, 10),
    "dense, bias": (10,),
}

# ------------------------------------------------------------ predict: all zeros


def that_move(steps=5):
    """Train the page's network from zeros; return the names of what has moved."""
    layers = {
        "convolution": Convolution(padding="same"),
        "pooling": Pooling("max"),
        "sequence": Joint(),
        "lstm": Recurrence(),
        "dense": Scores(),
    }
    network = CRNN(layers, [np.zeros(shape) for shape in NAMES.values()])
    rng = np.random.default_rng(0)
    images, labels = rng.random((20, 8, 8, 1)), rng.integers(0, 10, 20)
    for _ in range(steps):
        gradients = network.gradients(images, labels)
        network.weights = equations.sgd_step(network.weights, gradients, 0.5)
    pairs = zip(NAMES, network.weights, strict=True)
    return [name for name, weights in pairs if weights.any()]


def check_moving(moving):
    said, truth = set(moving()), set(that_move())
    unknown = said - set(NAMES)
    assert not unknown, f"{unknown}: the names are {list(NAMES)}"
    assert truth <= said, (
        "something does move: does the gradient of a bias need an input?"
    )
    too_many = said - truth
    assert "dense, kernel" not in too_many, (
        "the dense kernel's gradient is its input times the blame: what is its input?"
    )
    assert not too_many, (
        f"{sorted(too_many)} stay: the blame on its way down is multiplied by the "
        "dense kernel"
    )


def test_what_moves_is_what_is_said():
    check_moving(solution(PAGE, "ex-step-zeros")["moving"])


@pytest.mark.parametrize(
    "wrong, words",
    [
        (list(NAMES), "what is its input"),
        (["dense, kernel", "dense, bias"], "what is its input"),
        (["LSTM, bias", "dense, bias"], "on its way down"),
        ([], "something does move"),
        (["bias"], "the names are"),
    ],
)
def test_a_wrong_guess_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_moving(lambda: wrong)


# ------------------------------------------------------------ change: the mean


def check_mean(forward, backward):
    rng = np.random.default_rng(0)
    states, gradient = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 3))
    mean = np.asarray(forward(states))
    assert mean.shape == (2, 3), f"expected (batch, units), got {mean.shape}"
    np.testing.assert_allclose(mean, states.sum(axis=1) / 4, err_msg="not the mean")
    blame = np.asarray(backward(gradient, 4))
    assert blame.shape == states.shape, (
        f"expected (batch, steps, units), one blame for each state, got {blame.shape}"
    )
    assert not np.allclose(blame[:, :-1], 0), (
        "only the last state is blamed: the mean has looked at all of them"
    )
    nudge = 1e-6 * rng.normal(size=states.shape)
    rises = np.sum(gradient * (forward(states + nudge) - forward(states - nudge))) / 2
    assert np.isclose(np.sum(blame * nudge), rises, rtol=1e-4), (
        "nudge one state by 1: does the mean rise by 1, or by a part of it?"
    )


def test_the_mean_and_its_way_back():
    found = solution(PAGE, "ex-step-mean")
    check_mean(found["mean_over_steps"], found["mean_over_steps_backward"])


def everybody_all(gradient, steps):
    return np.repeat(gradient[:, None], steps, axis=1)


def only_the_last(gradient, steps):
    blame = np.zeros((len(gradient), steps, gradient.shape[1]))
    blame[:, -1] = gradient
    return blame


@pytest.mark.parametrize(
    "backward, words",
    [
        (everybody_all, "a part of it"),
        (only_the_last, "only the last state"),
        (lambda gradient, steps: gradient / steps, "one blame for each state"),
    ],
)
def test_a_wrong_way_back_is_told_why(backward, words):
    with pytest.raises(AssertionError, match=words):
        check_mean(lambda states: states.mean(axis=1), backward)


def test_a_wrong_mean_is_told_why():
    with pytest.raises(AssertionError, match=r"expected \(batch, units\)"):
        check_mean(lambda states: states.mean(axis=2), None)


# ------------------------------------------------------------ build: trust nobody


def check_nudged(nudged):
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(2, 3)), rng.normal(size=4)]
    before = [array.copy() for array in weights]

    def loss(weights):
        return np.sum(weights[0] ** 2) + np.sum(np.exp(weights[1]))

    found = nudged(loss, weights)
    for array, old in zip(weights, before, strict=True):
        assert np.array_equal(array, old), "the weights are not as they were"
    shapes = [np.shape(gradient) for gradient in found]
    assert shapes == [(2, 3), (4,)], (
        f"expected a gradient for each array, of its shape, got {shapes}"
    )
    truth = 2 * weights[0], np.exp(weights[1])
    for gradient, true in zip(found, truth, strict=True):
        far = np.abs(gradient - true).max()
        assert far < 1e-7, (
            f"off by {far:.0e}: nudge up and down, and divide by the whole distance"
        )


def test_nudging_finds_the_gradient():
    check_nudged(solution(PAGE, "ex-step-nudge")["nudged"])


def walk(loss, weights, up, down, divide, restore=True, nudge=1e-5):
    gradients = [np.zeros_like(array) for array in weights]
    for array, gradient in zip(weights, gradients, strict=True):
        for place in np.ndindex(array.shape):
            before, values = array[place], []
            for factor in (up, down):
                array[place] = before + factor * nudge
                values.append(loss(weights))
            if restore:
                array[place] = before
            gradient[place] = (values[0] - values[1]) / (divide * nudge)
    return gradients


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"up": 1, "down": 0, "divide": 1}, "off by .*up and down"),
        ({"up": 1, "down": -1, "divide": 1}, "off by .*whole distance"),
        ({"up": 1, "down": -1, "divide": 2, "restore": False}, "as they were"),
    ],
)
def test_a_wrong_nudge_is_told_why(settings, words):
    with pytest.raises(AssertionError, match=words):
        check_nudged(lambda loss, weights: walk(loss, weights, **settings))


def test_one_array_alone_is_not_enough():
    def first_only(loss, weights):
        return walk(loss, weights, up=1, down=-1, divide=2)[:1]

    with pytest.raises(AssertionError, match="a gradient for each array"):
        check_nudged(first_only)
