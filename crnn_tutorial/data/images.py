"""Images: load, resize, scale to [0, 1], stack, check.

Sizes are ``(height, width)``, as the shapes of arrays are, in all functions but one:
`resize_image` keeps the article's ``(width, height)``.
"""

import os

import numpy as np
from PIL import Image

from crnn_tutorial.checks import check_one_image, check_pixels, check_range
from crnn_tutorial.data.image_files import is_picture, open_picture

_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # Recommendation ITU-R BT.601


def resize_image(image, size, pad=None):
    """Resize one image with a Lanczos filter.

    Parameters
    ----------
    image : str, path, bytes, open file, PIL image or array
        An array has the shape ``(height, width)``, ``(height, width, 1)`` or
        ``(height, width, 3)``; its pixels are integers (0 to 255; ``uint16``: 0 to
        65535), booleans, or floats in [0, 1].
    size : tuple of two ints
        ``(width, height)`` in pixels, as in the article and in Pillow: the reverse of
        every other size of this package. A swapped pair gives no error.
    pad : float, optional
        ``None`` squashes the image into the size, as the article does. A brightness
        from 0 (black) to 1 (white) keeps the proportions, centres the image and fills
        the rest.

    Returns
    -------
    PIL image or array
        A PIL image (grey, RGB, RGBA, 16-bit or float) for a path or a PIL image, turned
        as its EXIF data say. An array for an array: integers keep their type and are
        rounded, floats become ``float32``; where the filter overshoots it is clipped.

    Raises
    ------
    ValueError
        If the size is no pair of whole numbers above 0, if the image has another form
        or range, or if the file cannot be read (see `load_image`).
    FileNotFoundError
        If there is no such file.

    References
    ----------
    The article's ``resize_image``, section 4, whose ``Image.ANTIALIAS`` is gone from
    Pillow: it was another name for ``Image.LANCZOS``. K. Turkowski, "Filters for common
    resampling tasks", Graphics Gems I, 1990.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> image = np.zeros((4, 8, 3), dtype="uint8")
    >>> ct.resize_image(image, (16, 10)).shape  # (width, height) -> rows, columns
    (10, 16, 3)
    >>> ct.resize_image(image + np.uint8(255), (4, 4), pad=0)[:, :, 0]
    array([[  0,   0,   0,   0],
           [255, 255, 255, 255],
           [255, 255, 255, 255],
           [  0,   0,   0,   0]], dtype=uint8)
    """
    size = check_pixels("size is (width, height)", size)[::-1]
    pad = _check_pad(pad)
    if isinstance(image, np.ndarray):
        return _resize_array(image, size, pad)
    if is_picture(image):
        return _resize_picture(open_picture(image, size)[0], size, pad)
    raise ValueError(
        "An image is a path, a PIL image or a NumPy array, but got "
        f"{type(image).__name__}. np.asarray(image) may help."
    )


def load_image(path, size=None, channels=3, pad=None):
    """Load one picture, however it arrives, as pixels in [0, 1].

    Palette, CMYK, 16-bit, transparent (laid on white) and EXIF-rotated images work; of
    an animation or a file of several pages the first picture is taken. A PIL image and
    an array give the same pixels as the file that they were read from.

    Parameters
    ----------
    path : str, path, bytes, open file, PIL image or array
        A file is a PNG, JPEG, GIF, BMP, TIFF, WebP, JPEG 2000 or PPM, opened in binary
        mode; ``io.BytesIO`` is one. An array is one that `resize_image` takes.
    size : tuple of two ints, optional
        ``(height, width)`` in pixels; ``None`` keeps the size of the file. A swapped
        pair gives no error, but a squashed image.
    channels : {3, 1, None}
        3 for colour (grey is repeated), 1 for grey (colour is weighted as ITU-R 601
        does); None is 1 for a grey picture and 3 for any other.
    pad : float, optional
        As in `resize_image`.

    Returns
    -------
    array of float32, shape ``(height, width, channels)``
        Pixels in [0, 1].

    Raises
    ------
    ValueError
        If the file is no image, is damaged, truncated or empty, has more than 50
        megapixels, or would be held in more than 256 MiB at the size asked for; if
        `size`, `channels` or `pad` is none of the above.
    FileNotFoundError
        If there is no such file.

    References
    ----------
    The article, section 4 (loading and scaling); Recommendation ITU-R BT.601 for grey.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> import crnn_tutorial as ct
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "red.png")
    ...     Image.new("RGB", (60, 40), "red").save(path)
    ...     image = ct.load_image(path, size=(20, 30))
    >>> image.shape, image[0, 0].tolist()
    ((20, 30, 3), [1.0, 0.0, 0.0])
    """
    size, channels, pad = _check_look(size, channels, pad, natural=True)
    if is_picture(path):
        picture, channels = open_picture(path, size, channels)
    else:
        picture = _from_array(path)
        channels = channels or np.atleast_3d(path).shape[2]
    if isinstance(picture, np.ndarray) or picture.mode in ("I;16", "F"):
        array = np.asarray(picture)
        check_range(array, f"{_name_of(path)}: its pixels")
        array = array if size is None else _resize_array(array, size, pad)
        return _with_channels(np.atleast_3d(normalize(array)), channels)
    if size is not None:
        picture = _resize_picture(picture, size, pad)
    if picture.mode == "RGBA":
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture).convert("RGB")
    picture = picture.convert("L" if channels == 1 else "RGB")
    return normalize(np.asarray(picture).reshape(picture.height, picture.width, -1))


def _name_of(picture):
    named = isinstance(picture, str | os.PathLike)
    return picture if named else getattr(picture, "name", "The image")


def _from_array(image):
    """Return what Pillow holds of such an array, or the array where it cannot."""
    image = np.asarray(image)
    check_one_image(image)
    check_range(image, "images")
    grey = image.ndim == 2 or image.shape[2] == 1
    if image.dtype.kind == "f" or (image.dtype == np.uint16 and not grey):
        return image
    if image.dtype.kind == "b":
        image = 255 * image.astype(np.uint8)
    elif image.dtype != np.uint16:
        image = image.astype(np.uint8)
    return Image.fromarray(image.reshape(image.shape[:2]) if grey else image)


def _with_channels(image, channels):
    if image.shape[2] == channels:
        return image
    if channels == 1:
        return image @ _GREY[:, np.newaxis]
    return np.repeat(image, channels, axis=2)


def stack_images(images, size=None, channels=None):
    """Put pictures, however they arrive, into one array, as the classifiers want it.

    Parameters
    ----------
    images : sequence, or array
        Each as `load_image` takes it: paths, PIL images, arrays. One alone is a batch
        of one; an array of four axes is a batch already.
    size : tuple of two ints, optional
        ``(height, width)`` in pixels to which each is resized; by default all have one
        size. A swapped pair gives no error.
    channels : {3, 1, None}
        As in `load_image`; by default all are grey, or all are in colour.

    Returns
    -------
    array of float32, shape ``(images, height, width, channels)``
        Pixels in [0, 1].

    Raises
    ------
    ValueError
        If there is no image, if one cannot be read (which one is said), or if sizes or
        channels differ.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> from crnn_tutorial.data.images import stack_images
    >>> white = Image.new("1", (40, 32), 1)
    >>> stack_images([white, np.zeros((32, 40))]).shape
    (2, 32, 40, 1)
    """
    loaded = []
    for i, image in enumerate(one_by_one(images)):
        try:
            loaded.append(load_image(image, size, channels))
        except ValueError as error:
            raise ValueError(f"images[{i}]: {error}") from error
        first, shape = loaded[0].shape, loaded[i].shape
        if shape != first:
            raise ValueError(
                "Images in one array have one size (height, width, channels), but "
                f"images[0] has {first} and images[{i}] has {shape}. Pass size="
                "(height, width) and channels. (A list of lines of text of any width "
                "can be trained on as it is.)"
            )
    if not loaded:
        raise ValueError("There is no image to stack: the list is empty.")
    return np.stack(loaded)


def one_by_one(images):
    """Return the single images of a sequence, of a batch, or of one image.

    Parameters
    ----------
    images : sequence, array, or one picture
        As `stack_images` takes them.

    Returns
    -------
    list
        Each as it came.

    Raises
    ------
    ValueError
        If an array is neither one image nor a batch.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.data.images import one_by_one
    >>> len(one_by_one(np.zeros((32, 100)))), len(one_by_one(np.zeros((5, 8, 8, 1))))
    (1, 5)
    """
    if is_picture(images):
        return [images]
    if not isinstance(images, np.ndarray) or images.dtype == object:
        return list(images)
    if images.ndim == 2 or (images.ndim == 3 and images.shape[2] in (1, 3)):
        return [images]
    if images.ndim != 4:
        raise ValueError(
            "One array is one image (height, width, channels) or a batch (images, "
            f"height, width, channels), but got {images.shape}. Grey images need a "
            "channel: images[..., np.newaxis]."
        )
    if not images.size:
        raise ValueError(f"images are empty: the shape is {images.shape}.")
    return list(images)


def normalize(images):
    """Scale pixels of any usual type to floats in [0, 1].

    Parameters
    ----------
    images : array of any shape, or pictures
        ``uint16`` runs from 0 to 65535, every other integer type from 0 to 255,
        booleans are 0 and 1, and floats must lie in [0, 1] already. A path or a PIL
        image is loaded as `load_image` does, a list of them as `stack_images`.

    Returns
    -------
    array of float32, same shape
        Pixels in [0, 1]; of pictures ``(..., height, width, channels)``.

    Raises
    ------
    ValueError
        If a pixel is NaN, infinite or out of the range of its type, or if the pixels
        are no numbers.

    References
    ----------
    The article, section 4, which divides by 255.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> ct.normalize(np.array([0, 51, 255], dtype="uint8"))
    array([0. , 0.2, 1. ], dtype=float32)
    >>> ct.normalize(np.array([0, 13107, 65535], dtype="uint16"))
    array([0. , 0.2, 1. ], dtype=float32)
    """
    if is_picture(images):
        return load_image(images, channels=None)
    if isinstance(images, list | tuple) and any(map(is_picture, images)):
        return stack_images(images)
    images = np.asarray(images)
    peak = check_range(images, "images")
    if images.dtype.kind == "f":
        return np.clip(images, 0, 1, dtype=np.float32, casting="same_kind")
    return np.divide(images, peak, dtype=np.float32, casting="unsafe")


# Resizing


def _resize_picture(picture, size, pad):
    if picture.mode in ("I;16", "F"):
        return Image.fromarray(_resize_array(np.asarray(picture), size, pad))
    inner, (top, left) = _fit(picture.size[::-1], size, pad)
    resized = picture.resize(inner[::-1], Image.Resampling.LANCZOS)
    if inner == size:
        return resized
    brightness = round(255 * pad)
    colour = brightness if picture.mode == "L" else (brightness,) * 3  # opaque, if RGBA
    canvas = Image.new(picture.mode, size[::-1], colour)
    canvas.paste(resized, (left, top))
    return canvas


def _resize_array(image, size, pad):
    check_one_image(image)
    peak = check_range(image, "images")
    channels = np.atleast_3d(image).astype(np.float32)
    inner, (top, left) = _fit(image.shape, size, pad)
    canvas = np.full((*size, channels.shape[2]), peak * (pad or 0), "float32")
    window = canvas[top : top + inner[0], left : left + inner[1]]
    for i in range(channels.shape[2]):
        channel = Image.fromarray(np.ascontiguousarray(channels[:, :, i]))
        window[:, :, i] = channel.resize(inner[::-1], Image.Resampling.LANCZOS)
    canvas = np.clip(canvas, 0, peak)
    if image.dtype.kind != "f":
        canvas = np.rint(canvas).astype(image.dtype)
    return canvas if image.ndim == 3 else canvas[:, :, 0]


def _fit(old, new, pad):
    """Return the size of the picture inside the new size, and its top and left."""
    if pad is None:
        return new, (0, 0)
    scale = min(new[0] / old[0], new[1] / old[1])
    inner = tuple(
        min(max(round(scale * a), 1), b) for a, b in zip(old[:2], new, strict=True)
    )
    return inner, ((new[0] - inner[0]) // 2, (new[1] - inner[1]) // 2)


# Checks


def _check_pad(pad):
    if pad is not None and not 0 <= pad <= 1:
        raise ValueError(
            "pad is a brightness from 0 (black) to 1 (white), or None, but got "
            f"{pad!r}."
        )
    return pad


def _check_look(size, channels, pad, natural=False):
    if channels not in (1, 3) and not (natural and channels is None):
        raise ValueError(f"channels is 3 (colour) or 1 (grey), but got {channels!r}.")
    if pad is not None and size is None:
        raise ValueError("pad fills up to a size: give a size, or leave pad out.")
    if size is not None:
        size = check_pixels("size is (height, width)", size)
    return size, channels, _check_pad(pad)
