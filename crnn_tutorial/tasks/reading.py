"""Read texts with a trained model: greedily, by beam search, or from a list of words.

CTC gives a text the probability of all its alignments together. The functions here
work on one image's probabilities ``(steps, classes)``, class 0 being the blank.
"""

import math
from typing import NamedTuple

import keras
import numpy as np
from scipy import special

from crnn_tutorial.checks import check_count, check_images, check_padding
from crnn_tutorial.data.text.stacking import pad_lines, to_lines
from crnn_tutorial.network import heads
from crnn_tutorial.network.masks import pixels_of_a_step


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
    images : array, path, PIL image, or list of these
        ``(images, height, width, channels)`` in [0, 1], with columns of -1 where a
        narrow image is padded on the right; or one image, or a list of images of any
        size, as `stack_text_images` takes them, brought to the model's height and
        channels. An image narrower than one step of the model reads as "" with the
        confidence 0.
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
        Images that the model sees at once: those of nearly the same width, so that one
        wide image costs no more than itself.

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
    lines = fit_lines(model, images)
    outputs, pixels = predict_lines(model, lines, int(batch_size))
    if hasattr(head, "positions"):
        readings = _read_positions(head, outputs, allowed)
    elif beam_width == 1 and allowed is None and not return_confidence:
        return head.decode(outputs)
    else:
        readings = _read_steps(head, outputs, beam_width, allowed, pixels)
    for i, line in enumerate(lines):
        if line.shape[1] < pixels_of_a_step(model):
            readings[i] = _nothing(readings[i], allowed)
    return readings if return_confidence else [reading.text for reading in readings]


def _nothing(reading, allowed):
    """An image without a single step shows no text; of given words, none surely."""
    columns = None if reading.columns is None else []
    return Reading("" if allowed is None else reading.text, 0.0, columns)


def fit_lines(model, images):
    """Return images one by one, without padding, as a model that reads takes them.

    Parameters
    ----------
    model : keras.Model
        Its input has the shape ``(batch, height, width or None, channels)``.
    images
        As in `read_text`.

    Returns
    -------
    list of arrays of float32, shape ``(height, width, channels)``
        Each with its own width.

    Raises
    ------
    ValueError
        If they are no images, or do not fit the model.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.tasks.reading import fit_lines
    >>> model = ct.build_text_recognizer((16, None, 1), "abc")
    >>> [line.shape for line in fit_lines(model, np.zeros((16, 40)))]
    [(16, 40, 1)]
    """
    _, height, width, channels = model.input_shape
    if isinstance(images, np.ndarray) and images.ndim == 4:
        images = check_images(images, padded=True)
        got = images.shape[1:]
        ends = check_padding(images)
        lines = [image[:, :end] for image, end in zip(images, ends, strict=True)]
    else:
        lines = to_lines(images, height, channels)
        got = max((line.shape for line in lines), key=lambda shape: shape[1])
    if got[::2] != (height, channels) or (width or got[1]) < got[1]:
        raise ValueError(
            f"The model reads images of shape ({height}, {width or 'any width'}, "
            f"{channels}), but got {got}. Pass a list of images to have them resized "
            "to its height, or build the model for other images."
        )
    return lines


def predict_lines(model, lines, batch_size=64):
    """Return what a model says of lines, in batches of nearly the same width.

    Parameters
    ----------
    model : keras.Model
        That reads.
    lines : list of arrays
        From `fit_lines`.
    batch_size : int
        Lines that the model sees at once.

    Returns
    -------
    array
        Of each line, in the order given; steps that a line does not have say "blank".
    float
        How many pixel columns make a step.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.tasks.reading import predict_lines
    >>> model = ct.build_text_recognizer((16, None, 1), "abc")
    >>> outputs, pixels = predict_lines(model, [np.zeros((16, 40, 1))])
    >>> outputs.shape, pixels
    ((1, 10, 4), 4)
    """
    widths = np.array([line.shape[1] for line in lines])
    answers, width = [None] * len(lines), 0
    batches = _batches(widths, batch_size)
    for chosen in batches:
        width = _batch_width(model, widths[chosen[-1]], len(batches) > 1)
        batch = pad_lines([lines[i] for i in chosen], width)
        outputs = model.predict_on_batch(batch)
        for i, output in zip(chosen, outputs, strict=True):
            answers[i] = output
    steps = len(answers[batches[-1][-1]])
    pixels = pixels_of_a_step(model)
    pixels = pixels if width // pixels == steps else width / steps
    return _stack_steps(answers, steps), pixels


def _batches(widths, batch_size):
    """Return the numbers of the lines in each batch: none is twice as wide as another.

    Of lines narrower than 64 pixels that does not matter.
    """
    batches, narrowest = [], 0
    for i in np.argsort(widths, kind="stable"):
        full = not batches or len(batches[-1]) == batch_size
        if full or widths[i] > 2 * max(narrowest, 64):
            batches.append([])
            narrowest = widths[i]
        batches[-1].append(i)
    return batches


def _batch_width(model, widest, several):
    """Return the width of a batch: one of a few, for each new one costs compiling."""
    if model.input_shape[2] is not None:
        return model.input_shape[2]
    if several:
        grain = max(2 ** (int(widest).bit_length() - 4), 8)
        widest = -(-widest // grain) * grain
    return max(widest, pixels_of_a_step(model))


def _stack_steps(answers, steps):
    stacked = np.full((len(answers), steps, answers[0].shape[-1]), -1e9, np.float32)
    stacked[:, :, 0] = 0.0  # blank, as CharacterLogits says of padding
    for row, answer in zip(stacked, answers, strict=True):
        row[: len(answer)] = answer
    return stacked


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

    >>> from crnn_tutorial.tasks.reading import text_probability
    >>> text_probability([[0.5, 0.5], [0.5, 0.5]], [1])
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
    >>> from crnn_tutorial.tasks.reading import alignment
    >>> alignment([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [0.4, 0.6]], [1, 1])
    [(0, 1), (3, 3)]
    """
    return _align(_logarithms(probabilities), _as_row(classes)[0])


def _check_reader(model):
    head = heads.of(model) if isinstance(model, keras.Model) else None
    if not hasattr(head, "alphabet"):
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


def _as_row(classes):
    return np.asarray(classes, int).reshape(1, -1)


def _logarithms(probabilities):
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(probabilities, np.float64))


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


def _read_steps(head, logits, beam_width, allowed, pixels):
    logits = np.asarray(logits, np.float64)
    scores = special.log_softmax(logits, axis=-1)  # (images, steps, classes)
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
