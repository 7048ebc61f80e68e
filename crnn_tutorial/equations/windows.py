"""Windows that slide over a picture: what convolution and pooling share."""

import numpy as np

from crnn_tutorial.equations.shapes import pair


def sliding_windows(x, size, stride=1, padding="valid", fill=0.0):
    """Cut out every window that a kernel or a pool looks at.

    Parameters
    ----------
    x : numpy.ndarray
        ``(batch, height, width, channels)``.
    size : int or tuple of int
        Height and width of a window, in pixels.
    stride : int or tuple of int, optional
        How many pixels lie between one window and the next. None: as many as a window
        has, so that they lie side by side.
    padding : {"valid", "same"}
        ``"valid"`` takes windows inside the picture only. ``"same"`` first adds a
        frame, so that there are ``ceil(height / stride)`` rows of windows.
    fill : float
        What stands in the frame.

    Returns
    -------
    numpy.ndarray
        ``(batch, out_height, out_width, window_height, window_width, channels)``.
        With ``"valid"``, ``out_height = (height - window_height) // stride + 1``.

    Raises
    ------
    ValueError
        If the window is larger than the picture and the padding ``"valid"``, or the
        stride smaller than 1.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.equations import sliding_windows
    >>> picture = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> sliding_windows(picture, size=2)[0, 1, 1, :, :, 0]
    array([[4., 5.],
           [7., 8.]])
    """
    size, (down, right), frame = geometry(x.shape, size, stride, padding)
    x = np.pad(x, frame, constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2))
    return np.moveaxis(view[:, ::down, ::right], 3, 5)


def add_windows(windows, shape, stride=1, padding="valid"):
    """Put windows back where they were cut out, and add where they overlap.

    The backward step of `sliding_windows`: a pixel that stood in four windows gets
    the sum of four gradients.

    Parameters
    ----------
    windows : numpy.ndarray
        ``(batch, out_height, out_width, window_height, window_width, channels)``.
    shape : tuple of int
        Of the picture: ``(batch, height, width, channels)``.
    stride, padding
        As in `sliding_windows`.

    Returns
    -------
    numpy.ndarray
        ``(batch, height, width, channels)``.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.equations import add_windows, sliding_windows
    >>> picture = np.ones((1, 3, 3, 1))
    >>> add_windows(sliding_windows(picture, 2), picture.shape)[0, :, :, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    size, (down, right), frame = geometry(shape, windows.shape[3:5], stride, padding)
    framed = [n + sum(add) for n, add in zip(shape, frame, strict=True)]
    x = np.zeros(framed, windows.dtype)
    rows, columns = windows.shape[1:3]
    for i in range(size[0]):
        for j in range(size[1]):
            here = x[:, i : i + rows * down : down, j : j + columns * right : right]
            here += windows[:, :, :, i, j]
    (top, _), (left, _) = frame[1:3]
    return x[:, top : top + shape[1], left : left + shape[2]]


def geometry(shape, size, stride, padding):
    """Return the window's size, the stride, and the frame as `numpy.pad` wants it."""
    size = pair(size, "the window's size", f", for a picture of the shape {shape}")
    where = f", for a picture of the shape {shape} and a window of {size}"
    stride = pair(size if stride is None else stride, "stride", where)
    if padding not in ("valid", "same"):
        raise ValueError(f'padding is "valid" or "same", not {padding!r}{where}.')
    if padding == "same":
        missing = [
            max((-(-n // step) - 1) * step + window - n, 0)  # -(-a // b) rounds up
            for n, step, window in zip(shape[1:3], stride, size, strict=True)
        ]
        inner = [(n // 2, n - n // 2) for n in missing]
        return size, stride, [(0, 0), *inner, (0, 0)]
    if size[0] > shape[1] or size[1] > shape[2]:
        raise ValueError(
            f"a window of {size} (height, width) does not fit into a picture of "
            f"{tuple(shape[1:3])}, shape {tuple(shape)}: "
            'take a smaller one, or padding="same".'
        )
    return size, stride, [(0, 0)] * 4
