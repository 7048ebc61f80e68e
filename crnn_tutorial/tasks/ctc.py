"""CTC in NumPy: how probable a text is, where its characters stand, which is best.

CTC gives a text the probability of all its alignments together. The functions here
work on one image's probabilities ``(steps, classes)``, class 0 being the blank.
"""

import numpy as np


def text_probability(probabilities, classes):
    """Probability of a text: the sum over all its alignments, by the forward algorithm.

    Parameters
    ----------
    probabilities : array of floats
        ``(steps, classes)``, each row with the sum 1; class 0 is the blank.
    classes : sequence of int
        The text, each class from 1; may be empty.

    Returns
    -------
    float
        From 0 to 1. The sum over all texts is 1.

    References
    ----------
    Graves et al., 2006, equations 5 to 8.

    Examples
    --------
    Two steps, either blank or "a": three of the four paths read as "a".

    >>> from crnn_tutorial.tasks.ctc import text_probability
    >>> text_probability([[0.5, 0.5], [0.5, 0.5]], [1])
    0.75
    """
    texts = np.asarray(classes, int).reshape(1, -1)
    return float(np.exp(log_forward(logarithms(probabilities), texts)[0]))


def alignment(probabilities, classes):
    """Return the steps at which each character stands in the most probable alignment.

    Parameters
    ----------
    probabilities, classes
        As in `text_probability`.

    Returns
    -------
    list of tuple of int
        The first and the last step of each character, counted from 0.

    Raises
    ------
    ValueError
        If the text needs more steps than there are.

    References
    ----------
    Forney, 1973, "The Viterbi algorithm", over the states of Graves et al., 2006.

    Examples
    --------
    >>> from crnn_tutorial.tasks.ctc import alignment
    >>> alignment([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [0.4, 0.6]], [1, 1])
    [(0, 1), (3, 3)]
    """
    return align(logarithms(probabilities), np.asarray(classes, int))


def logarithms(probabilities):
    """Take logarithms in float64; that of 0 is minus infinity.

    Parameters
    ----------
    probabilities : array of floats
        Of any shape, in [0, 1].

    Returns
    -------
    array of float64, same shape

    Examples
    --------
    >>> from crnn_tutorial.tasks.ctc import logarithms
    >>> logarithms([1, 0]).tolist()
    [0.0, -inf]
    """
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(probabilities, np.float64))


def _states(texts):
    """Put a blank before, between and after the characters: the states of a path.

    Returns classes ``(texts, 2 * length + 1)`` and, of the same shape, 0 where a path
    may come from two states before, else minus infinity: that is into a blank, and
    between equal characters.
    """
    states = np.zeros((len(texts), 2 * texts.shape[1] + 1), int)
    states[:, 1::2] = texts
    skips = np.full(states.shape, -np.inf)
    allowed = (states[:, 2:] != 0) & (states[:, 2:] != states[:, :-2])
    skips[:, 2:][allowed] = 0
    return states, skips


def _start(states):
    """Totals before the first step; two more on the left, from which nothing comes."""
    totals = np.full((len(states), states.shape[1] + 2), -np.inf)
    totals[:, 2] = 0
    return totals


def _ways(totals, skips):
    """From where a state is reached: itself, the one before, that before the blank."""
    return totals[:, 2:], totals[:, 1:-1], totals[:, :-2] + skips


def log_forward(scores, texts):
    """Log-probability of each of many texts, over the steps of one image.

    Parameters
    ----------
    scores : array of floats
        Logarithms of probabilities ``(steps, classes)``.
    texts : array of int
        Classes ``(texts, length)``, padded with 0 on the right.

    Returns
    -------
    array of float64, shape ``(texts,)``

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.ctc import log_forward
    >>> scores = np.log([[0.5, 0.5], [0.5, 0.5]])  # "a" by three paths, "" by one
    >>> np.exp(log_forward(scores, np.array([[1], [0]]))).round(6).tolist()
    [0.75, 0.25]
    """
    states, skips = _states(texts)
    totals = _start(states)
    for score in scores:
        stay, step, skip = _ways(totals, skips)
        arrived = np.logaddexp(np.logaddexp(stay, step), skip)
        totals[:, 2:] = arrived + score[states]
    rows, last = np.arange(len(texts)), 2 * (texts > 0).sum(axis=1) + 2
    return np.logaddexp(totals[rows, last], totals[rows, last - 1])


def align(scores, classes):
    """First and last step of each character on the best path through its states.

    Parameters
    ----------
    scores : array of floats
        Logarithms of probabilities ``(steps, classes)``.
    classes : array of int
        The text, each class from 1.

    Returns
    -------
    list of tuple of int

    Raises
    ------
    ValueError
        If the text needs more steps than there are.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.ctc import align
    >>> align(np.log([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1]]), np.array([1]))
    [(0, 1)]
    """
    states, skips = _states(classes[np.newaxis])
    best, back = _start(states), []
    for score in scores:
        ways = np.concatenate(_ways(best, skips))  # (3, states)
        back.append(ways.argmax(axis=0))
        best[:, 2:] = ways.max(axis=0) + score[states]
    blank, character = best[0, :-3:-1]  # at the end
    if max(blank, character) == -np.inf:
        needed = len(classes) + int(np.sum(classes[1:] == classes[:-1]))
        raise ValueError(
            f"The text needs at least {needed} steps (one for each character, and one "
            "between two that are the same) of a probability above 0, but there are "
            f"{len(scores)} steps."
        )
    state = 2 * len(classes) - int(character > blank)
    path = []
    for ways in reversed(back):
        path.append(state)
        state -= ways[state]
    path = np.array(path[::-1])
    runs = [np.flatnonzero(path == 2 * k + 1) for k in range(len(classes))]
    return [(int(run[0]), int(run[-1])) for run in runs]


def search(scores, beam_width):
    """Return the texts that a prefix beam search ends with, as padded classes.

    Of each text it knows two sums over paths: those that end in a blank, after which
    the same character counts again, and those that end in its last character.

    Parameters
    ----------
    scores : array of floats
        Logarithms of probabilities ``(steps, classes)``.
    beam_width : int
        How many texts are kept after each step.

    Returns
    -------
    array of int
        Classes ``(texts, length)``, padded with 0 on the right.

    References
    ----------
    Hannun et al., 2014, arXiv:1408.2873, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.ctc import search
    >>> search(np.log([[0.6, 0.4], [0.6, 0.4]]), beam_width=2).tolist()
    [[1], [0]]
    """
    texts, blank, ended = [()], np.zeros(1), np.full(1, -np.inf)
    for emitted in scores:
        last = np.array([text[-1] if text else 0 for text in texts])
        rows, total = np.arange(len(texts)), np.logaddexp(blank, ended)
        grown = total[:, np.newaxis] + emitted  # (texts, classes)
        grown[rows, last] = blank + emitted[last]
        ended = np.where(last > 0, ended + emitted[last], -np.inf)
        blank = total + emitted[0]
        known = {text: row for row, text in enumerate(texts)}
        for row, text in enumerate(texts):  # a text that grows into a known one
            parent = known.get(text[:-1]) if text else None
            if parent is not None:
                ended[row] = np.logaddexp(ended[row], grown[parent, last[row]])
                grown[parent, last[row]] = -np.inf
        grown[:, 0] = np.logaddexp(blank, ended)  # the text stays as it is
        chosen = np.argsort(-grown, axis=None, kind="stable")[:beam_width]
        chosen = chosen[grown.ravel()[chosen] > -np.inf]
        rows, added = np.divmod(chosen, len(emitted))
        blank = np.where(added == 0, blank[rows], -np.inf)
        ended = np.where(added == 0, ended[rows], grown[rows, added])
        pairs = zip(rows.tolist(), added.tolist(), strict=True)
        texts = [texts[row] + (k,) * (k > 0) for row, k in pairs]
    longest = max(map(len, texts))
    return np.array([text + (0,) * (longest - len(text)) for text in texts], int)
