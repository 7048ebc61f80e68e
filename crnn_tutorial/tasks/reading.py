"""Read texts with a trained model: greedily, by beam search, or from some words."""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

from crnn_tutorial.checks import check_count, check_images, check_padding
from crnn_tutorial.data.text.stacking import pad_lines, to_lines
from crnn_tutorial.network.masks import pixels_of_a_step
from crnn_tutorial.tasks.ctc import align, log_forward, logarithms, search
from crnn_tutorial.tasks.text import check_reader


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
    head = check_reader(model)
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
        if line.shape[1] < pixels_of_a_step(model):  # it shows no word, or none surely
            text, _, columns = readings[i]
            readings[i] = Reading("" if words is None else text, 0.0, columns and [])
    return readings if return_confidence else [reading.text for reading in readings]


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
    answers = [None] * len(lines)
    batches = _batches(widths, batch_size)  # the last one is the widest
    for chosen in batches:
        width = _batch_width(model, widths[chosen[-1]], len(batches) > 1)
        outputs = model.predict_on_batch(pad_lines([lines[i] for i in chosen], width))
        for i, output in zip(chosen, outputs, strict=True):
            answers[i] = output
    steps = len(outputs[0])
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


def _encode_words(head, words):
    words = words if isinstance(words, str) else list(words)
    if len(words) == 0:
        raise ValueError(
            "words is empty: no text is allowed. Leave words away to allow all."
        )
    return head.encode(words)  # (words, longest)


def _read_positions(head, outputs, allowed):
    """Each position answers for itself: a product of probabilities."""
    scores = logarithms(outputs)  # (images, positions, classes)
    if allowed is None:
        classes = scores.argmax(axis=-1)
    else:
        places = np.arange(scores.shape[1])
        best = [score[places, allowed].sum(axis=1).argmax() for score in scores]
        classes = allowed[best]
    chances = np.take_along_axis(scores, classes[..., np.newaxis], axis=-1)
    chances = np.exp(chances.sum(axis=(1, 2)))  # (images,)
    pairs = zip(head.alphabet.decode(classes), chances.tolist(), strict=True)
    return [Reading(text, chance, None) for text, chance in pairs]


def _read_steps(head, logits, beam_width, allowed, pixels):
    scores = log_softmax(np.float64(logits), axis=-1)  # (images, steps, classes)
    if allowed is not None:
        candidates = [allowed] * len(scores)
    elif beam_width == 1:
        candidates = head.alphabet.encode(head.decode(logits))[:, np.newaxis]
    else:
        candidates = [search(score, beam_width) for score in scores]
    readings = []
    for score, texts in zip(scores, candidates, strict=True):
        totals = log_forward(score, texts)
        best = int(np.argmax(totals))
        classes = texts[best][texts[best] > 0]
        # Rounding may lead to a hair above 1.
        confidence = min(float(np.exp(totals[best])), 1.0)
        runs = align(score, classes) if confidence > 0 else []
        columns = [
            (int(first * pixels), math.ceil((last + 1) * pixels) - 1)
            for first, last in runs
        ]
        readings.append(Reading(*head.alphabet.decode([classes]), confidence, columns))
    return readings
