"""Convolution of a picture with kernels, and its gradients."""

import numpy as np

from crnn_tutorial.equations.shapes import shaped
from crnn_tutorial.equations.windows import add_windows, sliding_windows


@shaped(
    x="batch height width channels",
    kernel="kernel_height kernel_width channels filters",
    bias="filters",
)
def conv2d(x, kernel, bias=None, stride=1, padding="valid"):
    r"""Slide kernels over a picture: multiply, add up, add the bias.

    .. math::

        y_{bijf} = \beta_f + \sum_{u,v,c} x_{b,\,si+u,\,sj+v,\,c} \; k_{uvcf}

    The kernel is not turned around: mathematicians call this a cross-correlation.

    Parameters
    ----------
    x : array
        Pictures or feature maps, ``(batch, height, width, channels)``.
    kernel : array
        ``(kernel_height, kernel_width, channels, filters)``, as Keras stores it.
    bias : array, optional
        One number for each filter, ``(filters,)``. None means zero.
    stride : int or tuple of int
        How many pixels the kernel moves on, 1 at least.
    padding : {"valid", "same"}
        ``"valid"``: inside the picture only. ``"same"``: with a frame of zeros.

    Returns
    -------
    numpy.ndarray
        ``(batch, out_height, out_width, filters)``, any real numbers.

    Raises
    ------
    ValueError
        If shapes do not fit together, the kernel does not fit into the picture, or
        the stride is smaller than 1.

    References
    ----------
    Section 3.3 of the article, there in one dimension and without channels and bias.
    Dumoulin and Visin, 2016, "A guide to convolution arithmetic for deep learning".

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> x = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> kernel = np.array([[1.0, 0.0], [0.0, -1.0]]).reshape(2, 2, 1, 1)
    >>> ct.equations.conv2d(x, kernel)[0, :, :, 0]
    array([[-4., -4.],
           [-4., -4.]])
    """
    windows = sliding_windows(x, kernel.shape[:2], stride, padding)
    y = np.tensordot(windows, kernel, axes=3)  # sums over u, v and c
    return y if bias is None else y + bias


@shaped(
    gradient="batch out_height out_width filters",
    x="batch height width channels",
    kernel="kernel_height kernel_width channels filters",
)
def conv2d_backward(gradient, x, kernel, stride=1, padding="valid"):
    r"""Send the gradient of a loss back through `conv2d`.

    .. math::

        \partial k_{uvcf} &= \sum_{b,i,j} x_{b,\,si+u,\,sj+v,\,c} \; g_{bijf} \\
        \partial \beta_f &= \sum_{b,i,j} g_{bijf} \\
        \partial x_{b,\,si+u,\,sj+v,\,c} &\mathrel{+}= \sum_f g_{bijf} \; k_{uvcf}

    Parameters
    ----------
    gradient : array
        Of the loss with respect to the output, ``(batch, out_height, out_width,
        filters)``.
    x, kernel, stride, padding
        What `conv2d` was called with.

    Returns
    -------
    d_x, d_kernel, d_bias : numpy.ndarray
        Shaped like ``x``, ``kernel`` and ``(filters,)``.

    Raises
    ------
    ValueError
        If shapes do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> x, kernel = np.ones((1, 3, 3, 1)), np.ones((2, 2, 1, 1))
    >>> d_x, d_kernel, d_bias = ct.equations.conv2d_backward(
    ...     np.ones((1, 2, 2, 1)), x, kernel)
    >>> d_x[0, :, :, 0]  # the middle stood in four windows
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    windows = sliding_windows(x, kernel.shape[:2], stride, padding)
    check_gradient("conv2d_backward", gradient, windows)
    everywhere = (0, 1, 2)  # batch, row, column
    d_kernel = np.tensordot(windows, gradient, axes=(everywhere, everywhere))
    d_bias = gradient.sum(axis=everywhere)
    d_windows = np.tensordot(gradient, kernel, axes=(3, 3))  # sums over f
    return add_windows(d_windows, x.shape, stride, padding), d_kernel, d_bias


def check_gradient(function, gradient, windows):
    """Refuse a gradient that has not one value for each window."""
    if gradient.shape[:3] != windows.shape[:3]:
        raise ValueError(
            f"{function}: the gradient has the shape {gradient.shape}, but the output "
            f"has (batch, out_height, out_width) = {windows.shape[:3]}."
        )
