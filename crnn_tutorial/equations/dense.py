"""The dense layer, activations, softmax and cross-entropy, with their gradients."""

import numpy as np

from crnn_tutorial.equations.shapes import check_shapes, shaped


@shaped(x="... features", kernel="features units", bias="units")
def dense(x, kernel, bias=None):
    r"""Return one weighted sum of all features for each unit.

    .. math::

        y_{bu} = \beta_u + \sum_f x_{bf} \; W_{fu}

    Parameters
    ----------
    x : array
        ``(batch, features)``, or any axes before the features, such as
        ``(batch, steps, features)``.
    kernel : array
        ``(features, units)``, as Keras stores it: formulas that write ``W x`` mean its
        transpose.
    bias : array, optional
        ``(units,)``. None means zero.

    Returns
    -------
    numpy.ndarray
        ``(batch, units)``.

    Raises
    ------
    ValueError
        If shapes do not fit together.

    References
    ----------
    Section 3.3 of the article.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.equations.dense([[1.0, 2.0]], [[1.0, 0.0], [0.5, -1.0]], [0.0, 3.0])
    array([[2., 1.]])
    """
    y = x @ kernel
    return y if bias is None else y + bias


@shaped(gradient="... units", x="... features", kernel="features units")
def dense_backward(gradient, x, kernel):
    r"""Send the gradient of a loss back through `dense`.

    .. math::

        \partial x_{bf} &= \sum_u g_{bu} \; W_{fu} \\
        \partial W_{fu} &= \sum_b x_{bf} \; g_{bu} \\
        \partial \beta_u &= \sum_b g_{bu}

    Parameters
    ----------
    gradient : array
        Of the loss with respect to the output, ``(batch, units)``.
    x, kernel
        What `dense` was called with.

    Returns
    -------
    d_x, d_kernel, d_bias : numpy.ndarray
        Shaped like ``x``, ``kernel`` and ``(units,)``.

    Raises
    ------
    ValueError
        If shapes do not fit together.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> d_x, d_kernel, d_bias = ct.equations.dense_backward(
    ...     gradient=[[1.0]], x=[[3.0, 4.0]], kernel=[[5.0], [6.0]])
    >>> d_kernel  # the input, times the gradient
    array([[3.],
           [4.]])
    """
    if gradient.shape[:-1] != x.shape[:-1]:
        raise ValueError(
            f"dense_backward: the gradient {gradient.shape} and x {x.shape} "
            "must agree in all axes but the last."
        )
    every = tuple(range(x.ndim - 1))  # all axes but the last
    d_kernel = np.tensordot(x, gradient, axes=(every, every))
    return gradient @ kernel.T, d_kernel, gradient.sum(axis=every)


def relu(x):
    r"""Cut off what is negative: :math:`\max(x, 0)`.

    Parameters
    ----------
    x : array
        Any shape.

    Returns
    -------
    numpy.ndarray
        The same shape, 0 or larger.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.equations.relu([-1.0, 0.0, 2.0])
    array([0., 0., 2.])
    """
    return np.maximum(x, 0)


def relu_backward(gradient, x):
    """Let the gradient through where ``x`` was positive, and nowhere else.

    Parameters
    ----------
    gradient, x : array
        The same shape.

    Returns
    -------
    numpy.ndarray
        ``d_x``. At exactly 0 it is 0, as in Keras.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.equations.relu_backward([5.0, 5.0, 5.0], [-1.0, 0.0, 2.0])
    array([0., 0., 5.])
    """
    return np.multiply(gradient, np.greater(x, 0))


def sigmoid(x):
    r"""Squeeze any number into (0, 1): :math:`1 / (1 + e^{-x})`.

    Computed as a hyperbolic tangent, half as wide and half as high: the same number,
    and no ``exp`` that overflows.

    Parameters
    ----------
    x : array
        Any shape.

    Returns
    -------
    numpy.ndarray
        The same shape, between 0 and 1.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.equations.sigmoid([-1000.0, 0.0, 1000.0])
    array([0. , 0.5, 1. ])
    """
    return 0.5 * (1 + np.tanh(np.multiply(x, 0.5)))


def sigmoid_backward(gradient, x):
    r"""Multiply by the sigmoid's slope, :math:`\sigma(x) (1 - \sigma(x))`.

    Parameters
    ----------
    gradient, x : array
        The same shape.

    Returns
    -------
    numpy.ndarray
        ``d_x``: at most a quarter of the gradient.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.equations.sigmoid_backward([1.0, 1.0], [0.0, 100.0])
    array([0.25, 0.  ])
    """
    y = sigmoid(x)
    return gradient * y * (1 - y)


def tanh(x):
    r"""Squeeze any number into (-1, 1).

    Parameters
    ----------
    x : array
        Any shape.

    Returns
    -------
    numpy.ndarray
        The same shape, between -1 and 1.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.equations.tanh([-1000.0, 0.0, 1000.0])
    array([-1.,  0.,  1.])
    """
    return np.tanh(x)


def tanh_backward(gradient, x):
    r"""Multiply by the slope of the hyperbolic tangent, :math:`1 - \tanh^2 x`.

    Parameters
    ----------
    gradient, x : array
        The same shape.

    Returns
    -------
    numpy.ndarray
        ``d_x``: never larger than the gradient.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.equations.tanh_backward([1.0, 1.0], [0.0, 100.0])
    array([1., 0.])
    """
    return gradient * (1 - np.tanh(x) ** 2)


def softmax(logits, temperature=1.0):
    r"""Turn scores into probabilities that sum to one.

    .. math::

        p_k = \frac{e^{z_k / T}}{\sum_j e^{z_j / T}}

    The largest score is subtracted first. That changes no probability (it cancels),
    and keeps ``exp`` from overflowing.

    Parameters
    ----------
    logits : array
        Scores, ``(..., classes)``.
    temperature : float
        Above 0. A low one makes the answer sharper, a high one more even.

    Returns
    -------
    numpy.ndarray
        The same shape, between 0 and 1, with a sum of 1 along the last axis.

    Raises
    ------
    ValueError
        If the temperature is not above 0, or there is no axis of classes.

    References
    ----------
    Section 3.3 of the article. Bridle, 1990.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.equations.softmax([1000.0, 1000.0, -1000.0])
    array([0.5, 0.5, 0. ])
    """
    logits = np.asarray(logits)
    if logits.ndim < 1 or not temperature > 0:
        raise ValueError(
            "softmax: expected logits (..., classes) and a temperature above 0, "
            f"but the shape is {logits.shape} and the temperature {temperature}."
        )
    scores = logits / temperature
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def softmax_backward(gradient, logits, temperature=1.0):
    r"""Send the gradient of a loss back through `softmax`.

    .. math::

        \partial z_k = \frac{p_k}{T} \Bigl(g_k - \sum_j g_j p_j\Bigr)

    Parameters
    ----------
    gradient : array
        Of the loss with respect to the probabilities, ``(..., classes)``.
    logits, temperature
        What `softmax` was called with.

    Returns
    -------
    numpy.ndarray
        ``d_logits``; its sum along the last axis is 0.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.equations.softmax_backward([1.0, 0.0], [0.0, 0.0])
    array([ 0.25, -0.25])
    """
    p = softmax(logits, temperature)
    return p / temperature * (gradient - (gradient * p).sum(axis=-1, keepdims=True))


def cross_entropy(logits, labels):
    r"""Return the mean surprise at the right answer.

    .. math::

        L = -\frac{1}{B} \sum_b \log p_{b,\,y_b}
          = \frac{1}{B} \sum_b \Bigl(\log \sum_j e^{z_{bj}} - z_{b,\,y_b}\Bigr)

    The second form needs no logarithm of a probability that was rounded to zero.

    Parameters
    ----------
    logits : array
        Scores before the softmax, ``(batch, classes)``.
    labels : array of int
        The right classes, ``(batch,)``, from 0 to ``classes - 1``.

    Returns
    -------
    float
        0 or larger, in nats: ``log(classes)`` when all classes are equally probable.

    Raises
    ------
    ValueError
        If shapes do not fit together, or a label is no class.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> round(ct.equations.cross_entropy([[0.0, 0.0], [9.0, 9.0]], [0, 1]), 4)
    0.6931
    """
    logits, labels = check_labels("cross_entropy", logits, labels)
    scores = logits - logits.max(axis=-1, keepdims=True)
    right = scores[np.arange(len(labels)), labels]
    return float((np.log(np.exp(scores).sum(axis=-1)) - right).mean())


def cross_entropy_backward(logits, labels):
    r"""Return what the loss asks of each score: :math:`(p - y) / B`.

    Softmax and cross-entropy together have a gradient that is simpler than either
    alone: the probabilities, minus 1 at the right class.

    Parameters
    ----------
    logits, labels
        What `cross_entropy` was called with.

    Returns
    -------
    numpy.ndarray
        ``d_logits``, ``(batch, classes)``.

    Raises
    ------
    ValueError
        As in `cross_entropy`.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.equations.cross_entropy_backward([[0.0, 0.0]], [0])
    array([[-0.5,  0.5]])
    """
    logits, labels = check_labels("cross_entropy_backward", logits, labels)
    y = np.zeros_like(logits)
    y[np.arange(len(labels)), labels] = 1
    return (softmax(logits) - y) / len(labels)


def check_labels(function, logits, labels):
    """Return both as arrays, or say why a label is no class."""
    [logits] = check_shapes(function, logits=(logits, "batch classes"))
    labels = np.asarray(labels)
    if labels.shape != logits.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{function}: expected whole numbers, one for each of the "
            f"{len(logits)} rows of logits {logits.shape}, but labels have the shape "
            f"{labels.shape} and the type {labels.dtype}."
        )
    classes = logits.shape[1]
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"{function}: labels must lie between 0 and {classes - 1} for logits "
            f"{logits.shape}, but labels {labels.shape} go from {labels.min()} to "
            f"{labels.max()}."
        )
    return logits, labels
