"""Strings and scenes composed of real handwritten digits.

Sizes are ``(height, width)``, the shape of the arrays.
"""

import numpy as np

from crnn_tutorial.data.classics import DIGITS_LICENCE, DIGITS_SOURCE, load_digits
from crnn_tutorial.data.images import resize_image
from crnn_tutorial.data.splits import Dataset, Split, check_sizes

_DIGIT = 8  # pixels: height and width of a digit as it is, half of one in a string


def load_digit_strings(
    length=(1, 8),
    sizes=(2000, 300, 500),
    seed=0,
    characters="0123456789",
    width=None,
):
    """Compose images of numbers from real handwritten digits.

    Each digit is enlarged to 16 x 16 pixels; gaps between neighbours are drawn from -3
    (overlap) to 3 pixels, margins from 0 to 3. Train, validation and test share no
    digit: they take theirs from the splits of ``load_digits(seed)``.

    Parameters
    ----------
    length : int or tuple of two ints
        How many digits, or the fewest and the most.
    sizes : tuple of three ints
        How many images to train, to validate and to test.
    seed : int
        Draws the numbers, the digits and the gaps, and which digit is in which split:
        another seed's test lines may hold digits that this one's training lines have.
    characters : str
        Which digits occur.
    width : int, optional
        Width of the images in pixels; ``None`` takes that of the widest text in any
        split.

    Returns
    -------
    Dataset
        Images ``(images, 16, width, 1)`` in [0, 1], on the right padded with -1 where
        the text has ended; targets are lists of `str`; `class_names` the characters.

    Raises
    ------
    ValueError
        If the lengths, sizes or characters make no sense, or a text is wider than
        `width`.

    References
    ----------
    The digits of `load_digits`. The idea: I. Goodfellow et al., "Multi-digit number
    recognition from street view imagery", 2014.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> strings = ct.load_digit_strings(length=(2, 4), sizes=(20, 5, 5), width=80)
    >>> strings.train.images.shape
    (20, 16, 80, 1)
    >>> all(2 <= len(text) <= 4 for text in strings.train.targets)
    True
    >>> float(strings.train.images.min())  # padding
    -1.0
    """
    lengths = _check_lengths(length)
    characters = _check_digits(characters, "characters")
    if len(set(characters)) < len(characters):
        raise ValueError(f"characters stand once each, but got {characters!r}.")
    rng = np.random.default_rng(seed)
    digits = load_digits(seed)
    parts = (digits.train, digits.validation, digits.test)
    drawn = [
        _draw_strings(part, count, lengths, characters, rng)
        for part, count in zip(parts, check_sizes(sizes), strict=True)
    ]
    widest = max(max(ends) for _, ends, _ in drawn)
    if width is not None and width < widest:
        raise ValueError(
            f"width is {width}, but the widest text needs {widest} pixels. Give more, "
            "or width=None."
        )
    return Dataset(
        *(
            _paint_strings(part, *one, width or widest)
            for part, one in zip(parts, drawn, strict=True)
        ),
        class_names=tuple(characters),
        source=f"composed from: {DIGITS_SOURCE}",
        licence=DIGITS_LICENCE,
    )


def digit_string(text="2015", seed=0):
    """Write one number with real handwritten digits that no training saw.

    Parameters
    ----------
    text : str
        Digits only.
    seed : int
        Which digits of the test split of ``load_digits(seed)`` to take.

    Returns
    -------
    array of float32, shape ``(16, 16 * len(text), 1)``
        Pixels in [0, 1].

    Raises
    ------
    ValueError
        If the text is empty or has other characters.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.digit_string("2015").shape
    (16, 64, 1)
    """
    test = load_digits(seed).test
    rng = np.random.default_rng(seed)
    chosen = [
        rng.choice(np.flatnonzero(test.targets == int(character)))
        for character in _check_digits(text, "text")
    ]
    return np.concatenate(_enlarge(test.images[chosen]), axis=1)


def load_digit_pairs(
    distance=24, size=(16, 96), pair="01", sizes=(2000, 300, 500), seed=0
):
    """Compose pictures in which two digits stand far apart, in one order or the other.

    Each picture stands in both classes: the same two digits at the same two places,
    exchanged. The empty margins are as wide as the gap. So all windows of a picture, up
    to ``distance - 7`` pixels wide and of any height, occur in both classes and equally
    often: whoever only counts what such windows show is right in exactly half.

    Parameters
    ----------
    distance : int
        Pixels between the left edges of the two digits, at least 8.
    size : tuple of two ints
        ``(height, width)`` of a picture in pixels, at least (8, 3 * distance - 8).
    pair : str
        Two different digits: their order in class 0.
    sizes : tuple of three ints
        How many pictures to train, to validate and to test: even numbers.
    seed : int
        Draws the digits and their places.

    Returns
    -------
    Dataset
        Images ``(pictures, height, width, 1)`` in [0, 1]; targets 0 and 1. The splits
        share no digit.

    Raises
    ------
    ValueError
        If an argument makes no sense.

    References
    ----------
    The digits of `load_digits`. The bag of windows: W. Brendel and M. Bethge,
    "Approximating CNNs with bag-of-local-features models works surprisingly well on
    ImageNet", ICLR 2019.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> pairs = ct.load_digit_pairs(sizes=(20, 4, 4))
    >>> pairs.train.images.shape, pairs.class_names
    ((20, 16, 96, 1), ('01', '10'))
    >>> by_class = [pairs.train.images[pairs.train.targets == i] for i in (0, 1)]
    >>> [round(float(images.sum()), 4) for images in by_class]  # the same ink
    [370.9375, 370.9375]
    """
    if len(set(_check_digits(pair, "pair"))) != 2 or len(pair) != 2:
        raise ValueError(f"pair is two different digits, but got {pair!r}.")
    if distance < _DIGIT:
        raise ValueError(
            f"distance is at least {_DIGIT}, the width of a digit, but got {distance}."
        )
    size = _check_canvas(size, _DIGIT, 3 * distance - _DIGIT)
    sizes = check_sizes(sizes, 2, "each picture stands in both classes")
    rng = np.random.default_rng(seed)
    digits = load_digits(seed)
    parts = (digits.train, digits.validation, digits.test)
    return Dataset(
        *(
            _place_pairs(part, count, distance, size, pair, rng)
            for part, count in zip(parts, sizes, strict=True)
        ),
        class_names=(pair, pair[::-1]),
        source=f"composed from: {DIGITS_SOURCE}",
        licence=DIGITS_LICENCE,
    )


def _draw_strings(split, count, lengths, characters, rng):
    """Return for each string its digits' indices, its end, its digits' left edges."""
    counts = rng.integers(lengths[0], lengths[1] + 1, count)
    classes = rng.choice([int(c) for c in characters], counts.sum())
    chosen = np.empty(len(classes), int)
    for i in set(classes.tolist()):
        places = np.flatnonzero(classes == i)
        chosen[places] = rng.choice(np.flatnonzero(split.targets == i), len(places))
    cuts = np.cumsum(counts)[:-1]
    steps = 2 * _DIGIT + rng.integers(-3, 4, len(classes))
    margins = rng.integers(0, 4, (count, 2))
    lefts = [
        margin + np.cumsum(step) - step[0]
        for margin, step in zip(margins[:, 0], np.split(steps, cuts), strict=True)
    ]
    ends = [
        int(left[-1] + 2 * _DIGIT + margin)
        for left, margin in zip(lefts, margins[:, 1], strict=True)
    ]
    return np.split(chosen, cuts), ends, lefts


def _paint_strings(split, chosen, ends, lefts, width):
    large = _enlarge(split.images)
    images = np.zeros((len(chosen), 2 * _DIGIT, width, 1), np.float32)
    for image, digits, end, edges in zip(images, chosen, ends, lefts, strict=True):
        for digit, left in zip(digits, edges, strict=True):
            window = image[:, left : left + 2 * _DIGIT]
            np.maximum(window, large[digit], out=window)
        image[:, end:] = -1
    return Split(images, ["".join(map(str, split.targets[i])) for i in chosen])


def _enlarge(images):
    return np.stack([resize_image(image, (2 * _DIGIT,) * 2) for image in images])


def _place_pairs(split, count, distance, size, pair, rng):
    height, width = size
    half, margin = count // 2, distance - _DIGIT
    first, second = (
        split.images[rng.choice(np.flatnonzero(split.targets == int(c)), half)]
        for c in pair
    )
    tops = rng.integers(0, height - _DIGIT + 1, half)
    lefts = rng.integers(margin, width - margin - distance - _DIGIT + 1, half)
    ordered = np.zeros((half, height, width, 1), np.float32)
    exchanged = ordered.copy()
    for i, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        for edge, one, other in (
            (left, first[i], second[i]),
            (left + distance, second[i], first[i]),
        ):
            window = i, slice(top, top + _DIGIT), slice(edge, edge + _DIGIT)
            ordered[window], exchanged[window] = one, other
    return _shuffle([ordered, exchanged], rng)


def _shuffle(classes, rng):
    """Return a split of all classes' images, in random order."""
    images = np.concatenate(classes)
    targets = np.repeat(np.arange(len(classes)), [len(part) for part in classes])
    order = rng.permutation(len(images))
    return Split(images[order], targets[order])


def _check_digits(text, name):
    if not text or not set(text) <= set("0123456789"):
        raise ValueError(f"{name} is made of the digits 0 to 9, but got {text!r}.")
    return text


def _check_lengths(length):
    lengths = (length, length) if np.ndim(length) == 0 else tuple(length)
    if len(lengths) != 2 or not 1 <= lengths[0] <= lengths[1]:
        raise ValueError(
            "length is a number of digits, or the fewest (at least 1) and the most, "
            f"but got {length!r}."
        )
    return lengths


def _check_canvas(size, least_height, least_width):
    height, width = size
    if height < least_height or width < least_width:
        raise ValueError(
            f"size is (height, width), at least ({least_height}, {least_width}), but "
            f"got ({height}, {width})."
        )
    return height, width
