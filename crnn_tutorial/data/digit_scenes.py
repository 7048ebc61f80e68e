"""Scenes of real digits over photographs, with everything that can be asked of them.

Sizes are ``(height, width)``, the shape of the arrays.
"""

import numpy as np

from crnn_tutorial.checks import check_count, check_pixels
from crnn_tutorial.data.augment import sample
from crnn_tutorial.data.classics import DIGITS_LICENCE, DIGITS_SOURCE, load_digits
from crnn_tutorial.data.photographs import (
    PHOTOS_LICENCE,
    PHOTOS_SOURCE,
    _split_photographs,
    cut_backgrounds,
)
from crnn_tutorial.data.splits import Dataset, Split, check_sizes

_INK = 0.4  # how white a pixel of a digit is that belongs to it
_TRIES = 20  # places that are tried for a digit before it is left out


def load_digit_scenes(
    sizes=(2000, 300, 500),
    size=(64, 64),
    digits=(1, 4),
    digit_sizes=(12, 28),
    seed=0,
):
    """Compose scenes of a few digits, of any size and at any place, over photographs.

    Each scene comes with all that the FAQ's tasks ask of it. No two digits touch. A
    digit for which there is no free place left is not in the scene, so that crowded
    scenes have fewer digits than were drawn, but one at least where any was drawn.

    Parameters
    ----------
    sizes : tuple of three ints
        How many scenes to train, to validate and to test.
    size : tuple of two ints
        ``(height, width)`` of a scene in pixels, at most 300 x 384.
    digits : tuple of two ints
        The fewest and the most digits of a scene; 0 and 0 leave the photographs alone.
    digit_sizes : tuple of two ints
        The smallest and the largest height of a digit's square in pixels, at least 8
        and no more than the scene.
    seed : int
        Draws the digits, the photographs, the sizes and the places.

    Returns
    -------
    Dataset
        Images ``(scenes, height, width, 1)`` in [0, 1]; the splits share neither a
        digit nor a photograph. Targets are a dict of four kinds:

        - ``labels``: int, ``(scenes, 10)``, 1 where the digit is in the scene;
        - ``boxes``: float32, ``(scenes, most digits, 5)``: ``y0, x0, y1, x1`` in
          pixels, and the digit; rows of -1 where there are fewer;
        - ``masks``: int, ``(scenes, height, width)``: 0 for the photograph, ``d + 1``
          on the digit ``d``;
        - ``edges``: int, ``(scenes, height, width)``: 1 on the outermost pixels of each
          digit.

    Raises
    ------
    ValueError
        If an argument makes no sense.

    References
    ----------
    The digits of `load_digits`, the photographs of `load_photos`.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> scenes = ct.load_digit_scenes(sizes=(20, 5, 5))
    >>> scenes.train
    Split(20 images, shape (64, 64, 1), targets labels, boxes, masks, edges)
    >>> targets = scenes.train[:1].targets
    >>> y0, x0, y1, x1, digit = targets["boxes"][0, 0].astype(int).tolist()
    >>> int(targets["masks"][0, y0:y1, x0:x1].max()) == digit + 1
    True
    >>> int(targets["labels"][0, digit])
    1
    """
    sizes = check_sizes(sizes)
    height, width = check_pixels("size is (height, width)", size)
    fewest, most = _check_digits(digits)
    small, large = check_pixels(
        "digit_sizes are the smallest and the largest", digit_sizes
    )
    if fewest > most or not 8 <= small <= large <= min(height, width):
        raise ValueError(
            "digits are the fewest and the most of a scene, digit_sizes from 8 to the "
            f"smaller side of the scene, {min(height, width)}, but got digits="
            f"{digits!r} and digit_sizes={digit_sizes!r}."
        )
    rng = np.random.default_rng(seed)
    known, splits = load_digits(seed), []
    for split, count, photographs in zip(
        (known.train, known.validation, known.test),
        sizes,
        _split_photographs(rng),
        strict=True,
    ):
        scenes = cut_backgrounds(photographs, count, (height, width), rng)[..., 0]
        splits.append(_compose(split, scenes, (fewest, most), (small, large), rng))
    return Dataset(
        *splits,
        class_names=tuple("0123456789"),
        source=f"composed from: {DIGITS_SOURCE}; {PHOTOS_SOURCE}",
        licence=f"{DIGITS_LICENCE}; {PHOTOS_LICENCE}",
    )


def _check_digits(digits):
    if tuple(np.shape(digits)) == (2,):
        names = "the fewest digits of a scene", "the most digits of a scene"
        return [check_count(*one, least=0) for one in zip(names, digits, strict=True)]
    raise ValueError(
        f"digits are the fewest and the most: two whole numbers, but got {digits!r}."
    )


def _compose(split, scenes, digits, digit_sizes, rng):
    """Lay digits over the scenes, one of each scene at a time."""
    count, height, width = scenes.shape
    wanted = rng.integers(digits[0], digits[1] + 1, count)
    masks = np.zeros((count, height, width), np.uint8)
    boxes = np.full((count, digits[1], 5), -1, np.float32)
    for turn in range(digits[1]):
        chosen = rng.integers(len(split), size=count)
        classes = split.targets[chosen]
        side = rng.integers(digit_sizes[0], digit_sizes[1] + 1, count)
        inks = _enlarge(split.images[chosen], side, digit_sizes[1])
        tight = _boxes_around(inks > _INK)
        place = _free_places(
            tight, boxes[:, :turn], wanted > turn, (height, width), rng
        )
        inks[place[:, 0] < 0] = 0
        tone = rng.uniform(0.7, 1.0, count).astype(np.float32)
        scene, rows, columns, ink = _lay_out(
            inks, place - tight[:, :2], (height, width)
        )
        under = scenes[scene, rows, columns]
        scenes[scene, rows, columns] += ink * (tone[scene] - under)
        solid = ink > _INK
        masks[scene[solid], rows[solid], columns[solid]] = 1 + classes[scene[solid]]
        here = np.flatnonzero(place[:, 0] >= 0)
        ends = place[here] + tight[here, 2:] - tight[here, :2]
        boxes[here, turn] = np.column_stack([place[here], ends, classes[here]])
    present = np.eye(11, dtype=int)[boxes[..., 4].astype(int)].sum(axis=1)[:, :10]
    targets = {
        "labels": np.minimum(present, 1),
        "boxes": boxes,
        "masks": masks.astype(int),
        "edges": _outermost(masks).astype(int),
    }
    return Split(scenes[..., np.newaxis], targets)


def _enlarge(images, side, largest):
    """Bring digits to sides of their own, in squares of the largest: what is ink."""
    place = (np.arange(largest, dtype=np.float32) + 0.5) / side[:, None]
    place = place * images.shape[1] - 0.5  # in pixels of the digit
    grid = (
        place[:, :, None] + 0 * place[:, None],
        place[:, None] + 0 * place[:, :, None],
    )
    return sample(images, *grid)[..., 0]  # (digits, largest, largest)


def _boxes_around(masks):
    """Return ``y0, x0, y1, x1`` around what is True in each mask."""
    ends = []
    for axis in (2, 1):
        there = masks.any(axis=axis)
        last = there.shape[1] - there[:, ::-1].argmax(axis=1)
        ends.append((there.argmax(axis=1), last))
    (y0, y1), (x0, x1) = ends
    return np.stack([y0, x0, y1, x1], axis=1)


def _free_places(tight, boxes, wanted, size, rng):
    """Draw where each digit's box begins, beside all others; -1 where none is free."""
    extent = tight[:, 2:] - tight[:, :2]
    place = np.full((len(tight), 2), -1)
    for _ in range(_TRIES):
        tried = (rng.random(place.shape) * (np.array(size) - extent + 1)).astype(int)
        start, end = (
            tried[:, None] - 1,
            (tried + extent)[:, None] + 1,
        )  # a pixel between
        apart = (start >= boxes[..., 2:4]) | (end <= boxes[..., :2])
        free = wanted & (place[:, 0] < 0) & apart.any(axis=-1).all(axis=1)
        place[free] = tried[free]
    return place


def _lay_out(inks, start, size):
    """Return scene, row, column and value of all ink, from where its square begins."""
    scene, rows, columns = np.nonzero(inks)
    ink = inks[scene, rows, columns]
    rows, columns = rows + start[scene, 0], columns + start[scene, 1]
    inside = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
    return scene[inside], rows[inside], columns[inside], ink[inside]


def _outermost(masks):
    """Tell the pixels of each mask that have the background as a neighbour."""
    padded = np.pad(masks > 0, ((0, 0), (1, 1), (1, 1)))
    inside = padded[:, 1:-1, 1:-1]
    for neighbour in (padded[:, :-2, 1:-1], padded[:, 2:, 1:-1]):
        inside = inside & neighbour
    for neighbour in (padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]):
        inside = inside & neighbour
    return (masks > 0) & ~inside
