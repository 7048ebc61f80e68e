"""Damage images by a known amount, so that a network can learn to undo it."""

import io

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from crnn_tutorial.checks import check_images

HOLE = 0.5  # the grey of a hole: no photograph has a square of exactly this
_LEVELS = 255  # a dark or faint image is rounded to 256 grey levels, as cameras do


def degrade(images, kind, amount, seed=0):
    """Damage images in one of seven ways, each by an amount with a unit.

    ================== ============================================== ================
    kind               amount                                         allowed
    ================== ============================================== ================
    ``"noise"``        standard deviation of the noise, as a share of 0 to 1
                       the range from black to white: 25 / 255
    ``"blur"``         standard deviation of the Gaussian, in pixels  at least 0
    ``"contrast"``     share of the contrast that is lost: each pixel 0 to below 1
                       moves so far towards the mean of its image
    ``"darkness"``     share of the light that is lost                0 to below 1
    ``"holes"``        side of the missing square, in pixels; it is   0 to the shorter
                       filled with grey (0.5)                         side
    ``"downsampling"`` how many times smaller both sides become       2, 3, 4, ...
    ``"jpeg"``         quality as Pillow counts it; less is worse     1 to 100
    ================== ============================================== ================

    Parameters
    ----------
    images : array of floats
        ``(images, height, width, channels)`` in [0, 1].
    kind : str
        One of the table. Noise is cut off at black and white. What is faint or dark is
        rounded to 256 levels, so that not all of it can come back.
    amount : float, or array of floats
        One for all images, or one for each, ``(images,)``; for downsampling one.
    seed : int
        Decides the noise and the places of the holes, and nothing else.

    Returns
    -------
    array of float32
        In [0, 1]; same shape, with downsampling ``(images, height / amount,
        width / amount, channels)``.

    Raises
    ------
    ValueError
        If the images are none, the kind is unknown, the amount is not allowed, sides
        are no multiples of the downsampling, or JPEG is asked of images that have
        neither one nor three channels.

    References
    ----------
    Blur is that of SciPy, downsampling (bicubic, over all pixels that fall into a new
    one) and JPEG are those of Pillow.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> photos = ct.load_photos(crops=1).test.images
    >>> noisy = ct.degrade(photos, "noise", 25 / 255, seed=1)
    >>> bool(abs((noisy - photos).std() - 25 / 255) < 0.01)
    True
    >>> ct.degrade(photos, "downsampling", 2).shape
    (5, 32, 32, 3)

    Where a hole is, the same call shows on black images:

    >>> holes = ct.degrade(np.zeros_like(photos), "holes", 16, seed=1) > 0
    >>> int(holes[0, ..., 0].sum())
    256
    """
    images = check_images(images)
    if kind not in _KINDS:
        raise ValueError(f"kind is one of {', '.join(_KINDS)}, but got {kind!r}.")
    amounts = _check_amounts(kind, amount, images)
    damaged = _KINDS[kind](images, amounts, np.random.default_rng(seed))
    return np.clip(damaged, 0, 1).astype("float32")


def _check_amounts(kind, amount, images):
    """Return one amount for each image, or say what is wrong with it."""
    try:
        amounts = np.broadcast_to(np.asarray(amount, float), len(images))
    except (TypeError, ValueError):
        raise ValueError(
            f"amount is one number, or one for each of the {len(images)} images, but "
            f"got {amount!r}."
        ) from None
    allowed, words = _limits(kind, images.shape)
    bad = amounts[~allowed(amounts)]
    if bad.size:
        raise ValueError(f"For {kind!r}, amount is {words}, but got {bad[0]:g}.")
    if kind == "jpeg" and images.shape[-1] not in (1, 3):
        raise ValueError(
            f"JPEG takes images of 1 or 3 channels, but got {images.shape[-1]}."
        )
    if kind == "downsampling":
        _check_factor(amounts, images.shape)
    return amounts


def _limits(kind, shape):
    """Return what says which amounts are allowed, and the same in words."""
    shorter = min(shape[1:3])

    def whole(low, high):
        return lambda x: (x == np.round(x)) & (x >= low) & (x <= high)

    return {
        "noise": (
            lambda x: (x >= 0) & (x <= 1),
            "the standard deviation of the noise from 0 to 1, such as 25 / 255",
        ),
        "blur": (
            lambda x: (x >= 0) & np.isfinite(x),
            "a standard deviation in pixels, at least 0",
        ),
        "contrast": (lambda x: (x >= 0) & (x < 1), "a share from 0 to below 1"),
        "darkness": (lambda x: (x >= 0) & (x < 1), "a share from 0 to below 1"),
        "holes": (
            whole(0, shorter),
            f"the side of a square in whole pixels, 0 to {shorter}",
        ),
        "downsampling": (whole(2, shorter), "a whole number of at least 2"),
        "jpeg": (whole(1, 100), "a quality, a whole number from 1 to 100"),
    }[kind]


def _check_factor(amounts, shape):
    factor, (height, width) = int(amounts[0]), shape[1:3]
    if np.any(amounts != factor):
        raise ValueError(
            "Downsampling has one amount for all images: they form one array."
        )
    if height % factor or width % factor:
        raise ValueError(
            f"For downsampling by {factor} both sides are multiples of {factor}, but "
            f"got {height} x {width} (height x width). Cut the images: "
            f"images[:, :{height - height % factor}, :{width - width % factor}]."
        )


def _add_noise(images, amounts, rng):
    # In float32, which is fast, and the same on every machine.
    noise = rng.standard_normal(images.shape, dtype="float32")
    return images + amounts.astype("float32")[:, None, None, None] * noise


def _blur(images, amounts, rng):
    pairs = zip(images, amounts, strict=True)
    return np.stack([gaussian_filter(one, (sigma, sigma, 0)) for one, sigma in pairs])


def _fade(images, amounts, rng):
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return _round(mean + _shares_kept(amounts) * (images - mean))


def _darken(images, amounts, rng):
    return _round(_shares_kept(amounts) * images)


def _shares_kept(amounts):
    return 1 - amounts[:, None, None, None]


def _round(images):
    return np.round(images * _LEVELS) / _LEVELS


def _cut_holes(images, amounts, rng):
    damaged = images.copy()
    height, width = images.shape[1:3]
    for image, side in zip(damaged, amounts.astype(int), strict=True):
        top, left = rng.integers((height - side + 1, width - side + 1))
        image[top : top + side, left : left + side] = HOLE
    return damaged


def _shrink(images, amounts, rng):
    height, width = (side // int(amounts[0]) for side in images.shape[1:3])
    return resample(images, height, width, Image.Resampling.BICUBIC)


def resample(images, height, width, filter):
    """Bring images to another size with one of Pillow's filters.

    Parameters
    ----------
    images : array of floats
        ``(images, height, width, channels)`` in [0, 1].
    height, width : int
        The new size in pixels.
    filter : PIL.Image.Resampling
        Such as ``BICUBIC`` or ``LANCZOS``.

    Returns
    -------
    array of float32
        ``(images, height, width, channels)`` in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> from crnn_tutorial.data.degrade import resample
    >>> resample(np.ones((1, 4, 6, 3)), 8, 12, Image.Resampling.LANCZOS).shape
    (1, 8, 12, 3)
    """
    channels = np.moveaxis(np.asarray(images, "float32"), -1, 1)
    flat = channels.reshape(-1, *channels.shape[2:])
    found = [Image.fromarray(one).resize((width, height), filter) for one in flat]
    found = np.reshape(found, (*channels.shape[:2], height, width))
    return np.clip(np.moveaxis(found, 1, -1), 0, 1)


def _press(images, amounts, rng):
    pairs = zip(images, amounts, strict=True)
    return np.stack([_through_jpeg(one, int(quality)) for one, quality in pairs])


def _through_jpeg(image, quality):
    pixels = np.round(image * _LEVELS).astype("uint8")
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze(axis=-1) if pixels.shape[-1] == 1 else pixels).save(
        file, "JPEG", quality=quality
    )
    return np.asarray(Image.open(file)).reshape(image.shape) / _LEVELS


_KINDS = {
    "noise": _add_noise,
    "blur": _blur,
    "contrast": _fade,
    "darkness": _darken,
    "holes": _cut_holes,
    "downsampling": _shrink,
    "jpeg": _press,
}
