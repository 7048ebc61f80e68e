"""Gradient descent and Adam: by us and by Keras, a hundred steps side by side."""

import keras
import numpy as np
import pytest
from equations_helpers import close, quick, random_arrays, seeds, single
from hypothesis import given
from hypothesis import strategies as st

from crnn_tutorial.equations import adam_step, sgd_step

SHAPES = (3, 4), (5,)


def keras_steps(optimizer, parameters, gradients):
    """Return the parameters after each step."""
    variables = [keras.Variable(p) for p in parameters]
    optimizer.build(variables)
    for step in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in step], variables)
        yield [variable.numpy() for variable in variables]


def hundred(seed):
    """Gradients of all sizes, from 1e-4 to 1e4 times normal."""
    sizes = 10.0 ** np.random.default_rng(seed).uniform(-4, 4, size=100)
    return [
        single(*random_arrays(seed + k, *SHAPES, scale=sizes[k])) for k in range(100)
    ]


@pytest.mark.parametrize(
    "settings", [{}, {"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1}]
)
def test_adam_is_keras_over_a_hundred_steps(settings):
    parameters, gradients = single(*random_arrays(0, *SHAPES)), hundred(1)
    state, ours = None, parameters
    by_keras = keras_steps(keras.optimizers.Adam(**settings), parameters, gradients)
    for step, theirs in zip(gradients, by_keras, strict=True):
        ours, state = adam_step(ours, step, state, **settings)
        close(ours, theirs, 1e-5)
    assert state.step == 100
    assert {array.dtype.name for array in [*ours, *state.means]} == {"float32"}


def test_plain_descent_is_keras_over_a_hundred_steps():
    parameters, gradients = single(*random_arrays(0, *SHAPES)), hundred(1)
    ours = parameters
    by_keras = keras_steps(keras.optimizers.SGD(1e-3), parameters, gradients)
    for step, theirs in zip(gradients, by_keras, strict=True):
        ours = sgd_step(ours, step, 1e-3)
        close(ours, theirs, 1e-5)
    assert {array.dtype.name for array in ours} == {"float32"}


@quick
@given(seeds, st.floats(1e-4, 1.0))
def test_adams_first_step_has_one_length(seed, learning_rate):
    """The paper, section 2.1: |step| is about the learning rate, whatever the slope."""
    parameters, gradients = random_arrays(seed, (4,), (4,), scale=100)
    [new], _ = adam_step([parameters], [gradients], learning_rate=learning_rate)
    np.testing.assert_allclose(
        new - parameters, -learning_rate * np.sign(gradients), rtol=1e-3
    )


def test_the_old_parameters_and_the_old_state_stay_as_they_are():
    parameters, gradients = random_arrays(0, (3,), (3,))
    before = parameters.copy()
    _, first = adam_step([parameters], [gradients])
    means = first.means[0].copy()
    adam_step([parameters], [gradients], first)
    sgd_step([parameters], [gradients], 0.1)
    np.testing.assert_array_equal(parameters, before)
    np.testing.assert_array_equal(first.means[0], means)


@pytest.mark.parametrize("step", [sgd_step, adam_step])
def test_what_does_not_fit_is_told(step):
    with pytest.raises(
        ValueError, match=r"shapes \[\(2,\)\], the gradients \[\(3,\)\]"
    ):
        step([np.ones(2)], [np.ones(3)], learning_rate=0.1)
    with pytest.raises(
        ValueError, match=r"\[\(2,\), \(2,\)\], the gradients \[\(2,\)\]"
    ):
        step([np.ones(2)] * 2, [np.ones(2)], learning_rate=0.1)
    with pytest.raises(ValueError, match="learning rate must be above 0, not -1"):
        step([np.ones(2)], [np.ones(2)], learning_rate=-1)
