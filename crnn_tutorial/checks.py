"""Arguments that every part of the package checks alike."""

import numbers


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
