"""Max and average pooling, and their gradients."""

import numpy as np

from crnn_tutorial.equations.convolution import check_gradient
from crnn_tutorial.equations.shapes import shaped
from crnn_tutorial.equations.windows import add_windows, sliding_windows


@shaped(x="batch height width channels")
def max_pool2d(x, pool=2, stride=None, padding="valid"):
    r"""Keep the largest number of each window.

    .. math::

        y_{bijc} = \max_{0 \le u < p,\; 0 \le v < q} x_{b,\,si+u,\,sj+v,\,c}

    Each channel is pooled by itself.

    Parameters
    ----------
    x : array
        Feature maps, ``(batch, height, width, channels)``.
    pool : int or tuple of int
        Height and width of the window.
    stride : int or tuple of int, optional
        How far the window moves. None: by its own size, so that windows lie side
        by side.
    padding : {"valid", "same"}
        ``"valid"`` drops rows and columns that do not fill a window; ``"same"``
        keeps them in smaller windows.

    Returns
    -------
    numpy.ndarray
        ``(batch, out_height, out_width, channels)``.

    Raises
    ------
    ValueError
        If ``x`` has no four axes, the window does not fit into the picture, or the
        pool or stride is smaller than 1.

    References
    ----------
    Section 3.3 of the article, there along one axis and without a stride.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> ct.equations.max_pool2d(x)[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    windows = sliding_windows(x, pool, stride, padding, fill=-np.inf)
    return windows.max(axis=(3, 4))


@shaped(gradient="batch out_height out_width channels", x="batch height width channels")
def max_pool2d_backward(gradient, x, pool=2, stride=None, padding="valid"):
    """Send the gradient back to the winner of each window, and to nobody else.

    Where two share the maximum, the first one gets it, row by row, as in Keras.

    Parameters
    ----------
    gradient : array
        Of the loss with respect to the output, ``(batch, out_height, out_width,
        channels)``.
    x, pool, stride, padding
        What `max_pool2d` was called with.

    Returns
    -------
    numpy.ndarray
        ``d_x``, shaped like ``x``.

    Raises
    ------
    ValueError
        If shapes do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> x = np.array([[1.0, 3.0], [2.0, 0.0]]).reshape(1, 2, 2, 1)
    >>> ct.equations.max_pool2d_backward(np.ones((1, 1, 1, 1)), x)[0, :, :, 0]
    array([[0., 1.],
           [0., 0.]])
    """
    windows = sliding_windows(x, pool, stride, padding, fill=-np.inf)
    check_gradient("max_pool2d_backward", gradient, windows)
    height, width = windows.shape[3:5]
    in_line = windows.reshape(*windows.shape[:3], height * width, -1)
    winner = in_line.argmax(axis=3)[:, :, :, None]  # the first of the largest
    won = np.arange(height * width)[:, None] == winner
    d_windows = (won * gradient[:, :, :, None]).reshape(windows.shape)
    return add_windows(d_windows, x.shape, stride, padding)


@shaped(x="batch height width channels")
def average_pool2d(x, pool=2, stride=None, padding="valid"):
    r"""Keep the mean of each window.

    .. math::

        y_{bijc} = \frac{1}{pq} \sum_{u,v} x_{b,\,si+u,\,sj+v,\,c}

    With ``"same"``, a window at the border may hold fewer than ``p q`` pixels: the
    mean is over those that are there.

    Parameters
    ----------
    x, pool, stride, padding
        As in `max_pool2d`.

    Returns
    -------
    numpy.ndarray
        ``(batch, out_height, out_width, channels)``.

    Raises
    ------
    ValueError
        As in `max_pool2d`.

    References
    ----------
    Section 3.3 of the article, there along one axis and without a stride.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> ct.equations.average_pool2d(x)[0, :, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    windows = sliding_windows(x, pool, stride, padding)
    return windows.sum(axis=(3, 4)) / real_pixels(x, pool, stride, padding)


@shaped(gradient="batch out_height out_width channels", x="batch height width channels")
def average_pool2d_backward(gradient, x, pool=2, stride=None, padding="valid"):
    """Share each window's gradient evenly among its pixels.

    Parameters
    ----------
    gradient : array
        Of the loss with respect to the output, ``(batch, out_height, out_width,
        channels)``.
    x, pool, stride, padding
        What `average_pool2d` was called with.

    Returns
    -------
    numpy.ndarray
        ``d_x``, shaped like ``x``.

    Raises
    ------
    ValueError
        If shapes do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> x, gradient = np.zeros((1, 2, 2, 1)), np.ones((1, 1, 1, 1))
    >>> ct.equations.average_pool2d_backward(gradient, x)[0, :, :, 0]
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    windows = sliding_windows(x, pool, stride, padding)
    check_gradient("average_pool2d_backward", gradient, windows)
    share = gradient / real_pixels(x, pool, stride, padding)
    d_windows = np.broadcast_to(share[:, :, :, None, None], windows.shape)
    return add_windows(d_windows, x.shape, stride, padding)


def real_pixels(x, pool, stride, padding):
    """Count the pixels of each window that belong to the picture, not to the frame."""
    inside = sliding_windows(np.ones_like(x[:1]), pool, stride, padding)
    return inside.sum(axis=(3, 4))  # (1, out_height, out_width, channels)
