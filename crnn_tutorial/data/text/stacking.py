"""Lines of text of any width in one array.

Images of text all have one height, and each its own width; in a batch, columns of -1 on
the right fill up the narrower ones.
"""

import warnings
from collections import Counter

import numpy as np

from crnn_tutorial.checks import check_count, check_padding
from crnn_tutorial.data.image_files import is_picture
from crnn_tutorial.data.images import load_image, one_by_one, resize_image

MAX_PROPORTION = 100  # a line of text is at most that many times as wide as high


def stack_text_images(images, height=None, channels=None):
    """Put images of text of different sizes into one array, as the readers want it.

    Parameters
    ----------
    images : sequence, array, or one picture
        Each image a path, a PIL image, or an array ``(height, width)`` or ``(height,
        width, channels)``, as `load_image` takes them; floats may be padded on the
        right with columns of -1. One array is one image, or a batch with four axes.
    height : int, optional
        In pixels. By default the height that most of the images have (of two such
        heights the larger one). Images of another height are resized with their
        proportions kept, and a warning says how many.
    channels : {1, 3, None}
        As in `load_image`. None: all are grey (1 channel), or all in colour (3).

    Returns
    -------
    array of float32, shape ``(images, height, widest, channels)``
        Pixels in [0, 1]; columns of -1 on the right of all images but the widest.

    Raises
    ------
    ValueError
        If there is no image, if one is empty or has another shape, type or range (which
        one is said), if grey and colour are mixed, or if the height is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.data.text.stacking import stack_text_images
    >>> batch = stack_text_images([np.zeros((32, 100)), np.zeros((32, 60))])
    >>> batch.shape
    (2, 32, 100, 1)
    >>> (batch[1, 0, :, 0] == -1).sum().item()  # columns of padding
    40
    """
    lines, counts = _as_lines(images, height, channels)
    _warn_of_heights(counts, lines[0].shape[0])
    return pad_lines(lines)


def to_lines(images, height=None, channels=None):
    """Bring images of text, however they arrive, to one height, each with its width.

    Parameters
    ----------
    images, height, channels
        As in `stack_text_images`.

    Returns
    -------
    list of arrays of float32, shape ``(height, width, channels)``
        Without padding: to be put together batch by batch, by `pad_lines`.

    Raises
    ------
    ValueError
        As `stack_text_images`.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.data.text.stacking import to_lines
    >>> [line.shape for line in to_lines([np.zeros((32, 100)), np.zeros((32, 60))])]
    [(32, 100, 1), (32, 60, 1)]
    """
    return _as_lines(images, height, channels)[0]


def pad_lines(lines, width=None):
    """Put lines of one height into one array, padded with -1 on the right.

    Parameters
    ----------
    lines : list of arrays of float32, shape ``(height, width, channels)``
        From `to_lines`; one at least.
    width : int, optional
        Of the array; by default that of the widest line.

    Returns
    -------
    array of float32, shape ``(lines, height, width, channels)``

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.data.text.stacking import pad_lines
    >>> pad_lines([np.zeros((1, 1, 1)), np.ones((1, 2, 1))])[..., 0].tolist()
    [[[0.0, -1.0]], [[1.0, 1.0]]]
    """
    height, _, channels = lines[0].shape
    width = width or max(line.shape[1] for line in lines)
    stacked = np.full((len(lines), height, width, channels), -1, np.float32)
    for row, line in zip(stacked, lines, strict=True):
        row[:, : line.shape[1]] = line
    return stacked


# Images of one height in one array


def _as_lines(images, height, channels):
    """Return images of one height, and how many had which height before."""
    images = [
        _check_line(image, i, channels) for i, image in enumerate(one_by_one(images))
    ]
    if not images:
        raise ValueError("There is no image to stack: the list is empty.")
    _check_channels(images)
    counts = Counter(image.shape[0] for image in images)
    if height is None:
        height = max(counts, key=lambda size: (counts[size], size))
    height = check_count("height", height)
    return [_to_height(image, height) for image in images], counts


def _check_line(image, number, channels):
    """Return one image as floats, without its padding; an error says which one."""
    name = f"images[{number}]"
    if not is_picture(image):
        image = _without_padding(np.asarray(image), name)
    try:
        return load_image(image, channels=channels)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _without_padding(image, name):
    if image.ndim == 2:
        image = image[:, :, np.newaxis]
    if image.ndim != 3 or image.dtype.kind != "f":
        return image
    return image[:, : check_padding(image[np.newaxis], name)[0]]


def _check_channels(images):
    colours = [image.shape[2] == 3 for image in images]
    if any(colours) and not all(colours):
        raise ValueError(
            f"Grey and colour are mixed: {colours.count(False)} images have 1 channel, "
            f"{sum(colours)} have 3; the first of either kind are "
            f"images[{colours.index(False)}] and images[{colours.index(True)}]. "
            "Load all of them with the same channels."
        )


def _warn_of_heights(counts, height):
    others = sorted(set(counts) - {height})
    if others:
        shown = ", ".join(map(str, others[:5])) + (", ..." if len(others) > 5 else "")
        warnings.warn(
            f"Resized {sum(counts[size] for size in others)} of {counts.total()} "
            f"images from a height of {shown} to {height} pixels, with their "
            "proportions kept.",
            stacklevel=3,
        )


def _to_height(image, height):
    width = max(round(image.shape[1] * height / image.shape[0]), 1)
    return resize_image(image, (width, height))
