"""Your own images: a folder or a zip with one sub-folder for each class.

Sizes are ``(width, height)``, as in `images`.
"""

import hashlib
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from crnn_tutorial.checks import check_count
from crnn_tutorial.data.file_names import clean, some, split_of
from crnn_tutorial.data.files import open_files, read_picture
from crnn_tutorial.data.image_files import image_endings
from crnn_tutorial.data.images import _check_look, load_image
from crnn_tutorial.data.splits import (
    PARTS,
    Dataset,
    Split,
    check_shares,
    deal,
    find_splits,
    say_splits,
)


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
    """Load a folder or a zip of images, one sub-folder for each class, into memory.

    Hidden files and folders are left out. Copies of one file stay in one split; a file
    that stands in two classes is for training only, with a warning. A single folder
    around all others is passed through.

    Splits that are ready on disk are used, and a printed line says so: folders such as
    ``train``, ``valid`` and ``test`` (or ``Training``, ``val``, ``dev``, in any case),
    with the classes inside. Where validation or test is missing there, it is cut from
    the training images, by the seed.

    Parameters
    ----------
    path : str or path
        The folder or zip; the names of its sub-folders, sorted, are the classes. Names
        are brought to Unicode's composed form (NFC).
    size : tuple of two ints
        ``(width, height)`` in pixels to which each image is resized.
    channels : {3, 1}
        Colour or grey.
    validation, test : float
        The share of each class for this split, from 0 to less than 1 in sum. A class of
        three different images has one in each split at least. A split that is ready on
        disk is taken as it is.
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
        be empty, if splits on disk do not fit together, if a zip is damaged, encrypted
        or too large, if a name cannot be decoded, or if an argument makes no sense.
    FileNotFoundError
        If there is no such folder or zip.

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
    parts, splits = _split_folder(folder, validation, test, seed), []
    for part in parts:
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
        As in `load_image_folder`, but no zip; both split alike.
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
    batch_size = check_count("batch_size", batch_size)
    look = _check_look(size, channels, pad)
    if Path(path).is_file():
        raise ValueError(
            f"{path} is no folder, and files are streamed from a folder only. Unpack "
            "it, or load it into memory with ct.load_image_folder."
        )
    folder = _scan_folder(path, look, skip_unreadable)
    parts = _split_folder(folder, validation, test, seed)
    streams = [
        ImageStream(
            LazyImages([folder.files[i] for i in part], *look),
            folder.targets[part],
            batch_size,
            seed=seed,
            shuffle=number == 0,
        )
        for number, part in enumerate(parts)
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
    >>> from crnn_tutorial.data.folders import LazyImages
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
    >>> from crnn_tutorial.data.folders import ImageStream
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
    path: Path
    class_names: tuple
    files: list
    targets: np.ndarray
    digests: tuple
    images: tuple
    parts: np.ndarray  # 0, 1 or 2, as the folders say
    splits: dict  # split -> its folder; empty where there are none


class _Place(NamedTuple):
    """Where the files of one class, in one split, stand."""

    part: int
    class_name: str
    folder: str


def _scan_folder(path, look, skip_unreadable, keep=False):
    """Read every file once: what can be read, its class, and a digest of its bytes."""
    if not Path(path).exists():
        raise FileNotFoundError(f"There is no folder {path}. Check the path.")
    with open_files(path) as files:
        places, splits = _find_places(files, path)
        found = _files_of(files, places)
        with ThreadPoolExecutor() as threads:
            tried = threads.map(lambda f: _try_file(files, f[1], look, keep), found)
            answers = list(tried)
    bad = [answer for answer in answers if isinstance(answer, ValueError)]
    good = [
        (place, files[name].place, answer)
        for (place, name), answer in zip(found, answers, strict=True)
        if not isinstance(answer, ValueError)
    ]
    class_names = _check_classes(path, places, good, bad)
    if bad and not skip_unreadable:
        raise ValueError(
            f"{len(bad)} of {len(found)} files cannot be read: {some(bad)}. "
            "Repair or remove them, or pass skip_unreadable=True to go on without them."
        )
    if bad:
        warnings.warn(
            f"Went on without {len(bad)} of {len(found)} files: {some(bad)}.",
            stacklevel=3,
        )
    where, names, answers = zip(*good, strict=True)
    digests, images = zip(*answers, strict=True)
    targets = np.array([class_names.index(place.class_name) for place in where])
    parts = np.array([place.part for place in where])
    return _Folder(
        path, class_names, list(names), targets, digests, images, parts, splits
    )


def _find_places(files, path):
    """Return where each class stands, in each split, and the splits on disk."""
    inside = _skip_wrapper(files, "")
    splits = _find_class_splits(files, inside, path)
    if not splits:
        classes = _inside(files.folders, inside)
        if len(classes) < 2:
            raise _too_few(path, classes)
        _refuse_splits_inside(files, inside, classes, path)
        return [_Place(0, clean(name), inside + name) for name in classes], {}
    places = []
    for split, folder in splits.items():
        below = _skip_wrapper(files, f"{inside}{folder}/")
        for name in _inside(files.folders, below):
            places.append(_Place(PARTS.index(split), clean(name), below + name))
    known = sorted({place.class_name for place in places if place.part == 0})
    if len(known) < 2:
        raise _too_few(Path(path, inside, splits["train"]), known)
    new = sorted({place.class_name for place in places} - set(known))
    if new:
        raise ValueError(
            f"{path}: the classes {some(new)} have no folder in {splits['train']}, so "
            "they could not be learned. Add images to train on, or move them away."
        )
    return places, splits


def _files_of(files, places):
    """Pair each place with the names of its files, in sub-folders too."""
    below = {place.folder: [] for place in places}
    depths = {folder.count("/") + 1 for folder in below}
    for name in files:
        parts = name.split("/")
        for depth in depths:
            below.get("/".join(parts[:depth]), []).append(name)
    return [(place, name) for place in places for name in below[place.folder]]


def _inside(names, prefix):
    """List what stands directly in a folder; the prefix ends in ``/`` or is empty."""
    below = (name[len(prefix) :] for name in names if name.startswith(prefix))
    return [name for name in below if name and "/" not in name]


def _skip_wrapper(files, prefix):
    """Pass through a single folder that holds all others and no image itself."""
    folders = _inside(files.folders, prefix)
    while len(folders) == 1:
        deeper = f"{prefix}{folders[0]}/"
        folders = _inside(files.folders, deeper)
        if _images(_inside(files, deeper)):
            break
        if len(folders) > 1:
            return deeper
        prefix = deeper if folders else prefix
    return prefix


def _images(names):
    return [name for name in names if Path(name).suffix.lower() in image_endings()]


def _find_class_splits(files, inside, path):
    folders = _inside(files.folders, inside)
    pictures = [n[len(inside) :] for n in _images(files) if n.startswith(inside)]
    occupied = {name.split("/")[0] for name in pictures if "/" in name}
    bare = {name.split("/")[0] for name in pictures if name.count("/") == 1}
    splits = find_splits(folders, occupied, path)
    without = [folder for folder in splits.values() if folder in bare]
    if without:
        raise ValueError(
            f"{path}: {some(folders)} look like splits, but the images in "
            f"{some(without)} stand in no folder of a class, such as "
            f"{Path(path, inside, without[0], 'cats')}. If these are classes, rename "
            "them."
        )
    return splits


def _refuse_splits_inside(files, inside, classes, path):
    for name in classes:
        below = _inside(files.folders, f"{inside}{name}/")
        kinds = {split_of(folder) for folder in below} - {None}
        if len(kinds) > 1:
            raise ValueError(
                f"{path}: the folder {inside}{name} holds splits, {some(below)}. "
                "Splits stand outside and the classes inside, such as "
                f"{Path(path, below[0], name)}. If they are no splits, rename them."
            )


def _too_few(path, classes):
    found = "no sub-folder" if not classes else f"only the class {classes[0]!r}"
    return ValueError(
        f"{path} has {found}: at least two classes are needed. Put the images of "
        f"each class into a sub-folder of its own, such as {Path(path, 'cats')} and "
        f"{Path(path, 'dogs')}."
    )


def _check_classes(path, places, good, bad):
    """Return the names of the classes; each has something to train on."""
    counts = Counter(place.class_name for place, _, _ in good if place.part == 0)
    for place in places:
        if place.part == 0 and not counts[place.class_name]:
            raise ValueError(
                f"The class {place.class_name!r} has no readable image in "
                f"{Path(path, place.folder)}: {some(bad) or 'it is empty'}."
            )
    return tuple(sorted(counts))


def _try_file(files, name, look, keep):
    """Return the digest of a file (and the image, to keep it), or what is wrong."""
    place = files[name].place
    try:
        if isinstance(place, Path):
            image = load_image(place, *look)
            digest = hashlib.sha256(place.read_bytes()).hexdigest()
        else:
            packed = read_picture(files, name)
            image = load_image(packed, *look)
            digest = hashlib.sha256(packed.getvalue()).hexdigest()
    except OSError as error:
        return ValueError(f"{place} cannot be read ({error})")
    except ValueError as error:
        return error
    return digest, image if keep else None


def _split_folder(folder, validation, test, seed):
    """Return the indices of train, validation and test; copies stay together."""
    check_shares(validation, test)
    rng = np.random.default_rng(seed)
    classes, places = {}, {}  # digest -> its classes, digest -> its splits on disk
    for digest, target, part in zip(
        folder.digests, folder.targets, folder.parts, strict=True
    ):
        classes.setdefault(digest, set()).add(int(target))
        places.setdefault(digest, set()).add(int(part))
    _warn_of_copies(folder, classes, "class", "are used for training only")
    _warn_of_copies(folder, places, "split", "stay there, so the test is too easy")
    groups = [
        [d for d, found in classes.items() if found == {i} and places[d] == {0}]
        for i in range(len(folder.class_names))
    ]
    shares = [
        0 if split in folder.splits else share
        for split, share in (("validation", validation), ("test", test))
    ]
    part_of = deal(groups, *shares, rng)
    parts = np.array([part_of.get(digest, 0) for digest in folder.digests])
    parts = np.where(folder.parts > 0, folder.parts, parts)
    indices = [np.flatnonzero(parts == part) for part in range(3)]
    if folder.splits:
        say_splits(folder.path, folder.splits, [len(part) for part in indices])
    return [rng.permutation(indices[0]), *indices[1:]]


def _warn_of_copies(folder, found, what, so):
    twice = {digest for digest, places in found.items() if len(places) > 1}
    if twice:
        names = [
            str(file)
            for file, digest in zip(folder.files, folder.digests, strict=True)
            if digest in twice
        ]
        warnings.warn(
            f"{len(twice)} pictures stand in more than one {what} and {so}: "
            f"{some(names)}.",
            stacklevel=4,
        )
