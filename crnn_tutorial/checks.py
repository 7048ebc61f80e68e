"""Arguments that every part of the package checks alike."""

import numbers
import operator


def check_count(name, value, least=1):
    """Return a whole number that is large enough, or say what came.

    Parameters
    ----------
    name : str
        What to call it.
    value : int
        The number.
    least : int
        The smallest that is allowed.

    Returns
    -------
    int
        The same.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> from crnn_tutorial.checks import check_count
    >>> check_count("width", 32)
    32
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(
            f"{name} is a whole number of at least {least}, but got {value!r}."
        )
    return int(value)


def check_pixels(name, values):
    """Return two whole numbers of pixels, or say what came.

    Parameters
    ----------
    name : str
        What they are, with their order.
    values : sequence of two ints
        Each at least 1.

    Returns
    -------
    tuple of two ints
        The same.

    Raises
    ------
    ValueError
        If they are none.

    Examples
    --------
    >>> from crnn_tutorial.checks import check_pixels
    >>> check_pixels("size is (width, height)", (32, 24))
    (32, 24)
    """
    try:
        first, second = (operator.index(value) for value in values)
    except (TypeError, ValueError):
        first = second = 0
    if first < 1 or second < 1:
        raise ValueError(
            f"{name}: two whole numbers of pixels above 0, but got {values!r}."
        )
    return first, second
