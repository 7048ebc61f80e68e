"""Random small changes of training images that leave their labels true.

Each function takes a batch and a random generator, so it can be handed to
``ct.train_crnn_model(..., augment=ct.augment_shift)`` as it is;
``functools.partial(ct.augment_shift, pixels=1)`` changes its strength.
"""

import numpy as np

from crnn_tutorial.images import check_images


def augment_shift(images, rng, pixels=2):
    """Shift each image by whole pixels, at random and by itself; 0 moves in.

    Parameters
    ----------
    images : array of floats
        ``(batch, height, width, channels)`` in [0, 1].
    rng : numpy.random.Generator
        Where the shifts are drawn from.
    pixels : int
        The largest shift in each direction; less than height and width.

    Returns
    -------
    array of float32, same shape
        New images; the ones that came are not changed.

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
    """
    images = check_images(images)
    count, height, width, _ = images.shape
    if not 0 <= pixels < min(height, width):
        raise ValueError(
            f"pixels lies between 0 and {min(height, width) - 1} for images of "
            f"{height} x {width}, but got {pixels}."
        )
    border = (pixels, pixels)
    padded = np.pad(images, ((0, 0), border, border, (0, 0)))
    top, left = rng.integers(0, 2 * pixels + 1, (2, count, 1))
    rows = top + np.arange(height)  # (batch, height)
    columns = left + np.arange(width)  # (batch, width)
    image = np.arange(count)[:, None, None]
    return padded[image, rows[:, :, None], columns[:, None, :]]


def augment_affine(images, rng, degrees=10.0, scale=0.1, pixels=2.0):
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

    Returns
    -------
    array of float32, same shape
        New images in [0, 1]; the ones that came are not changed.

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
    return _sample(
        images, cos * y + sin * x + middle_y, cos * x - sin * y + middle_x
    )  # (batch, height, width, channels)


def _sample(images, y, x):
    """Look up images at places between pixels, ``(batch, height, width)`` each."""
    count, height, width, channels = images.shape
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))  # a frame of zeros
    y, x = np.clip(y + 1, 0, height + 1), np.clip(x + 1, 0, width + 1)
    top = np.minimum(np.floor(y), height)
    left = np.minimum(np.floor(x), width)
    y, x = (y - top)[..., None], (x - left)[..., None]
    row = width + 2
    image = np.arange(count)[:, None, None] * ((height + 2) * row)
    place = image + top.astype(int) * row + left.astype(int)
    pixels = padded.reshape(-1, channels)
    upper = pixels[place] * (1 - x) + pixels[place + 1] * x
    lower = pixels[place + row] * (1 - x) + pixels[place + row + 1] * x
    return upper * (1 - y) + lower * y
