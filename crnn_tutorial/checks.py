"""Arguments that every wing checks: refused with what came, or passed on."""

import numbers
import operator

import numpy as np


def check_count(name, value, least=1):
    """Return a whole number that is large enough, or say what came.

    Parameters
    ----------
    name : str
        What to call it.
    value : int
        The number.
    least : int
        The smallest that is allowed.

    Returns
    -------
    int
        The same.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> from crnn_tutorial.checks import check_count
    >>> check_count("width", 32)
    32
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(
            f"{name} is a whole number of at least {least}, but got {value!r}."
        )
    return int(value)


def check_pixels(name, values):
    """Return two whole numbers of pixels, or say what came.

    Parameters
    ----------
    name : str
        What they are, with their order.
    values : sequence of two ints
        Each at least 1.

    Returns
    -------
    tuple of two ints
        The same.

    Raises
    ------
    ValueError
        If they are none.

    Examples
    --------
    >>> from crnn_tutorial.checks import check_pixels
    >>> check_pixels("size is (height, width)", (24, 32))
    (24, 32)
    """
    try:
        first, second = (operator.index(value) for value in values)
    except (TypeError, ValueError):
        first = second = 0
    if first < 1 or second < 1:
        raise ValueError(
            f"{name}: two whole numbers of pixels above 0, but got {values!r}."
        )
    return first, second


_TOLERANCE = 1e-5  # what rounding in float32 may add to a pixel of 0 or 1


def check_images(images, targets=None, *, rank=4, padded=False, name="images"):
    """Refuse everything that is no batch of images, and say what came.

    Parameters
    ----------
    images : array of floats
        ``(images, height, width, channels)`` in [0, 1].
    targets : sequence or dict of these, optional
        Whatever belongs to the images: one for each.
    rank : int
        4, or 5 for clips ``(clips, frames, height, width, channels)``, or 3 for what
        another network says of each frame, ``(clips, frames, features)``: any numbers.
    padded : bool
        Whether -1 may stand for padding: in the columns of text that fill up an image
        on the right, or in whole frames of clips.
    name : str
        What to call the images in the message.

    Returns
    -------
    array of float32, same shape
        The same pixels.

    Raises
    ------
    ValueError
        If the rank is another, if there is no image or no pixel, if a pixel is no
        float, NaN, infinite or out of range, if -1 stands where no padding is, or if
        the number of targets differs.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.checks import check_images
    >>> check_images(np.zeros((2, 8, 8, 1))).dtype
    dtype('float32')
    >>> check_images(np.zeros((2, 8, 8)))
    Traceback (most recent call last):
        ...
    ValueError: images have the shape (images, height, width, channels), but got (2, 8,
    8). Grey images need a channel: images[..., np.newaxis].
    """
    images = np.asarray(images)
    check_rank(images, rank, name)
    if images.dtype.kind != "f":
        raise ValueError(
            f"{name} are floats in [0, 1], but got {images.dtype}. "
            "ct.normalize(images) scales them."
        )
    check_range(images, name, padded, bounded=rank != 3)
    if padded and rank != 3:
        check_padding(images, name)
    check_targets(images, targets)
    return images.astype(np.float32, copy=False)


def check_targets(images, targets):
    """Refuse more or fewer targets than images; a dict may hold several kinds."""
    kinds = targets if isinstance(targets, dict) else {"targets": targets}
    for kind, values in kinds.items():
        if values is not None and len(values) != len(images):
            raise ValueError(
                f"There is one target for each image, but got {len(images)} images and "
                f"{len(values)} {kind}."
            )


def check_padding(images, name="images"):
    """Refuse -1 where it is no padding, and count the columns that are real.

    Parameters
    ----------
    images : array of floats
        ``(images, height, width, channels)``, or clips with one more axis.
    name : str
        What to call them in the message.

    Returns
    -------
    array of ints, shape ``(images,)``
        How many columns of each image (or frames of each clip) are real.

    Raises
    ------
    ValueError
        If -1 stands for a single pixel, for a column with real ones on its right, or
        for all of an image; in clips, for a part of a frame.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.checks import check_padding
    >>> image = np.zeros((1, 8, 5, 1))
    >>> image[:, :, 3:] = -1
    >>> check_padding(image).tolist()
    [3]
    """
    axis = 2 if images.ndim == 4 else 1
    if images.min(initial=0) > -1:
        return np.full(len(images), images.shape[axis])
    others = tuple(i for i in range(1, images.ndim) if i != axis)
    marked = images == -1
    padding = marked.all(axis=others)  # (images, width) or (clips, frames)
    real = padding.shape[1] - (~padding[:, ::-1]).argmax(axis=1)
    real[padding.all(axis=1)] = 0
    inside = np.arange(padding.shape[1]) < real[:, np.newaxis]
    wrong = marked.any(axis=others) & (inside if axis == 2 else ~padding)
    bad = np.flatnonzero(wrong.any(axis=1) | (real == 0))
    if len(bad):
        what = "whole columns at the right end" if axis == 2 else "whole frames"
        which = name if len(images) == 1 else f"{name}[{bad[0]}]"
        raise ValueError(
            f"{which}: -1 stands where no padding is (in {len(bad)} of {len(images)}); "
            f"pixels lie between 0 and 1, and -1 stands only for {what}. Pixels "
            "from -1 to 1 are brought there by (images + 1) / 2."
        )
    return real


def check_one_image(image):
    """Refuse an array that is not one image, grey or in colour."""
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3)):
        advice = ""
        if image.ndim == 3 and image.shape[2] == 4:
            advice = " With 4 channels, pass the PIL image or its file: an array does"
            advice += " not say whether it is RGBA or CMYK."
        raise ValueError(
            "One image has the shape (height, width), (height, width, 1) or "
            f"(height, width, 3), but got {image.shape}.{advice}"
        )
    if image.size == 0:
        raise ValueError(f"The image has no pixel: its shape is {image.shape}.")


def check_rank(images, rank, name):
    """Refuse an array of another number of axes, or without a pixel."""
    axes = ("images", "height", "width", "channels")
    if rank == 5:
        axes = ("clips", "frames", "height", "width", "channels")
    elif rank == 3:
        axes = ("clips", "frames", "features")
    if images.ndim != rank:
        advice = ""
        if images.ndim == rank - 1 and images.shape[-1] not in (1, 3):
            advice = f" Grey images need a channel: {name}[..., np.newaxis]."
        elif images.ndim == rank - 1:
            advice = f" One alone is a batch of one: {name}[np.newaxis]."
        raise ValueError(
            f"{name} have the shape ({', '.join(axes)}), but got {images.shape}."
            f"{advice}"
        )
    if images.size == 0:
        raise ValueError(f"{name} are empty: the shape is {images.shape}.")


def check_range(images, name, padded=False, bounded=True):
    """Return the largest value that a pixel of this type can have, after checking."""
    if images.dtype.kind not in "biuf":
        raise ValueError(f"{name} are numbers, but got {images.dtype}.")
    kind = images.dtype.kind
    peak = 1 if kind in "bf" else 65535 if images.dtype == np.uint16 else 255
    if images.size == 0:
        return peak
    low, high = images.min(), images.max()  # NaN goes through min and max
    if kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
        images = np.atleast_1d(images)
        finite = np.isfinite(images).reshape(len(images), -1).all(axis=1)
        bad = np.flatnonzero(~finite)
        raise ValueError(
            f"{name} hold NaN or infinite pixels: {len(bad)} of {len(images)} do, the "
            f"first at index {bad[0]}. Remove or repair them."
        )
    slack = _TOLERANCE if kind == "f" else 0
    smallest = low
    if padded and low == -1:
        smallest = images.min(where=images != -1, initial=0)
    if bounded and (smallest < -slack or high > peak + slack):
        advice = {"f": "Divide by the largest value possible, or clip"}.get(
            kind, "Convert to uint8 or uint16"
        )
        also = " (or -1 for padding)" if padded else ""
        raise ValueError(
            f"{name} of type {images.dtype} lie between 0 and {peak}{also}, but got "
            f"{low:.6g} to {high:.6g}. {advice}."
        )
    return peak
