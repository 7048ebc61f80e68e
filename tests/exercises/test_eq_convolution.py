"""The exercises of "A stamp that slides": solutions pass, errors do not."""

import numpy as np
import pytest
from scipy.signal import convolve2d

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "equations/convolution"


def random(*shape):
    return np.random.default_rng(0).normal(size=shape)


def check_layer_size(layer_size):
    """Against the function of the page, and against a count of its weights."""
    for height, width, channels, filters, kernel, stride, padding in [
        (64, 64, 3, 32, 3, 1, "valid"),
        (31, 20, 1, 2, 3, 2, "same"),
        (10, 13, 5, 4, 2, 3, "valid"),
    ]:
        x, k = (
            random(1, height, width, channels),
            random(kernel, kernel, channels, filters),
        )
        _, *out, _ = ct.equations.conv2d(x, k, None, stride, padding).shape
        said = layer_size(height, width, channels, filters, kernel, stride, padding)
        assert list(said[:2]) == out, f"{padding}, stride {stride}: the map is {out}"
        assert said[2] == k.size + filters, (
            "a weight for each row, column, channel and filter; a bias for each filter"
        )


def test_how_much_a_layer_holds():
    check_layer_size(solution(PAGE, "ex-eq-conv-size")["layer_size"])


def without_bias(height, width, channels, filters, kernel, stride, padding):
    size = solution(PAGE, "ex-eq-conv-size")["layer_size"]
    *out, _ = size(height, width, channels, filters, kernel, stride, padding)
    return *out, kernel * kernel * channels * filters


def without_channels(height, width, channels, filters, kernel, stride, padding):
    size = solution(PAGE, "ex-eq-conv-size")["layer_size"]
    *out, _ = size(height, width, channels, filters, kernel, stride, padding)
    return *out, kernel * kernel * filters + filters


def always_rounded_down(height, width, channels, filters, kernel, stride, padding):
    rim = kernel if padding == "valid" else 1
    out = [(n - rim) // stride + (padding == "valid") for n in (height, width)]
    return *out, kernel * kernel * channels * filters + filters


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (without_bias, "a bias for each filter"),
        (without_channels, "channel"),
        (always_rounded_down, "the map is"),
    ],
)
def test_how_much_a_layer_holds_finds_errors(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_layer_size(wrong)


def check_true_convolution(true_convolution):
    """Against SciPy, which knows one channel: the sum over the channels is ours."""
    x, kernel = random(2, 6, 7, 3), random(2, 3, 3, 4)
    y = true_convolution(x, kernel)
    for f in range(4):
        theirs = sum(
            convolve2d(x[1, :, :, c], kernel[:, :, c, f], mode="valid")
            for c in range(3)
        )
        assert np.allclose(y[1, :, :, f], theirs), (
            "turn the stamp upside down and left to right, and leave its channels"
        )


def test_the_mathematicians_convolution():
    answer = solution(PAGE, "ex-eq-conv-true")
    check_true_convolution(answer["true_convolution"])


@pytest.mark.parametrize(
    "turned",
    [
        pytest.param(np.s_[:], id="not turned"),
        pytest.param(np.s_[::-1], id="upside down only"),
        pytest.param(np.s_[::-1, ::-1, ::-1], id="channels turned too"),
    ],
)
def test_the_mathematicians_convolution_finds_errors(turned):
    with pytest.raises(AssertionError, match="turn the stamp"):
        check_true_convolution(lambda x, k: ct.equations.conv2d(x, k[turned]))


def check_merge(merge):
    x = random(1, 9, 8, 2)
    first, second = random(3, 3, 2, 4), random(3, 3, 4, 5)
    merged = merge(first, second)
    assert merged.shape == (5, 5, 2, 5), "the middle channels are summed away"
    twice = ct.equations.conv2d(ct.equations.conv2d(x, first), second)
    once = ct.equations.conv2d(x, merged)
    assert np.allclose(once, twice), (
        "each weight of the second stamp adds the first stamp, shifted to its place"
    )


def test_two_stamps_are_one_stamp():
    check_merge(solution(PAGE, "ex-eq-conv-merge")["merge"])


def framed_sum(first, second):
    """Take adding for applying: both in a frame of zeros, one on the other."""
    merged = np.zeros((5, 5, 2, 5))
    merged[1:4, 1:4] = np.einsum("uvcm,uvmf->uvcf", first, second)
    return merged


def turned_around(first, second):
    return solution(PAGE, "ex-eq-conv-merge")["merge"](first, second[::-1, ::-1])


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(framed_sum, id="place by place"),
        pytest.param(turned_around, id="shifted the wrong way"),
    ],
)
def test_two_stamps_are_one_stamp_finds_errors(wrong):
    with pytest.raises(AssertionError, match="shifted to its place"):
        check_merge(wrong)
