"""Images that belong together: one patient, one writer, one house."""

import numpy as np

from crnn_tutorial.data.file_names import some
from crnn_tutorial.data.splits import deal

_DEALS = 100  # of which the most even one is taken


def groups_of(groups, names):
    """Return the group of each file, or say which files have none.

    Parameters
    ----------
    groups : function or dict
        ``groups(file_name)``, or file name -> group. A group is anything hashable.
    names : list of str
        Relative to the folder, with ``/``.

    Returns
    -------
    list
        One group for each name.

    Raises
    ------
    ValueError
        If a file has no group, the function fails or a group is not hashable.

    Examples
    --------
    >>> from crnn_tutorial.data.groups import groups_of
    >>> groups_of(lambda name: name.split("/")[-1][0], ["ill/a1.png", "well/a2.png"])
    ['a', 'a']
    """
    ask = groups if callable(groups) else getattr(groups, "get", None)
    if ask is None:
        raise ValueError(
            "groups is a function of a file's name, or a dict from names to groups, "
            f"but got {type(groups).__name__}."
        )
    found = []
    for name in names:
        try:
            found.append(ask(name))
            hash(found[-1])
        except Exception as error:
            raise ValueError(
                f"There is no group of {name!r}: {type(error).__name__}: {error}. A "
                "group is what tells images that belong together, such as a str."
            ) from error
    pairs = zip(names, found, strict=True)
    missing = [name for name, group in pairs if group is None or group != group]
    if missing:
        raise ValueError(
            f"groups has no group for {len(missing)} of {len(names)} files: "
            f"{some(missing)}. Names are relative to the folder, with /."
        )
    return found


def join(*labels):
    """Number the units of images that belong together.

    Parameters
    ----------
    *labels : sequences
        Each says of all images something by which they may belong together: the digest
        of the file, the group. It is enough that one of them is the same.

    Returns
    -------
    array of ints
        The unit of each image, from 0 in the order of their first images.

    Examples
    --------
    >>> from crnn_tutorial.data.groups import join
    >>> join("abca", [1, 1, 2, 3]).tolist()  # images 0 and 3 are copies
    [0, 0, 1, 0]
    """
    above = list(range(len(labels[0])))  # an image of the same unit: the first in time

    def first(image):
        while above[image] != image:
            above[image] = above[above[image]]
            image = above[image]
        return image

    for each in labels:
        seen = {}
        for image, label in enumerate(each):
            one, other = first(image), first(seen.setdefault(label, image))
            above[max(one, other)] = min(one, other)
    firsts = [first(image) for image in range(len(above))]
    return np.unique(firsts, return_inverse=True)[1]


def deal_groups(table, free, validation, test, rng, class_names):
    """Deal out groups by chance, so that each split has the same share of each class.

    Of several deals the most even one is taken: groups differ in size, and one group
    may have images of several classes.

    Parameters
    ----------
    table : array of ints, shape ``(groups, classes)``
        How many images of each class a group has.
    free : array of ints
        The groups that are dealt out; the others are to train on.
    validation, test : float
        The share of this split.
    rng : numpy.random.Generator
        The chance.
    class_names : sequence of str
        For the message.

    Returns
    -------
    dict
        Group -> 1 (validation) or 2 (test); the others are to train on.

    Raises
    ------
    ValueError
        If there are too few groups.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.data.groups import deal_groups
    >>> table, rng = np.full((10, 2), 5), np.random.default_rng(0)
    >>> part_of = deal_groups(table, np.arange(10), 0.2, 0.1, rng, "ab")
    >>> sorted(part_of.values())
    [1, 1, 2]
    """
    wanted = np.outer([1 - validation - test, validation, test], table.sum(axis=0))

    def unevenness(part_of):
        parts = np.array([part_of.get(group, 0) for group in range(len(table))])
        counts = np.stack([table[parts == part].sum(axis=0) for part in range(3)])
        missing = (counts == 0) & (wanted > 0)
        uneven = np.abs(counts - wanted).sum(axis=0) / np.maximum(wanted.sum(axis=0), 1)
        return missing[0].sum(), missing.sum(), uneven.sum()

    main = table.argmax(axis=1)  # the class of most of a group's images
    strata = [free[main[free] == i] for i in range(table.shape[1])]
    if max(map(len, strata)) <= (validation > 0) + (test > 0):  # too few of each class
        strata = [free]
    deals = [deal(strata, validation, test, rng, "groups") for _ in range(_DEALS)]
    best = min(deals, key=unevenness)
    train = [group for group in range(len(table)) if group not in best]
    lost = np.flatnonzero((table[train].sum(axis=0) == 0) & (wanted[0] > 0))
    if len(lost):
        raise ValueError(
            f"Too few groups: nothing would be left to train the class "
            f"{class_names[lost[0]]!r} on. Add images of other groups."
        )
    return best
