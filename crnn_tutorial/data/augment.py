"""Random small changes of training images that leave their labels true.

Each function takes a batch and a random generator, so it can be handed to
``ct.train_crnn_model(..., augment=ct.augment_shift)`` as it is;
``functools.partial(ct.augment_shift, pixels=1)`` changes its strength. Those that move
the image move its masks and its boxes with it.
"""

import numpy as np

from crnn_tutorial.checks import check_images


def augment_shift(images, rng, pixels=2, *, masks=None, boxes=None):
    """Shift each image by whole pixels, at random and by itself; 0 moves in.

    Parameters
    ----------
    images : array of floats
        ``(batch, height, width, channels)`` in [0, 1].
    rng : numpy.random.Generator
        Where the shifts are drawn from.
    pixels : int
        The largest shift in each direction; less than height and width.
    masks : array of int, optional
        ``(batch, height, width)``, moved as the images are; 0 moves in.
    boxes : array of floats, optional
        ``(batch, boxes, 4 or more)``: ``y0, x0, y1, x1`` in pixels, and what belongs to
        the box. Moved, and cut off at the edges; a row of -1 is no box, and a box of
        which less than a quarter is left in the image becomes one.

    Returns
    -------
    array of float32, same shape
        New images; the ones that came are not changed. With masks or boxes a tuple:
        images and these, or images, masks, boxes.

    Raises
    ------
    ValueError
        If the images are none, or ``pixels`` is negative or as large as the image.

    References
    ----------
    Simard, Steinkraus and Platt, 2003, "Best practices for convolutional neural
    networks applied to visual document analysis", section 2.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> image = np.zeros((1, 3, 3, 1))
    >>> image[0, 1, 1] = 1
    >>> rng = np.random.default_rng(0)
    >>> ct.augment_shift(image, rng, pixels=1)[0, :, :, 0]
    array([[0., 1., 0.],
           [0., 0., 0.],
           [0., 0., 0.]], dtype=float32)
    >>> around = np.array([[[1.0, 1.0, 2.0, 2.0]]])  # the box around that pixel
    >>> augment_rng = np.random.default_rng(0)
    >>> ct.augment_shift(image, augment_rng, pixels=1, boxes=around)[1].tolist()
    [[[0.0, 1.0, 1.0, 2.0]]]
    """
    images = check_images(images)
    count, height, width, _ = images.shape
    if not 0 <= pixels < min(height, width):
        raise ValueError(
            f"pixels lies between 0 and {min(height, width) - 1} for images of "
            f"{height} x {width}, but got {pixels}."
        )
    down, right = pixels - rng.integers(0, 2 * pixels + 1, (2, count, 1, 1))
    y, x = np.arange(height)[:, None] - down, np.arange(width) - right

    def forward(y, x):
        return y + down, x + right

    return _with_targets(_pick(images, y, x), y, x, forward, masks, boxes)


def augment_affine(
    images, rng, degrees=10.0, scale=0.1, pixels=2.0, *, masks=None, boxes=None
):
    """Turn, enlarge or shrink, and shift each image a little, at random and by itself.

    What comes in from outside the image is 0. Pixels between pixels are interpolated
    linearly.

    Parameters
    ----------
    images : array of floats
        ``(batch, height, width, channels)`` in [0, 1].
    rng : numpy.random.Generator
        Where angles, factors and shifts are drawn from, each uniformly.
    degrees : float
        The largest angle to the left or right.
    scale : float
        The largest change of size, in [0, 1): 0.1 is a factor from 0.9 to 1.1.
    pixels : float
        The largest shift in each direction; need not be whole.
    masks, boxes : array, optional
        As in `augment_shift`. A mask takes the nearest pixel; a box that is turned
        becomes the upright one around it.

    Returns
    -------
    array of float32, same shape
        New images in [0, 1]; the ones that came are not changed. With masks or boxes a
        tuple, as in `augment_shift`.

    Raises
    ------
    ValueError
        If the images are none, or a strength is out of its range.

    References
    ----------
    Simard, Steinkraus and Platt, 2003, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> digits = ct.load_digits().train.images[:100]
    >>> turned = ct.augment_affine(digits, np.random.default_rng(0), pixels=1)
    >>> turned.shape, turned.dtype
    ((100, 8, 8, 1), dtype('float32'))
    """
    images = check_images(images)
    if not (degrees >= 0 and 0 <= scale < 1 and pixels >= 0):
        raise ValueError(
            "degrees and pixels are at least 0 and scale lies in [0, 1), but got "
            f"degrees={degrees}, scale={scale}, pixels={pixels}."
        )
    count, height, width, _ = images.shape
    each_image = (count, 1, 1)
    angle = np.deg2rad(rng.uniform(-degrees, degrees, each_image))
    zoom = rng.uniform(1 - scale, 1 + scale, each_image)
    down, right = rng.uniform(-pixels, pixels, (2, *each_image))
    cos = (np.cos(angle) / zoom).astype("float32")
    sin = (np.sin(angle) / zoom).astype("float32")
    # For each pixel of the answer: the place in the image that it shows.
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    y = (np.arange(height)[:, None] - middle_y - down).astype("float32")
    x = (np.arange(width) - middle_x - right).astype("float32")
    y, x = cos * y + sin * x + middle_y, cos * x - sin * y + middle_x

    def forward(y, x):
        y, x = zoom**2 * (y - middle_y), zoom**2 * (x - middle_x)
        return cos * y - sin * x + middle_y + down, sin * y + cos * x + middle_x + right

    return _with_targets(sample(images, y, x), y, x, forward, masks, boxes)


def _with_targets(moved, y, x, forward, masks, boxes):
    """Return moved images, with masks and boxes that are moved alike.

    The images show at each pixel the place ``(y, x)`` of the original; ``forward`` says
    where a place of the original went.
    """
    found = [moved]
    if masks is not None:
        found.append(_pick(np.asarray(masks), y, x))
    if boxes is not None:
        found.append(_move_boxes(np.asarray(boxes), forward, *moved.shape[1:3]))
    return tuple(found) if len(found) > 1 else moved


def _pick(images, y, x):
    """Look up the pixels that are nearest to places; 0 where there is none."""
    y, x = np.rint(y).astype(int), np.rint(x).astype(int)
    height, width = images.shape[1:3]
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    image = np.arange(len(images))[:, None, None]
    found = images[image, y.clip(0, height - 1), x.clip(0, width - 1)]
    found[~inside] = 0
    return found


def _move_boxes(boxes, forward, height, width):
    """Move ``(batch, boxes, 4 or more)``, and cut off what is outside the image."""
    y0, x0, y1, x1 = np.moveaxis(boxes[..., :4], -1, 0)
    # Pixel i reaches from i to i + 1, and its middle is where forward looks.
    corners = forward(
        np.stack([y0, y0, y1, y1], axis=-1) - 0.5,
        np.stack([x0, x1, x0, x1], axis=-1) - 0.5,
    )  # 2 x (batch, boxes, 4)
    y, x = (corner + 0.5 for corner in corners)
    ends = y.min(-1), x.min(-1), y.max(-1), x.max(-1)
    limits = height, width, height, width
    cut = [end.clip(0, limit) for end, limit in zip(ends, limits, strict=True)]
    whole, left = ((b[2] - b[0]) * (b[3] - b[1]) for b in (ends, cut))
    moved = np.concatenate([np.stack(cut, axis=-1), boxes[..., 4:]], axis=-1)
    gone = (boxes[..., :1] < 0) | (left < whole / 4)[..., None]
    return np.where(gone, -1, moved).astype(boxes.dtype)


def augment_text_images(
    images,
    rng,
    *,
    shift=0.25,
    rise=0.1,
    scale=0.1,
    squeeze=0.2,
    shear=0.1,
    brightness=0.1,
    contrast=0.2,
    noise=0.03,
):
    """Move, stretch, slant and tint each line of text, and cut off no character.

    The box around the ink is found first: the border's colour is the median of the
    outermost pixels, and ink is what differs from it by more than a quarter of the
    largest difference. The box stays inside the picture wherever it moves, so a picture
    that is full to the edges moves only as far as it was made smaller. What comes in
    from outside has the border's colour. Columns of padding stay as they are.

    Parameters
    ----------
    images : array of floats
        ``(batch, height, width, channels)`` in [0, 1]; -1 in the columns that pad a
        narrow image on the right.
    rng : numpy.random.Generator
        Where everything is drawn from, uniformly.
    shift, rise : float
        The largest way to the left or right, as a share of the image's own width, and
        up or down, as a share of the height.
    scale : float
        The largest change of width and of height, each by itself, in [0, 1).
    squeeze : float
        How much narrower a text may become beyond that, in [0, 1): 0.2 is a factor from
        0.8 to 1. It makes room to move in.
    shear : float
        The largest slant, in pixels to the side for each pixel up.
    brightness, contrast : float
        The largest value added to all pixels, and the largest change of their distance
        from grey, as a share of it.
    noise : float
        The largest standard deviation of the noise that is added to each pixel by
        itself, drawn uniformly.

    Returns
    -------
    array of float32, same shape
        New images; the ones that came are not changed.

    Raises
    ------
    ValueError
        If the images are none, or a strength is out of its range.

    References
    ----------
    Simard, Steinkraus and Platt, 2003, section 2, for characters alone.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> strings = ct.load_digit_strings(sizes=(8, 1, 1)).train.images
    >>> moved = ct.augment_text_images(strings, np.random.default_rng(0))
    >>> moved.shape == strings.shape, bool((moved != strings).any())
    (True, True)
    >>> bool(((moved == -1) == (strings == -1)).all())  # padding stays
    True
    """
    images = check_images(images, padded=True)
    _check_strengths(shift, rise, scale, squeeze, shear, brightness, contrast, noise)
    count, height = images.shape[:2]

    def draw(low, high, size=(count, 1, 1)):
        return rng.uniform(low, high, size).astype("float32")

    real = images[:, :1, :, :1] != -1  # (batch, 1, width, 1)
    widths = real.sum(axis=2)  # (batch, 1, 1)
    border = _border_colour(images, widths[:, :, 0])  # (batch, 1, 1, channels)
    difference = np.where(real, images - border, 0)
    (x, wide), (y, high) = _find_ink(difference, widths)
    slant = draw(-shear, shear)
    zoom_x = draw(1 - scale, 1 + scale) * draw(1 - squeeze, 1)
    zoom_y = np.minimum(draw(1 - scale, 1 + scale), height / high)
    wide = wide + np.abs(slant) * high
    zoom_x = np.minimum(zoom_x, widths / wide)
    right = draw(*_free_way(x, zoom_x * wide, widths, shift * widths))
    down = draw(*_free_way(y, zoom_y * high, height, rise * height))
    # For each pixel of the answer: the place in the image that it shows.
    rows = (np.arange(height, dtype="float32")[:, None] - (y + down)) / zoom_y
    columns = (np.arange(images.shape[2], dtype="float32") - (x + right)) / zoom_x
    moved = sample(difference, rows + y, columns + slant * rows + x)
    moved += border
    each_image = (count, 1, 1, 1)
    # 0.5 is the grey in the middle: contrast moves pixels away from it, or towards it.
    gain = draw(1 - contrast, 1 + contrast, each_image)
    moved *= gain
    moved += 0.5 - 0.5 * gain + draw(-brightness, brightness, each_image)
    if noise:
        grain = rng.random(moved.shape, dtype="float32")  # quicker than normal
        grain -= 0.5
        grain *= draw(0, noise, each_image) * np.float32(np.sqrt(12))
        moved += grain
    np.clip(moved, 0, 1, out=moved)
    np.copyto(moved, -1, where=~real)
    return moved  # (batch, height, width, channels)


def _check_strengths(*strengths):
    names = "shift rise scale squeeze shear brightness contrast noise".split()
    for name, strength in zip(names, strengths, strict=True):
        below_one = name in ("scale", "squeeze", "contrast")
        if not 0 <= strength < (1 if below_one else np.inf):
            limits = "lies in [0, 1)" if below_one else "is at least 0, and finite"
            raise ValueError(f"{name} {limits}, but got {strength}.")


def _border_colour(images, widths):
    """Take the median of the outermost real pixels of each image and channel."""
    count, _, width, channels = images.shape
    image = np.arange(count)[:, None]
    real = np.arange(width) % np.maximum(widths, 1)  # over and over instead of padding
    edges = [images[image, row, real] for row in (0, -1)]
    edges += [images[:, :, 0], images[image[:, 0], :, widths[:, 0] - 1]]
    median = np.median(np.concatenate(edges, axis=1), axis=1)
    return median.reshape(count, 1, 1, channels)


def _find_ink(difference, widths):
    """Return the middle and the length of the box around the ink, along x and y."""
    difference = np.abs(difference).max(axis=-1)
    ink = difference > difference.max(axis=(1, 2), keepdims=True) / 4
    sides = []
    for axis, size in ((1, widths), (2, ink.shape[1])):
        there = ink.any(axis=axis)  # (batch, width), then (batch, height)
        first = there.argmax(axis=1)[:, None, None]
        end = there.shape[1] - there[:, ::-1].argmax(axis=1)[:, None, None]
        end = np.where(there.any(axis=1)[:, None, None], end, 1)
        # One pixel more: the soft edge of the letters.
        first, end = np.maximum(first - 1, 0), np.minimum(end + 1, size)
        middle, length = (first + end - 1) / 2, end - first
        sides.append((middle.astype("float32"), length.astype("float32")))
    return sides


def _free_way(middle, length, size, most):
    """Return how far a box may move down and up an axis, both at most ``most``."""
    lowest, highest = length / 2 - 0.5 - middle, size - length / 2 - 0.5 - middle
    return np.clip(-most, lowest, highest), np.clip(most, lowest, highest)


def sample(images, y, x):
    """Look up images at places between pixels, ``(batch, height, width)`` each."""
    count, height, width, channels = images.shape
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))  # a frame of zeros
    y, x = np.clip(y + 1, 0, height + 1), np.clip(x + 1, 0, width + 1)
    top = np.minimum(np.floor(y), height)
    left = np.minimum(np.floor(x), width)
    y, x = (y - top)[..., None], (x - left)[..., None]
    row = width + 2
    image = np.arange(count)[:, None, None] * ((height + 2) * row)
    place = image + (top * row + left).astype(int)
    pixels = padded.reshape(-1, channels)
    neighbours = (pixels[k:].take(place, axis=0) for k in (0, 1, row, row + 1))
    upper, upper_right, lower, lower_right = neighbours
    upper += (upper_right - upper) * x  # in place: a new array costs as much as this
    lower += (lower_right - lower) * x
    upper += (lower - upper) * y
    return upper  # (batch, height, width, channels)
