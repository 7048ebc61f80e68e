"""Every symbol has a shape: check them all in one place."""

import functools
import inspect

import numpy as np


def shaped(**axes):
    """Check the arrays that a formula takes, and hand them on as `check_shapes` does.

    Parameters
    ----------
    **axes : str
        The axes of each argument that is an array, by its name.

    Returns
    -------
    callable
        Decorates the formula.

    Examples
    --------
    >>> from crnn_tutorial.equations.shapes import shaped
    >>> @shaped(x="batch features")
    ... def total(x):
    ...     return x.sum()
    >>> float(total([[1, 2]]))
    3.0
    """

    def decorate(function):
        signature = inspect.signature(function)

        @functools.wraps(function)
        def checked(*args, **kwargs):
            call = signature.bind(*args, **kwargs)
            call.apply_defaults()
            given = {
                name: (call.arguments[name], words) for name, words in axes.items()
            }
            arrays = check_shapes(function.__name__, **given)
            call.arguments.update(zip(axes, arrays, strict=True))
            return function(*call.args, **call.kwargs)

        return checked

    return decorate


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

    def refuse(problem):
        raise ValueError(f"{function}: {problem}. Shapes: {came}.")

    known = {}
    for name, array in given.items():
        named = [axis for axis in axes[name] if axis != "..."]
        missing = array.ndim - len(named)
        if missing < 0 or (missing > 0) != ("..." in axes[name]):
            refuse(f"{name} has {array.ndim} axes")
        if not array.size:
            refuse(f"{name} is empty")
        for axis, length in zip(named, array.shape[missing:], strict=True):
            times, _, word = axis.rpartition("*")
            size, rest = divmod(length, int(times or 1))
            if rest:
                refuse(f"{axis} is {length} in {name}, no multiple of {times}")
            where, before = known.setdefault(word, (name, size))
            if size != before:
                refuse(f"{word} is {before} in {where}, but {size} in {name}")
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
        if number % 1 or number < 1:
            raise ValueError(
                f"{name} must be a whole number, 1 at least, or two of them "
                f"(height, width), but it is {value!r}{where}."
            )
    return int(height), int(width)
