"""Your own boxes: PASCAL VOC files (XML) beside the images, as labelImg writes them."""

import hashlib
import warnings
from pathlib import PurePosixPath
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from crnn_tutorial.data.file_names import some
from crnn_tutorial.data.files import BROKEN, open_files, read_file, read_picture
from crnn_tutorial.data.image_files import image_endings
from crnn_tutorial.data.images import _check_look, load_image, resize_image
from crnn_tutorial.data.splits import Dataset, Split, check_shares, deal

_SIDES = ("ymin", "xmin", "ymax", "xmax")


class _Scene(NamedTuple):
    image: np.ndarray
    boxes: list  # of y0, x0, y1, x1 and the name of the class
    digest: str
    wrong: list  # what is wrong with boxes that were left out


def load_voc(
    path,
    size=None,
    *,
    channels=3,
    validation=0.15,
    test=0.15,
    seed=0,
    skip_bad_boxes=False,
):
    """Load images and the boxes in them from a folder or a zip of PASCAL VOC files.

    Each XML file names its image, which may stand in another folder; where there is no
    such file, it is the image with the name of the XML file. Images without an XML file
    are left out, with a warning. An XML file without an object is an image in which
    there is nothing. Copies of one image stay in one split.

    Parameters
    ----------
    path : str or path
        The folder or zip; sub-folders may have any names.
    size : tuple of two ints, optional
        ``(height, width)`` in pixels to which each image is resized, and its boxes with
        it. None: as they are, if all have the same size.
    channels : {3, 1}
        Colour or grey.
    validation, test : float
        The share of the images for this split, from 0 to less than 1 in sum.
    seed : int
        Which image goes where, and the order of the training images.
    skip_bad_boxes : bool
        Go on without boxes that have no area or reach beyond their image, with a
        warning that names them.

    Returns
    -------
    Dataset
        Images ``(images, height, width, channels)`` in [0, 1]; targets are boxes,
        float32, ``(images, most boxes, 5)``: ``y0, x0, y1, x1`` in pixels from 0, and
        the index of the class in `class_names`, which are sorted; rows of -1 where
        there are fewer.

    Raises
    ------
    ValueError
        If there is no XML file, or one is no annotation, has no image or more than one,
        or has a bad box (see `skip_bad_boxes`); if there is no box at all; if the
        images have several sizes and no size is given; if a file cannot be read, a
        split would be empty, or an argument makes no sense.
    FileNotFoundError
        If there is no such folder or zip.

    Notes
    -----
    Coordinates are taken as they are, as labelImg and most tools write them. The
    original files of PASCAL VOC count from 1: their boxes then begin one pixel too far
    to the right and below.

    References
    ----------
    Everingham et al., 2010, "The PASCAL visual object classes (VOC) challenge".

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> import crnn_tutorial as ct
    >>> box = "<xmin>4</xmin><ymin>2</ymin><xmax>20</xmax><ymax>12</ymax>"
    >>> object = f"<object><name>cell</name><bndbox>{box}</bndbox></object>"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i in range(10):
    ...         Image.new("L", (40, 30), 20 * i).save(Path(folder, f"{i}.png"))
    ...         xml = f"<annotation><filename>{i}.png</filename>{object}</annotation>"
    ...         chars = Path(folder, f"{i}.xml").write_text(xml)
    ...     cells = ct.load_voc(folder, size=(60, 80))
    >>> cells
    Dataset(1 classes, images of shape (60, 80, 3))
      train          6 images
      validation     2 images
      test           2 images
    >>> cells.train.targets[0].tolist()
    [[4.0, 8.0, 24.0, 40.0, 0.0]]
    """
    look = _check_look(size, channels, None)
    check_shares(validation, test)
    scenes = _read_scenes(path, look, skip_bad_boxes)
    names = sorted({name for one in scenes for *_, name in one.boxes})
    if not names:
        raise ValueError(f"There is no box in any XML file of {path}.")
    _check_one_size(scenes, path)
    rows = np.full((len(scenes), max(len(one.boxes) for one in scenes), 5), -1.0, "f")
    for row, one in zip(rows, scenes, strict=True):
        for place, (*sides, name) in zip(row, one.boxes, strict=False):
            place[:] = *sides, names.index(name)
    rng = np.random.default_rng(seed)
    copies = list(dict.fromkeys(one.digest for one in scenes))
    part_of = deal([copies], validation, test, rng)
    parts = np.array([part_of.get(one.digest, 0) for one in scenes])
    indices = [np.flatnonzero(parts == part) for part in range(3)]
    indices[0] = rng.permutation(indices[0])
    images = np.stack([one.image for one in scenes])
    return Dataset(
        *(Split(images[part], rows[part]) for part in indices),
        class_names=tuple(names),
        source=f"the folder {path}",
        licence="that of the images in the folder",
    )


def _read_scenes(path, look, skip_bad_boxes):
    with open_files(path) as files:
        notes = [name for name in files if name.lower().endswith(".xml")]
        if not notes:
            raise ValueError(
                f"There is no XML file in {path}. Expected one beside each image, as "
                "labelImg writes it (PASCAL VOC)."
            )
        pictures = _by_name(files)
        used = {name: _find_image(name, files, pictures) for name in notes}
        scenes = [_read_scene(files, *pair, look) for pair in used.items()]
    wrong = [reason for one in scenes for reason in one.wrong]
    if wrong and not skip_bad_boxes:
        raise ValueError(
            f"{len(wrong)} boxes are wrong: {some(wrong)}. Repair or remove them, or "
            "pass skip_bad_boxes=True to go on without them."
        )
    if wrong:
        warnings.warn(
            f"Went on without {len(wrong)} boxes: {some(wrong)}.", stacklevel=3
        )
    every = {name for names in pictures.values() for name in names}
    left = sorted(every - set(used.values()))
    if left:
        warnings.warn(
            f"Left out {len(left)} images without an XML file: {some(left)}. An image "
            "in which there is nothing has one without an object.",
            stacklevel=3,
        )
    return scenes


def _by_name(files):
    """Return the images by their name, and by their name without its ending."""
    found = {}
    for name in files:
        inside = PurePosixPath(name)
        if inside.suffix.lower() in image_endings():
            for key in (inside.name, inside.stem):
                found.setdefault(key, []).append(name)
    return found


def _find_image(name, files, pictures):
    """Return the image that an XML file is about."""
    root, inside = _parse(files, name), PurePosixPath(name)
    # Some tools write a whole path, also of another system.
    called = (root.findtext("filename") or "").replace("\\", "/").split("/")[-1].strip()
    found = pictures.get(called) or pictures.get(inside.stem, [])
    beside = [one for one in found if PurePosixPath(one).parent == inside.parent]
    found = beside if len(found) > 1 and beside else found
    if len(found) != 1:
        got = f"{len(found)} images: {some(found)}" if found else "no image"
        raise ValueError(
            f"{name} has {got}. Expected one with the name {called or inside.stem!r}."
        )
    return found[0]


def _parse(files, name):
    try:
        return ElementTree.fromstring(read_file(files, name))
    except (ElementTree.ParseError, *BROKEN) as error:
        raise ValueError(
            f"{name} is no XML file, or a damaged one ({error})."
        ) from error


def _read_scene(files, name, picture, look):
    file = read_picture(files, picture)
    size, channels, _ = look
    image = load_image(file, channels=channels)
    height, width = image.shape[:2]
    image = image if size is None else resize_image(image, size[::-1])
    ratio = np.divide(image.shape[:2], (height, width))
    boxes, wrong = [], []
    for thing in _parse(files, name).iter("object"):
        kind, sides = _read_box(thing, name)
        y0, x0, y1, x1 = sides
        if not (y0 < y1 and x0 < x1):
            wrong.append(f"{name}: {kind} at {_say(sides)} has no area")
        elif min(y0, x0) < 0 or y1 > height or x1 > width:
            wrong.append(
                f"{name}: {kind} at {_say(sides)} reaches beyond its image of {height} "
                f"x {width} pixels (height x width)"
            )
        else:
            boxes.append((*(sides * np.tile(ratio, 2)), kind))
    digest = hashlib.sha256(file.getvalue()).hexdigest()
    return _Scene(image, boxes, digest, wrong)


def _read_box(thing, name):
    kind = (thing.findtext("name") or "").strip()
    try:
        sides = np.array([float(thing.findtext(f"bndbox/{side}")) for side in _SIDES])
    except (TypeError, ValueError):
        sides = None
    if sides is None or not kind:
        raise ValueError(
            f"{name} has an object without a name or a box. Expected <name> and "
            "<bndbox> with the numbers <xmin>, <ymin>, <xmax> and <ymax>."
        )
    return kind, sides


def _say(sides):
    return ", ".join(
        f"{name}={side:g}" for name, side in zip(_SIDES, sides, strict=True)
    )


def _check_one_size(scenes, path):
    shapes = sorted({one.image.shape[:2] for one in scenes})
    if len(shapes) > 1:
        raise ValueError(
            f"The images of {path} have several sizes, such as {shapes[0]} and "
            f"{shapes[-1]} (height, width). Pass size, to which all are resized."
        )
