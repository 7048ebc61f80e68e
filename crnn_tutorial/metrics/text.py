"""How many of the texts are right, and how many of their characters.

A metric is two functions: ``..._per_image(targets, answers)`` scores each image, and
a *reduce* turns these scores into one number. The same scores serve the mean
(``np.mean``), the interval (``interval``) and the paired comparison (``judge``).
"""

import numpy as np

from crnn_tutorial.metrics.classes import _check_lengths


def _check_texts(targets, answers):
    if isinstance(targets, str) or isinstance(answers, str):
        raise ValueError('Expected lists of texts: write ["2015"], not "2015".')
    _check_lengths(targets, answers)
    for text in (*targets, *answers):
        if not isinstance(text, str):
            raise ValueError(
                f"Expected texts, but got a {type(text).__name__}: {text!r}. Decode "
                "the model's outputs first: heads.of(model).decode(outputs)."
            )


def exact_match_per_image(targets, answers):
    """Score each image: 1 where the whole text is right, else 0.

    Parameters
    ----------
    targets, answers : sequence of str
        ``(images,)``; the true texts and those that were read. No padding: decoded
        texts end where they end.

    Returns
    -------
    numpy.ndarray
        ``(images,)`` of float, 0.0 or 1.0.

    Raises
    ------
    ValueError
        If the two differ in length, are empty, or hold anything but texts.

    Examples
    --------
    >>> from crnn_tutorial.metrics.text import exact_match_per_image
    >>> exact_match_per_image(["2015", "7"], ["2015", "77"]).tolist()
    [1.0, 0.0]
    """
    _check_texts(targets, answers)
    return np.array([t == a for t, a in zip(targets, answers, strict=True)], float)


def exact_match(targets, answers):
    """Share of the images whose whole text was read right.

    Parameters
    ----------
    targets, answers : sequence of str
        ``(images,)``; the true texts and those that were read.

    Returns
    -------
    float
        Between 0 and 1; higher is better.

    Raises
    ------
    ValueError
        If the two differ in length, are empty, or hold anything but texts.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.exact_match(["2015", "7"], ["2015", "77"])
    0.5
    """
    return float(exact_match_per_image(targets, answers).mean())


def edit_distance(target, answer):
    """Fewest insertions, deletions and substitutions from one text to the other.

    Parameters
    ----------
    target, answer : str
        Of any length, also empty.

    Returns
    -------
    int
        From 0 (equal) to the length of the longer text.

    References
    ----------
    R. A. Wagner and M. J. Fischer (1974), "The string-to-string correction problem",
    J. ACM 21(1), by dynamic programming; the distance is Levenshtein's (1966).

    Examples
    --------
    >>> from crnn_tutorial.metrics.text import edit_distance
    >>> edit_distance("kitten", "sitting")
    3
    """
    above = list(range(len(answer) + 1))  # from "" to each beginning of the answer
    for row, wanted in enumerate(target, start=1):
        current = [row]
        for column, read in enumerate(answer, start=1):
            substitution = above[column - 1] + (wanted != read)
            current.append(min(substitution, above[column] + 1, current[-1] + 1))
        above = current
    return above[-1]


def edits_per_image(targets, answers):
    """Count each image's edits and the characters of its true text.

    Parameters
    ----------
    targets, answers : sequence of str
        ``(images,)``; the true texts and those that were read.

    Returns
    -------
    numpy.ndarray
        ``(images, 2)`` of float: edits, characters. ``error_rate`` reduces it.

    Raises
    ------
    ValueError
        If the two differ in length, are empty, or hold anything but texts.

    Examples
    --------
    An interval for the character error rate resamples whole images:

    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.metrics.text import edits_per_image
    >>> from crnn_tutorial.metrics.text import error_rate
    >>> edits = edits_per_image(["2015", "7", "19"], ["201", "77", "19"])
    >>> edits.tolist()
    [[1.0, 4.0], [1.0, 1.0], [0.0, 2.0]]
    >>> ct.interval(edits, reduce=error_rate)
    Interval(28.6 % [0.0, 100.0])
    """
    _check_texts(targets, answers)
    pairs = zip(targets, answers, strict=True)
    return np.array([(edit_distance(t, a), len(t)) for t, a in pairs], float)


def error_rate(edits, axis=0):
    """Divide all edits by all characters: long texts count for more than short ones.

    Parameters
    ----------
    edits : numpy.ndarray
        ``(..., images, 2)`` from ``edits_per_image``.
    axis : int
        The axis of the images.

    Returns
    -------
    numpy.ndarray or float
        ``(...)``; 0 is perfect, and more than 1 is possible. Where no text has a
        character, the number of edits itself.

    Examples
    --------
    >>> from crnn_tutorial.metrics.text import edits_per_image
    >>> from crnn_tutorial.metrics.text import error_rate
    >>> float(error_rate(edits_per_image(["2015"], ["2105"])))
    0.5
    """
    total = np.asarray(edits).sum(axis=axis)  # (..., 2)
    return total[..., 0] / np.maximum(total[..., 1], 1)


def character_error_rate(targets, answers):
    """All edits between texts and answers, divided by all characters of the texts.

    Parameters
    ----------
    targets, answers : sequence of str
        ``(images,)``; the true texts and those that were read. No padding: decoded
        texts end where they end, so a perfect answer is 0 whatever its length.

    Returns
    -------
    float
        0 is perfect; more than 1 is possible, when more was read than there is. An
        empty truth adds its edits and no character; where *all* are empty, the rate
        is the number of edits, as if there were one character.

    Raises
    ------
    ValueError
        If the two differ in length, are empty, or hold anything but texts.

    References
    ----------
    V. I. Levenshtein (1966), "Binary codes capable of correcting deletions,
    insertions, and reversals", Soviet Physics Doklady 10(8).

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.character_error_rate(["2015", "1997"], ["2015", "197"])  # 1 edit, 8 digits
    0.125
    >>> ct.character_error_rate([""], ["ab"])
    2.0
    """
    return float(error_rate(edits_per_image(targets, answers)))
