"""Images with their targets, in parts for training, validation and test.

Which image goes where, a folder says, or a seed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from crnn_tutorial.checks import check_targets
from crnn_tutorial.data.file_names import some, split_of

PARTS = ("train", "validation", "test")


def check_shares(validation, test):
    """Refuse shares that leave nothing to train on.

    Parameters
    ----------
    validation, test : float
        From 0 to less than 1 in sum.

    Raises
    ------
    ValueError
        If they are not.

    Examples
    --------
    >>> from crnn_tutorial.data.splits import check_shares
    >>> check_shares(0.15, 0.15)
    """
    if min(validation, test) < 0 or validation + test >= 1:
        raise ValueError(
            "validation and test are shares from 0 to less than 1 in sum, but got "
            f"{validation} and {test}."
        )


def check_sizes(sizes, multiple=1, reason=""):
    """Return how many images to train, to validate and to test, or say what came.

    Parameters
    ----------
    sizes : tuple of three ints
        Each at least 1.
    multiple : int
        What each must be a multiple of.
    reason : str
        Why, for the message.

    Returns
    -------
    tuple of three ints
        The same.

    Raises
    ------
    ValueError
        If they are none.

    Examples
    --------
    >>> from crnn_tutorial.data.splits import check_sizes
    >>> check_sizes((20, 4, 8), multiple=4, reason="each stands in four classes")
    (20, 4, 8)
    """
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


def count_shares(count, *shares):
    """Return how many of some pictures go to each split: one at least.

    Parameters
    ----------
    count : int
        Of pictures.
    *shares : float
        Of each split but the first.

    Returns
    -------
    list of int
        In sum less than the count; all 0 where there are too few.

    Examples
    --------
    >>> from crnn_tutorial.data.splits import count_shares
    >>> count_shares(100, 0.15, 0.2), count_shares(2, 0.15, 0.15)
    ([15, 20], [0, 0])
    """
    if count <= sum(share > 0 for share in shares):
        return [0, 0]
    counts = [max(round(count * share), 1) if share else 0 for share in shares]
    while sum(counts) >= count:  # one is left to train on
        counts[np.argmax(counts)] -= 1
    return counts


def deal(groups, validation, test, rng, what="images"):
    """Deal out different pictures by chance, the same share of each group.

    Parameters
    ----------
    groups : list of lists
        The pictures of each class, by what tells them apart.
    validation, test : float
        The share of this split.
    rng : numpy.random.Generator
        The chance.
    what : str
        What is dealt out, for the message.

    Returns
    -------
    dict
        Picture -> 1 (validation) or 2 (test); the others are to train on.

    Raises
    ------
    ValueError
        If a split that was asked for stays empty.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.data.splits import deal
    >>> sorted(deal([["a", "b", "c"]], 0.3, 0.3, np.random.default_rng(0)).values())
    [1, 2]
    """
    part_of = {}
    for pictures in groups:
        counts = count_shares(len(pictures), validation, test)
        chosen = rng.permutation(len(pictures))[: sum(counts)]
        for position, number in enumerate(chosen):
            part_of[pictures[number]] = 1 if position < counts[0] else 2
    for part, share in ((1, validation), (2, test)):
        if share and part not in part_of.values():
            raise ValueError(
                f"The {PARTS[part]} split would be empty: there are "
                f"{sum(map(len, groups))} different {what}, too few. Add some (three "
                "are enough; with classes, three in one of them), or pass "
                f"{PARTS[part]}=0."
            )
    return part_of


def find_splits(folders, occupied, path):
    """Find the splits that are ready on disk.

    Parameters
    ----------
    folders : list of str
        The folders that stand side by side.
    occupied : set of str
        Those of them in which there are images.
    path : str or path
        For the messages.

    Returns
    -------
    dict
        Split -> its folder; empty where the folders are no splits. There are splits
        where two folders with images have the names of different ones.

    Raises
    ------
    ValueError
        If two folders are one split, none is to train on, or images stand beside them.

    Examples
    --------
    >>> from crnn_tutorial.data.splits import find_splits
    >>> find_splits(["Testing", "Training"], {"Testing", "Training"}, "photos")
    {'test': 'Testing', 'train': 'Training'}
    >>> find_splits(["cats", "dogs"], {"cats", "dogs"}, "photos")
    {}
    """
    named = [f for f in folders if split_of(f) and f in occupied]
    found = {split_of(folder): folder for folder in named}
    if len(found) < 2:
        return {}
    if len(named) > len(found):
        raise ValueError(
            f"{path} has two folders for one split: {some(named)}. Put them together."
        )
    if "train" not in found:
        raise ValueError(
            f"{path} has the splits {some(named)}, but none to train on. Name one "
            "train; or, if these are no splits, rename them."
        )
    beside = [f for f in folders if f in occupied and f not in named]
    if beside:
        raise ValueError(
            f"{path} has the splits {some(named)}, and beside them images in "
            f"{some(beside)}. Move those away; or, if {some(named)} are no splits, "
            "rename them."
        )
    return found


def say_splits(path, folders, counts):
    """Print that the splits on disk were used, and what was cut by chance.

    Parameters
    ----------
    path : str or path
        Where they stand.
    folders : dict
        From `find_splits`.
    counts : list of int
        The images of train, validation and test.

    Examples
    --------
    >>> from crnn_tutorial.data.splits import say_splits
    >>> say_splits("photos", {"train": "Training", "test": "Testing"}, [80, 20, 25])
    photos: the folders Training and Testing are the splits: 80 images to train, 20 to
    validate, 25 to test; validation is cut from train.
    """
    cut = [
        part for part in PARTS[1:] if part not in folders and counts[PARTS.index(part)]
    ]
    more = f"; {' and '.join(cut)} {'is' if len(cut) == 1 else 'are'} cut from train"
    print(
        f"{path}: the folders {' and '.join(folders.values())} are the splits: "
        f"{counts[0]} images to train, {counts[1]} to validate, {counts[2]} to test"
        f"{more if cut else ''}."
    )


# What every loader returns


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a dataset: images and what is asked of them.

    Parameters
    ----------
    images : array of float32, or list
        ``(images, height, width, channels)`` in [0, 1], or clips with an axis for the
        frames after the first; or a list of pictures as `load_image` takes them.
    targets : array, list, or dict of these
        One for each image: integer classes, or texts. A dict holds several kinds of
        targets by name, such as masks and boxes.

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
    >>> both = ct.Split(test.images, {"digit": test.targets, "odd": test.targets % 2})
    >>> both[:5]
    Split(5 images, shape (8, 8, 1), targets digit, odd)
    """

    images: Any
    targets: Any

    def __post_init__(self):
        check_targets(self.images, self.targets)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        if np.ndim(index) == 0 and not isinstance(index, slice):
            raise TypeError(
                "A split is cut with a slice, a mask or an array of indices, but got "
                f"{index!r}. One image alone is split.images[{index!r}]."
            )
        return Split(_cut(self.images, index), _cut(self.targets, index))

    def __repr__(self):
        kind = getattr(self.targets, "dtype", "str")
        if isinstance(self.targets, dict):
            kind = ", ".join(self.targets)
        shape = getattr(self.images, "shape", None)
        form = f"shape {tuple(shape[1:])}" if shape else "one by one"
        return f"Split({len(self)} images, {form}, targets {kind})"


def same_targets(targets, others):
    """Tell whether two splits ask the same: arrays, lists, or dicts of these.

    Parameters
    ----------
    targets, others : array, list or dict
        Of two splits.

    Returns
    -------
    bool
        Whether all values are equal.

    Examples
    --------
    >>> from crnn_tutorial.data.splits import same_targets
    >>> same_targets({"a": [1, 2]}, {"a": [1, 2]}), same_targets(["x"], ["y"])
    (True, False)
    """
    if isinstance(targets, dict):
        known = isinstance(others, dict) and set(targets) == set(others)
        return known and all(same_targets(targets[k], others[k]) for k in targets)
    return np.array_equal(targets, others)


def _cut(values, index):
    if isinstance(values, dict):
        return {name: _cut(one, index) for name, one in values.items()}
    if not isinstance(values, list | tuple):
        return values[index]
    return [values[i] for i in np.arange(len(values))[index]]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images to train on, to choose by and to judge by, and where they come from.

    Parameters
    ----------
    train, validation, test : Split
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
        """The shape of one image, as the builders want it; of text, with any width."""
        height, width, *others = self.train.images.shape[1:]
        text = isinstance(getattr(self.train, "targets", None), list)
        return (height, None if text else width, *others)

    def __repr__(self):
        shape = tuple(self.train.images.shape[1:])
        lines = [f"Dataset({self.num_classes} classes, images of shape {shape})"]
        for name in ("train", "validation", "test"):
            count = len(getattr(self, name).images)
            lines.append(f"  {name:<10}{count:>6} images")
        return "\n".join(lines)
