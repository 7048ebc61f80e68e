"""Real images, ready to train on, split into train, validation and test.

Only MNIST, Fashion-MNIST and CIFAR-10 need a network, on their first use. Sizes of
pictures from files are ``(width, height)``, as in `images`; sizes of composed pictures
are ``(height, width)``, the shape of their arrays.
"""

import hashlib
import importlib.util
import os
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import sklearn.datasets

from crnn_tutorial.images import (
    _check_look,
    load_image,
    normalize,
    resize_image,
)

DIGITS_SOURCE = (
    "Handwritten digits by E. Alpaydin and C. Kaynak (UCI, Optical Recognition of "
    "Handwritten Digits, 1998), as shipped with scikit-learn"
)
DIGITS_LICENCE = "CC BY 4.0"
_DIGIT = 8  # pixels: height and width of a digit as it is, half of one in a string


# What every loader returns


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a dataset: images and what is asked of them.

    Parameters
    ----------
    images : array of float32
        ``(images, height, width, channels)`` in [0, 1], or clips with an axis for the
        frames after the first.
    targets : array or list
        One for each image: integer classes, or texts.

    Raises
    ------
    ValueError
        If there are more images than targets, or fewer.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> test = ct.load_digits().test
    >>> test
    Split(360 images, shape (8, 8, 1), targets int64)
    >>> len(test[:100])
    100
    >>> sevens = test[test.targets == 7]
    >>> set(sevens.targets.tolist())
    {7}
    """

    images: Any
    targets: Any

    def __post_init__(self):
        if len(self.images) != len(self.targets):
            raise ValueError(
                "There is one target for each image, but got "
                f"{len(self.images)} images and {len(self.targets)} targets."
            )

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        if np.ndim(index) == 0 and not isinstance(index, slice):
            raise TypeError(
                "A split is cut with a slice, a mask or an array of indices, but got "
                f"{index!r}. One image alone is split.images[{index!r}]."
            )
        if isinstance(self.targets, np.ndarray):
            return Split(self.images[index], self.targets[index])
        chosen = np.arange(len(self))[index]
        return Split(self.images[index], [self.targets[i] for i in chosen])

    def __repr__(self):
        kind = getattr(self.targets, "dtype", "str")
        return (
            f"Split({len(self)} images, shape {tuple(self.images.shape[1:])}, "
            f"targets {kind})"
        )


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images to train on, to choose by and to judge by, and where they come from.

    Parameters
    ----------
    train, validation, test : Split or ImageStream
        No image, and where it is known no digit and no photograph, is in two of them.
    class_names : tuple of str
        The name of class ``i`` at position ``i``; for texts, the characters.
    source, licence : str
        Where the images come from, and what may be done with them.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> digits = ct.load_digits()
    >>> digits
    Dataset(10 classes, images of shape (8, 8, 1))
      train       1257 images
      validation   180 images
      test         360 images
    >>> digits.num_classes, digits.input_shape, digits.licence
    (10, (8, 8, 1), 'CC BY 4.0')
    """

    train: Any
    validation: Any
    test: Any
    class_names: tuple
    source: str
    licence: str

    @property
    def num_classes(self):
        """How many classes (for texts: characters) there are."""
        return len(self.class_names)

    @property
    def input_shape(self):
        """The shape of one image, as the builders want it."""
        return tuple(self.train.images.shape[1:])

    def __repr__(self):
        lines = [
            f"Dataset({self.num_classes} classes, images of shape {self.input_shape})"
        ]
        for name in ("train", "validation", "test"):
            count = len(getattr(self, name).images)
            lines.append(f"  {name:<10}{count:>6} images")
        return "\n".join(lines)


# Digits, and three sets that Keras downloads


def load_digits(seed=0, split="random"):
    """Load scikit-learn's 1,797 handwritten digits.

    Parameters
    ----------
    seed : int
        Who goes where (``"random"``), and the order of the training images.
    split : {"random", "index"}
        ``"random"``: 1,257 to train, 180 to validate, 360 to test. ``"index"``: 1,018,
        180 and 599 in the order of the file, where each writer's digits stand together,
        so that the test is mostly on other writers.

    Returns
    -------
    Dataset
        Images ``(images, 8, 8, 1)`` in [0, 1], bright ink on black; targets 0 to 9.

    Raises
    ------
    ValueError
        If `split` is another word.

    References
    ----------
    E. Alpaydin and C. Kaynak, "Cascading classifiers", Kybernetika 34, 1998.
    `sklearn.datasets.load_digits`.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> digits = ct.load_digits(seed=0)
    >>> digits.train.images.shape, digits.train.targets.shape
    ((1257, 8, 8, 1), (1257,))
    >>> len(ct.load_digits(split="index").test)
    599
    """
    if split not in ("random", "index"):
        raise ValueError(f'split is "random" or "index", but got {split!r}.')
    digits = sklearn.datasets.load_digits()
    everything = Split(
        (digits.images[..., np.newaxis] / 16).astype(np.float32), digits.target
    )
    order = np.random.default_rng(seed).permutation(len(everything))
    train, validation, test = order[:1257], order[1257:1437], order[1437:]
    if split == "index":
        train = order[order < 1018]
        validation, test = slice(1018, 1198), slice(1198, None)
    return Dataset(
        *(everything[part] for part in (train, validation, test)),
        class_names=tuple("0123456789"),
        source=DIGITS_SOURCE,
        licence=DIGITS_LICENCE,
    )


def load_mnist(path=None):
    """Load MNIST: 70,000 handwritten digits.

    Parameters
    ----------
    path : str or path, optional
        A local npz file with the keys ``x_train``, ``y_train``, ``x_test``, ``y_test``.
        Without it `keras.datasets` loads the images, from its cache or the network.

    Returns
    -------
    Dataset
        Images ``(images, 28, 28, 1)`` in [0, 1]; targets 0 to 9. The last 5,000 (at
        most a sixth) of the training images are for validation.

    Raises
    ------
    ConnectionError
        If there is neither a path nor a cache nor a network: it says where to put the
        file.
    FileNotFoundError
        If there is no file at `path`.
    ValueError
        If the file is no such npz.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to
    document recognition", Proceedings of the IEEE 86, 1998.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> images, labels = np.zeros((12, 28, 28), "uint8"), np.arange(12) % 10
    >>> arrays = dict(x_train=images, y_train=labels, x_test=images, y_test=labels)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "mnist.npz")
    ...     np.savez(path, **arrays)
    ...     print(ct.load_mnist(path))
    Dataset(10 classes, images of shape (28, 28, 1))
      train         10 images
      validation     2 images
      test          12 images
    """
    return _load_known("mnist", path)


def load_fashion_mnist(path=None):
    """Load Fashion-MNIST: 70,000 pictures of clothes.

    Parameters
    ----------
    path : str or path, optional
        As in `load_mnist`.

    Returns
    -------
    Dataset
        As `load_mnist`, with ten kinds of clothes.

    Raises
    ------
    ConnectionError, FileNotFoundError, ValueError
        As in `load_mnist`.

    References
    ----------
    H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a novel image dataset for
    benchmarking machine learning algorithms", 2017.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.load_fashion_mnist("fashion_mnist.npz")
    Traceback (most recent call last):
        ...
    FileNotFoundError: There is no file fashion_mnist.npz. Check the path.
    """
    return _load_known("fashion_mnist", path)


def load_cifar10(path=None):
    """Load CIFAR-10: 60,000 small colour pictures of animals and vehicles.

    Parameters
    ----------
    path : str or path, optional
        As in `load_mnist`.

    Returns
    -------
    Dataset
        Images ``(images, 32, 32, 3)`` in [0, 1]; targets 0 to 9. The last 5,000 (at
        most a sixth) of the training images are for validation.

    Raises
    ------
    ConnectionError, FileNotFoundError, ValueError
        As in `load_mnist`.

    References
    ----------
    A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.load_cifar10("cifar10.npz")
    Traceback (most recent call last):
        ...
    FileNotFoundError: There is no file cifar10.npz. Check the path.
    """
    return _load_known("cifar10", path)


class _Known(NamedTuple):
    title: str
    shape: tuple
    class_names: tuple
    cache: str
    source: str
    licence: str


_KEYS = ("x_train", "y_train", "x_test", "y_test")
_KNOWN = {
    "mnist": _Known(
        "MNIST",
        (28, 28, 1),
        tuple("0123456789"),
        "mnist.npz",
        "MNIST by Y. LeCun, C. Cortes and C. Burges (1998)",
        "CC BY-SA 3.0",
    ),
    "fashion_mnist": _Known(
        "Fashion-MNIST",
        (28, 28, 1),
        ("T-shirt", "trousers", "pullover", "dress", "coat")
        + ("sandal", "shirt", "sneaker", "bag", "ankle boot"),
        "fashion-mnist/ (four files, train-images-idx3-ubyte.gz and so on)",
        "Fashion-MNIST by H. Xiao, K. Rasul and R. Vollgraf, Zalando (2017)",
        "MIT",
    ),
    "cifar10": _Known(
        "CIFAR-10",
        (32, 32, 3),
        ("airplane", "automobile", "bird", "cat", "deer")
        + ("dog", "frog", "horse", "ship", "truck"),
        "cifar-10-batches-py-target_archive (cifar-10-python.tar.gz under this name)",
        "CIFAR-10 by A. Krizhevsky (2009), from the 80 Million Tiny Images",
        "none stated by its author",
    ),
}


def _load_known(name, path):
    known = _KNOWN[name]
    arrays = _fetch(name) if path is None else _read_npz(path)
    train = _labelled_images(*arrays[:2], known, "train")
    test = _labelled_images(*arrays[2:], known, "test")
    held_out = min(5000, len(train) // 6)
    cut = len(train) - held_out
    return Dataset(
        train[:cut], train[cut:], test, known.class_names, known.source, known.licence
    )


def _fetch(name):
    known = _KNOWN[name]
    try:
        (*train,), (*test,) = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises a bare Exception without a network
        home = os.environ.get("KERAS_HOME", "~/.keras")
        raise ConnectionError(
            f"{known.title} is not in the cache and could not be downloaded: {error}. "
            f"Put it where Keras looks, {home}/datasets/{known.cache} (the environment "
            "variable KERAS_HOME moves this folder), or pass "
            f'path="{name}.npz", a file with the keys {", ".join(_KEYS)}.'
        ) from error
    return (*train, *test)


def _read_npz(path):
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}. Check the path.")
    keys = ", ".join(_KEYS)
    try:
        file = np.load(path, allow_pickle=False)
        found = list(getattr(file, "files", ()))  # an npy file has no keys
        if set(_KEYS) <= set(found):
            with file:
                return tuple(file[key] for key in _KEYS)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is no readable npz file ({error}). Expected one with the keys "
            f"{keys}."
        ) from error
    raise ValueError(
        f"{path} needs the keys {keys}, but has {', '.join(found) or 'none'}. np.savez "
        "writes such a file."
    )


def _labelled_images(images, labels, known, part):
    height, width, channels = known.shape
    if images.shape[1:] not in ((height, width), known.shape) or (
        images.ndim == 3 and channels != 1
    ):
        raise ValueError(
            f"{known.title} has images of shape {known.shape}, but x_{part} has the "
            f"shape {images.shape}."
        )
    images = normalize(images).reshape(-1, *known.shape)
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    _check_labels(labels, len(images), len(known.class_names), part)
    return Split(images, labels.astype(np.int64))


def _check_labels(labels, num_images, num_classes, part):
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"y_{part} holds whole numbers, one for each image, but got {labels.dtype} "
            f"of shape {labels.shape}."
        )
    if len(labels) != num_images or num_images == 0:
        raise ValueError(
            f"There is one label for each image, but x_{part} has {num_images} images "
            f"and y_{part} {len(labels)} labels."
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f"Labels run from 0 to {num_classes - 1}, but y_{part} has {labels.min()} "
            f"to {labels.max()}."
        )


# Photographs


class _Photograph(NamedTuple):
    name: str
    package: str
    file: str
    colour: bool
    source: str
    licence: str


# Read from the installed packages' folders, never through their loaders: those ask for
# a download where a file is missing. Left out are drawings, texts, binary and computed
# pictures, a second view of the motorcycle, and everything under 300 pixels.
_PHOTOGRAPHS = tuple(
    _Photograph(*fields)
    for fields in (
        ("astronaut", "skimage", "astronaut.png", True, "NASA", "public domain"),
        ("cat", "skimage", "chelsea.png", True, "S. van der Walt", "CC0"),
        ("coffee", "skimage", "coffee.png", True, "R. Michetti", "CC0"),
        ("galaxies", "skimage", "hubble_deep_field.jpg", True, "NASA", "public domain"),
        ("tissue", "skimage", "ihc.png", True, "CMMI", "no known restrictions"),
        ("motorcycle", "skimage", "motorcycle_left.png", True)
        + ("D. Scharstein et al., Middlebury stereo 2014", "none stated"),
        ("retina", "skimage", "retina.jpg", True, "M. Häggström", "CC0"),
        ("rocket", "skimage", "rocket.jpg", True, "SpaceX")
        + ("public domain (its Flickr page said CC BY-NC 2.0)",),
        ("china", "sklearn", "china.jpg", True, "danielbuechele, Flickr", "CC BY 2.0"),
        ("flower", "sklearn", "flower.jpg", True, "vultilion, Flickr", "CC BY 2.0"),
        ("brick", "skimage", "brick.png", False, "CC0Textures", "CC0"),
        ("camera", "skimage", "camera.png", False, "L. Varshney", "CC0"),
        ("clock", "skimage", "clock_motion.png", False, "S. van der Walt")
        + ("public domain",),
        ("coins", "skimage", "coins.png", False, "Brooklyn Museum")
        + ("no known restrictions",),
        ("grass", "skimage", "grass.png", False, "linolafett, DeviantArt", "CC0"),
        ("gravel", "skimage", "gravel.png", False, "CC0Textures", "CC0"),
        ("moon", "skimage", "moon.png", False, "not recorded", "none stated"),
    )
)
_FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}


def load_photos(size=(64, 64), crops=64, seed=0, channels=3):
    """Cut random crops from the 17 photographs that come with the libraries.

    They need no download. The split is by photograph: what is tested was never seen,
    not even another part of it. So the targets, the index of the photograph, tell which
    crops belong together; they are no classes to learn.

    Parameters
    ----------
    size : tuple of two ints
        ``(width, height)`` of a crop in pixels, at most 384 x 300.
    crops : int
        How many from each photograph. A crop with hardly any contrast (standard
        deviation under 0.01: the black around the retina) is drawn again.
    seed : int
        Which photographs go where (10 to train, 2 to validate, 5 to test, colour and
        grey in each), and the places of the crops.
    channels : {3, 1}
        3: the seven grey photographs are repeated to three channels. 1: the ten in
        colour are turned to grey.

    Returns
    -------
    Dataset
        Images ``(crops, height, width, channels)`` in [0, 1]; targets index
        `class_names`, the names of all photographs. `source` and `licence` name each.

    Raises
    ------
    ValueError
        If the size, crops or channels make no sense or a photograph is smaller.
    FileNotFoundError
        If the installed library has left out a photograph.

    References
    ----------
    The data folders of scikit-image and scikit-learn; what these record of the origin
    and the licence is in `source` and `licence`.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> photos = ct.load_photos(size=(48, 32), crops=2)
    >>> photos.train.images.shape
    (20, 32, 48, 3)
    >>> set(photos.train.targets.tolist()) & set(photos.test.targets.tolist())
    set()
    """
    if crops < 1:
        raise ValueError(f"crops is how many for each photograph, but got {crops}.")
    rng = np.random.default_rng(seed)
    images = []
    for photograph in _PHOTOGRAPHS:
        whole = load_image(_photograph_path(photograph), channels=channels)
        images.append(_random_crops(whole, size, crops, rng, photograph.name))
    targets = np.repeat(np.arange(len(_PHOTOGRAPHS)), crops)
    everything = Split(np.concatenate(images), targets)
    return Dataset(
        *(everything[np.isin(targets, part)] for part in _split_photographs(rng)),
        class_names=tuple(photograph.name for photograph in _PHOTOGRAPHS),
        source="; ".join(f"{p.name}: {p.source} ({p.package})" for p in _PHOTOGRAPHS),
        licence="; ".join(f"{p.name}: {p.licence}" for p in _PHOTOGRAPHS),
    )


def _photograph_path(photograph):
    package = importlib.util.find_spec(photograph.package)
    if package is None or package.origin is None:
        raise FileNotFoundError(f"{photograph.package} is not installed.")
    folder = Path(package.origin).parent / _FOLDERS[photograph.package]
    return folder / photograph.file


def _random_crops(image, size, crops, rng, name):
    width, height = size
    room = (image.shape[0] - height, image.shape[1] - width)
    if min(*room) < 0 or min(width, height) < 1:
        raise ValueError(
            f"A crop of {width} x {height} pixels does not fit into the photograph "
            f"{name!r}, {image.shape[1]} x {image.shape[0]} pixels. size is (width, "
            "height)."
        )
    cuts = np.empty((crops, height, width, image.shape[2]), np.float32)
    for i in range(crops):
        for _ in range(100):
            top, left = (rng.integers(0, free + 1) for free in room)
            cuts[i] = image[top : top + height, left : left + width]
            if cuts[i].std() >= 0.01:
                break
    return cuts


def _split_photographs(rng):
    colour = np.array([photograph.colour for photograph in _PHOTOGRAPHS])
    bright, grey = (rng.permutation(np.flatnonzero(c)) for c in (colour, ~colour))
    return [
        np.concatenate(parts)
        for parts in zip(np.split(bright, (6, 7)), np.split(grey, (4, 5)), strict=True)
    ]


# Folders of images


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
    >>> from crnn_tutorial.datasets import LazyImages
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
    >>> from crnn_tutorial.datasets import ImageStream
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
    if min(validation, test) < 0 or validation + test >= 1:
        raise ValueError(
            "validation and test are shares from 0 to less than 1 in sum, but got "
            f"{validation} and {test}."
        )
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


# Composed of real digits


def load_digit_strings(
    length=(1, 8),
    sizes=(2000, 300, 500),
    seed=0,
    characters="0123456789",
    width=None,
):
    """Compose images of numbers from real handwritten digits.

    Each digit is enlarged to 16 x 16 pixels; gaps between neighbours are drawn from -3
    (overlap) to 3 pixels, margins from 0 to 3. Train, validation and test share no
    digit: they take theirs from the splits of ``load_digits(seed)``.

    Parameters
    ----------
    length : int or tuple of two ints
        How many digits, or the fewest and the most.
    sizes : tuple of three ints
        How many images to train, to validate and to test.
    seed : int
        Draws the numbers, the digits and the gaps.
    characters : str
        Which digits occur.
    width : int, optional
        Width of the images in pixels; ``None`` takes that of the widest text in any
        split.

    Returns
    -------
    Dataset
        Images ``(images, 16, width, 1)`` in [0, 1], on the right padded with -1 where
        the text has ended; targets are lists of `str`; `class_names` the characters.

    Raises
    ------
    ValueError
        If the lengths, sizes or characters make no sense, or a text is wider than
        `width`.

    References
    ----------
    The digits of `load_digits`. The idea: I. Goodfellow et al., "Multi-digit number
    recognition from street view imagery", 2014.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> strings = ct.load_digit_strings(length=(2, 4), sizes=(20, 5, 5), width=80)
    >>> strings.train.images.shape
    (20, 16, 80, 1)
    >>> all(2 <= len(text) <= 4 for text in strings.train.targets)
    True
    >>> float(strings.train.images.min())  # padding
    -1.0
    """
    lengths = _check_lengths(length)
    characters = _check_digits(characters, "characters")
    if len(set(characters)) < len(characters):
        raise ValueError(f"characters stand once each, but got {characters!r}.")
    rng = np.random.default_rng(seed)
    digits = load_digits(seed)
    parts = (digits.train, digits.validation, digits.test)
    drawn = [
        _draw_strings(part, count, lengths, characters, rng)
        for part, count in zip(parts, _check_sizes(sizes), strict=True)
    ]
    widest = max(max(ends) for _, ends, _ in drawn)
    if width is not None and width < widest:
        raise ValueError(
            f"width is {width}, but the widest text needs {widest} pixels. Give more, "
            "or width=None."
        )
    return Dataset(
        *(
            _paint_strings(part, *one, width or widest)
            for part, one in zip(parts, drawn, strict=True)
        ),
        class_names=tuple(characters),
        source=f"composed from: {DIGITS_SOURCE}",
        licence=DIGITS_LICENCE,
    )


def digit_string(text="2015", seed=0):
    """Write one number with real handwritten digits that no training saw.

    Parameters
    ----------
    text : str
        Digits only.
    seed : int
        Which digits of the test split of ``load_digits(seed)`` to take.

    Returns
    -------
    array of float32, shape ``(16, 16 * len(text), 1)``
        Pixels in [0, 1].

    Raises
    ------
    ValueError
        If the text is empty or has other characters.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.digit_string("2015").shape
    (16, 64, 1)
    """
    test = load_digits(seed).test
    rng = np.random.default_rng(seed)
    chosen = [
        rng.choice(np.flatnonzero(test.targets == int(character)))
        for character in _check_digits(text, "text")
    ]
    return np.concatenate(_enlarge(test.images[chosen]), axis=1)


def load_direction_clips(sizes=(1600, 320, 480), frames=8, size=(16, 32), seed=0):
    """Compose clips of a digit that crosses the picture to the right or to the left.

    Class 1 is class 0 played backwards. A digit that leaves the picture comes in again
    on the other side, and each clip stands there with each of its frames as the first.
    So each frame, *at each place in the clip*, occurs equally often in both classes:
    whoever looks at one frame is right in exactly half of the clips.

    Parameters
    ----------
    sizes : tuple of three ints
        How many clips to train, to validate and to test: multiples of ``2 * frames``.
    frames : int
        Frames in a clip, 3 or more and no more than the width.
    size : tuple of two ints
        ``(height, width)`` of a frame in pixels, at least (8, 16).
    seed : int
        Draws the digits and their places.

    Returns
    -------
    Dataset
        Images ``(clips, frames, height, width, 1)`` in [0, 1]; targets 0 and 1. The
        splits share no digit.

    Raises
    ------
    ValueError
        If an argument makes no sense.

    References
    ----------
    The digits of `load_digits`. D. Wei et al., "Learning and using the arrow of time",
    CVPR 2018, asks the same of films.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> clips = ct.load_direction_clips(sizes=(32, 16, 16))
    >>> clips.train.images.shape, clips.class_names
    ((32, 8, 16, 32, 1), ('to the right', 'to the left'))
    >>> start = clips.train.images[:, 0]  # as many pixels at each place in both classes
    >>> by_class = [start[clips.train.targets == i].sum(axis=0) for i in (0, 1)]
    >>> bool((by_class[0] == by_class[1]).all())
    True
    """
    height, width = _check_canvas(size, _DIGIT, 2 * _DIGIT)
    if not 3 <= frames <= width:
        raise ValueError(
            f"frames is from 3 to the width, {width}, but got {frames}. With two "
            "frames, forward and backward are the same."
        )
    reason = "each clip stands in both classes with each of its frames as the first"
    sizes = _check_sizes(sizes, 2 * frames, reason)
    rng = np.random.default_rng(seed)
    digits = load_digits(seed)
    parts = (digits.train, digits.validation, digits.test)
    return Dataset(
        *(
            _cross(part.images, count, frames, (height, width), rng)
            for part, count in zip(parts, sizes, strict=True)
        ),
        class_names=("to the right", "to the left"),
        source=f"composed from: {DIGITS_SOURCE}",
        licence=DIGITS_LICENCE,
    )


def load_digit_pairs(
    distance=24, size=(16, 96), pair="01", sizes=(2000, 300, 500), seed=0
):
    """Compose pictures in which two digits stand far apart, in one order or the other.

    Each picture stands in both classes: the same two digits at the same two places,
    exchanged. The empty margins are as wide as the gap. So all windows of a picture, up
    to ``distance - 7`` pixels wide and of any height, occur in both classes and equally
    often: whoever only counts what such windows show is right in exactly half.

    Parameters
    ----------
    distance : int
        Pixels between the left edges of the two digits, at least 8.
    size : tuple of two ints
        ``(height, width)`` of a picture in pixels, at least (8, 3 * distance - 8).
    pair : str
        Two different digits: their order in class 0.
    sizes : tuple of three ints
        How many pictures to train, to validate and to test: even numbers.
    seed : int
        Draws the digits and their places.

    Returns
    -------
    Dataset
        Images ``(pictures, height, width, 1)`` in [0, 1]; targets 0 and 1. The splits
        share no digit.

    Raises
    ------
    ValueError
        If an argument makes no sense.

    References
    ----------
    The digits of `load_digits`. The bag of windows: W. Brendel and M. Bethge,
    "Approximating CNNs with bag-of-local-features models works surprisingly well on
    ImageNet", ICLR 2019.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> pairs = ct.load_digit_pairs(sizes=(20, 4, 4))
    >>> pairs.train.images.shape, pairs.class_names
    ((20, 16, 96, 1), ('01', '10'))
    >>> by_class = [pairs.train.images[pairs.train.targets == i] for i in (0, 1)]
    >>> [round(float(images.sum()), 4) for images in by_class]  # the same ink
    [370.9375, 370.9375]
    """
    if len(set(_check_digits(pair, "pair"))) != 2 or len(pair) != 2:
        raise ValueError(f"pair is two different digits, but got {pair!r}.")
    if distance < _DIGIT:
        raise ValueError(
            f"distance is at least {_DIGIT}, the width of a digit, but got {distance}."
        )
    size = _check_canvas(size, _DIGIT, 3 * distance - _DIGIT)
    sizes = _check_sizes(sizes, 2, "each picture stands in both classes")
    rng = np.random.default_rng(seed)
    digits = load_digits(seed)
    parts = (digits.train, digits.validation, digits.test)
    return Dataset(
        *(
            _place_pairs(part, count, distance, size, pair, rng)
            for part, count in zip(parts, sizes, strict=True)
        ),
        class_names=(pair, pair[::-1]),
        source=f"composed from: {DIGITS_SOURCE}",
        licence=DIGITS_LICENCE,
    )


def _draw_strings(split, count, lengths, characters, rng):
    """Return for each string its digits' indices, its end, its digits' left edges."""
    counts = rng.integers(lengths[0], lengths[1] + 1, count)
    classes = rng.choice([int(c) for c in characters], counts.sum())
    chosen = np.empty(len(classes), int)
    for i in set(classes.tolist()):
        places = np.flatnonzero(classes == i)
        chosen[places] = rng.choice(np.flatnonzero(split.targets == i), len(places))
    cuts = np.cumsum(counts)[:-1]
    steps = 2 * _DIGIT + rng.integers(-3, 4, len(classes))
    margins = rng.integers(0, 4, (count, 2))
    lefts = [
        margin + np.cumsum(step) - step[0]
        for margin, step in zip(margins[:, 0], np.split(steps, cuts), strict=True)
    ]
    ends = [
        int(left[-1] + 2 * _DIGIT + margin)
        for left, margin in zip(lefts, margins[:, 1], strict=True)
    ]
    return np.split(chosen, cuts), ends, lefts


def _paint_strings(split, chosen, ends, lefts, width):
    large = _enlarge(split.images)
    images = np.zeros((len(chosen), 2 * _DIGIT, width, 1), np.float32)
    for image, digits, end, edges in zip(images, chosen, ends, lefts, strict=True):
        for digit, left in zip(digits, edges, strict=True):
            window = image[:, left : left + 2 * _DIGIT]
            np.maximum(window, large[digit], out=window)
        image[:, end:] = -1
    return Split(images, ["".join(map(str, split.targets[i])) for i in chosen])


def _enlarge(images):
    return np.stack([resize_image(image, (2 * _DIGIT,) * 2) for image in images])


def _cross(images, count, frames, size, rng):
    height, width = size
    groups = count // (2 * frames)
    chosen = np.resize(rng.permutation(len(images)), groups)
    tops = rng.integers(0, height - _DIGIT + 1, groups)
    starts = rng.integers(0, width, groups)
    steps = np.round(np.arange(frames) * width / frames).astype(int)
    clips = np.empty((groups, frames, frames, height, width, 1), np.float32)
    for clip, digit, top, start in zip(
        clips, images[chosen], tops, starts, strict=True
    ):
        still = np.zeros((height, width, 1), np.float32)
        still[top : top + _DIGIT, :_DIGIT] = digit
        cycle = np.stack([np.roll(still, start + step, axis=1) for step in steps])
        for first in range(frames):
            clip[first] = np.roll(cycle, -first, axis=0)
    clips = clips.reshape(-1, *clips.shape[2:])
    return _shuffle(clips, clips[:, ::-1], rng)


def _place_pairs(split, count, distance, size, pair, rng):
    height, width = size
    half, margin = count // 2, distance - _DIGIT
    first, second = (
        split.images[rng.choice(np.flatnonzero(split.targets == int(c)), half)]
        for c in pair
    )
    tops = rng.integers(0, height - _DIGIT + 1, half)
    lefts = rng.integers(margin, width - margin - distance - _DIGIT + 1, half)
    ordered = np.zeros((half, height, width, 1), np.float32)
    exchanged = ordered.copy()
    for i, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        for picture, (one, other) in (
            (ordered[i, top : top + _DIGIT], (first[i], second[i])),
            (exchanged[i, top : top + _DIGIT], (second[i], first[i])),
        ):
            picture[:, left : left + _DIGIT] = one
            picture[:, left + distance : left + distance + _DIGIT] = other
    return _shuffle(ordered, exchanged, rng)


def _shuffle(class_0, class_1, rng):
    images = np.concatenate([class_0, class_1])
    targets = np.repeat([0, 1], [len(class_0), len(class_1)])
    order = rng.permutation(len(images))
    return Split(images[order], targets[order])


def _check_digits(text, name):
    if not text or not set(text) <= set("0123456789"):
        raise ValueError(f"{name} is made of the digits 0 to 9, but got {text!r}.")
    return text


def _check_lengths(length):
    lengths = (length, length) if np.ndim(length) == 0 else tuple(length)
    if len(lengths) != 2 or not 1 <= lengths[0] <= lengths[1]:
        raise ValueError(
            "length is a number of digits, or the fewest (at least 1) and the most, "
            f"but got {length!r}."
        )
    return lengths


def _check_sizes(sizes, multiple=1, reason=""):
    if len(sizes) != 3 or min(sizes) < 1:
        raise ValueError(
            "sizes are three numbers above 0, of images to train, to validate and to "
            f"test, but got {sizes!r}."
        )
    if any(count % multiple for count in sizes):
        nearest = tuple(max(round(count / multiple), 1) * multiple for count in sizes)
        raise ValueError(
            f"sizes are multiples of {multiple}, as {reason}, but got {tuple(sizes)}. "
            f"The nearest are {nearest}."
        )
    return sizes


def _check_canvas(size, least_height, least_width):
    height, width = size
    if height < least_height or width < least_width:
        raise ValueError(
            f"size is (height, width), at least ({least_height}, {least_width}), but "
            f"got ({height}, {width})."
        )
    return height, width
