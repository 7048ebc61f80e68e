"""Two ways to take a step down the slope of a loss."""

from typing import NamedTuple

import numpy as np


class AdamState(NamedTuple):
    """What Adam remembers from one step to the next.

    Parameters
    ----------
    step : int
        How many steps have been taken.
    means : list of numpy.ndarray
        For each parameter, the running mean of its gradients.
    squares : list of numpy.ndarray
        For each parameter, the running mean of its squared gradients.
    """

    step: int
    means: list
    squares: list


def sgd_step(parameters, gradients, learning_rate):
    r"""Take one step of plain gradient descent.

    .. math::

        \theta \leftarrow \theta - \eta \, \partial \theta

    Parameters
    ----------
    parameters, gradients : list of array
        Of the same shapes, one by one.
    learning_rate : float
        Above 0.

    Returns
    -------
    list of numpy.ndarray
        New parameters; the old ones are not changed.

    Raises
    ------
    ValueError
        If shapes do not agree, or the learning rate is not above 0.

    References
    ----------
    Section 3.2 of the article, step 6.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.equations.sgd_step([[1.0, 2.0]], [[10.0, 0.0]], learning_rate=0.1)
    [array([0., 2.])]
    """
    parameters, gradients = check_step("sgd_step", parameters, gradients, learning_rate)
    return [
        (p - learning_rate * g).astype(p.dtype)
        for p, g in zip(parameters, gradients, strict=True)
    ]


def adam_step(
    parameters,
    gradients,
    state=None,
    learning_rate=1e-3,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
):
    r"""Take one step of Adam: each weight has its own step length.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1) \, g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) \, g^2 \\
        \alpha &= \eta \, \sqrt{1 - \beta_2^t} \; / \; (1 - \beta_1^t) \\
        \theta &\leftarrow \theta - \alpha \, m \, / \, (\sqrt{v} + \varepsilon)

    Parameters
    ----------
    parameters, gradients : list of array
        Of the same shapes, one by one.
    state : AdamState, optional
        What the step before returned. None begins anew.
    learning_rate : float
        Above 0.
    beta_1, beta_2 : float
        How much of the running means is kept, from 0 to below 1.
    epsilon : float
        Keeps the division from blowing up. It stands where Keras has it: beside the
        uncorrected root (the paper's "epsilon hat").

    Returns
    -------
    parameters : list of numpy.ndarray
        New parameters; the old ones are not changed.
    state : AdamState
        For the next step.

    Raises
    ------
    ValueError
        If shapes do not agree, or the learning rate is not above 0.

    References
    ----------
    Kingma and Ba, 2015, "Adam: a method for stochastic optimization", section 2.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> [weights], state = ct.equations.adam_step([[1.0, 1.0]], [[0.01, -50.0]])
    >>> weights.round(4)  # the first step is as long as the learning rate, whatever g
    array([0.999, 1.001])
    """
    parameters, gradients = check_step(
        "adam_step", parameters, gradients, learning_rate
    )
    if state is None:
        zeros = [np.zeros_like(p) for p in parameters]
        state = AdamState(0, zeros, zeros)
    t = state.step + 1
    alpha = learning_rate * (1 - beta_2**t) ** 0.5 / (1 - beta_1**t)
    new, means, squares = [], [], []
    for p, g, m, v in zip(parameters, gradients, *state[1:], strict=True):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        new.append((p - alpha * m / (np.sqrt(v) + epsilon)).astype(p.dtype))
        means.append(m)
        squares.append(v)
    return new, AdamState(t, means, squares)


def check_step(function, parameters, gradients, learning_rate):
    """Return both as lists of arrays, or say what does not agree."""
    parameters = [np.asarray(p) for p in parameters]
    gradients = [np.asarray(g) for g in gradients]
    shapes = [p.shape for p in parameters], [g.shape for g in gradients]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"{function}: each parameter needs a gradient of its own shape, but the "
            f"parameters have the shapes {shapes[0]}, the gradients {shapes[1]}."
        )
    if not learning_rate > 0:
        raise ValueError(
            f"{function}: the learning rate must be above 0, not {learning_rate}."
        )
    return parameters, gradients
