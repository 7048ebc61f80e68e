"""Your own images: a folder or a zip with one sub-folder for each class.

Sizes are ``(height, width)``, as in `images`.
"""

import hashlib
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from crnn_tutorial.data.class_folders import files_of, find_places
from crnn_tutorial.data.file_names import some
from crnn_tutorial.data.files import open_files, read_picture
from crnn_tutorial.data.groups import deal_groups, groups_of, join
from crnn_tutorial.data.images import _check_look, load_image
from crnn_tutorial.data.lazy_images import LazyImages
from crnn_tutorial.data.splits import Dataset, Split, check_shares, deal, say_splits


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
    groups=None,
    in_memory=True,
):
    """Load a folder or a zip of images, one sub-folder for each class.

    Hidden files and folders are left out. Copies of one file stay in one split; a file
    that stands in two classes is for training only, with a warning. A single folder
    around all others is passed through. Each file is read once beforehand, so that no
    damaged one stops a long training.

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
        ``(height, width)`` in pixels to which each image is resized. A swapped pair
        gives no error, but squashed images.
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
    groups : function or dict, optional
        Images that belong together, because they show one patient, one house, one
        sitting, stay in one split: ``groups(file_name)`` returns what tells their
        group, such as a number or a text, or a dict says it. A file's name is relative
        to the folder, with ``/``: ``"cats/0.png"``. The shares are then met as far as
        whole groups can. Splits on disk are kept; a group in two of them is warned of.
    in_memory : bool
        False keeps the files of a folder on disk until they are asked for: the images
        of each split are `LazyImages`, of which `train_crnn_model`, `evaluate` and
        `predict` load one batch at a time.

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
        be empty, if a file has no group, if splits on disk do not fit together, if a
        zip is damaged, encrypted, too large or to be left on disk, if a name cannot be
        decoded, or if an argument makes no sense.
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
    ...     pictures = ct.load_image_folder(folder, size=(24, 32))
    >>> pictures
    Dataset(2 classes, images of shape (24, 32, 3))
      train         12 images
      validation     4 images
      test           4 images
    >>> pictures.class_names
    ('day', 'night')

    Where each house was taken from several sides, ``day/house7_left.png``:
    ``groups=lambda name: name.split("/")[-1].split("_")[0]``.
    """
    look = _check_look(size, channels, pad)
    check_shares(validation, test)
    if not in_memory and Path(path).is_file():
        raise ValueError(
            f"{path} is no folder, and only the files of a folder can stay on disk. "
            "Unpack it, or load it with in_memory=True."
        )
    class_names, pictures, splits = _read_folder(path, look, skip_unreadable, in_memory)
    targets = np.array([class_names.index(one.class_name) for one in pictures])
    if groups is not None:
        groups = groups_of(groups, [one.name for one in pictures])
    shares = [
        0 if part in splits else share
        for part, share in (("validation", validation), ("test", test))
    ]
    rng = np.random.default_rng(seed)
    parts = _deal(pictures, targets, groups, shares, rng, class_names)
    indices = [np.flatnonzero(parts == part) for part in range(3)]
    if splits:
        say_splits(path, splits, [len(part) for part in indices])
    indices[0] = rng.permutation(indices[0])
    return Dataset(
        *(
            Split(_images([pictures[i] for i in part], look, in_memory), targets[part])
            for part in indices
        ),
        class_names=class_names,
        source=f"the folder {path}",
        licence="that of the images in the folder",
    )


class _Picture(NamedTuple):
    name: str  # inside, with /
    place: Any  # what to call it: the path, or the name in a zip
    class_name: str
    part: int  # 0, 1 or 2, as the folders say
    digest: str
    image: np.ndarray | None


def _images(pictures, look, in_memory):
    lazy = LazyImages([one.place for one in pictures], *look)
    if not in_memory:
        return lazy
    return np.array([one.image for one in pictures], lazy.dtype).reshape(lazy.shape)


def _read_folder(path, look, skip_unreadable, keep):
    """Read every file once: the classes, what can be read, and the splits on disk."""
    with open_files(path) as files:
        places, splits = find_places(files, path)
        found = files_of(files, places)
        with ThreadPoolExecutor() as threads:
            read = list(threads.map(lambda one: _read(files, *one, look, keep), found))
    bad = [one for one in read if isinstance(one, ValueError)]
    good = [one for one in read if not isinstance(one, ValueError)]
    trained = {one.class_name for one in good if one.part == 0}
    for place in places:
        if place.part == 0 and place.class_name not in trained:
            raise ValueError(
                f"The class {place.class_name!r} has no readable image in "
                f"{Path(path, place.folder)}: {some(bad) or 'it is empty'}."
            )
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
    return tuple(sorted(trained)), good, splits


def _read(files, place, name, look, keep):
    """Return a picture, its image only to keep it, or what is wrong with the file."""
    file = path = files[name].place
    try:
        if not isinstance(path, Path):
            file = read_picture(files, name)
        image = load_image(file, *look)
        content = path.read_bytes() if file is path else file.getvalue()
    except OSError as error:
        return ValueError(f"{path} cannot be read ({error})")
    except ValueError as error:
        return error
    digest = hashlib.sha256(content).hexdigest()
    image = image if keep else None
    return _Picture(name, path, place.class_name, place.part, digest, image)


def _deal(pictures, targets, groups, shares, rng, class_names):
    """Return the split of each picture; copies and groups stay together."""
    digests = [one.digest for one in pictures]
    names = [str(one.place) for one in pictures]
    on_disk = np.array([one.part for one in pictures])
    crossing = _in_several(digests, targets)
    _warn("pictures", digests, names, crossing, "class and are used for training only")
    too_easy = "split and stay there, so the test is too easy"
    _warn("pictures", digests, names, _in_several(digests, on_disk), too_easy)
    if groups is not None:
        _warn("groups", groups, groups, _in_several(groups, on_disk), too_easy)
    units = join(digests) if groups is None else join(digests, groups)
    number = units.max() + 1
    free = np.setdiff1d(np.arange(number), units[[*crossing, *np.flatnonzero(on_disk)]])
    table = np.zeros((number, len(class_names)), int)  # images to train on
    np.add.at(table, (units, targets), on_disk == 0)
    if groups is None:
        part_of = deal([free[column[free] > 0] for column in table.T], *shares, rng)
    else:
        part_of = deal_groups(table, free, *shares, rng, class_names)
    dealt = np.array([part_of.get(unit, 0) for unit in units])
    return np.where(on_disk > 0, on_disk, dealt)


def _in_several(keys, values):
    """Return the pictures whose key occurs with several values."""
    found = {}
    for key, value in zip(keys, values, strict=True):
        found.setdefault(key, set()).add(int(value))
    return [i for i, key in enumerate(keys) if len(found[key]) > 1]


def _warn(what, keys, names, crossing, where):
    if crossing:
        named = list(dict.fromkeys(str(names[i]) for i in crossing))
        warnings.warn(
            f"{len({keys[i] for i in crossing})} {what} stand in more than one "
            f"{where}: {some(named)}.",
            stacklevel=4,
        )
