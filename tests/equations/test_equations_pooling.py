"""Pooling: by us, by a plain loop, by Keras; gradients likewise."""

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
    average_pool2d,
    average_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)

KINDS = {
    "max": (max_pool2d, max_pool2d_backward, max, keras.layers.MaxPooling2D),
    "average": (
        average_pool2d,
        average_pool2d_backward,
        lambda numbers: sum(numbers) / len(numbers),
        keras.layers.AveragePooling2D,
    ),
}
both = pytest.mark.parametrize("kind", KINDS)


def slow_pool2d(summary, x, pool, stride, padding):
    """Collect the real pixels of each window in a list, and sum the list up."""
    batch, height, width, channels = x.shape
    down, right = stride or pool
    if padding == "same":
        out_height, out_width = -(-height // down), -(-width // right)
        top = max((out_height - 1) * down + pool[0] - height, 0) // 2
        left = max((out_width - 1) * right + pool[1] - width, 0) // 2
    else:
        out_height = (height - pool[0]) // down + 1
        out_width = (width - pool[1]) // right + 1
        top = left = 0
    y = np.zeros((batch, out_height, out_width, channels))
    for b, i, j, c in np.ndindex(y.shape):
        rows = [i * down + u - top for u in range(pool[0])]
        columns = [j * right + v - left for v in range(pool[1])]
        y[b, i, j, c] = summary(
            [
                x[b, row, column, c]
                for row in rows
                for column in columns
                if 0 <= row < height and 0 <= column < width
            ]
        )
    return y


@st.composite
def poolings(draw, ties=False):
    """Draw x, pool, stride and padding that fit together.

    The window is at least as large as the stride: Keras' backends do not agree on
    what "same" means when whole windows lie outside.
    """
    height, width = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    pool = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    padding = draw(st.sampled_from(["valid", "same"]))
    if padding == "valid":
        assume(pool[0] <= height and pool[1] <= width)
    stride = draw(
        st.none() | st.tuples(st.integers(1, pool[0]), st.integers(1, pool[1]))
    )
    shape = draw(st.integers(1, 3)), height, width, draw(st.integers(1, 3))
    [x] = random_arrays(draw(seeds), shape)
    return (np.round(x) if ties else x), pool, stride, padding


def agrees_with_itself(kind, padding):
    """On torch, Keras fills an uneven frame with copies of the border, and counts them.

    On TensorFlow and JAX the mean is over real pixels, as ours.
    """
    torch = keras.backend.backend() == "torch"
    return not (torch and kind == "average" and padding == "same")


@both
class TestForward:
    @quick
    @given(drawn=poolings())
    def test_it_is_the_formula(self, kind, drawn):
        ours, _, summary, _ = KINDS[kind]
        by_us, by_loop = ours(*drawn), slow_pool2d(summary, *drawn)
        assert by_us.dtype == "float64"
        close(by_us, by_loop, 1e-10)

    @quick
    @given(drawn=poolings())
    def test_it_is_keras(self, kind, drawn):
        ours, _, _, layer = KINDS[kind]
        x, pool, stride, padding = drawn
        assume(agrees_with_itself(kind, padding))
        [x] = single(x)
        by_us = ours(x, pool, stride, padding)
        by_keras = layer(pool, strides=stride, padding=padding)(x)
        assert by_us.dtype == "float32"
        close(by_us, by_keras, 1e-5)


@both
class TestBackward:
    @quick
    @given(drawn=poolings(), seed=seeds)
    def test_it_is_the_slope(self, kind, drawn, seed):
        ours, back, _, _ = KINDS[kind]
        x, *settings = drawn
        [gradient] = random_arrays(seed, ours(*drawn).shape)
        by_us = back(gradient, *drawn)
        [slope] = finite_differences(lambda x: ours(x, *settings), gradient, x)
        close(by_us, slope, 1e-7)

    @quick
    @given(drawn=poolings(ties=True), seed=seeds)
    def test_it_is_keras_with_many_equal_numbers(self, kind, drawn, seed):
        ours, back, _, layer = KINDS[kind]
        x, pool, stride, padding = drawn
        assume(agrees_with_itself(kind, padding))
        [x] = single(x)
        [gradient] = single(*random_arrays(seed, ours(*drawn).shape))
        by_us = back(gradient, x, pool, stride, padding)
        call, _ = keras_layer(layer(pool, strides=stride, padding=padding), x)
        assert by_us.dtype == "float32"
        close([by_us], keras_gradients(call, gradient, x), 1e-5)


def test_on_paper():
    x = np.array([[1, 5, 2], [3, 4, 6], [7, 0, 8]]).reshape(1, 3, 3, 1)
    assert max_pool2d(x, pool=2, stride=1)[0, :, :, 0].tolist() == [[5, 6], [7, 8]]
    assert average_pool2d(x, pool=2)[0, :, :, 0].tolist() == [[3.25]]
    # "same": the last row and column are pooled by themselves, over real pixels.
    same = average_pool2d(x, pool=2, padding="same")[0, :, :, 0]
    assert same.tolist() == [[3.25, 4], [3.5, 8]]


@both
@pytest.mark.parametrize(
    "call, words",
    [
        (
            lambda ours, back: ours(np.ones((4, 4))),
            r"x has 2 axes.*x \(4, 4\), expected \(batch, height, width, channels\)",
        ),
        (
            lambda ours, back: ours(np.ones((1, 2, 4, 1)), pool=3),
            r"a window of \(3, 3\) .* a picture of \(2, 4\), shape \(1, 2, 4, 1\)",
        ),
        (
            lambda ours, back: ours(np.ones((1, 4, 4, 1)), pool=0),
            r"window's size must be a whole number, 1 at least.*0.*\(1, 4, 4, 1\)",
        ),
        (
            lambda ours, back: ours(np.ones((1, 4, 4, 1)), stride=0),
            r"stride must be a whole number, 1 at least.*0.*\(1, 4, 4, 1\)",
        ),
        (
            lambda ours, back: back(np.ones((1, 4, 4, 1)), np.ones((1, 4, 4, 1))),
            r"gradient has the shape \(1, 4, 4, 1\), but .* = \(1, 2, 2\)",
        ),
        (
            lambda ours, back: back(np.ones((1, 2, 2, 3)), np.ones((1, 4, 4, 1))),
            r"channels is 3 in gradient, but 1 in x.*\(1, 2, 2, 3\).*\(1, 4, 4, 1\)",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_all_shapes(kind, call, words):
    ours, back, _, _ = KINDS[kind]
    with pytest.raises(ValueError, match=words):
        call(ours, back)
