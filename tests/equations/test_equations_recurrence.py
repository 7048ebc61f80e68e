"""LSTM and simple recurrence: by us, by a plain loop, by Keras; gradients likewise."""

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

from crnn_tutorial.equations import (
    LSTMStep,
    lstm,
    lstm_backward,
    lstm_step,
    simple_rnn,
    simple_rnn_backward,
)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def slow_lstm(x, kernel, recurrent_kernel, bias, h, c):
    """The six formulas, one unit and one step at a time."""
    (batch, steps, features), units = x.shape, len(recurrent_kernel)
    out = {name: np.zeros((batch, steps, units)) for name in LSTMStep._fields}
    for b in range(batch):
        h_before, c_before = list(h[b]), list(c[b])
        for t in range(steps):
            h_now, c_now = [], []
            for u in range(units):

                def weighted(gate, u=u, b=b, t=t, h_before=h_before):
                    column = gate * units + u  # the gates stand side by side
                    return (
                        sum(x[b, t, k] * kernel[k, column] for k in range(features))
                        + sum(
                            h_before[k] * recurrent_kernel[k, column]
                            for k in range(units)
                        )
                        + bias[column]
                    )

                i, f = sigmoid(weighted(0)), sigmoid(weighted(1))
                g, o = math.tanh(weighted(2)), sigmoid(weighted(3))
                c_now.append(f * c_before[u] + i * g)
                h_now.append(o * math.tanh(c_now[u]))
                values = i, f, g, o, h_now[u], c_now[u]
                for name, value in zip(LSTMStep._fields, values, strict=True):
                    out[name][b, t, u] = value
            h_before, c_before = h_now, c_now
    return LSTMStep(**out)


def slow_rnn(x, kernel, recurrent_kernel, bias):
    states = np.zeros((*x.shape[:2], len(bias)))
    for b, t, u in np.ndindex(states.shape):
        z = bias[u] + sum(x[b, t, k] * kernel[k, u] for k in range(x.shape[2]))
        if t > 0:
            for k in range(len(bias)):
                z += states[b, t - 1, k] * recurrent_kernel[k, u]
        states[b, t, u] = math.tanh(z)
    return states


sizes = st.integers(1, 4)
scales = st.sampled_from([0.1, 1.0, 3.0])


@st.composite
def sequences(draw, gates):
    """Draw x, kernel, recurrent kernel and bias that fit together."""
    batch, steps, features, units = (draw(sizes) for _ in range(4))
    shapes = (features, gates * units), (units, gates * units), gates * units
    [x] = random_arrays(draw(seeds), (batch, steps, features))
    return x, *random_arrays(draw(seeds), *shapes, scale=draw(scales))


class TestLSTM:
    @quick
    @given(sequences(gates=4), seeds)
    def test_every_gate_and_state_is_the_formula(self, drawn, seed):
        states = len(drawn[0]), len(drawn[2])
        h, c = random_arrays(seed, states, states)
        by_us, by_loop = lstm(*drawn, h, c), slow_lstm(*drawn, h, c)
        assert by_us.h.dtype == "float64"
        close(by_us, by_loop, 1e-10)

    @quick
    @given(sequences(gates=4))
    def test_it_is_keras(self, drawn):
        x, *weights = single(*drawn)
        layer = keras.layers.LSTM(
            len(weights[1]), return_sequences=True, return_state=True
        )
        layer.build(x.shape)
        layer.set_weights(weights)
        h, last_h, last_c = layer(x)

        by_us = lstm(x, *weights)

        assert {field.dtype.name for field in by_us} == {"float32"}
        close(by_us.h, h, 1e-5)
        close(by_us.h[:, -1], last_h, 1e-5)
        close(by_us.c[:, -1], last_c, 1e-5)

    @quick
    @given(sequences(gates=4))
    def test_it_is_one_step_after_the_other(self, drawn):
        x, *weights = drawn
        together = lstm(x, *weights)
        h = c = np.zeros_like(together.h[:, 0])
        for t in range(x.shape[1]):
            step = lstm_step(x[:, t], h, c, *weights)
            h, c = step.h, step.c
            close(step, [field[:, t] for field in together], 1e-12)

    @quick
    @given(sequences(gates=4), seeds)
    def test_its_gradient_is_the_slope(self, drawn, seed):
        [gradient] = random_arrays(seed, lstm(*drawn).h.shape)
        by_us = lstm_backward(gradient, *drawn)
        slopes = finite_differences(lambda *a: lstm(*a).h, gradient, *drawn)
        close(by_us, slopes, 1e-6)

    @quick
    @given(sequences(gates=4), st.booleans(), seeds)
    def test_its_gradient_is_keras(self, drawn, every_step, seed):
        x, *weights = single(*drawn)
        [gradient] = single(*random_arrays(seed, lstm(x, *weights).h.shape))
        if not every_step:
            gradient[:, :-1] = 0  # nobody asked for the states before the last

        by_us = lstm_backward(gradient, x, *weights)

        layer = keras.layers.LSTM(len(weights[1]), return_sequences=every_step)
        call, _ = keras_layer(layer, x, *weights)
        asked = gradient if every_step else gradient[:, -1]
        by_keras = keras_gradients(call, asked, x, *weights)

        assert {array.dtype.name for array in by_us} == {"float32"}
        close(by_us, by_keras, 1e-4)

    def test_on_paper(self):
        """Half-open gates: z = 0, so i = f = o = 1/2 and the candidate is 0."""
        zero = np.zeros((1, 1))
        step = lstm_step(
            zero, zero, zero + 1, np.zeros((1, 4)), np.zeros((1, 4)), [0] * 4
        )
        assert [float(gate[0, 0]) for gate in step[:4]] == [0.5, 0.5, 0, 0.5]
        assert step.c == 0.5
        assert step.h == 0.5 * np.tanh(0.5)

    def test_an_open_forget_gate_keeps_what_was_written(self):
        [x] = random_arrays(0, (1, 50, 2))
        shut_and_open = np.repeat([-1e3, 1e3, 0, 1e3], 3)  # write nothing, keep all
        start = np.array([[-2.0, 0.5, 7.0]])
        weights = np.zeros((2, 12)), np.zeros((3, 12)), shut_and_open
        steps = lstm(x, *weights, c=start)
        assert (steps.c == start[:, None]).all()
        assert (steps.h == np.tanh(start)[:, None]).all()


class TestSimpleRNN:
    @quick
    @given(sequences(gates=1))
    def test_it_is_the_formula(self, drawn):
        close(simple_rnn(*drawn), slow_rnn(*drawn), 1e-10)

    @quick
    @given(sequences(gates=1), seeds)
    def test_it_is_keras_with_its_gradients(self, drawn, seed):
        x, *weights = single(*drawn)
        layer = keras.layers.SimpleRNN(len(weights[1]), return_sequences=True)
        call, by_keras = keras_layer(layer, x, *weights)
        by_us = simple_rnn(x, *weights)
        assert by_us.dtype == "float32"
        close(by_us, by_keras, 1e-5)

        [gradient] = single(*random_arrays(seed, by_us.shape))
        by_us = simple_rnn_backward(gradient, x, *weights)
        close(by_us, keras_gradients(call, gradient, x, *weights), 1e-4)

    @quick
    @given(sequences(gates=1), seeds)
    def test_its_gradient_is_the_slope(self, drawn, seed):
        [gradient] = random_arrays(seed, simple_rnn(*drawn).shape)
        by_us = simple_rnn_backward(gradient, *drawn)
        close(by_us, finite_differences(simple_rnn, gradient, *drawn), 1e-6)


X, W, U, B = np.ones((2, 5, 3)), np.ones((3, 16)), np.ones((4, 16)), np.ones(16)
STATE = np.ones((2, 4))


@pytest.mark.parametrize(
    "call, words",
    [
        (
            lambda: lstm(X[0], W, U, B),
            r"x has 2 axes.*x \(5, 3\), expected \(batch, steps, features\)",
        ),
        (
            lambda: lstm(X, W[:2], U, B),
            r"features is 3 in x, but 2 in kernel.*\(2, 5, 3\).*\(2, 16\)",
        ),
        (
            lambda: lstm(X, W, U[:3], B),
            r"units is 4 in kernel, but 3 in recurrent_kernel.*\(3, 16\).*\(3, 16\)",
        ),
        (
            lambda: lstm(X, W[:, :15], U, B),
            r"4\*units is 15 in kernel, no multiple of 4.*kernel \(3, 15\)",
        ),
        (
            lambda: lstm(X, W, U, B, h=np.ones((2, 5))),
            r"units is 4 in kernel, but 5 in h.*h \(2, 5\), expected \(batch, units\)",
        ),
        (lambda: lstm(X[:, :0], W, U, B), r"x is empty.*x \(2, 0, 3\)"),
        (
            lambda: lstm_step(X[:, 0], STATE[:1], STATE, W, U, B),
            r"batch is 2 in x_t, but 1 in h.*x_t \(2, 3\).*h \(1, 4\)",
        ),
        (
            lambda: lstm_backward(np.ones((2, 4, 4)), X, W, U, B),
            r"steps is 4 in gradient, but 5 in x.*\(2, 4, 4\).*\(2, 5, 3\)",
        ),
        (
            lambda: simple_rnn(X, W, U, B),
            r"units is 16 in kernel, but 4 in recurrent_kernel.*\(3, 16\).*\(4, 16\)",
        ),
        (
            lambda: simple_rnn_backward(X, X, W[:, :4], U[:, :4], B[:4]),
            r"units is 3 in gradient, but 4 in kernel.*\(2, 5, 3\).*\(3, 4\)",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_all_shapes(call, words):
    with pytest.raises(ValueError, match=words):
        call()
