"""Your own words: images of text lines and their texts, from a folder or a zip."""

import hashlib
import warnings
from collections import Counter, defaultdict
from typing import Any, NamedTuple

import numpy as np

from crnn_tutorial.checks import check_count
from crnn_tutorial.data import splits
from crnn_tutorial.data.file_names import some
from crnn_tutorial.data.files import open_files, read_picture
from crnn_tutorial.data.images import _check_look, load_image
from crnn_tutorial.data.text.labels import find_texts, say_problem
from crnn_tutorial.data.text.stacking import MAX_PROPORTION, _to_height, pad_lines


def load_text_images(
    path,
    labels=None,
    *,
    columns=None,
    height=32,
    channels=1,
    validation=0.1,
    test=0.1,
    seed=0,
    skip_incomplete=False,
):
    r"""Load images of single lines of text, and what they say, from a folder or a zip.

    Files that are no images by their ending, and hidden ones, are left out. A zip is
    read in memory; nothing is unpacked to disk. Texts are brought to Unicode's composed
    form (NFC), and blanks at both ends are cut off. Copies of one file stay in one
    split; copies with different texts are for training only, with a warning. Splits
    that are ready on disk are used, as in `load_image_folder`.

    Parameters
    ----------
    path : str or path
        A folder, with or without sub-folders, or a zip.
    labels : str, path or dict, optional
        Where the text of an image stands. ``None``: in a table or in files beside the
        images, if there are such (a printed line says which), else it is the file's
        name without its ending, and without the mark of a second file of that name, as
        in ``hello (2).png``.

        The name of a table inside the folder or zip, or of any other one, that ends in
        ``.csv``, ``.tsv`` or ``.txt``: UTF-8, one row for each image. Its columns are
        separated by a comma, a semicolon, a tab or a blank, and may have headings; the
        column whose entries name files, with or without an ending, is that of the
        images. A text that has a separator inside stands in quotes.

        An ending such as ``".gt.txt"``: each image has a file of its name and this
        ending beside it. A dict: file -> text.

        Any other text is a regular expression, searched for in the name without its
        ending; the text is its group ``text``, or its only group, or all of what was
        found: ``r"^(?P<text>[^_]+)"`` reads "hello" from ``hello_17.png``, and
        ``r".+"`` takes the names even if there is a table.
    columns : tuple of two, optional
        Of a table, the columns of the file and of the text: their headings, such as
        ``("image_file", "text")``, or their positions from 0.
    height : int
        In pixels. All images are brought to it, with their proportions kept.
    channels : {1, 3}
        Grey or colour.
    validation, test : float
        The share of different images for this split, from 0 to less than 1 in sum. A
        split that is ready on disk is taken as it is.
    seed : int
        Which image goes where, and the order of the training images.
    skip_incomplete : bool
        Go on without images that cannot be read or have no text, and without texts that
        have no image, with a warning that names them.

    Returns
    -------
    Dataset
        Images ``(images, height, widest, channels)`` in [0, 1], on the right padded
        with -1; targets are lists of `str`; `class_names` the characters.

    Raises
    ------
    ValueError
        If there is no image, if images and texts do not fit together or cannot be read
        (all such files are named; see `skip_incomplete`), if a file has two texts, if a
        table cannot be read, or it is not clear where the texts stand, if a zip is
        damaged, encrypted, too large or has paths that leave it, if names cannot be
        decoded, if a split would be empty, or if an argument makes no sense.
    FileNotFoundError
        If there is no such folder or file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> import crnn_tutorial as ct
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i in range(10):
    ...         picture = Image.new("L", (60 + i, 20), 25 * i)
    ...         picture.save(Path(folder, f"word{i}_scan.png"))
    ...     words = ct.load_text_images(folder, r"^(?P<text>[^_]+)", height=16)
    >>> words
    Dataset(14 classes, images of shape (16, 55, 1))
      train          8 images
      validation     1 images
      test           1 images
    >>> sorted(words.train.targets)[:3], "".join(words.class_names)
    (['word0', 'word1', 'word2'], '0123456789dorw')
    """
    height = check_count("height", height)
    _check_look(None, channels, None)
    splits.check_shares(validation, test)
    with open_files(path) as files:
        found = find_texts(files, labels, columns)
        folders = _find_text_splits(found.texts, path)
        lines, unreadable = _read_lines(files, found.texts, folders, height, channels)
    broken = say_problem("images cannot be read", unreadable, len(found.texts))
    problems = [*filter(None, [broken]), *found.problems]
    _report(path, problems, skip_incomplete, left=len(lines))
    if found.said:
        print(f"{path}: {found.said}.")
    _warn_of_copies(lines, found.copies)
    images = pad_lines([line.image for line in lines])
    shares = {"validation": validation, "test": test}
    shares = [share * (part not in folders) for part, share in shares.items()]
    parts = _deal(lines, shares, seed)
    if folders:
        splits.say_splits(path, folders, [len(part) for part in parts])
    return splits.Dataset(
        *(splits.Split(images[part], [lines[i].text for i in part]) for part in parts),
        class_names=tuple(sorted({c for line in lines for c in line.text})),
        source=f"the text images of {path}",
        licence="that of the images",
    )


# Pictures, problems, splits


class _Line(NamedTuple):
    """One image, and what is known of it."""

    name: str
    text: str
    image: Any
    digest: bytes  # of its file: copies have the same
    place: int  # of its split on disk in `splits.PARTS`, 0 where there is none


def _read_lines(files, texts, folders, height, channels):
    """Return the lines that can be read, and what is wrong with other files."""
    lines, unreadable = [], []
    for name, text in texts.items():
        try:
            file = read_picture(files, name, called=name)
            image = _read_line(file, name, height, channels)
        except ValueError as error:
            unreadable.append(error)
            continue
        digest = hashlib.sha256(file.getvalue()).digest()
        above = [part for part, f in folders.items() if name.startswith(f + "/")]
        place = max(map(splits.PARTS.index, above), default=0)
        lines.append(_Line(name, text, image, digest, place))
    return lines, unreadable


def _read_line(file, name, height, channels):
    image = load_image(file, channels=channels)
    if image.shape[1] > MAX_PROPORTION * image.shape[0]:
        raise ValueError(
            f"{name} is {image.shape[1]} x {image.shape[0]} pixels; a line of text is "
            f"at most {MAX_PROPORTION} times as wide as high"
        )
    return _to_height(image, height)


def _report(path, problems, skip_incomplete, left):
    summary = ". ".join(problems)
    if problems and not skip_incomplete:
        raise ValueError(
            f"{path}: {summary}. Repair this, or pass skip_incomplete=True to go on "
            "without them."
        )
    if not left:
        raise ValueError(f"{path}: no image is left that has a text. {summary}.")
    if problems:
        warnings.warn(f"{path}: {summary}. Went on without them.", stacklevel=3)


def _find_text_splits(names, path):
    """Return the folders that are splits: images stand below all of them, or none."""
    folders = sorted({name.split("/")[0] for name in names if "/" in name})
    if len(folders) == 1:  # around all others
        inner = [name.partition("/")[2] for name in names if "/" in name]
        found = _find_text_splits(inner, path)
        return {part: f"{folders[0]}/{folder}" for part, folder in found.items()}
    return splits.find_splits(folders, set(folders), path)


def _warn_of_copies(lines, copies):
    times = Counter(line.digest for line in lines)
    looks = [
        f"{line.name} as {copies[line.name][0]!r}"
        for line in lines
        if line.name in copies and (copies[line.name][1] or times[line.digest] > 1)
    ]
    if looks:
        warnings.warn(
            f"{len(looks)} names look like those of copies and are read without the "
            f"mark: {some(looks)}. Remove the copies, or pass labels= to say what they "
            "show.",
            stacklevel=3,
        )


def _deal(lines, shares, seed):
    """Return the indices of train, validation and test; copies stay together."""
    meant, stand = defaultdict(set), defaultdict(set)  # digest -> texts, its splits
    for line in lines:
        meant[line.digest].add(line.text)
        stand[line.digest].add(line.place)
    unclear = [line.name for line in lines if len(meant[line.digest]) > 1]
    if unclear:
        count = sum(len(texts) > 1 for texts in meant.values())
        warnings.warn(
            f"{count} images stand there under different texts and are used for "
            f"training only: {some(unclear)}.",
            stacklevel=3,
        )
    crossing = [line.name for line in lines if len(stand[line.digest]) > 1]
    if crossing:
        warnings.warn(
            f"Copies of the same images stand in more than one split and stay there, "
            f"so the test is too easy: {some(crossing)}.",
            stacklevel=3,
        )
    rng = np.random.default_rng(seed)
    clear = [d for d in meant if len(meant[d]) == 1 and stand[d] == {0}]
    part_of = splits.deal([clear], *shares, rng)
    parts = [line.place or part_of.get(line.digest, 0) for line in lines]
    indices = [np.flatnonzero(np.array(parts) == part) for part in range(3)]
    return [rng.permutation(indices[0]), *indices[1:]]
