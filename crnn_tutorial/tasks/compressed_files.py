"""The files of a compressor: what is learnt decides which bits are written."""

import binascii

import keras
import numpy as np
from keras import ops

from crnn_tutorial.checks import check_images
from crnn_tutorial.data.array_files import fingerprint
from crnn_tutorial.network import heads
from crnn_tutorial.tasks.compression import (
    FINENESS,
    HEADER,
    LARGEST,
    VERSION,
    Compress,
    stride_of,
)


def compress(model, images):
    """Turn one image, or each of many, into the bytes of a file.

    Parameters
    ----------
    model : keras.Model
        From `build_compressor` or `build_pca_compressor`, trained.
    images : array of floats
        ``(height, width, channels)`` in [0, 1], or ``(images, height, width,
        channels)``; sides that are no multiple of the patch are filled up, and cut
        again by `decompress`.

    Returns
    -------
    bytes, or list of bytes
        13 for the header, the rest is entropy-coded. Their number is the size of the
        file: ``8 * len(data) / (height * width)`` bits per pixel.

    Raises
    ------
    ValueError
        If the model is no compressor, or the images do not fit it.
    ImportError
        If the library `constriction` is not installed.

    References
    ----------
    Bamler, 2022, "Understanding entropy coding with asymmetric numeral systems",
    arXiv:2201.01741: the library.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> model = ct.build_compressor((None, None, 1), bits_per_pixel=0.5)
    >>> image = ct.load_photos(channels=1, crops=1).test.images[0]
    >>> data = ct.compress(model, image)
    >>> ct.decompress(model, data).shape
    (64, 64, 1)
    """
    _coder()
    _require_compressor(model)
    several = np.ndim(images) == 4
    images = check_images(images if several else np.asarray(images)[np.newaxis])
    height, width = images.shape[1:3]
    below, right = (-side % stride_of(model) for side in (height, width))
    filled = np.pad(images, ((0, 0), (0, below), (0, right), (0, 0)), mode="edge")
    _check_size(model, filled.shape[1:])
    numbers = _run(model.input, model.get_layer("whole_numbers").output, filled)
    files = [_write(model, one, height, width) for one in numbers]
    return files if several else files[0]


def decompress(model, data):
    """Turn the bytes of a file, or of each of many, into the image again.

    Parameters
    ----------
    model : keras.Model
        The same that made them: its weights are compared.
    data : bytes, or list of bytes
        From `compress`; several are of images of one size.

    Returns
    -------
    array of floats
        ``(height, width, channels)`` in [0, 1], or ``(images, height, width,
        channels)``.

    Raises
    ------
    ValueError
        If the data are cut short or damaged, of another version or another model.
    ImportError
        If the library `constriction` is not installed.

    Examples
    --------
    See `compress`.
    """
    _coder()
    _require_compressor(model)
    several = not isinstance(data, bytes | bytearray | memoryview)
    read = [_read(model, bytes(one)) for one in (data if several else [data])]
    sizes = {size for _, size in read}
    if len(sizes) != 1:
        raise ValueError(f"Expected files of images of one size, but got {len(sizes)}.")
    height, width = sizes.pop()
    numbers = np.stack([one for one, _ in read]).astype("float32")
    images = _run(model.get_layer("whole_numbers").output, model.output, numbers)
    images = images[:, :height, :width]
    return images if several else images[0]


def _coder():
    try:
        import constriction
    except ImportError as error:
        raise ImportError(
            "Files are written with the library constriction, which is not installed: "
            'pip install "crnn-tutorial[compression]".'
        ) from error
    return constriction.stream


def _require_compressor(model):
    if not isinstance(heads.of(model), Compress):
        raise ValueError(
            f"The model {model.name!r} is no compressor: build one with "
            "ct.build_compressor."
        )


def _check_size(model, shape):
    if max(shape) > 65535:
        raise ValueError(f"A file holds sides up to 65535 pixels, but got {shape}.")
    fits = zip(model.input_shape[1:], shape, strict=True)
    if not all(wanted in (None, got) for wanted, got in fits):
        raise ValueError(
            f"The model takes images of {model.input_shape[1:]}, but got {shape}. For "
            "any size build it with input_shape (None, None, channels)."
        )


def _run(inputs, outputs, arrays, at_once=64):
    """Run one half of a model on a few arrays at once."""
    half = keras.Model(inputs, outputs)
    parts = [arrays[i : i + at_once] for i in range(0, len(arrays), at_once)]
    return np.concatenate(
        [ops.convert_to_numpy(half(part, training=False)) for part in parts]
    )


def _tables(model):
    """Return the distribution of each channel.

    From whole numbers, whose sums are exact: reader and writer, on whatever machine,
    must have the same to the last bit.
    """
    counts = ops.convert_to_numpy(model.get_layer("whole_numbers").counts)
    counts = np.minimum(FINENESS * counts, 2.0**40).astype(np.int64) + 1
    categorical = _coder().model.Categorical
    return [categorical(row / row.sum(), perfect=False) for row in counts]


def _write(model, numbers, height, width):
    encoder = _coder().queue.RangeEncoder()
    symbols = numbers.reshape(-1, numbers.shape[-1]).astype(np.int32) + LARGEST
    for channel, table in zip(symbols.T, _tables(model), strict=True):
        encoder.encode(np.ascontiguousarray(channel), table)
    payload = encoder.get_compressed().astype("<u4").tobytes()
    mark = bytes.fromhex(fingerprint(*model.get_weights()))
    head = HEADER.pack(b"CR", VERSION, mark, height, width, b"")[:-2]
    return head + _check_sum(head, payload) + payload


def _check_sum(head, payload):
    return binascii.crc_hqx(head + payload, 0).to_bytes(2, "big")


def _read(model, data):
    """Return the whole numbers of a file, and the height and width of its image."""
    if data[:2] != b"CR"[: len(data)]:
        raise ValueError(f"The data begin with {data[:2]!r}: no file of ct.compress.")
    if len(data) < HEADER.size:
        raise ValueError(
            f"The file is cut short: it has {len(data)} bytes, and its header alone "
            f"has {HEADER.size}."
        )
    _, version, mark, *size, sum_ = HEADER.unpack(data[: HEADER.size])
    payload = data[HEADER.size :]
    if version != VERSION:
        raise ValueError(
            f"The file is of version {version}, but this package reads version "
            f"{VERSION}: install the one that wrote it."
        )
    own = fingerprint(*model.get_weights())
    if mark.hex() != own:
        raise ValueError(
            f"Another model wrote the file: its weights are {mark.hex()}, and those of "
            f"{model.name!r} are {own}. Load the model that wrote it."
        )
    if _check_sum(data[: HEADER.size - 2], payload) != sum_:
        raise ValueError("The file is cut short or damaged: its check sum is another.")
    rows, columns = (-(-side // stride_of(model)) for side in size)
    try:
        words = np.frombuffer(payload, "<u4").astype("u4")
        decoder = _coder().queue.RangeDecoder(words)
        channels = [decoder.decode(table, rows * columns) for table in _tables(model)]
    except (AssertionError, ValueError) as error:  # a check sum may agree by chance
        raise ValueError("The file is damaged: it cannot be decoded.") from error
    numbers = np.stack(channels, axis=-1) - LARGEST
    return numbers.reshape(rows, columns, -1), tuple(size)
