"""The LSTM and the simple recurrent layer, forward and backward through time."""

from typing import NamedTuple

import numpy as np

from crnn_tutorial.equations.dense import sigmoid
from crnn_tutorial.equations.shapes import shaped

# The axes of the weights: an LSTM has four gates side by side, a simple layer has none.
LSTM = {
    "kernel": "features 4*units",
    "recurrent_kernel": "units 4*units",
    "bias": "4*units",
}
SIMPLE_RNN = {name: axes.replace("4*", "") for name, axes in LSTM.items()}
STATES = {"h": "batch units", "c": "batch units"}


class LSTMStep(NamedTuple):
    """The four gates and both states: of one step, or of all.

    Parameters
    ----------
    input_gate : numpy.ndarray
        Between 0 and 1: how much of the candidate is written.
    forget_gate : numpy.ndarray
        Between 0 and 1: how much of the old memory is kept.
    candidate : numpy.ndarray
        Between -1 and 1: what could be written.
    output_gate : numpy.ndarray
        Between 0 and 1: how much of the memory is shown.
    h : numpy.ndarray
        The hidden state, between -1 and 1: what the layer returns.
    c : numpy.ndarray
        The cell state, any number: the memory.
    """

    input_gate: np.ndarray
    forget_gate: np.ndarray
    candidate: np.ndarray
    output_gate: np.ndarray
    h: np.ndarray
    c: np.ndarray


@shaped(x_t="batch features", **STATES, **LSTM)
def lstm_step(x_t, h, c, kernel, recurrent_kernel, bias):
    r"""Read one step of a sequence, with the memory of those before.

    .. math::

        i_t &= \sigma(x_t W_i + h_{t-1} U_i + b_i) \\
        f_t &= \sigma(x_t W_f + h_{t-1} U_f + b_f) \\
        g_t &= \tanh(x_t W_g + h_{t-1} U_g + b_g) \\
        o_t &= \sigma(x_t W_o + h_{t-1} U_o + b_o) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        h_t &= o_t \odot \tanh(c_t)

    Parameters
    ----------
    x_t : array
        The step, ``(batch, features)``.
    h, c : array
        The hidden state and the cell state after the step before, ``(batch, units)``.
    kernel : array
        ``(features, 4 * units)``: the gates i, f, candidate, o side by side, as in
        Keras.
    recurrent_kernel : array
        ``(units, 4 * units)``.
    bias : array
        ``(4 * units,)``.

    Returns
    -------
    LSTMStep
        All four gates and both new states, each ``(batch, units)``.

    Raises
    ------
    ValueError
        If shapes do not fit together.

    References
    ----------
    Section 3.3 of the article. Hochreiter and Schmidhuber, 1997; the forget gate:
    Gers, Schmidhuber and Cummins, 2000.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> zero = np.zeros((1, 1))
    >>> step = ct.equations.lstm_step(zero, zero, 2 + zero, np.zeros((1, 4)),
    ...                               np.zeros((1, 4)), np.zeros(4))
    >>> step.c  # all gates are half open: half of the memory is kept
    array([[1.]])
    """
    z = x_t @ kernel + h @ recurrent_kernel + bias  # (batch, 4 * units)
    z_i, z_f, z_g, z_o = np.split(z, 4, axis=-1)
    i, f, o = sigmoid(z_i), sigmoid(z_f), sigmoid(z_o)
    g = np.tanh(z_g)
    c = f * c + i * g
    return LSTMStep(i, f, g, o, h=o * np.tanh(c), c=c)


@shaped(x="batch steps features", **LSTM, **STATES)
def lstm(x, kernel, recurrent_kernel, bias, h=None, c=None):
    """Read a sequence from its first step to its last with `lstm_step`.

    Parameters
    ----------
    x : array
        ``(batch, steps, features)``, one step at least.
    kernel, recurrent_kernel, bias
        As in `lstm_step`: the same at each step.
    h, c : array, optional
        The states before the first step, ``(batch, units)``. None means zero.

    Returns
    -------
    LSTMStep
        Every gate and both states at every step, each ``(batch, steps, units)``.
        ``.h`` is what Keras returns with ``return_sequences=True``, ``.h[:, -1]``
        what it returns without.

    Raises
    ------
    ValueError
        If shapes do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> keep_all = [0.0, 100.0, 0.0, 0.0]  # i, f, candidate, o
    >>> x, kernel = np.ones((1, 3, 1)), np.array([[0.0, 0.0, 100.0, 0.0]])
    >>> steps = ct.equations.lstm(x, kernel, np.zeros((1, 4)), keep_all)
    >>> steps.c[0, :, 0]  # each step adds a half
    array([0.5, 1. , 1.5])
    """
    zero = np.zeros_like(x, shape=(len(x), len(recurrent_kernel)))
    h, c = zero if h is None else h, zero if c is None else c
    steps = []
    for t in range(x.shape[1]):
        step = lstm_step(x[:, t], h, c, kernel, recurrent_kernel, bias)
        h, c = step.h, step.c
        steps.append(step)
    return LSTMStep(*(np.stack(values, axis=1) for values in zip(*steps, strict=True)))


@shaped(gradient="batch steps units", x="batch steps features", **LSTM)
def lstm_backward(gradient, x, kernel, recurrent_kernel, bias):
    r"""Send the gradient of a loss back through time, from the last step to the first.

    Two messages travel back: one for the hidden state, one for the cell state. The
    second is only multiplied by the forget gate, and added to:

    .. math::

        \partial c_{t-1} = f_t \odot \partial c_t + \dots

    Parameters
    ----------
    gradient : array
        Of the loss with respect to the hidden state of every step, ``(batch, steps,
        units)``. When only the last state is used, the others are zero.
    x, kernel, recurrent_kernel, bias
        What `lstm` was called with, from states of zero.

    Returns
    -------
    d_x, d_kernel, d_recurrent_kernel, d_bias : numpy.ndarray
        Shaped like what they belong to.

    Raises
    ------
    ValueError
        If shapes do not fit together.

    References
    ----------
    Werbos, 1990, "Backpropagation through time".

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> zero = np.zeros
    >>> d_x, *_ = ct.equations.lstm_backward(
    ...     np.ones((2, 5, 3)), zero((2, 5, 4)), zero((4, 12)), zero((3, 12)), zero(12))
    >>> d_x.shape
    (2, 5, 4)
    """
    steps = lstm(x, kernel, recurrent_kernel, bias)
    h_before, c_before = one_step_later(steps.h), one_step_later(steps.c)
    d_z = np.empty_like(gradient, shape=(*gradient.shape[:2], len(bias)))
    d_h = d_c = np.zeros_like(gradient[:, 0])
    for t in reversed(range(x.shape[1])):
        i, f, g, o, _, c = (field[:, t] for field in steps)
        d_h = d_h + gradient[:, t]
        d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)
        d_i, d_f, d_g = d_c * g, d_c * c_before[:, t], d_c * i
        d_o = d_h * np.tanh(c)
        d_z[:, t] = np.concatenate(
            [d_i * i * (1 - i), d_f * f * (1 - f), d_g * (1 - g**2), d_o * o * (1 - o)],
            axis=-1,
        )
        d_h, d_c = d_z[:, t] @ recurrent_kernel.T, d_c * f
    return through_kernels(d_z, x, h_before, kernel)


@shaped(x="batch steps features", **SIMPLE_RNN)
def simple_rnn(x, kernel, recurrent_kernel, bias):
    r"""Read a sequence with the plainest recurrence: no gates, no memory cell.

    .. math::

        h_t = \tanh(x_t W + h_{t-1} U + b)

    Parameters
    ----------
    x : array
        ``(batch, steps, features)``.
    kernel : array
        ``(features, units)``.
    recurrent_kernel : array
        ``(units, units)``.
    bias : array
        ``(units,)``.

    Returns
    -------
    numpy.ndarray
        The hidden state at every step, ``(batch, steps, units)``, from -1 to 1.

    Raises
    ------
    ValueError
        If shapes do not fit together.

    References
    ----------
    Elman, 1990, "Finding structure in time".

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.equations.simple_rnn([[[1.0], [0.0]]], [[100.0]], [[0.0]], [0.0])
    array([[[1.],
            [0.]]])
    """
    h = np.zeros_like(x, shape=(len(x), len(bias)))
    states = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ kernel + h @ recurrent_kernel + bias)
        states.append(h)
    return np.stack(states, axis=1)


@shaped(gradient="batch steps units", x="batch steps features", **SIMPLE_RNN)
def simple_rnn_backward(gradient, x, kernel, recurrent_kernel, bias):
    r"""Send the gradient of a loss back through time.

    At each step the message is multiplied by the same matrix again, and by a slope
    that is 1 at most:

    .. math::

        \partial h_{t-1} = (\partial h_t \odot (1 - h_t^2)) \, U^\top + g_{t-1}

    Parameters
    ----------
    gradient : array
        Of the loss with respect to the hidden state of every step, ``(batch, steps,
        units)``.
    x, kernel, recurrent_kernel, bias
        What `simple_rnn` was called with.

    Returns
    -------
    d_x, d_kernel, d_recurrent_kernel, d_bias : numpy.ndarray
        Shaped like what they belong to.

    Raises
    ------
    ValueError
        If shapes do not fit together.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> d_x, *_ = ct.equations.simple_rnn_backward(
    ...     [[[0.0], [1.0]]], [[[0.0], [0.0]]], [[1.0]], [[0.5]], [0.0])
    >>> d_x[0, :, 0]  # one step back, half is left
    array([0.5, 1. ])
    """
    h = simple_rnn(x, kernel, recurrent_kernel, bias)
    d_z, d_h = np.empty_like(gradient), np.zeros_like(gradient[:, 0])
    for t in reversed(range(x.shape[1])):
        d_h = d_h + gradient[:, t]
        d_z[:, t] = d_h * (1 - h[:, t] ** 2)
        d_h = d_z[:, t] @ recurrent_kernel.T
    return through_kernels(d_z, x, one_step_later(h), kernel)


def one_step_later(states):
    """Return what was known *before* each step: zeros first, the last one dropped."""
    return np.concatenate([np.zeros_like(states[:, :1]), states[:, :-1]], axis=1)


def through_kernels(d_z, x, h_before, kernel):
    """Return the gradients of ``z = x W + h U + b``, summed over batch and steps."""
    every = (0, 1)  # batch, steps
    d_kernel = np.tensordot(x, d_z, axes=(every, every))
    d_recurrent_kernel = np.tensordot(h_before, d_z, axes=(every, every))
    return d_z @ kernel.T, d_kernel, d_recurrent_kernel, d_z.sum(axis=every)
