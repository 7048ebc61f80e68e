"""Real images that everybody knows, split into train, validation and test.

Only MNIST, Fashion-MNIST and CIFAR-10 need a network, on their first use. More data:
`photographs`, `folders` (your own), `digit_strings` and `digit_clips` (composed).
"""

import os
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import sklearn.datasets

from crnn_tutorial.data.array_files import read_npz
from crnn_tutorial.data.images import normalize
from crnn_tutorial.data.splits import Dataset, Split

DIGITS_SOURCE = (
    "Handwritten digits by E. Alpaydin and C. Kaynak (UCI, Optical Recognition of "
    "Handwritten Digits, 1998), as shipped with scikit-learn"
)

DIGITS_LICENCE = "CC BY 4.0"


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
    arrays = read_npz(path, f"Expected one with the keys {keys}.")
    found = list(arrays)
    if set(_KEYS) <= set(found):
        return tuple(arrays[key] for key in _KEYS)
    raise ValueError(
        f"{path} needs the keys {keys}, but has {', '.join(found) or 'none'}. np.savez "
        "writes such a file."
    )


def _labelled_images(images, labels, known, part):
    shapes = [known.shape, known.shape[:2] if known.shape[2] == 1 else known.shape]
    if images.shape[1:] not in shapes:
        raise ValueError(
            f"{known.title} has images of shape {known.shape}, but x_{part} has the "
            f"shape {images.shape}."
        )
    images = normalize(images).reshape(-1, *known.shape)
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    _check_labels(labels, len(images), len(known.class_names), part)
    return Split(images, labels.astype(np.int64))


def _check_labels(labels, num_images, num_classes, part):
    whole = labels.shape == (num_images,) and labels.size and labels.dtype.kind in "iu"
    if not whole or labels.min() < 0 or labels.max() >= num_classes:
        ends = (
            " to ".join(map(str, np.unique(labels)[[0, -1]])) if labels.size else "none"
        )
        raise ValueError(
            f"y_{part} holds whole numbers from 0 to {num_classes - 1}, one for each "
            f"image, but x_{part} has {num_images} images and y_{part} {labels.size} "
            f"labels ({labels.dtype} of shape {labels.shape}): y_{part} has {ends}."
        )
