"""Convolution: by us, by a plain loop, by Keras; gradients likewise."""

import keras
import numpy as np
import pytest
from equations_helpers import (
    close,
    finite_differences,
    keras_gradients,
    keras_layer,
    quick,
    random_arrays,
    seeds,
    single,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from crnn_tutorial.equations import (
    add_windows,
    conv2d,
    conv2d_backward,
    sliding_windows,
)


def slow_conv2d(x, kernel, bias, stride, padding):
    """The formula, one number at a time."""
    batch, height, width, channels = x.shape
    kernel_height, kernel_width, _, filters = kernel.shape
    down, right = stride
    if padding == "same":
        out_height, out_width = -(-height // down), -(-width // right)
        top = max((out_height - 1) * down + kernel_height - height, 0) // 2
        left = max((out_width - 1) * right + kernel_width - width, 0) // 2
    else:
        out_height = (height - kernel_height) // down + 1
        out_width = (width - kernel_width) // right + 1
        top = left = 0
    y = np.zeros((batch, out_height, out_width, filters))
    for b, i, j, f in np.ndindex(y.shape):
        y[b, i, j, f] = bias[f]
        for u, v, c in np.ndindex(kernel_height, kernel_width, channels):
            row, column = i * down + u - top, j * right + v - left
            if 0 <= row < height and 0 <= column < width:  # else: the frame of zeros
                y[b, i, j, f] += x[b, row, column, c] * kernel[u, v, c, f]
    return y


@st.composite
def convolutions(draw, one_stride=False):
    """Draw x, kernel, bias, stride and padding that fit together."""
    size = st.integers(1, 7)
    height, width, batch, channels, filters = (
        draw(size),
        draw(size),
        *(draw(st.integers(1, 3)) for _ in range(3)),
    )
    kernel_height, kernel_width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    padding = draw(st.sampled_from(["valid", "same"]))
    if padding == "valid":
        assume(kernel_height <= height and kernel_width <= width)
    down = draw(st.integers(1, 3))
    right = down if one_stride else draw(st.integers(1, 3))
    x, kernel, bias = random_arrays(
        draw(seeds),
        (batch, height, width, channels),
        (kernel_height, kernel_width, channels, filters),
        filters,
    )
    return x, kernel, bias, (down, right), padding


class TestForward:
    @quick
    @given(convolutions())
    def test_it_is_the_formula(self, drawn):
        by_us, by_loop = conv2d(*drawn), slow_conv2d(*drawn)
        assert by_us.dtype == "float64"
        close(by_us, by_loop, 1e-10)

    @quick
    @given(convolutions())
    def test_it_is_keras(self, drawn):
        x, kernel, bias, stride, padding = drawn
        x, kernel, bias = single(x, kernel, bias)
        by_us = conv2d(x, kernel, bias, stride, padding)

        filters, size = kernel.shape[3], kernel.shape[:2]
        layer = keras.layers.Conv2D(filters, size, strides=stride, padding=padding)
        _, by_keras = keras_layer(layer, x, kernel, bias)

        assert by_us.dtype == by_keras.dtype == "float32"
        close(by_us, by_keras, 1e-5)

    def test_on_paper(self):
        x = np.array([[1, 2, 0], [0, 1, 3], [4, 0, 1]]).reshape(1, 3, 3, 1)
        kernel = np.array([[1, 0], [-1, 2]]).reshape(2, 2, 1, 1)
        # 1*1 + 2*0 + 0*(-1) + 1*2 = 3, and so on
        assert conv2d(x, kernel, [0.5])[0, :, :, 0].tolist() == [
            [3.5, 7.5],
            [-3.5, 3.5],
        ]

    def test_one_stride_for_both_axes_and_no_bias(self):
        x, kernel = random_arrays(0, (1, 7, 6, 2), (3, 2, 2, 4))
        pair = conv2d(x, kernel, np.zeros(4), stride=(2, 2))
        np.testing.assert_array_equal(conv2d(x, kernel, stride=2), pair)

    def test_it_is_a_cross_correlation(self):
        """Mathematicians turn the kernel around first; Keras and we do not."""
        from scipy.signal import convolve2d

        x, kernel = random_arrays(0, (5, 6), (3, 2))
        ours = conv2d(x[None, :, :, None], kernel[:, :, None, None])[0, :, :, 0]
        turned = kernel[::-1, ::-1]
        np.testing.assert_allclose(ours, convolve2d(x, turned, mode="valid"))
        assert not np.allclose(ours, convolve2d(x, kernel, mode="valid"))


class TestBackward:
    @quick
    @given(convolutions(), seeds)
    def test_it_is_the_slope(self, drawn, seed):
        x, kernel, bias, stride, padding = drawn
        y = conv2d(*drawn)
        [gradient] = random_arrays(seed, y.shape)

        by_us = conv2d_backward(gradient, x, kernel, stride, padding)

        def forward(x, kernel, bias):
            return conv2d(x, kernel, bias, stride, padding)

        close(by_us, finite_differences(forward, gradient, x, kernel, bias), 1e-7)

    # TensorFlow has gradients on a CPU for equal strides only.
    @quick
    @given(convolutions(one_stride=True), seeds)
    def test_it_is_keras(self, drawn, seed):
        x, kernel, bias, stride, padding = drawn
        x, kernel, bias = single(x, kernel, bias)
        [gradient] = single(*random_arrays(seed, conv2d(*drawn).shape))

        by_us = conv2d_backward(gradient, x, kernel, stride, padding)

        filters, size = kernel.shape[3], kernel.shape[:2]
        layer = keras.layers.Conv2D(filters, size, strides=stride, padding=padding)
        call, _ = keras_layer(layer, x, kernel, bias)
        by_keras = keras_gradients(call, gradient, x, kernel, bias)

        assert {array.dtype.name for array in by_us} == {"float32"}
        close(by_us, by_keras, 1e-4)

    def test_each_pixel_counts_its_windows(self):
        ones = np.ones((1, 4, 4, 1))
        counts = add_windows(sliding_windows(ones, 2, stride=2), ones.shape, stride=2)
        np.testing.assert_array_equal(counts, ones)  # side by side: one window each


@pytest.mark.parametrize(
    "call, words",
    [
        (
            lambda: conv2d(np.ones((5, 5, 1)), np.ones((3, 3, 1, 2))),
            r"x has 3 axes.* x \(5, 5, 1\), expected \(batch, height, width, channels\)"
            r"; kernel \(3, 3, 1, 2\)",
        ),
        (
            lambda: conv2d(np.ones((1, 5, 5, 3)), np.ones((3, 3, 1, 2))),
            r"channels is 3 in x, but 1 in kernel.*\(1, 5, 5, 3\).*\(3, 3, 1, 2\)",
        ),
        (
            lambda: conv2d(np.ones((1, 5, 5, 1)), np.ones((3, 3, 1, 2)), np.ones(3)),
            r"filters is 2 in kernel, but 3 in bias.*\(3, 3, 1, 2\).*bias \(3,\)",
        ),
        (
            lambda: conv2d(np.ones((1, 2, 5, 1)), np.ones((3, 3, 1, 2))),
            r"a window of \(3, 3\) \(height, width\) does not fit .* of \(2, 5\), "
            r'shape \(1, 2, 5, 1\): .*padding="same"',
        ),
        (
            lambda: conv2d(np.ones((1, 5, 2, 1)), np.ones((3, 3, 1, 2))),
            r"a window of \(3, 3\) .* of \(5, 2\)",
        ),
        (
            lambda: conv2d(np.ones((1, 5, 5, 1)), np.ones((3, 3, 1, 2)), stride=-1),
            r"stride must be a whole number, 1 at least.* but it is -1, "
            r"for a picture of the shape \(1, 5, 5, 1\) and a window of \(3, 3\)",
        ),
        (
            lambda: conv2d(np.ones((1, 5, 5, 1)), np.ones((3, 3, 1, 2)), stride=1.5),
            "stride must be a whole number",
        ),
        (
            lambda: conv2d(
                np.ones((1, 5, 5, 1)), np.ones((3, 3, 1, 2)), padding="full"
            ),
            'padding is "valid" or "same", not \'full\'',
        ),
        (
            lambda: conv2d(np.ones((0, 5, 5, 1)), np.ones((3, 3, 1, 2))),
            r"x is empty.*\(0, 5, 5, 1\)",
        ),
        (
            lambda: conv2d_backward(
                np.ones((1, 5, 5, 2)), np.ones((1, 5, 5, 1)), np.ones((3, 3, 1, 2))
            ),
            r"gradient has the shape \(1, 5, 5, 2\), but .* = \(1, 3, 3\)",
        ),
        (
            lambda: conv2d_backward(
                np.ones((1, 3, 3, 4)), np.ones((1, 5, 5, 1)), np.ones((3, 3, 1, 2))
            ),
            r"filters is 4 in gradient, but 2 in kernel.*3, 4\).*\(3, 3, 1, 2\)",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_all_shapes(call, words):
    with pytest.raises(ValueError, match=words):
        call()
