"""Which image goes to train, validation and test: as a folder says, or by a seed."""

import numpy as np

from crnn_tutorial.file_names import some, split_of

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
    >>> from crnn_tutorial.splits import check_shares
    >>> check_shares(0.15, 0.15)
    """
    if min(validation, test) < 0 or validation + test >= 1:
        raise ValueError(
            "validation and test are shares from 0 to less than 1 in sum, but got "
            f"{validation} and {test}."
        )


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
    >>> from crnn_tutorial.splits import count_shares
    >>> count_shares(100, 0.15, 0.2), count_shares(2, 0.15, 0.15)
    ([15, 20], [0, 0])
    """
    if count <= sum(share > 0 for share in shares):
        return [0, 0]
    counts = [max(round(count * share), 1) if share else 0 for share in shares]
    while sum(counts) >= count:  # one is left to train on
        counts[np.argmax(counts)] -= 1
    return counts


def deal(groups, validation, test, rng):
    """Deal out different pictures by chance, the same share of each group.

    Parameters
    ----------
    groups : list of lists
        The pictures of each class, by what tells them apart.
    validation, test : float
        The share of this split.
    rng : numpy.random.Generator
        The chance.

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
    >>> from crnn_tutorial.splits import deal
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
                f"{sum(map(len, groups))} different images, too few. Add some (three "
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
    >>> from crnn_tutorial.splits import find_splits
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
    >>> from crnn_tutorial.splits import say_splits
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
