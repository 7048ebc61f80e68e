"""Images: load, resize, scale to [0, 1], check, cut into patches and back.

Sizes that go to Pillow are ``(width, height)``, as in the article; shapes of arrays are
``(height, width)``, as in NumPy.
"""

import operator
import os
import threading
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 50_000_000
_TOLERANCE = 1e-5  # what rounding in float32 may add to a pixel of 0 or 1
_open_lock = threading.Lock()


def resize_image(image, size, pad=None):
    """Resize one image with a Lanczos filter.

    Parameters
    ----------
    image : str, path, PIL image or array
        An array has the shape ``(height, width)``, ``(height, width, 1)`` or
        ``(height, width, 3)``; its pixels are integers (0 to 255; ``uint16``: 0 to
        65535), booleans, or floats in [0, 1].
    size : tuple of two ints
        ``(width, height)`` in pixels, as in the article and in Pillow.
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
    size = _check_size(size)
    pad = _check_pad(pad)
    if isinstance(image, np.ndarray):
        return _resize_array(image, size, pad)
    if isinstance(image, (str, os.PathLike)):
        return _resize_picture(_open_image(image), size, pad)
    if isinstance(image, Image.Image):
        return _resize_picture(_plain(ImageOps.exif_transpose(image)), size, pad)
    raise ValueError(
        "An image is a path, a PIL image or a NumPy array, but got "
        f"{type(image).__name__}. np.asarray(image) may help."
    )


def load_image(path, size=None, channels=3, pad=None):
    """Load one image file as pixels in [0, 1].

    Palette, CMYK, 16-bit, transparent (laid on white) and EXIF-rotated images work; of
    an animation or a file of several pages the first picture is taken.

    Parameters
    ----------
    path : str, path or open file
        Any format that Pillow reads. A file is opened in binary mode; ``io.BytesIO``
        is one.
    size : tuple of two ints, optional
        ``(width, height)`` in pixels; ``None`` keeps the size of the file.
    channels : {3, 1}
        3 for colour (grey is repeated), 1 for grey (colour is weighted as ITU-R 601
        does).
    pad : float, optional
        As in `resize_image`.

    Returns
    -------
    array of float32, shape ``(height, width, channels)``
        Pixels in [0, 1].

    Raises
    ------
    ValueError
        If the file is no image, is damaged, truncated or empty, or has more than 50
        megapixels; if `size`, `channels` or `pad` is none of the above.
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
    ...     image = ct.load_image(path, size=(30, 20))
    >>> image.shape, image[0, 0].tolist()
    ((20, 30, 3), [1.0, 0.0, 0.0])
    """
    size, channels, pad = _check_look(size, channels, pad)
    picture = _open_image(path)
    if picture.mode == "F":
        _check_range(np.asarray(picture), f"{_check_file(path)[1]}: its pixels")
    if size is not None:
        picture = _resize_picture(picture, size, pad)
    if picture.mode in ("I;16", "F"):
        grey = normalize(np.asarray(picture))[..., np.newaxis]
        return np.repeat(grey, channels, axis=-1)
    if picture.mode == "RGBA":
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture).convert("RGB")
    picture = picture.convert("L" if channels == 1 else "RGB")
    return normalize(np.asarray(picture).reshape(picture.height, picture.width, -1))


def normalize(images):
    """Scale pixels of any usual type to floats in [0, 1].

    Parameters
    ----------
    images : array of any shape
        ``uint16`` runs from 0 to 65535, every other integer type from 0 to 255,
        booleans are 0 and 1, and floats must lie in [0, 1] already.

    Returns
    -------
    array of float32, same shape
        Pixels in [0, 1].

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
    images = np.asarray(images)
    peak = _check_range(images, "images")
    if images.dtype.kind == "f":
        return np.clip(images, 0, 1, dtype=np.float32, casting="same_kind")
    return np.divide(images, peak, dtype=np.float32, casting="unsafe")


def check_images(images, targets=None, *, rank=4, padded=False, name="images"):
    """Refuse everything that is no batch of images, and say what came.

    Parameters
    ----------
    images : array of floats
        ``(images, height, width, channels)`` in [0, 1].
    targets : sequence, optional
        Whatever belongs to the images: one for each.
    rank : int
        4, or 5 for clips ``(clips, frames, height, width, channels)``, or 3 for what
        another network says of each frame, ``(clips, frames, features)``: any numbers.
    padded : bool
        Whether -1 may stand for padding: in columns of text, in frames of clips.
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
        float, NaN, infinite or out of range, or if the number of targets differs.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> ct.check_images(np.zeros((2, 8, 8, 1))).dtype
    dtype('float32')
    >>> ct.check_images(np.zeros((2, 8, 8)))
    Traceback (most recent call last):
        ...
    ValueError: images have the shape (images, height, width, channels), but got (2, 8,
    8). Grey images need a channel: images[..., np.newaxis].
    """
    images = np.asarray(images)
    _check_rank(images, rank, name)
    if images.dtype.kind != "f":
        raise ValueError(
            f"{name} are floats in [0, 1], but got {images.dtype}. "
            "ct.normalize(images) scales them."
        )
    _check_range(images, name, padded, bounded=rank != 3)
    if targets is not None and len(targets) != len(images):
        raise ValueError(
            f"There is one target for each image, but got {len(images)} images and "
            f"{len(targets)} targets."
        )
    return images.astype(np.float32, copy=False)


def to_patches(images, patch_size):
    """Cut images into patches that do not overlap.

    Where the size is no multiple of the patch, the last row and column of pixels are
    repeated; `from_patches` cuts them off again.

    Parameters
    ----------
    images : array, shape ``(images, height, width, channels)``
        Of any type and range.
    patch_size : int or tuple of two ints
        The side of a square patch, or ``(height, width)``, in pixels.

    Returns
    -------
    array, shape ``(images, rows, columns, patch_height, patch_width, channels)``
        Same type; row 0, column 0 is the upper left patch.

    Raises
    ------
    ValueError
        If the images have no four axes or no pixel, or the patch size is not above 0.

    References
    ----------
    The article's FAQ on patches; F. Visin et al., "ReNet: a recurrent neural network
    based alternative to convolutional networks", 2015, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> images = np.arange(12.0).reshape(1, 3, 4, 1)
    >>> patches = ct.to_patches(images, 2)
    >>> patches.shape
    (1, 2, 2, 2, 2, 1)
    >>> patches[0, 0, 1, :, :, 0]  # upper right
    array([[2., 3.],
           [6., 7.]])
    >>> bool((ct.from_patches(patches, (3, 4)) == images).all())
    True
    """
    images = np.asarray(images)
    _check_rank(images, 4, "images")
    patch_height, patch_width = _check_patch_size(patch_size)
    count, height, width, channels = images.shape
    rows, columns = -(-height // patch_height), -(-width // patch_width)
    below, right = rows * patch_height - height, columns * patch_width - width
    images = np.pad(images, ((0, 0), (0, below), (0, right), (0, 0)), mode="edge")
    grid = images.reshape(count, rows, patch_height, columns, patch_width, channels)
    # -> (images, rows, columns, patch_height, patch_width, channels)
    return grid.swapaxes(2, 3)


def from_patches(patches, image_size):
    """Put patches together again: the exact inverse of `to_patches`.

    Parameters
    ----------
    patches : array
        ``(images, rows, columns, patch_height, patch_width, channels)``.
    image_size : tuple of two ints
        ``(height, width)`` of the images in pixels: ``images.shape[1:3]``.

    Returns
    -------
    array, shape ``(images, height, width, channels)``
        Same type.

    Raises
    ------
    ValueError
        If the patches have no six axes, or if images of this size are not cut into so
        many rows and columns.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> images = np.random.default_rng(0).random((2, 5, 7, 3))
    >>> patches = ct.to_patches(images, (2, 3))
    >>> patches.shape
    (2, 3, 3, 2, 3, 3)
    >>> np.array_equal(ct.from_patches(patches, (5, 7)), images)
    True
    """
    patches = np.asarray(patches)
    if patches.ndim != 6:
        raise ValueError(
            "Patches have the shape (images, rows, columns, patch height, patch width, "
            f"channels), but got {patches.shape}."
        )
    count, rows, columns, patch_height, patch_width, channels = patches.shape
    height, width = _check_pair(image_size, "image_size is (height, width)")
    if (rows, columns) != (-(-height // patch_height), -(-width // patch_width)):
        raise ValueError(
            f"{rows} x {columns} patches of {patch_height} x {patch_width} pixels do "
            f"not come from an image {height} high and {width} wide. image_size is "
            "(height, width): images.shape[1:3]."
        )
    whole = patches.swapaxes(2, 3)  # (n, rows, patch_height, columns, patch_width, c)
    whole = whole.reshape(count, rows * patch_height, columns * patch_width, channels)
    return whole[:, :height, :width]


# Opening a file: the header first, so that a huge picture is refused undecoded


def _open_image(path):
    """Return the decoded picture, upright, in one of five modes (see `_plain`)."""
    file, name = _check_file(path)
    with _open_header(file, name) as picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise ValueError(
                f"{name} is too large: {picture.width} x {picture.height} pixels, but "
                f"at most {MAX_PIXELS // 10**6} megapixels are read. Make it smaller."
            )
        try:
            picture.load()
            upright = ImageOps.exif_transpose(picture)
        except MemoryError:
            raise
        except Exception as error:  # decoders raise nearly any type on broken data
            raise ValueError(
                f"{name} cannot be decoded: it is truncated or damaged ({error}). Copy "
                "or download it again."
            ) from error
        return _plain(upright, name)


def _check_file(path):
    """Return what Pillow can open, and what to call it in a message."""
    if hasattr(path, "read"):
        name, size = getattr(path, "name", "The file"), path.seek(0, os.SEEK_END)
        path.seek(0)
    else:
        path = name = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"There is no file {path}. Check the path.")
        if path.is_dir():
            raise ValueError(f"{path} is a folder. ct.load_image_folder reads folders.")
        size = path.stat().st_size
    if size == 0:
        raise ValueError(f"{name} is empty (0 bytes). Copy or download it again.")
    return path, name


def _open_header(file, name):
    # Pillow warns of large pictures through a global filter; ours is put back at once,
    # and the lock keeps the threads of a data loader from putting back each other's.
    try:
        with _open_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(file)
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{name} is no image, or of a format that Pillow cannot read. Save it as "
            "PNG or JPEG."
        ) from error
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"{name} is too large: at most {MAX_PIXELS // 10**6} megapixels are read "
            f"({error}). Make it smaller."
        ) from error
    except PermissionError:
        raise
    except Exception as error:  # a header can be broken in many ways
        raise ValueError(
            f"{name} cannot be decoded: it is truncated or damaged ({error}). Copy or "
            "download it again."
        ) from error


def _plain(picture, name="The image"):
    """Turn any mode into grey (L), RGB, RGBA, 16 bits (I;16) or float (F)."""
    if picture.mode == "F":
        return picture
    if picture.mode.startswith("I"):  # Pillow's own conversion to 8 bits would clip
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(
                f"{name} has pixels from {values.min()} to {values.max()}, but whole "
                "numbers from 0 to 65535 are expected. Scale them and save it again."
            )
        return Image.fromarray(values.astype(np.uint16))
    mode = "L" if picture.mode in ("1", "L") else "RGB"
    if picture.has_transparency_data:
        mode = "RGBA"
    try:
        return picture.convert(mode)
    except ValueError as error:
        raise ValueError(
            f"{name} has the mode {picture.mode}; Pillow cannot turn it into {mode}. "
            "Save it as RGB."
        ) from error


# Resizing


def _resize_picture(picture, size, pad):
    if picture.mode in ("I;16", "F"):
        return Image.fromarray(_resize_array(np.asarray(picture), size, pad))
    inner, corner = _fit(picture.size, size, pad)
    resized = picture.resize(inner, Image.Resampling.LANCZOS)
    if inner == size:
        return resized
    brightness = round(255 * pad)
    colours = {"L": brightness, "RGB": (brightness,) * 3}
    canvas = Image.new(
        picture.mode, size, colours.get(picture.mode, (brightness,) * 3 + (255,))
    )
    canvas.paste(resized, corner)
    return canvas


def _resize_array(image, size, pad):
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3)):
        raise ValueError(
            "One image has the shape (height, width), (height, width, 1) or "
            f"(height, width, 3), but got {image.shape}."
        )
    if image.size == 0:
        raise ValueError(f"The image has no pixel: its shape is {image.shape}.")
    peak = _check_range(image, "images")
    channels = np.atleast_3d(image).astype(np.float32)
    inner, (left, top) = _fit((image.shape[1], image.shape[0]), size, pad)
    canvas = np.full(
        (size[1], size[0], channels.shape[2]), peak * (pad or 0), "float32"
    )
    window = canvas[top : top + inner[1], left : left + inner[0]]
    for i in range(channels.shape[2]):
        channel = Image.fromarray(np.ascontiguousarray(channels[:, :, i]))
        window[:, :, i] = channel.resize(inner, Image.Resampling.LANCZOS)
    canvas = np.clip(canvas, 0, peak)
    if image.dtype.kind != "f":
        canvas = np.rint(canvas).astype(image.dtype)
    return canvas if image.ndim == 3 else canvas[:, :, 0]


def _fit(old, new, pad):
    """Return the size of the picture inside the new size, and its upper left corner."""
    if pad is None:
        return new, (0, 0)
    scale = min(new[0] / old[0], new[1] / old[1])
    inner = tuple(
        min(max(round(scale * a), 1), b) for a, b in zip(old, new, strict=True)
    )
    return inner, ((new[0] - inner[0]) // 2, (new[1] - inner[1]) // 2)


# Checks


def _check_pair(values, meaning):
    try:
        first, second = (operator.index(value) for value in values)
    except (TypeError, ValueError):
        first = second = 0
    if first < 1 or second < 1:
        raise ValueError(
            f"{meaning}: two whole numbers of pixels above 0, but got {values!r}."
        )
    return first, second


def _check_size(size):
    return _check_pair(size, "size is (width, height)")


def _check_patch_size(patch_size):
    pair = (patch_size,) * 2 if np.ndim(patch_size) == 0 else patch_size
    return _check_pair(pair, "patch_size is one side or (height, width)")


def _check_pad(pad):
    if pad is not None and not 0 <= pad <= 1:
        raise ValueError(
            "pad is a brightness from 0 (black) to 1 (white), or None, but got "
            f"{pad!r}."
        )
    return pad


def _check_look(size, channels, pad):
    if channels not in (1, 3):
        raise ValueError(f"channels is 3 (colour) or 1 (grey), but got {channels!r}.")
    if pad is not None and size is None:
        raise ValueError("pad fills up to a size: give a size, or leave pad out.")
    return size if size is None else _check_size(size), channels, _check_pad(pad)


def _check_rank(images, rank, name):
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


def _check_range(images, name, padded=False, bounded=True):
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
    smallest = images[images != -1].min(initial=0) if padded and low == -1 else low
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
