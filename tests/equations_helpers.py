"""Keras' gradient on every backend, finite differences, and random arrays."""

import keras
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

# The same examples on every machine and every day; fewer where each new shape is
# compiled first.
examples = 5 if keras.backend.backend() == "jax" else 20
quick = settings(max_examples=examples, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def random_arrays(seed, *shapes, scale=1.0):
    """Draw a float64 array of each shape."""
    rng = np.random.default_rng(seed)
    return [scale * rng.normal(size=shape) for shape in shapes]


def single(*arrays):
    """Return arrays of float32, as Keras computes."""
    return [np.asarray(array, "float32") for array in arrays]


def close(ours, theirs, tolerance):
    """Compare arrays (or lists of them), shapes included."""
    if not isinstance(ours, (list, tuple)):
        ours, theirs = [ours], [theirs]
    for one, other in zip(ours, theirs, strict=True):
        other = keras.ops.convert_to_numpy(other)
        assert np.shape(one) == other.shape
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def keras_layer(layer, x, *weights):
    """Build a layer with our weights; return ``f(x, *weights)`` and its output."""
    layer.build(np.shape(x))
    layer.set_weights(weights)

    def call(x, *weights):
        state = layer.non_trainable_variables  # seeds, where there are any
        return layer.stateless_call(weights, state, x)[0]

    return call, keras.ops.convert_to_numpy(layer(x))


def keras_gradients(function, gradient, *arrays):
    """Return Keras' gradients of ``sum(gradient * function(*arrays))``."""

    def loss(*tensors):
        return keras.ops.sum(keras.ops.convert_to_tensor(gradient) * function(*tensors))

    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        every = tuple(range(len(arrays)))
        found = jax.grad(loss, argnums=every)(*map(jax.numpy.asarray, arrays))
    elif backend == "torch":
        import torch

        tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
        found = torch.autograd.grad(loss(*tensors), tensors)
    else:
        import tensorflow as tf

        tensors = [tf.constant(array) for array in arrays]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = loss(*tensors)
        found = tape.gradient(value, tensors)
    return [keras.ops.convert_to_numpy(array) for array in found]


def finite_differences(function, gradient, *arrays, nudge=1e-5):
    """Nudge each number up and down, and see how the loss moves (float64)."""
    found = [np.empty(array.shape) for array in arrays]
    for array, slopes in zip(arrays, found, strict=True):
        for place in np.ndindex(array.shape):
            before = array[place]
            array[place] = before + nudge
            up = np.sum(gradient * function(*arrays))
            array[place] = before - nudge
            down = np.sum(gradient * function(*arrays))
            array[place] = before
            slopes[place] = (up - down) / (2 * nudge)
    return found
