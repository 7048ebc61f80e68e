"""Your own images: a folder with one sub-folder for each class.

Sizes are ``(width, height)``, as in `images`.
"""

import hashlib
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from crnn_tutorial.datasets import Dataset, Split
from crnn_tutorial.images import _check_look, load_image


def load_image_folder(
    path,
    size,
    *,
    channels=3,
    validation=0.15,
    test=0.15,
    seed=0,
    pad=None,
    skip_unreadable=False,
):
    """Load a folder of images, one sub-folder for each class, into memory.

    Hidden files and folders are left out. Copies of one file stay in one split; a file
    that stands in two classes is for training only, with a warning.

    Parameters
    ----------
    path : str or path
        The folder; the names of its sub-folders, sorted, are the classes.
    size : tuple of two ints
        ``(width, height)`` in pixels to which each image is resized.
    channels : {3, 1}
        Colour or grey.
    validation, test : float
        The share of each class for this split, from 0 to less than 1 in sum. A class of
        three different images has one in each split at least.
    seed : int
        Which image goes where, and the order of the training images.
    pad : float, optional
        ``None`` squashes; 0 (black) to 1 (white) keeps the proportions and fills.
    skip_unreadable : bool
        Go on without files that cannot be read, with a warning that names them.

    Returns
    -------
    Dataset
        Images ``(images, height, width, channels)`` in [0, 1]; targets index
        `class_names`.

    Raises
    ------
    ValueError
        If the folder is empty or has fewer than two classes, if a class has no readable
        image, if a file cannot be read (named; see `skip_unreadable`), if a split would
        be empty, or if an argument makes no sense.
    FileNotFoundError
        If there is no such folder.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> import crnn_tutorial as ct
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, brightness in (("day", 200), ("night", 20)):
    ...         Path(folder, name).mkdir()
    ...         for i in range(10):
    ...             picture = Image.new("L", (40, 30), brightness + i)
    ...             picture.save(Path(folder, name, f"{i}.png"))
    ...     pictures = ct.load_image_folder(folder, size=(32, 24))
    >>> pictures
    Dataset(2 classes, images of shape (24, 32, 3))
      train         12 images
      validation     4 images
      test           4 images
    >>> pictures.class_names
    ('day', 'night')
    """
    look = _check_look(size, channels, pad)
    folder = _scan_folder(path, look, skip_unreadable, keep=True)
    splits = []
    for part in _split_folder(folder, validation, test, seed):
        images = np.empty((len(part), look[0][1], look[0][0], channels), np.float32)
        for i, number in enumerate(part):
            images[i] = folder.images[number]
        splits.append(Split(images, folder.targets[part]))
    return Dataset(
        *splits,
        class_names=folder.class_names,
        source=f"the folder {path}",
        licence="that of the images in the folder",
    )


def stream_image_folder(
    path,
    size,
    *,
    channels=3,
    validation=0.15,
    test=0.15,
    seed=0,
    pad=None,
    skip_unreadable=False,
    batch_size=32,
):
    """Open a folder of images that is larger than memory, and load it batch by batch.

    Each file is read once beforehand, so that no damaged one stops a long training.

    Parameters
    ----------
    path, size, channels, validation, test, seed, pad, skip_unreadable
        As in `load_image_folder`; both split alike.
    batch_size : int
        Images in a batch.

    Returns
    -------
    Dataset
        Its splits are `ImageStream` objects: ``model.fit(dataset.train)``.

    Raises
    ------
    ValueError, FileNotFoundError
        As in `load_image_folder`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> import crnn_tutorial as ct
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, brightness in (("day", 200), ("night", 20)):
    ...         Path(folder, name).mkdir()
    ...         for i in range(10):
    ...             picture = Image.new("L", (40, 30), brightness + i)
    ...             picture.save(Path(folder, name, f"{i}.png"))
    ...     pictures = ct.stream_image_folder(folder, size=(32, 24), batch_size=5)
    ...     images, targets = pictures.train[0]
    >>> images.shape, targets.shape, len(pictures.train)  # 12 images, 3 batches
    ((5, 24, 32, 3), (5,), 3)
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is at least 1, but got {batch_size}.")
    look = _check_look(size, channels, pad)
    folder = _scan_folder(path, look, skip_unreadable)
    streams = [
        ImageStream(
            LazyImages([folder.files[i] for i in part], *look),
            folder.targets[part],
            batch_size,
            seed=seed,
            shuffle=number == 0,
        )
        for number, part in enumerate(_split_folder(folder, validation, test, seed))
    ]
    return Dataset(
        *streams,
        class_names=folder.class_names,
        source=f"the folder {path}",
        licence="that of the images in the folder",
    )


class LazyImages:
    """Image files that look like one array and are loaded when they are asked for.

    Parameters
    ----------
    files : sequence of paths
        One image each.
    size : tuple of two ints
        ``(width, height)`` in pixels.
    channels : {3, 1}
        Colour or grey.
    pad : float, optional
        As in `load_image`.

    Examples
    --------
    >>> from crnn_tutorial.image_folders import LazyImages
    >>> images = LazyImages(["a.png", "b.png"], size=(32, 24))
    >>> len(images), images.shape, images.dtype  # no file was opened
    (2, (2, 24, 32, 3), dtype('float32'))
    """

    dtype = np.dtype(np.float32)

    def __init__(self, files, size, channels=3, pad=None):
        self.files = list(files)
        self.size, self.channels, self.pad = _check_look(size, channels, pad)

    @property
    def shape(self):
        """``(images, height, width, channels)``."""
        return (len(self.files), self.size[1], self.size[0], self.channels)

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        chosen = np.arange(len(self))[index]
        if np.ndim(chosen) == 0:
            return self._load(self.files[chosen])
        images = np.empty((len(chosen), *self.shape[1:]), self.dtype)
        for i, number in enumerate(chosen):
            images[i] = self._load(self.files[number])
        return images

    def __array__(self, dtype=None, copy=None):
        return self[:].astype(dtype or self.dtype, copy=False)

    def _load(self, file):
        return load_image(file, self.size, self.channels, self.pad)


class ImageStream(keras.utils.PyDataset):
    """Batches from image files, for ``fit``, ``evaluate`` and ``predict``.

    ``len(stream)`` is the number of batches and ``stream[i]`` batch ``i``, as Keras
    wants it; ``stream[:8]`` is a `Split` of the first 8 images. The stream shuffles by
    itself; ``model.fit(stream, shuffle=False)`` keeps Keras from shuffling the batches
    too, by Python's global random numbers.

    Parameters
    ----------
    images : LazyImages or array
        ``(images, height, width, channels)``.
    targets : array of ints
        One for each image, in the order of the images.
    batch_size : int
        Images in a batch; the last one may be smaller.
    seed : int
        The order of epoch ``e`` (0 is the first) follows from ``(seed, e)`` alone: a
        training that goes on after ``stream.set_epoch(e)`` sees the same batches.
    shuffle : bool
        Whether each epoch has its own order.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.image_folders import ImageStream
    >>> stream = ImageStream(np.zeros((5, 8, 8, 1)), np.arange(5), batch_size=2)
    >>> [stream[i][1].tolist() for i in range(len(stream))]
    [[2, 4], [3, 0], [1]]
    >>> stream.set_epoch(1)
    >>> [stream[i][1].tolist() for i in range(len(stream))]
    [[1, 4], [3, 0], [2]]
    """

    def __init__(self, images, targets, batch_size=32, *, seed=0, shuffle=True):
        super().__init__()
        self.images, self.targets = images, np.asarray(targets)
        self.batch_size, self.seed, self.shuffle = batch_size, seed, shuffle
        self.set_epoch(0)

    def set_epoch(self, epoch):
        """Take the order of this epoch, and begin the next training with it."""
        self.epoch = self._next_epoch = epoch
        self._order = np.arange(len(self.images))
        if self.shuffle:
            rng = np.random.default_rng((self.seed, epoch))
            self._order = rng.permutation(self._order)

    def on_epoch_begin(self):
        """Shuffle for an epoch; Keras calls this."""
        # Not in on_epoch_end: Keras calls that once before the first epoch, too.
        self.set_epoch(self._next_epoch)
        self._next_epoch += 1

    def __len__(self):
        return -(-len(self.images) // self.batch_size)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Split(self.images[index], self.targets[index])
        if not 0 <= index < len(self):
            raise IndexError(f"There are {len(self)} batches, but number {index} came.")
        chosen = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        return self.images[chosen], self.targets[chosen]

    def __repr__(self):
        return (
            f"ImageStream({len(self.images)} images in {len(self)} batches, shape "
            f"{tuple(self.images.shape[1:])})"
        )


class _Folder(NamedTuple):
    class_names: tuple
    files: list
    targets: np.ndarray
    digests: tuple
    images: tuple


def _scan_folder(path, look, skip_unreadable, keep=False):
    """Read every file once: what can be read, its class, and a digest of its bytes."""
    path = Path(path)
    class_names = _class_folders(path)
    files = [(i, f) for i, name in enumerate(class_names) for f in _files(path / name)]
    with ThreadPoolExecutor() as threads:
        found = list(threads.map(lambda file: _try_file(file[1], look, keep), files))
    bad = [answer for answer in found if isinstance(answer, ValueError)]
    good = [
        (i, file, answer)
        for (i, file), answer in zip(files, found, strict=True)
        if not isinstance(answer, ValueError)
    ]
    for i, name in enumerate(class_names):
        if not any(i == number for number, _, _ in good):
            raise ValueError(
                f"The class {name!r} has no readable image in {path / name}: "
                f"{_name_some(bad) or 'it is empty'}."
            )
    if bad and not skip_unreadable:
        raise ValueError(
            f"{len(bad)} of {len(files)} files cannot be read: {_name_some(bad)}. "
            "Repair or remove them, or pass skip_unreadable=True to go on without them."
        )
    if bad:
        warnings.warn(
            f"Went on without {len(bad)} of {len(files)} files: {_name_some(bad)}.",
            stacklevel=3,
        )
    targets, names, answers = zip(*good, strict=True)
    digests, images = zip(*answers, strict=True)
    return _Folder(class_names, list(names), np.array(targets), digests, images)


def _class_folders(path):
    if not path.is_dir():
        raise FileNotFoundError(f"There is no folder {path}. Check the path.")
    names = tuple(
        sorted(f.name for f in path.iterdir() if f.is_dir() and f.name[0] != ".")
    )
    if len(names) < 2:
        found = "no sub-folder" if not names else f"only the class {names[0]!r}"
        raise ValueError(
            f"{path} has {found}: at least two classes are needed. Put the images of "
            f"each class into a sub-folder of its own, such as {path / 'cats'} and "
            f"{path / 'dogs'}."
        )
    return names


def _files(folder):
    """List a class's files, in sub-folders too, without what systems leave there."""
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file()
        and not any(part[0] == "." for part in file.relative_to(folder).parts)
        and file.name.lower() not in ("thumbs.db", "desktop.ini")
    )


def _try_file(file, look, keep):
    """Return the digest of a file (and the image, to keep it), or what is wrong."""
    try:
        image = load_image(file, *look)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        return ValueError(f"{file} cannot be read ({error})")
    except ValueError as error:
        return error
    return digest, image if keep else None


def _name_some(errors, most=5):
    more = f"; and {len(errors) - most} more" if len(errors) > most else ""
    return "; ".join(str(error).rstrip(".") for error in errors[:most]) + more


def _split_folder(folder, validation, test, seed):
    """Return the indices of train, validation and test; copies stay together."""
    _check_shares(validation, test)
    rng = np.random.default_rng(seed)
    classes = {}  # digest -> its classes
    for digest, target in zip(folder.digests, folder.targets, strict=True):
        classes.setdefault(digest, set()).add(int(target))
    _warn_of_conflicts(folder, classes)
    part_of = dict.fromkeys(classes, 0)
    for i in range(len(folder.class_names)):
        pictures = [digest for digest, found in classes.items() if found == {i}]
        counts = _shares(len(pictures), validation, test)
        chosen = rng.permutation(len(pictures))[: sum(counts)]
        for position, number in enumerate(chosen):
            part_of[pictures[number]] = 1 if position < counts[0] else 2
    parts = np.array([part_of[digest] for digest in folder.digests])
    for part, name, share in ((1, "validation", validation), (2, "test", test)):
        if share and not (parts == part).any():
            raise ValueError(
                f"The {name} split would be empty: no class has enough different "
                f"images. Add some (three in a class do), or pass {name}=0."
            )
    indices = [np.flatnonzero(parts == part) for part in range(3)]
    return [rng.permutation(indices[0]), *indices[1:]]


def _check_shares(validation, test):
    if min(validation, test) < 0 or validation + test >= 1:
        raise ValueError(
            "validation and test are shares from 0 to less than 1 in sum, but got "
            f"{validation} and {test}."
        )


def _shares(count, *shares):
    """Return how many of a class's pictures go to each split: one at least."""
    if count <= sum(share > 0 for share in shares):
        return [0, 0]
    counts = [max(round(count * share), 1) if share else 0 for share in shares]
    while sum(counts) >= count:  # one is left to train on
        counts[np.argmax(counts)] -= 1
    return counts


def _warn_of_conflicts(folder, classes):
    twice = {digest for digest, found in classes.items() if len(found) > 1}
    if twice:
        names = [
            str(file)
            for file, digest in zip(folder.files, folder.digests, strict=True)
            if digest in twice
        ]
        warnings.warn(
            f"{len(twice)} pictures stand in more than one class and are used for "
            f"training only: {_name_some(names)}.",
            stacklevel=4,
        )
