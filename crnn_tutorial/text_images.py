"""Your own words: images of text lines and their texts, from a folder or a zip.

Images of text all have one height, and each its own width; in a batch, columns of -1 on
the right fill up the narrower ones.
"""

import hashlib
import io
import warnings
import zipfile
import zlib
from collections import Counter

import numpy as np

from crnn_tutorial.checks import check_count
from crnn_tutorial.datasets import Dataset, Split
from crnn_tutorial.image_folders import _check_shares, _name_some, _shares
from crnn_tutorial.images import _check_look, load_image, normalize, resize_image
from crnn_tutorial.text_files import _problem, find_texts, open_files, read_file

_BROKEN = OSError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error
MAX_PROPORTION = 100  # a line of text is at most that many times as wide as high


def stack_text_images(images, height=None):
    """Put images of text of different sizes into one array, as the readers want it.

    Parameters
    ----------
    images : sequence of arrays, or array
        Each image ``(height, width)`` or ``(height, width, channels)``, all grey (1
        channel) or all in colour (3), with pixels as `normalize` takes them. One array
        is one image, or a batch with four axes, whose columns of -1 on the right are
        padding.
    height : int, optional
        In pixels. By default the height that most of the images have (of two such
        heights the larger one). Images of another height are resized with their
        proportions kept, and a warning says how many.

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
    >>> import crnn_tutorial as ct
    >>> batch = ct.stack_text_images([np.zeros((32, 100)), np.zeros((32, 60))])
    >>> batch.shape
    (2, 32, 100, 1)
    >>> (batch[1, 0, :, 0] == -1).sum().item()  # columns of padding
    40
    """
    images = [_check_line(image, i) for i, image in enumerate(_each(images))]
    if not images:
        raise ValueError("There is no image to stack: the list is empty.")
    _check_channels(images)
    counts = Counter(image.shape[0] for image in images)
    if height is None:
        height = max(counts, key=lambda size: (counts[size], size))
    height = check_count("height", height)
    _warn_of_heights(counts, height)
    return _pad([_to_height(image, height) for image in images])


def load_text_images(
    path,
    labels=None,
    *,
    height=32,
    channels=1,
    validation=0.1,
    test=0.1,
    seed=0,
    skip_incomplete=False,
):
    r"""Load images of single lines of text, and what they say, from a folder or a zip.

    Files that Pillow does not read by their ending, and hidden ones, are left out. A
    zip is read in memory; nothing is unpacked to disk. Texts are brought to Unicode's
    composed form (NFC), and blanks at both ends are cut off. Copies of one file stay in
    one split; copies with different texts are for training only, with a warning.

    Parameters
    ----------
    path : str or path
        A folder, with or without sub-folders, or a zip.
    labels : str, optional
        Where the text of an image stands. ``None``: it is the file's name without its
        ending, and without the mark of a second file of that name, as in
        ``hello (2).png``. A regular expression: it is searched for in the name without
        its ending; the text is its group ``text``, or its only group, or all of what
        was found: ``r"^(?P<text>[^_]+)"`` reads "hello" from ``hello_17.png``. The name
        of a file inside the folder or zip that ends in ``.csv`` or ``.tsv``: UTF-8, two
        columns, the image's file (relative to the table) and its text, in quotes where
        needed; a first row such as ``file,text`` is a heading.
    height : int
        In pixels. All images are brought to it, with their proportions kept.
    channels : {1, 3}
        Grey or colour.
    validation, test : float
        The share of different images for this split, from 0 to less than 1 in sum.
    seed : int
        Which image goes where, and the order of the training images.
    skip_incomplete : bool
        Go on without images that cannot be read or have no text, and without texts that
        have no image, with a warning that names them.

    Returns
    -------
    Dataset
        Images ``(images, height, widest, channels)`` in [0, 1], on the right padded
        with -1; targets are lists of `str`; `class_names` the characters.

    Raises
    ------
    ValueError
        If there is no image, if images and texts do not fit together or cannot be read
        (all such files are named; see `skip_incomplete`), if a file has two texts, if a
        table cannot be read, if a zip is damaged, encrypted, too large or has paths
        that leave it, if a split would be empty, or if an argument makes no sense.
    FileNotFoundError
        If there is no such folder or file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> import crnn_tutorial as ct
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i in range(10):
    ...         picture = Image.new("L", (60 + i, 20), 25 * i)
    ...         picture.save(Path(folder, f"word{i}_scan.png"))
    ...     words = ct.load_text_images(folder, r"^(?P<text>[^_]+)", height=16)
    >>> words
    Dataset(14 classes, images of shape (16, 55, 1))
      train          8 images
      validation     1 images
      test           1 images
    >>> sorted(words.train.targets)[:3], "".join(words.class_names)
    (['word0', 'word1', 'word2'], '0123456789dorw')
    """
    height = check_count("height", height)
    _check_look(None, channels, None)
    _check_shares(validation, test)
    with open_files(path) as files:
        texts, problems = find_texts(files, labels)
        pictures, unreadable = _read_pictures(files, texts, height, channels)
    if unreadable:
        problems.insert(0, _problem("cannot be read", unreadable, len(texts)))
    _report(path, problems, skip_incomplete, left=len(pictures))
    names, texts = list(pictures), [texts[name] for name in pictures]
    digests, images = zip(*pictures.values(), strict=True)
    stacked = _pad(images)
    parts = _deal(names, texts, digests, validation, test, seed)
    return Dataset(
        *(Split(stacked[part], [texts[i] for i in part]) for part in parts),
        class_names=tuple(sorted(set("".join(texts)))),
        source=f"the text images of {path}",
        licence="that of the images",
    )


# Images of one height in one array


def _each(images):
    """Return the single images, without padding where they came as a batch."""
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
    ends = _real_columns(images)
    return [image[:, :end] for image, end in zip(images, ends, strict=True)]


def _real_columns(images):
    """Count the columns of each image before its padding: those after it are all -1."""
    real = (images != -1).any(axis=(1, 3))  # (images, width)
    return np.where(real.any(axis=1), real.shape[1] - real[:, ::-1].argmax(axis=1), 0)


def _check_line(image, number):
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[:, :, np.newaxis]
    if image.ndim != 3 or image.shape[2] not in (1, 3) or not image.size:
        raise ValueError(
            "An image of text has the shape (height, width), (height, width, 1) or "
            f"(height, width, 3), with pixels, but images[{number}] has {image.shape}."
        )
    try:
        return normalize(image)
    except ValueError as error:
        raise ValueError(f"images[{number}]: {error}") from error


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


def _pad(images):
    height, _, channels = images[0].shape
    widest = max(image.shape[1] for image in images)
    stacked = np.full((len(images), height, widest, channels), -1, np.float32)
    for row, image in zip(stacked, images, strict=True):
        row[:, : image.shape[1]] = image
    return stacked  # (images, height, widest, channels)


# Pictures, problems, splits


def _read_pictures(files, names, height, channels):
    """Return the digest and the image of each file, and what is wrong with others."""
    pictures, unreadable = {}, []
    for name in names:
        try:
            content = read_file(files, name)
            image = _read_line(content, name, height, channels)
        except ValueError as error:
            unreadable.append(error)
        except _BROKEN as error:
            unreadable.append(f"{name} cannot be read ({error})")
        else:
            pictures[name] = hashlib.sha256(content).digest(), image
    return pictures, unreadable


def _read_line(content, name, height, channels):
    file = io.BytesIO(content)
    file.name = name  # for the message of load_image
    image = load_image(file, channels=channels)
    if image.shape[1] > MAX_PROPORTION * image.shape[0]:
        raise ValueError(
            f"{name} is {image.shape[1]} x {image.shape[0]} pixels; a line of text is "
            f"at most {MAX_PROPORTION} times as wide as high"
        )
    return _to_height(image, height)


def _report(path, problems, skip_incomplete, left):
    summary = ". ".join(problems)
    if problems and not skip_incomplete:
        raise ValueError(
            f"{path}: {summary}. Repair this, or pass skip_incomplete=True to go on "
            "without them."
        )
    if not left:
        raise ValueError(f"{path}: no image is left that has a text. {summary}.")
    if problems:
        warnings.warn(f"{path}: {summary}. Went on without them.", stacklevel=3)


def _deal(names, texts, digests, validation, test, seed):
    """Return the indices of train, validation and test; copies stay together."""
    meant = {}  # digest -> its texts
    for digest, text in zip(digests, texts, strict=True):
        meant.setdefault(digest, set()).add(text)
    unclear = {digest for digest, found in meant.items() if len(found) > 1}
    if unclear:
        copies = [n for n, d in zip(names, digests, strict=True) if d in unclear]
        warnings.warn(
            f"{len(unclear)} images stand there under different texts and are used "
            f"for training only: {_name_some(copies)}.",
            stacklevel=3,
        )
    pictures = [digest for digest in meant if digest not in unclear]
    counts = _shares(len(pictures), validation, test)
    for name, share, count in (
        ("validation", validation, counts[0]),
        ("test", test, counts[1]),
    ):
        if share and not count:
            raise ValueError(
                f"The {name} split would be empty: there are {len(pictures)} different "
                f"images. Add some, or pass {name}=0."
            )
    rng = np.random.default_rng(seed)
    part_of = dict.fromkeys(meant, 0)
    for position, number in enumerate(rng.permutation(len(pictures))[: sum(counts)]):
        part_of[pictures[number]] = 1 if position < counts[0] else 2
    parts = np.array([part_of[digest] for digest in digests])
    indices = [np.flatnonzero(parts == part) for part in range(3)]
    return [rng.permutation(indices[0]), *indices[1:]]
