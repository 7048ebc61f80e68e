"""Read texts with a trained model: greedily, by beam search, or from a list of words.

CTC gives a text the probability of all its alignments together. The functions here
work on one image's probabilities ``(steps, classes)``, class 0 being the blank.
"""

import math
from typing import NamedTuple

import keras
import numpy as np

from crnn_tutorial import heads, layers
from crnn_tutorial.checks import check_count
from crnn_tutorial.images import check_images
from crnn_tutorial.text_images import stack_text_images


class Reading(NamedTuple):
    """A text, how sure the model is of it, and where its characters stand.

    Parameters
    ----------
    text : str
        What was read.
    confidence : float
        P(text | image) in [0, 1], summed over all alignments of the text.
    columns : list of tuple of int, or None
        The first and the last pixel column of each character.
    """

    text: str
    confidence: float
    columns: list | None


def read_text(
    model, images, beam_width=1, *, words=None, return_confidence=False, batch_size=64
):
    """Read the text of each image.

    Parameters
    ----------
    model : keras.Model
        From ``ct.build_text_recognizer`` or ``ct.build_fixed_length_reader``, trained.
    images : array or list of arrays
        ``(images, height, width, channels)`` in [0, 1], with columns of -1 where a
        narrow image is padded on the right; or one image, or a list of images of any
        size, as `stack_text_images` takes them.
    beam_width : int
        1 takes the best class of each step, the fastest; more keeps so many texts in
        mind and adds up their alignments (prefix beam search). A reader of fixed length
        needs no search: its greedy text is the best one.
    words : sequence of str, optional
        The only texts that are allowed. Each is scored exactly, by all its alignments,
        whatever the beam width; fit for lists of some thousands.
    return_confidence : bool
        Whether to return a `Reading` of each image instead of its text alone.
    batch_size : int
        Images that the model sees at once.

    Returns
    -------
    list of str, or list of Reading
        One for each image. ``confidence`` is P(text | image) over *all* texts, also
        where ``words`` restrict them: an image that shows none of the words has a low
        one. For a reader of fixed length it is the product over the positions, and
        ``columns`` is None, for it does not know where a character stands. Else
        ``columns`` are those that pooling joined into the steps of the text's best
        alignment, counted from 0 in the image as the model sees it, at its height. They
        are empty where the confidence is 0. (CTC likes to say a character at a single
        step, so they mark a place rather than a width.)

    Raises
    ------
    ValueError
        If the model does not read, the images do not fit it, ``beam_width`` is below 1,
        there are no words, or a word has a character outside the alphabet.

    References
    ----------
    Graves et al., 2006, sections 3 and 4.1; Hannun et al., 2014, arXiv:1408.2873,
    algorithm 1 (prefix beam search).

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> ct.set_seed(0)
    >>> model = ct.build_text_recognizer((16, None, 1), "0123456789")  # not trained
    >>> reading, = ct.read_text(
    ...     model, ct.digit_string("7"), words=["2015", "1997"], return_confidence=True
    ... )
    >>> reading.text in ["2015", "1997"], 0 <= reading.confidence < 0.01
    (True, True)
    """
    head = _check_reader(model)
    check_count("beam_width", beam_width)
    check_count("batch_size", batch_size)
    allowed = None if words is None else _encode_words(head, words)
    images = _fit_images(model, images)
    outputs = model.predict(images, batch_size=int(batch_size), verbose=0)
    if isinstance(head, heads.ReadPositions):
        readings = _read_positions(head, outputs, allowed)
    elif beam_width == 1 and allowed is None and not return_confidence:
        return head.decode(outputs)
    else:
        pixels = _pixels_of_a_step(model, images.shape[2], outputs.shape[1])
        readings = _read_steps(head, outputs, beam_width, allowed, pixels)
    return readings if return_confidence else [reading.text for reading in readings]


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

    >>> import crnn_tutorial as ct
    >>> ct.reading.text_probability([[0.5, 0.5], [0.5, 0.5]], [1])
    0.75
    """
    totals = _log_forward(_logarithms(probabilities), _as_row(classes))
    return float(np.exp(totals[0]))


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
    >>> import crnn_tutorial as ct
    >>> ct.reading.alignment([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [0.4, 0.6]], [1, 1])
    [(0, 1), (3, 3)]
    """
    return _align(_logarithms(probabilities), _as_row(classes)[0])


def _check_reader(model):
    head = heads.of(model) if isinstance(model, keras.Model) else None
    if not isinstance(head, heads.ReadText | heads.ReadPositions):
        got = "it classifies" if head else f"it is a {type(model).__name__}"
        raise ValueError(
            f"The model does not read texts: {got}. Build one with "
            "ct.build_text_recognizer(input_shape, alphabet)."
        )
    return head


def _encode_words(head, words):
    words = words if isinstance(words, str) else list(words)
    if len(words) == 0:
        raise ValueError(
            "words is empty: no text is allowed. Leave words away to allow all."
        )
    return head.encode(words)  # (words, longest)


def _fit_images(model, images):
    """Return one array of the height and, if the model has one, the width it takes."""
    _, height, width, channels = model.input_shape
    if not isinstance(images, np.ndarray) or images.ndim != 4:
        images = stack_text_images(images, height)
    images = check_images(images, padded=True)
    got = images.shape[1:]
    if width is not None and got[1] < width:
        missing = [(0, 0), (0, 0), (0, width - got[1]), (0, 0)]
        images = np.pad(images, missing, constant_values=-1)
    if images.shape[1::2] != (height, channels) or (width or got[1]) < got[1]:
        raise ValueError(
            f"The model reads images of shape ({height}, {width or 'any width'}, "
            f"{channels}), but got {got}. Pass a list of images to have them resized "
            "to its height, or build the model for other images."
        )
    return images


def _as_row(classes):
    return np.asarray(classes, int).reshape(1, -1)


def _logarithms(probabilities):
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(probabilities, np.float64))


def _log_softmax(logits):
    logits = np.asarray(logits, np.float64)
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def _read_positions(head, outputs, allowed):
    """Each position answers for itself: a product of probabilities."""
    scores = _logarithms(outputs)  # (images, positions, classes)
    if allowed is None:
        classes = scores.argmax(axis=-1)
    else:
        places = np.arange(scores.shape[1])
        totals = [score[places, allowed].sum(axis=1) for score in scores]
        classes = allowed[np.argmax(totals, axis=1)]
    chances = np.take_along_axis(scores, classes[..., np.newaxis], axis=-1)
    chances = np.exp(chances.sum(axis=(1, 2)))  # (images,)
    texts = head.alphabet.decode(classes)
    pairs = zip(texts, chances.tolist(), strict=True)
    return [Reading(text, chance, None) for text, chance in pairs]


def _pixels_of_a_step(model, width, steps):
    """What pooling joined; it leaves the columns away that fill no step."""
    pools = [x.pool for x in model.layers if isinstance(x, layers.PoolMask)]
    joined = math.prod(pools)
    return joined if width // joined == steps else width / steps


def _read_steps(head, logits, beam_width, allowed, pixels):
    scores = _log_softmax(logits)  # (images, steps, classes)
    if allowed is not None:
        candidates = [allowed] * len(scores)
    elif beam_width == 1:
        candidates = head.alphabet.encode(head.decode(logits))[:, np.newaxis]
    else:
        candidates = [_search(score, beam_width) for score in scores]
    readings = []
    for score, texts in zip(scores, candidates, strict=True):
        totals = _log_forward(score, texts)
        best = int(np.argmax(totals))
        classes = texts[best][texts[best] > 0]
        # Rounding may lead to a hair above 1.
        confidence = min(float(np.exp(totals[best])), 1.0)
        runs = _align(score, classes) if confidence > 0 else []
        columns = [
            (int(first * pixels), math.ceil((last + 1) * pixels) - 1)
            for first, last in runs
        ]
        readings.append(Reading(*head.alphabet.decode([classes]), confidence, columns))
    return readings


def _states(texts):
    """Put a blank before, between and after the characters: the states of a path.

    Returns classes ``(texts, 2 * length + 1)`` and, of the same shape, whether a path
    may come from two states before: not into a blank, nor between equal characters.
    """
    states = np.zeros((len(texts), 2 * texts.shape[1] + 1), int)
    states[:, 1::2] = texts
    skips = np.zeros(states.shape, bool)
    skips[:, 2:] = (states[:, 2:] != 0) & (states[:, 2:] != states[:, :-2])
    return states, skips


def _shifted(totals, by):
    """What stood ``by`` states before; nothing stands before the first."""
    moved = np.full_like(totals, -np.inf)
    moved[..., by:] = totals[..., : totals.shape[-1] - by]
    return moved


def _log_forward(scores, texts):
    """Log-probability of each text, ``(texts,)``, over the steps of one image.

    ``scores`` are logarithms ``(steps, classes)``; ``texts`` are classes ``(texts,
    length)``, padded with 0 on the right.
    """
    states, skips = _states(texts)
    totals = np.full(states.shape, -np.inf)
    totals[:, 0] = 0.0  # before the first step
    for score in scores:
        arrived = np.logaddexp(totals, _shifted(totals, 1))
        skipped = np.where(skips, _shifted(totals, 2), -np.inf)
        totals = np.logaddexp(arrived, skipped) + score[states]
    lengths = (texts > 0).sum(axis=1)
    rows = np.arange(len(texts))
    before = np.where(lengths > 0, totals[rows, 2 * lengths - 1], -np.inf)
    return np.logaddexp(totals[rows, 2 * lengths], before)


def _align(score, classes):
    """First and last step of each character on the best path through its states."""
    states, skips = (array[0] for array in _states(classes[np.newaxis]))
    best = np.full(len(states), -np.inf)
    best[0] = 0.0
    back = []
    for emitted in score:
        skipped = np.where(skips, _shifted(best, 2), -np.inf)
        ways = np.stack([best, _shifted(best, 1), skipped])  # (3, states)
        back.append(ways.argmax(axis=0))
        best = ways.max(axis=0) + emitted[states]
    state = len(states) - 1
    if state and best[state - 1] > best[state]:
        state -= 1
    if best[state] == -np.inf:
        needed = len(classes) + int(np.sum(classes[1:] == classes[:-1]))
        raise ValueError(
            f"The text needs at least {needed} steps (one for each character, and one "
            "between two that are the same) of a probability above 0, but there are "
            f"{len(score)} steps."
        )
    path = []
    for ways in reversed(back):
        path.append(state)
        state -= ways[state]
    path = np.array(path[::-1])
    runs = [np.flatnonzero(path == 2 * k + 1) for k in range(len(classes))]
    return [(int(run[0]), int(run[-1])) for run in runs]


def _search(score, beam_width):
    """Return the texts that a prefix beam search ends with, as padded classes.

    Of each text it knows two sums over paths: those that end in a blank, after which
    the same character counts again, and those that end in its last character.
    """
    texts, blank, ended = [()], np.zeros(1), np.full(1, -np.inf)
    for emitted in score:
        last = np.array([text[-1] if text else 0 for text in texts])
        rows, total = np.arange(len(texts)), np.logaddexp(blank, ended)
        grown = total[:, np.newaxis] + emitted  # (texts, classes)
        grown[rows, last] = blank + emitted[last]
        grown[:, 0] = -np.inf
        ended = np.where(last > 0, ended + emitted[last], -np.inf)
        blank = total + emitted[0]
        known = {text: row for row, text in enumerate(texts)}
        for row, text in enumerate(texts):  # a text that grows into a known one
            parent = known.get(text[:-1]) if text else None
            if parent is not None:
                ended[row] = np.logaddexp(ended[row], grown[parent, last[row]])
                grown[parent, last[row]] = -np.inf
        merit = np.concatenate([np.logaddexp(blank, ended), grown.ravel()])
        chosen = np.argsort(-merit, kind="stable")[:beam_width]
        chosen = chosen[merit[chosen] > -np.inf]
        old = chosen[chosen < len(texts)]
        parents, added = np.divmod(
            chosen[len(texts) <= chosen] - len(texts), len(emitted)
        )
        blank = np.concatenate([blank[old], np.full(len(added), -np.inf)])
        ended = np.concatenate([ended[old], grown[parents, added]])
        texts = [texts[row] for row in old] + [
            (*texts[row], int(k)) for row, k in zip(parents, added, strict=True)
        ]
    longest = max(map(len, texts))
    return np.array([text + (0,) * (longest - len(text)) for text in texts], int)
