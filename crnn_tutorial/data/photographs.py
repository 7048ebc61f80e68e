"""Photographs that scikit-image and scikit-learn ship, cut into crops: no network."""

import importlib.util
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crnn_tutorial.checks import check_count
from crnn_tutorial.data.images import load_image, resize_image
from crnn_tutorial.data.splits import Dataset, Split


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

PHOTOS_SOURCE = "; ".join(f"{p.name}: {p.source} ({p.package})" for p in _PHOTOGRAPHS)

PHOTOS_LICENCE = "; ".join(f"{p.name}: {p.licence}" for p in _PHOTOGRAPHS)

_LIGHT = 0.5  # of backgrounds, so that white digits stand out
_SPLIT = 16  # any number, but another one would split otherwise
_FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}


def load_photos(size=(64, 64), crops=64, seed=0, channels=3):
    """Cut random crops from the 17 photographs that come with the libraries.

    They need no download. The split is by photograph: what is tested was never seen,
    not even another part of it. So the targets, the index of the photograph, tell which
    crops belong together; they are no classes to learn.

    Parameters
    ----------
    size : tuple of two ints
        ``(height, width)`` of a crop in pixels, at most (300, 384). A swapped pair that
        fits gives no error.
    crops : int
        How many from each photograph. A crop with hardly any contrast (standard
        deviation under 0.01: the black around the retina) is drawn again.
    seed : int
        Which photographs go where (10 to train, 2 to validate, 5 to test, colour and
        grey in each), whatever their size and number; and the places of the crops.
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
    >>> photos = ct.load_photos(size=(32, 48), crops=2)
    >>> photos.train.images.shape
    (20, 32, 48, 3)
    >>> set(photos.train.targets.tolist()) & set(photos.test.targets.tolist())
    set()
    """
    check_count("crops", crops)
    rng = np.random.default_rng(seed)
    # Of its own: one seed splits alike, whatever is cut. Else crops of another size
    # would be tested on photographs that were trained on.
    parts = _split_photographs(np.random.default_rng([seed, _SPLIT]))
    images = []
    for photograph in _PHOTOGRAPHS:
        whole = load_image(_photograph_path(photograph), channels=channels)
        images.append(_random_crops(whole, size, crops, rng, photograph.name))
    targets = np.repeat(np.arange(len(_PHOTOGRAPHS)), crops)
    everything = Split(np.concatenate(images), targets)
    return Dataset(
        *(everything[np.isin(targets, part)] for part in parts),
        class_names=tuple(photograph.name for photograph in _PHOTOGRAPHS),
        source=PHOTOS_SOURCE,
        licence=PHOTOS_LICENCE,
    )


def _photograph_path(photograph):
    package = importlib.util.find_spec(photograph.package)
    if package is None or package.origin is None:
        raise FileNotFoundError(f"{photograph.package} is not installed.")
    folder = Path(package.origin).parent / _FOLDERS[photograph.package]
    return folder / photograph.file


def _random_crops(image, size, crops, rng, name):
    height, width = size
    room = (image.shape[0] - height, image.shape[1] - width)
    if min(*room) < 0 or min(size) < 1:
        raise ValueError(
            f"A crop of {height} x {width} pixels does not fit into the photograph "
            f"{name!r}, {image.shape[0]} x {image.shape[1]} pixels. size is (height, "
            "width)."
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


def cut_backgrounds(photographs, count, size, rng):
    """Cut grey pictures at half their light, on which something white stands out.

    Photographs are made so small before that a crop shows more than a patch.

    Parameters
    ----------
    photographs : sequence of int
        Which of all photographs; none makes black pictures.
    count : int
        How many pictures.
    size : tuple of two ints
        ``(height, width)``.
    rng : numpy.random.Generator
        Draws the places, and the order.

    Returns
    -------
    array of float32
        ``(count, height, width, 1)`` in [0, 0.5].

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.data.photographs import cut_backgrounds
    >>> cut_backgrounds([0, 3], 5, (16, 32), np.random.default_rng(0)).shape
    (5, 16, 32, 1)
    """
    if not len(photographs):
        return np.zeros((count, *size, 1), np.float32)
    shrink = max(1, min(4, 300 // size[0], 384 // size[1]))
    each = math.ceil(count / len(photographs))
    crops = []
    for photograph in (_PHOTOGRAPHS[number] for number in photographs):
        whole = load_image(_photograph_path(photograph), channels=1)
        small = (whole.shape[1] // shrink, whole.shape[0] // shrink)
        whole = resize_image(whole, small)
        crops.append(_random_crops(whole, size, each, rng, photograph.name))
    return _LIGHT * rng.permutation(np.concatenate(crops))[:count]
