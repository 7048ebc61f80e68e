"""Dense, activations, softmax, cross-entropy: by us, by a plain loop, by Keras."""

import math

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
from hypothesis import given
from hypothesis import strategies as st

from crnn_tutorial import equations
from crnn_tutorial.equations import (
    cross_entropy,
    cross_entropy_backward,
    dense,
    dense_backward,
    softmax,
    softmax_backward,
)

sizes = st.integers(1, 5)


class TestDense:
    @quick
    @given(sizes, sizes, sizes, seeds)
    def test_it_is_the_formula(self, batch, features, units, seed):
        x, kernel, bias = random_arrays(
            seed, (batch, features), (features, units), units
        )
        by_us = dense(x, kernel, bias)
        for b, u in np.ndindex(batch, units):
            terms = [x[b, f] * kernel[f, u] for f in range(features)]
            assert by_us[b, u] == pytest.approx(bias[u] + sum(terms), abs=1e-10)

    @quick
    @given(st.lists(sizes, min_size=1, max_size=3), sizes, sizes, seeds)
    def test_it_is_keras_with_its_gradients(self, before, features, units, seed):
        shapes = (*before, features), (features, units), units, (*before, units)
        x, kernel, bias, gradient = single(*random_arrays(seed, *shapes))
        call, by_keras = keras_layer(keras.layers.Dense(units), x, kernel, bias)
        by_us = dense(x, kernel, bias)
        assert by_us.dtype == "float32"
        close(by_us, by_keras, 1e-5)

        by_us = dense_backward(gradient, x, kernel)
        close(by_us, keras_gradients(call, gradient, x, kernel, bias), 1e-5)

    @quick
    @given(sizes, sizes, sizes, seeds)
    def test_its_gradient_is_the_slope(self, batch, features, units, seed):
        shapes = (batch, features), (features, units), units, (batch, units)
        x, kernel, bias, gradient = random_arrays(seed, *shapes)
        by_us = dense_backward(gradient, x, kernel)
        close(by_us, finite_differences(dense, gradient, x, kernel, bias), 1e-7)

    def test_no_bias_is_a_bias_of_zero(self):
        x, kernel = random_arrays(0, (2, 3), (3, 4))
        np.testing.assert_array_equal(dense(x, kernel), dense(x, kernel, np.zeros(4)))


class TestActivations:
    FORMULAS = {
        "relu": lambda x: max(x, 0.0),
        "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
        "tanh": lambda x: (math.exp(x) - math.exp(-x)) / (math.exp(x) + math.exp(-x)),
    }

    @pytest.mark.parametrize("name", FORMULAS)
    @quick
    @given(st.lists(sizes, min_size=1, max_size=3), seeds)
    def test_formula_slope_and_keras(self, name, shape, seed):
        ours, formula = getattr(equations, name), self.FORMULAS[name]
        back, theirs = (
            getattr(equations, f"{name}_backward"),
            keras.activations.get(name),
        )
        x, gradient = random_arrays(seed, shape, shape, scale=3)
        close(ours(x), np.vectorize(formula)(x), 1e-10)
        [slope] = finite_differences(ours, gradient, x)
        close(back(gradient, x), slope, 1e-7)

        x, gradient = single(x, gradient)
        assert ours(x).dtype == back(gradient, x).dtype == "float32"
        close(ours(x), theirs(x), 1e-5)
        close([back(gradient, x)], keras_gradients(theirs, gradient, x), 1e-5)

    def test_relu_is_flat_at_zero(self):
        zero = np.zeros(1, "float32")
        [by_keras] = keras_gradients(
            keras.activations.relu, np.ones(1, "float32"), zero
        )
        assert equations.relu_backward(1.0, zero) == by_keras == 0

    def test_nothing_overflows(self):
        with np.errstate(all="raise", under="ignore"):
            for far in (-1e4, 1e4):
                assert equations.sigmoid(far) == (far > 0)
                assert equations.sigmoid_backward(1.0, far) == 0
                assert equations.tanh_backward(1.0, far) == 0


temperatures = st.sampled_from([0.1, 0.5, 1.0, 2.0, 10.0])


class TestSoftmax:
    @quick
    @given(st.lists(sizes, min_size=1, max_size=3), temperatures, seeds)
    def test_formula_slope_and_keras(self, shape, temperature, seed):
        logits, gradient = random_arrays(seed, shape, shape)
        by_us = softmax(logits, temperature)
        for place in np.ndindex(*shape[:-1]):
            powers = [math.exp(z / temperature) for z in logits[place]]
            expected = [power / sum(powers) for power in powers]
            np.testing.assert_allclose(by_us[place], expected, rtol=1e-10)

        def forward(z):
            return softmax(z, temperature)

        [slope] = finite_differences(forward, gradient, logits, nudge=1e-6)
        back = softmax_backward(gradient, logits, temperature)
        close(back, slope, 1e-6)
        np.testing.assert_allclose(back.sum(axis=-1), 0, atol=1e-10)

        logits, gradient = single(logits, gradient)

        def theirs(z):
            z = keras.ops.convert_to_tensor(z)
            # One class alone: Keras warns that its probability is always 1.
            powers = keras.ops.exp(z - keras.ops.max(z, axis=-1, keepdims=True))
            alone = powers / keras.ops.sum(powers, axis=-1, keepdims=True)
            return alone if shape[-1] == 1 else keras.activations.softmax(z)

        assert softmax(logits).dtype == "float32"
        close(softmax(logits), theirs(logits), 1e-5)
        by_keras = keras_gradients(theirs, gradient, logits)
        close([softmax_backward(gradient, logits)], by_keras, 1e-5)

    @pytest.mark.parametrize("kind", ["float32", "float64"])
    def test_scores_of_a_thousand_are_no_danger(self, kind):
        with np.errstate(all="raise", under="ignore"):
            p = softmax(np.array([[1000, -1000, 0], [-1000, -1000, -1000]], kind))
            np.testing.assert_allclose(p, [[1, 0, 0], [1 / 3] * 3], atol=1e-7)
            logits = np.array([[1000, -1000]], kind)
            assert cross_entropy(logits, [0]) == 0
            assert cross_entropy(logits, [1]) == 2000
            assert cross_entropy_backward(logits, [1]).tolist() == [[1, -1]]

    @quick
    @given(sizes, seeds)
    def test_a_score_added_to_all_changes_nothing(self, classes, seed):
        [logits] = random_arrays(seed, (2, classes))
        np.testing.assert_allclose(softmax(logits + 100), softmax(logits), atol=1e-12)

    def test_temperature(self):
        cold, warm, hot = (softmax([2.0, 1.0], t) for t in (0.01, 1, 100))
        np.testing.assert_allclose(cold, [1, 0], atol=1e-12)
        np.testing.assert_allclose(warm, [0.7310585786, 0.2689414214])
        np.testing.assert_allclose(hot, [0.5, 0.5], atol=0.01)


class TestCrossEntropy:
    @quick
    @given(sizes, st.integers(2, 6), seeds)
    def test_formula_slope_and_keras(self, batch, classes, seed):
        [logits] = random_arrays(seed, (batch, classes))
        labels = np.random.default_rng(seed).integers(0, classes, batch)
        p = softmax(logits)
        expected = sum(-math.log(p[b, labels[b]]) for b in range(batch)) / batch
        assert cross_entropy(logits, labels) == pytest.approx(expected, abs=1e-10)

        def forward(z):
            return cross_entropy(z, labels)

        by_us = cross_entropy_backward(logits, labels)
        close([by_us], finite_differences(forward, 1.0, logits), 1e-8)
        np.testing.assert_allclose(by_us, (p - np.eye(classes)[labels]) / batch)

        [logits] = single(logits)

        def theirs(z):
            return keras.ops.mean(
                keras.losses.sparse_categorical_crossentropy(
                    labels, z, from_logits=True
                )
            )

        by_keras = keras.ops.convert_to_numpy(theirs(logits))
        assert cross_entropy(logits, labels) == pytest.approx(by_keras, abs=1e-5)
        by_us = cross_entropy_backward(logits, labels)
        assert by_us.dtype == "float32"
        one = np.float32(1)
        close([by_us], keras_gradients(theirs, one, logits), 1e-5)


@pytest.mark.parametrize(
    "call, words",
    [
        (
            lambda: dense(np.ones((2, 3)), np.ones((4, 5))),
            r"features is 3 in x, but 4 in kernel.*x \(2, 3\).*kernel \(4, 5\)",
        ),
        (
            lambda: dense(np.ones(3), np.ones((3, 5))),
            r"x has 1 axes.*x \(3,\), expected \(..., features\)",
        ),
        (
            lambda: dense(np.ones((2, 3)), np.ones((3, 5)), np.ones(4)),
            r"units is 5 in kernel, but 4 in bias.*\(3, 5\).*\(4,\)",
        ),
        (
            lambda: dense_backward(np.ones((3, 5)), np.ones((2, 3)), np.ones((3, 5))),
            r"gradient \(3, 5\) and x \(2, 3\) must agree in all axes but the last",
        ),
        (lambda: softmax(1.0), r"logits \(..., classes\).* shape is \(\)"),
        (
            lambda: softmax([1.0], temperature=0),
            r"temperature above 0.*\(1,\) and the temperature 0",
        ),
        (
            lambda: cross_entropy(np.ones(3), [1]),
            r"logits has 1 axes.*\(3,\), expected \(batch, classes\)",
        ),
        (
            lambda: cross_entropy(np.ones((2, 3)), [0]),
            r"each of the 2 rows of logits \(2, 3\), but labels have the shape \(1,\)",
        ),
        (
            lambda: cross_entropy(np.ones((2, 3)), [0.0, 1.0]),
            r"expected whole numbers.*\(2, 3\).*\(2,\) and the type float64",
        ),
        (
            lambda: cross_entropy(np.ones((2, 3)), [0, 3]),
            r"between 0 and 2 for logits \(2, 3\), but labels \(2,\) go from 0 to 3",
        ),
        (
            lambda: cross_entropy_backward(np.ones((2, 3)), [-1, 0]),
            r"cross_entropy_backward: labels must .* labels \(2,\) go from -1 to 0",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_all_shapes(call, words):
    with pytest.raises(ValueError, match=words):
        call()
