"""Your own words: images of text lines and their texts, from a folder or a zip."""

import hashlib
import warnings
from collections import Counter, defaultdict

import numpy as np

from crnn_tutorial.checks import check_count
from crnn_tutorial.data.file_names import some
from crnn_tutorial.data.files import open_files, read_picture
from crnn_tutorial.data.images import _check_look, load_image
from crnn_tutorial.data.splits import (
    PARTS,
    Dataset,
    Split,
    check_shares,
    deal,
    find_splits,
    say_splits,
)
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
    check_shares(validation, test)
    with open_files(path) as files:
        found = find_texts(files, labels, columns)
        pictures, unreadable = _read_pictures(files, found.texts, height, channels)
        folders = _find_text_splits(found.texts, path)
    broken = say_problem("images cannot be read", unreadable, len(found.texts))
    problems = [*filter(None, [broken]), *found.problems]
    _report(path, problems, skip_incomplete, left=len(pictures))
    if found.said:
        print(f"{path}: {found.said}.")
    names, texts = list(pictures), [found.texts[name] for name in pictures]
    digests, images = zip(*pictures.values(), strict=True)
    _warn_of_copies(names, digests, found.copies)
    stacked = pad_lines(images)
    places = _places(names, folders)
    shares = {"validation": validation, "test": test}
    shares = [share * (part not in folders) for part, share in shares.items()]
    parts = _deal(names, texts, digests, places, shares, seed)
    if folders:
        say_splits(path, folders, [len(part) for part in parts])
    return Dataset(
        *(Split(stacked[part], [texts[i] for i in part]) for part in parts),
        class_names=tuple(sorted(set("".join(texts)))),
        source=f"the text images of {path}",
        licence="that of the images",
    )


# Pictures, problems, splits


def _read_pictures(files, names, height, channels):
    """Return the digest and the image of each file, and what is wrong with others."""
    pictures, unreadable = {}, []
    for name in names:
        try:
            file = read_picture(files, name, called=name)
            image = _read_line(file, name, height, channels)
        except ValueError as error:
            unreadable.append(error)
        else:
            pictures[name] = hashlib.sha256(file.getvalue()).digest(), image
    return pictures, unreadable


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
    return find_splits(folders, set(folders), path)


def _places(names, folders):
    """Return for each image the number of its split on disk, 0 where there is none."""
    places = np.zeros(len(names), int)
    for part, folder in folders.items():
        places[[name.startswith(folder + "/") for name in names]] = PARTS.index(part)
    return places


def _warn_of_copies(names, digests, copies):
    times = Counter(digests)
    twice = {name for name, d in zip(names, digests, strict=True) if times[d] > 1}
    looks = [n for n in names if n in copies and (copies[n][1] or n in twice)]
    if looks:
        warnings.warn(
            f"{len(looks)} names look like those of copies and are read without the "
            f"mark: {some([f'{n} as {copies[n][0]!r}' for n in looks])}. Remove the "
            "copies, or pass labels= to say what they show.",
            stacklevel=3,
        )


def _deal(names, texts, digests, places, shares, seed):
    """Return the indices of train, validation and test; copies stay together."""
    meant, stand = defaultdict(set), defaultdict(set)  # digest -> texts, its splits
    for digest, text, place in zip(digests, texts, places, strict=True):
        meant[digest].add(text)
        stand[digest].add(int(place))
    unclear, crossing = (
        {digest for digest, found in several.items() if len(found) > 1}
        for several in (meant, stand)
    )

    def files(wanted):
        return some([n for n, d in zip(names, digests, strict=True) if d in wanted])

    if unclear:
        warnings.warn(
            f"{len(unclear)} images stand there under different texts and are used "
            f"for training only: {files(unclear)}.",
            stacklevel=3,
        )
    if crossing:
        warnings.warn(
            f"Copies of the same images stand in more than one split and stay there, "
            f"so the test is too easy: {files(crossing)}.",
            stacklevel=3,
        )
    rng = np.random.default_rng(seed)
    clear = [d for d in meant if d not in unclear and stand[d] == {0}]
    part_of = deal([clear], *shares, rng)
    parts = np.array([part_of.get(digest, 0) for digest in digests])
    parts = np.where(places > 0, places, parts)
    indices = [np.flatnonzero(parts == part) for part in range(3)]
    return [rng.permutation(indices[0]), *indices[1:]]
