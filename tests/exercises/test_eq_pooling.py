"""The exercises of "What is thrown away": solutions pass, errors do not."""

import numpy as np
import pytest

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "equations/pooling"


def check_silent(silent):
    """Against the gradient itself: count its zeros."""
    rng = np.random.default_rng(0)
    for height, width, pool in [(4, 4, 2), (5, 5, 2), (9, 7, 3), (8, 11, 4)]:
        x = rng.permutation(height * width).reshape(1, height, width, 1)
        gradient = np.ones((1, height // pool, width // pool, 1))
        d_x = ct.equations.max_pool2d_backward(gradient, x, pool)
        zeros = int((d_x == 0).sum())
        assert silent(height, width, pool) == zeros, (
            f"{height} x {width} by {pool}: {zeros}; one winner for each whole window"
        )


def test_how_many_learn_nothing():
    check_silent(solution(PAGE, "ex-eq-pool-silent")["silent"])


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(
            lambda h, w, p: h * w * (p * p - 1) // (p * p), id="forgets the last row"
        ),
        pytest.param(lambda h, w, p: (h // p) * (w // p), id="counts the winners"),
    ],
)
def test_how_many_learn_nothing_finds_errors(wrong):
    with pytest.raises(AssertionError, match="one winner for each whole window"):
        check_silent(wrong)


def check_average(average_by_convolution):
    x = np.random.default_rng(0).normal(size=(2, 6, 9, 3))
    y = average_by_convolution(x, 3)
    assert y.shape == (2, 2, 3, 3), "the window jumps by its own size: mind the stride"
    assert np.allclose(y, ct.equations.average_pool2d(x, 3)), (
        "each channel by itself, and the mean, not the sum"
    )


def test_average_pooling_is_a_convolution():
    answer = solution(PAGE, "ex-eq-pool-conv")
    check_average(answer["average_by_convolution"])


def by_stamp(weights, stride):
    """Convolve with a kernel that has the given weights between the channels."""

    def average(x, pool):
        kernel = np.broadcast_to(weights, (pool, pool, 3, 3)) / pool**2
        return ct.equations.conv2d(x, kernel, stride=stride or pool)

    return average


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        pytest.param(by_stamp(np.ones((3, 3)), None), "by itself", id="mixed"),
        pytest.param(by_stamp(np.eye(3), 1), "mind the stride", id="no stride"),
        pytest.param(by_stamp(9 * np.eye(3), None), "not the sum", id="sum"),
    ],
)
def test_average_pooling_is_a_convolution_finds_errors(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_average(wrong)


def check_twins(twins):
    one, other = (np.asarray(m, float)[None, :, :, None] for m in twins())
    assert one.shape == other.shape == (1, 4, 4, 1), "two maps of 4 x 4"
    for pool in (ct.equations.max_pool2d, ct.equations.average_pool2d):
        assert np.allclose(pool(one), pool(other)), (
            f"{pool.__name__} tells them apart: move numbers inside a window only"
        )
    upper_left = one[:, ::2, ::2] != other[:, ::2, ::2]
    assert upper_left.all(), "the third clerk must see a difference in every window"


def test_two_maps_one_envelope():
    check_twins(solution(PAGE, "ex-eq-pool-twins")["twins"])


FIRST = np.arange(16.0).reshape(4, 4)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        pytest.param(
            lambda: (FIRST, FIRST[::-1, ::-1]), "inside a window", id="turned"
        ),
        pytest.param(lambda: (FIRST, FIRST.copy()), "every window", id="the same"),
        pytest.param(
            lambda: (FIRST, FIRST - 1 + 4 * (FIRST % 4 == 3)), "inside", id="mean only"
        ),
    ],
)
def test_two_maps_one_envelope_finds_errors(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_twins(wrong)
