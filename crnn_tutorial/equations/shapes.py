"""Every symbol has a shape: check them all in one place."""

import math

import numpy as np


def check_shapes(function, **arguments):
    """Compare arrays with the shapes that a formula gives them.

    Parameters
    ----------
    function : str
        Who asks: the message begins with this name.
    **arguments : tuple of (array, str)
        Each symbol with its axes, such as ``x=(x, "batch height width channels")``.
        A name that stands in two arrays must have one size in both. ``4*units``
        is four times as many, ``...`` any number of axes (one at least). An array
        that is None is left out.

    Returns
    -------
    list of numpy.ndarray
        The arrays in the order in which they came; integers become float64.

    Raises
    ------
    ValueError
        If an array has too many or too few axes, or a size that does not agree with
        another array's, or is empty. The message shows all shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.equations import check_shapes
    >>> check_shapes("dense", x=(np.ones((2, 3)), "batch features"),
    ...              kernel=(np.ones((4, 5)), "features units"))
    Traceback (most recent call last):
    ...
    ValueError: dense: features is 3 in x, but 4 in kernel. Shapes: x (2, 3), expected
    (batch, features); kernel (4, 5), expected (features, units).
    """
    arrays = {name: _floats(value) for name, (value, _) in arguments.items()}
    axes = {name: words.split() for name, (_, words) in arguments.items()}
    given = {name: array for name, array in arrays.items() if array is not None}
    came = "; ".join(
        f"{name} {array.shape}, expected ({', '.join(axes[name])})"
        for name, array in given.items()
    )
    known = {}
    for name, array in given.items():
        named = [axis for axis in axes[name] if axis != "..."]
        missing = array.ndim - len(named)
        if missing < 0 or (missing > 0) != ("..." in axes[name]):
            raise ValueError(
                f"{function}: {name} has {array.ndim} axes. Shapes: {came}."
            )
        if not array.size:
            raise ValueError(f"{function}: {name} is empty. Shapes: {came}.")
        for axis, size in zip(named, array.shape[missing:], strict=True):
            times, _, word = axis.rpartition("*")
            size = size / int(times or 1)
            if size % 1:
                raise ValueError(
                    f"{function}: {axis} is {size * int(times):.0f} in {name}, "
                    f"no multiple of {times}. Shapes: {came}."
                )
            where, before = known.setdefault(word, (name, size))
            if size != before:
                raise ValueError(
                    f"{function}: {word} is {before:.0f} in {where}, "
                    f"but {size:.0f} in {name}. Shapes: {came}."
                )
    return list(arrays.values())


def _floats(value):
    if value is None:
        return None
    array = np.asarray(value)
    return array if array.dtype.kind == "f" else array.astype("float64")


def pair(value, name, where=""):
    """Return ``(height, width)`` from one whole number or two, each 1 at least."""
    height, width = value if np.ndim(value) else (value, value)
    for number in (height, width):
        if number != math.floor(number) or number < 1:
            raise ValueError(
                f"{name} must be a whole number, 1 at least, or two of them "
                f"(height, width), but it is {value!r}{where}."
            )
    return int(height), int(width)
