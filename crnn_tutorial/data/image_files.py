"""Open the file of one picture: its header first, so that no huge one is decoded.

Only common formats are tried: some that Pillow knows start other programs.
"""

import io
import os
import threading
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "JPEG2000", "PPM")

MAX_PIXELS = 50_000_000  # that are decoded

MAX_BYTES = 2**28  # of the floats that are held at the end

_DRAFT_PIXELS = 2**23  # a JPEG of more is decoded at a half, a quarter or an eighth

_open_lock = threading.Lock()


def image_endings():
    """Return the endings of files that `open_picture` reads, such as ``.png``.

    Returns
    -------
    set of str
        In small letters, with their dots.

    Examples
    --------
    >>> from crnn_tutorial.data.image_files import image_endings
    >>> ".png" in image_endings(), ".eps" in image_endings()
    (True, False)
    """
    known = Image.registered_extensions()
    return {ending for ending, name in known.items() if name in FORMATS}


def is_picture(value):
    """Whether something is a picture or its file rather than an array.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    bool
        True for a path, the bytes of a file, an open file and a PIL image.

    Examples
    --------
    >>> from crnn_tutorial.data.image_files import is_picture
    >>> is_picture("meter.jpg"), is_picture([[0, 1]])
    (True, False)
    """
    kinds = str, os.PathLike, bytes, bytearray, memoryview, Image.Image
    return isinstance(value, kinds) or hasattr(value, "read")


def open_picture(file, size=None, channels=3):
    """Decode one picture and turn it upright, as its EXIF data say.

    Parameters
    ----------
    file : str, path, bytes, open file or PIL image
        Bytes are those of a file.
    size : tuple of two ints, optional
        ``(height, width)`` to which it will be resized: what will be held then.
    channels : {1, 3, None}
        That will be held; None: 1 for grey, 3 for colour.

    Returns
    -------
    PIL image
        Grey (L), RGB, RGBA, 16 bits (I;16) or float (F).
    channels : int
        1 or 3.

    Raises
    ------
    ValueError
        If it is no image of `FORMATS`, is damaged or empty, has more than `MAX_PIXELS`,
        or would be held in more than `MAX_BYTES`.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> from PIL import Image
    >>> from crnn_tutorial.data.image_files import open_picture
    >>> picture, channels = open_picture(Image.new("1", (4, 2)), channels=None)
    >>> picture.mode, channels
    ('L', 1)
    """
    if isinstance(file, Image.Image):
        return _decode(file, "The image", size, channels)
    file, name = check_file(file)
    with _open_header(file, name) as picture:
        _draft(picture, size)
        return _decode(picture, name, size, channels)


def check_file(file):
    """Return what Pillow can open, and what to call it in a message.

    Parameters
    ----------
    file : str, path, bytes or open file
        An open one is opened in binary mode.

    Returns
    -------
    path or open file
        At its beginning.
    name : str or path

    Raises
    ------
    ValueError
        If it is empty, a folder, or no file at all.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> from crnn_tutorial.data.image_files import check_file
    >>> check_file(b"")
    Traceback (most recent call last):
        ...
    ValueError: The file is empty (0 bytes). Copy or download it again.
    """
    if isinstance(file, bytes | bytearray | memoryview):
        file = io.BytesIO(file)
    if hasattr(file, "read"):
        name = getattr(file, "name", "The file")
        if isinstance(file, io.TextIOBase):
            raise ValueError(f"{name} is open as text. Open it with mode 'rb'.")
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
    else:
        file = name = Path(file)
        if not file.exists():
            raise FileNotFoundError(f"There is no file {file}. Check the path.")
        if file.is_dir():
            raise ValueError(f"{file} is a folder. ct.load_image_folder reads folders.")
        size = file.stat().st_size
    if size == 0:
        raise ValueError(f"{name} is empty (0 bytes). Copy or download it again.")
    return file, name


def _open_header(file, name):
    # Pillow warns of large pictures through a global filter; ours is put back at once,
    # and the lock keeps the threads of a data loader from putting back each other's.
    Image.init()  # else the rarer ones of the formats are not known yet
    try:
        with _open_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{name} is no image, or of a format that is not read. Save it as PNG or "
            "JPEG."
        ) from error
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"{name} is too large: at most {MAX_PIXELS // 10**6} megapixels are read "
            f"({error}). Make it smaller."
        ) from error
    except (PermissionError, MemoryError):
        raise
    except Exception as error:  # a header can be broken in many ways
        raise _damaged(name, error) from error


def _decode(picture, name, size, channels):
    grey = picture.mode in ("1", "L", "LA", "La") or picture.mode[0] in "IF"
    channels = channels or (1 if grey else 3)
    _check_size(picture.size[::-1], size or picture.size[::-1], channels, name)
    try:
        picture.load()
        upright = ImageOps.exif_transpose(picture)
    except MemoryError:
        raise
    except Exception as error:  # decoders raise nearly any type on broken data
        raise _damaged(name, error) from error
    return plain(upright, name), channels


def _damaged(name, error):
    return ValueError(
        f"{name} cannot be decoded: it is truncated or damaged ({error}). Copy or "
        "download it again."
    )


def _draft(picture, size):
    """Let a large JPEG be decoded smaller, still twice as large as it will be."""
    pixels = picture.width * picture.height
    if size is not None and pixels > _DRAFT_PIXELS and picture.format == "JPEG":
        longest = 2 * max(size)  # it may still be turned
        picture.draft(None, (longest, longest))


def _check_size(decoded, asked, channels, name):
    """Refuse what would take too much memory to decode, or to hold afterwards."""
    pixels = decoded[0] * decoded[1]
    if not pixels:
        raise ValueError(f"{name} has no pixel: it is {_say(decoded)}.")
    if pixels > MAX_PIXELS:
        raise ValueError(
            f"{name} is too large: {_say(decoded)}, but at most "
            f"{MAX_PIXELS // 10**6} megapixels are read. Make it smaller; of a JPEG, "
            "a small size=(height, width) is enough."
        )
    held = asked[0] * asked[1] * channels * 4
    if held > MAX_BYTES:
        raise ValueError(
            f"{name} is too large: {_say(asked)} with {channels} channels would be "
            f"held in {held / 2**20:.0f} MiB (4 bytes for each number), but at most "
            f"{MAX_BYTES // 2**20} MiB are. Pass a smaller size=(height, width), or "
            "channels=1."
        )


def _say(size):
    return f"{size[0]} pixels high and {size[1]} wide"


def plain(picture, name="The image"):
    """Turn any mode into one of five: grey, RGB, RGBA, 16 bits or float.

    Parameters
    ----------
    picture : PIL image
        Of any mode.
    name : str
        What to call it in a message.

    Returns
    -------
    PIL image
        Of mode L, RGB, RGBA, I;16 or F.

    Raises
    ------
    ValueError
        If Pillow cannot convert it, or whole numbers do not fit into 16 bits.

    Examples
    --------
    >>> from PIL import Image
    >>> from crnn_tutorial.data.image_files import plain
    >>> plain(Image.new("CMYK", (4, 2))).mode
    'RGB'
    """
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
