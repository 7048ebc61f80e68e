"""Clips of real digits in motion, most with classes that no single frame reveals.

Sizes are ``(height, width)``, the shape of the arrays.
"""

import numpy as np

from crnn_tutorial.data.classics import DIGITS_LICENCE, DIGITS_SOURCE, load_digits
from crnn_tutorial.data.digit_strings import (
    _DIGIT,
    _check_canvas,
    _check_digits,
    _shuffle,
)
from crnn_tutorial.data.photographs import (
    PHOTOS_LICENCE,
    PHOTOS_SOURCE,
    _split_photographs,
    cut_backgrounds,
)
from crnn_tutorial.data.splits import Dataset, check_sizes

_ANY_START = "each clip stands in both classes with each of its frames as the first"

_BOTH_SIDES = "each pair starts on both sides, bounces off and passes through"

_EACH_PATH = "each digit takes each path, forward and backward"

_TASKS = ("direction", "order", "bounce", "digit")


def load_direction_clips(sizes=(1600, 320, 480), frames=8, size=(16, 32), seed=0):
    """Compose clips of a digit that crosses the picture to the right or to the left.

    Class 1 is class 0 played backwards. A digit that leaves the picture comes in again
    on the other side, and each clip stands there with each of its frames as the first.
    So each frame, *at each place in the clip*, occurs equally often in both classes:
    whoever looks at one frame is right in exactly half of the clips.

    Parameters
    ----------
    sizes : tuple of three ints
        How many clips to train, to validate and to test: multiples of ``2 * frames``.
    frames : int
        Frames in a clip, 3 or more and no more than the width.
    size : tuple of two ints
        ``(height, width)`` of a frame in pixels, at least (8, 16).
    seed : int
        Draws the digits and their places.

    Returns
    -------
    Dataset
        Images ``(clips, frames, height, width, 1)`` in [0, 1]; targets 0 and 1. The
        splits share no digit.

    Raises
    ------
    ValueError
        If an argument makes no sense.

    References
    ----------
    The digits of `load_digits`. D. Wei et al., "Learning and using the arrow of time",
    CVPR 2018, asks the same of films.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> clips = ct.load_direction_clips(sizes=(32, 16, 16))
    >>> clips.train.images.shape, clips.class_names
    ((32, 8, 16, 32, 1), ('to the right', 'to the left'))
    >>> start = clips.train.images[:, 0]  # as many pixels at each place in both classes
    >>> by_class = [start[clips.train.targets == i].sum(axis=0) for i in (0, 1)]
    >>> bool((by_class[0] == by_class[1]).all())
    True
    """
    return _compose("direction", sizes, frames, size, "0123456789", seed, dark=True)


def load_moving_digits(
    task="direction",
    sizes=(1600, 320, 480),
    frames=8,
    size=(16, 32),
    digits="01",
    seed=0,
):
    """Compose clips of white digits that move over photographs, for one of four tasks.

    What must be seen to do better than guessing, by construction and exactly:

    ``"direction"``: does the digit go to the right or to the left? It leaves the
    picture and comes in again on the other side. *The order of the frames*: class 1 is
    class 0 played backwards, and each clip stands there with each of its frames as the
    first.

    ``"order"``: two digits appear, one after the other at places of their own, again
    and again; between the first and the second the picture is empty for a short time,
    after the second for a longer one. Which is the first? *The order of more than two
    frames*: made as "direction" is, and two neighbouring frames tell nothing either.
    (With one appearance each, a single frame would tell: what is shown at the start
    came first.)

    ``"bounce"``: two digits come from both sides and meet. Do they bounce off or pass
    through? *More than one frame, but not their order*: who stands on which side,
    before and after. Both start on either side equally often. The bag of frames tells:
    those that pass are seen in both orders, those that bounce in one. Whoever scores
    each frame and takes the mean of the scores is right in three quarters at most.

    ``"digit"``: which digit is it? *One frame.* The control.

    In all but the last, each frame occurs equally often in all classes at each place in
    the clip, so whoever looks at one frame is right in exactly half. In "direction" and
    "order" the same holds for whoever looks at all frames without their order.

    Parameters
    ----------
    task : {"direction", "order", "bounce", "digit"}
        What is asked of the clips.
    sizes : tuple of three ints
        How many clips to train, to validate and to test: multiples of ``2 * frames``;
        of 4 for "bounce"; of ``2 * len(digits)`` for "digit". So many show the same
        digits before the same photograph.
    frames : int
        Frames in a clip, 3 or more (5 for "order") and no more than the width.
    size : tuple of two ints
        ``(height, width)`` of a frame in pixels, from (8, 16) to (300, 384).
    digits : str
        Which digits occur; exactly two for "order" and "bounce". For "digit" they are
        the classes.
    seed : int
        Draws the digits, the photographs and the places.

    Returns
    -------
    Dataset
        Images ``(clips, frames, height, width, 1)`` in [0, 1]. The splits share neither
        a digit nor a photograph.

    Raises
    ------
    ValueError
        If an argument makes no sense.

    References
    ----------
    The digits of `load_digits`, the photographs of `load_photos`. The idea: N.
    Srivastava, E. Mansimov and R. Salakhutdinov, "Unsupervised learning of video
    representations using LSTMs", ICML 2015.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> clips = ct.load_moving_digits("bounce", sizes=(40, 8, 8), digits="27")
    >>> clips.train.images.shape, clips.class_names
    ((40, 8, 16, 32, 1), ('bounce off', 'pass through'))
    >>> last = clips.train.images[:, -1]  # as much light at each place in both classes
    >>> means = [last[clips.train.targets == i].mean(axis=0) for i in (0, 1)]
    >>> bool(abs(means[0] - means[1]).max() < 1e-6)
    True
    """
    if task not in _TASKS:
        raise ValueError(f"task is one of {', '.join(_TASKS)}, but got {task!r}.")
    _check_choice(task, digits)
    return _compose(task, sizes, frames, size, digits, seed)


def _compose(task, sizes, frames, size, digits, seed, dark=False):
    """Compose all splits, over photographs or in the dark."""
    height, width = _check_canvas(size, _DIGIT, 2 * _DIGIT)
    _check_frames(frames, 5 if task == "order" else 3, width)
    compose, class_names, alike, reason = _about(task, frames, digits)
    sizes = check_sizes(sizes, alike, reason)
    rng = np.random.default_rng(seed)
    known = load_digits(seed)
    parts = known.train, known.validation, known.test
    photographs = [()] * 3 if dark else _split_photographs(rng)
    splits = []
    for part, count, own in zip(parts, sizes, photographs, strict=True):
        part = part[np.isin(part.targets, [int(digit) for digit in digits])]
        backgrounds = cut_backgrounds(own, count // alike, (height, width), rng)
        classes = compose(part, backgrounds, frames, digits, rng)
        splits.append(_shuffle(classes, rng))
    photos = ["", ""] if dark else [f"; {PHOTOS_SOURCE}", f"; {PHOTOS_LICENCE}"]
    return Dataset(
        *splits,
        class_names=class_names,
        source=f"composed from: {DIGITS_SOURCE}{photos[0]}",
        licence=f"{DIGITS_LICENCE}{photos[1]}",
    )


def _direction(split, backgrounds, frames, digits, rng):
    count = len(backgrounds)
    images = split.images[np.resize(rng.permutation(len(split)), count)]
    places = _places(backgrounds, rng)
    return _any_start(_cross(images, *places, backgrounds, frames))


def _order(split, backgrounds, frames, digits, rng):
    size = height, width = backgrounds.shape[1:3]
    count = len(backgrounds)
    length = frames // 4  # of an appearance
    gap = (frames - 2 * length) // 3  # half as long as the other one, or shorter
    inks = np.zeros((count, frames, height, width, 1), np.float32)
    for digit, start in zip(digits, (0, length + gap), strict=True):
        chosen = _draw(split, digit, count, rng)
        tops = rng.integers(0, height - _DIGIT + 1, count)
        lefts = rng.integers(0, width - _DIGIT + 1, count)
        for ink, image, top, left in zip(inks, chosen, tops, lefts, strict=True):
            ink[start : start + length] = _move(image, top, [left], size)
    return _any_start(_over(backgrounds, inks))


def _bounce(split, backgrounds, frames, digits, rng):
    size = height, width = backgrounds.shape[1:3]
    count = len(backgrounds)
    pairs = zip(*(_draw(split, digit, count, rng) for digit in digits), strict=True)
    tops = rng.integers(0, height - _DIGIT + 1, count)
    edges = rng.integers(0, (width - _DIGIT) // 4 + 1, (count, 2))
    there = np.arange(frames)
    back = np.minimum(there, there[::-1])  # 0, 1, 2, 2, 1, 0
    classes = [], []
    for pair, top, (first, last), background in zip(
        pairs, tops, edges, backgrounds, strict=True
    ):
        path = np.linspace(first, width - _DIGIT - last, frames).round().astype(int)
        for one, other in (pair, pair[::-1]):  # either starts on the left
            for clips, turn in zip(classes, (back, there), strict=True):
                left = _move(one, top, path[turn], size)
                right = _move(other, top, path[::-1][turn], size)
                clips.append(_over(background[None], np.maximum(left, right)[None])[0])
    return [np.stack(clips) for clips in classes]


def _which_digit(split, backgrounds, frames, digits, rng):
    places = _places(backgrounds, rng)
    classes = []
    for digit in digits:
        images = _draw(split, digit, len(backgrounds), rng)
        clips = _cross(images, *places, backgrounds, frames)
        classes.append(np.concatenate([clips, clips[:, ::-1]]))
    return classes


def _about(task, frames, digits):
    """How to compose a task, its classes, how many clips are alike, and why so."""
    one, other = digits[0], digits[-1]
    names = "to the right", "to the left"
    orders = f"{one} then {other}", f"{other} then {one}"
    meetings = "bounce off", "pass through"
    return {
        "direction": (_direction, names, 2 * frames, _ANY_START),
        "order": (_order, orders, 2 * frames, _ANY_START),
        "bounce": (_bounce, meetings, 4, _BOTH_SIDES),
        "digit": (_which_digit, tuple(digits), 2 * len(digits), _EACH_PATH),
    }[task]


def _draw(split, digit, count, rng):
    """Images of one digit, each equally often as far as possible."""
    own = np.flatnonzero(split.targets == int(digit))
    return split.images[np.resize(rng.permutation(own), count)]


def _places(backgrounds, rng):
    """Draw rows and columns where digits start to cross the pictures."""
    count, height, width = backgrounds.shape[:3]
    tops = rng.integers(0, height - _DIGIT + 1, count)
    return tops, rng.integers(0, width, count)


def _cross(images, tops, lefts, backgrounds, frames):
    """Once to the right, through the border and back to the start."""
    size = backgrounds.shape[1:3]
    steps = np.round(np.arange(frames) * size[1] / frames).astype(int)
    inks = [
        _move(image, top, left + steps, size)
        for image, top, left in zip(images, tops, lefts, strict=True)
    ]
    return _over(backgrounds, np.stack(inks))


def _move(image, top, lefts, size):
    """One digit in each frame: ``(len(lefts), height, width, 1)``."""
    still = np.zeros((*size, 1), np.float32)
    still[top : top + _DIGIT, :_DIGIT] = image
    return np.stack([np.roll(still, left, axis=1) for left in lefts])


def _over(backgrounds, inks):
    """Lay ink ``(clips, frames, h, w, 1)`` over one background for each clip."""
    return backgrounds[:, None] * (1 - inks) + inks


def _any_start(cycles):
    """Each cycle from each of its frames on, and all that backwards: two classes."""
    turned = [np.roll(cycles, -first, axis=1) for first in range(cycles.shape[1])]
    clips = np.stack(turned, axis=1).reshape(-1, *cycles.shape[1:])
    return clips, clips[:, ::-1]


def _check_frames(frames, least, width):
    if not least <= frames <= width:
        raise ValueError(
            f"frames is from {least} to the width, {width}, but got {frames}. With "
            "fewer, forward and backward would be the same."
        )


def _check_choice(task, digits):
    different = len(set(_check_digits(digits, "digits"))) == len(digits)
    enough = {"direction": len(digits) >= 1, "digit": len(digits) >= 2}
    if not different or not enough.get(task, len(digits) == 2):
        number = {"direction": "one or more", "digit": "two or more"}.get(task, "two")
        raise ValueError(
            f"For {task!r}, digits are {number} different ones, but got {digits!r}."
        )
