"""Where the pictures of each class stand in a folder or zip, and in which split."""

from pathlib import Path
from typing import NamedTuple

from crnn_tutorial.data.file_names import clean, some, split_of
from crnn_tutorial.data.image_files import image_endings
from crnn_tutorial.data.splits import PARTS, find_splits


class Place(NamedTuple):
    """Where the files of one class, in one split, stand.

    Parameters
    ----------
    part : {0, 1, 2}
        To train, to validate or to test, as the folders say.
    class_name : str
        In Unicode's composed form.
    folder : str
        Its path inside, with ``/``.

    Examples
    --------
    >>> from crnn_tutorial.data.class_folders import Place
    >>> Place(2, "cats", "Testing/cats").part
    2
    """

    part: int
    class_name: str
    folder: str


def find_places(files, path):
    """Return where each class stands, in each split, and the splits on disk.

    Parameters
    ----------
    files : Files
        From `open_files`.
    path : str or path
        For the messages.

    Returns
    -------
    list of Place
        In the order of splits and names.
    dict
        Split -> its folder, as `find_splits` returns it.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or the splits do not fit together.

    Examples
    --------
    >>> from crnn_tutorial.data.class_folders import find_places
    >>> from crnn_tutorial.data.files import Files
    >>> places, splits = find_places(Files(folders=["a", "b"]), "photos")
    >>> [place.class_name for place in places], splits
    (['a', 'b'], {})
    """
    inside = _skip_wrapper(files, "")
    splits = _find_class_splits(files, inside, path)
    if not splits:
        classes = _inside(files.folders, inside)
        if len(classes) < 2:
            raise _too_few(path, classes)
        _refuse_splits_inside(files, inside, classes, path)
        return [Place(0, clean(name), inside + name) for name in classes], {}
    places = []
    for split, folder in splits.items():
        below = _skip_wrapper(files, f"{inside}{folder}/")
        for name in _inside(files.folders, below):
            places.append(Place(PARTS.index(split), clean(name), below + name))
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


def files_of(files, places):
    """Pair each place with the names of its files, in sub-folders too.

    Parameters
    ----------
    files : iterable of str
        All names, with ``/``.
    places : list of Place
        From `find_places`.

    Returns
    -------
    list of pairs (Place, str)
        Place by place.

    Examples
    --------
    >>> from crnn_tutorial.data.class_folders import Place, files_of
    >>> [name for _, name in files_of(["a/1.png", "a/b/2.png"], [Place(0, "a", "a")])]
    ['a/1.png', 'a/b/2.png']
    """
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
        if len({split_of(folder) for folder in below} - {None}) > 1:
            raise ValueError(
                f"{path}: the folder {inside}{name} holds splits, {some(below)}. "
                "Splits stand outside and the classes inside, such as "
                f"{Path(path, below[0], name)}. If they are no splits, rename them."
            )


def _too_few(path, classes):
    found = f"only the class {classes[0]!r}" if classes else "no sub-folder"
    return ValueError(
        f"{path} has {found}: at least two classes are needed. Put the images of "
        f"each class into a sub-folder of its own, such as {Path(path, 'cats')} and "
        f"{Path(path, 'dogs')}."
    )
