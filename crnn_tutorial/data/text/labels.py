"""The text of each image in a folder or a zip: from its name, a table or a sidecar."""

import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from crnn_tutorial.data.file_names import clean, is_numbered, original_of, some
from crnn_tutorial.data.files import BROKEN, File, read_file
from crnn_tutorial.data.image_files import image_endings
from crnn_tutorial.data.label_tables import (
    Namer,
    Table,
    decode_text,
    names_files,
    read_table,
    stems,
)

_TABLES = (".csv", ".tsv", ".txt")

_SIDECARS = (".gt.txt", ".txt")
# A file of such a name is not passed over in silence, even if it cannot be understood.
_LABELS = re.compile(
    r"(?i)(?:.*[^a-z])?(?:labels?|gt|ground[_ -]?truth|transcri\w+|annotations?)"
    r"(?:[^a-z].*)?\.(?:txt|jsonl?|xml|xlsx?|ya?ml)$"
)


class Found(NamedTuple):
    """The text of each image, and what does not fit together.

    Parameters
    ----------
    texts : dict
        The text of each image that has one, by the file's name.
    problems : list of str
        In words.
    said : str
        Where the texts were found, if nobody said where they are; else empty.
    copies : dict
        Name of a file -> that of the file of which it looks like a copy, and whether
        its mark is certain.

    Examples
    --------
    >>> from crnn_tutorial.data.text.labels import Found
    >>> Found({"a.png": "seven"}).problems
    ()
    """

    texts: dict
    problems: Sequence = ()
    said: str = ""
    copies: Mapping = MappingProxyType({})


def find_texts(files, labels=None, columns=None):
    r"""Find the text of each image.

    Parameters
    ----------
    files : dict
        From `open_files`, while it is open.
    labels, columns
        As in ``ct.load_text_images``.

    Returns
    -------
    Found

    Raises
    ------
    ValueError
        If there is no image, if the pattern or the table makes no sense, or if it is
        not clear where the texts stand.

    Examples
    --------
    >>> from crnn_tutorial.data.text.labels import find_texts
    >>> find_texts({"scan_12.png": None, "scan_7.png": None}, r"_(\d+)$").texts
    {'scan_12.png': '12', 'scan_7.png': '7'}
    """
    images = [name for name in files if _ending(name) in image_endings()]
    namer = Namer(files, images)
    said, copies = "", {}
    _check_columns(columns)
    if labels is None:
        texts, where, said = _search(files, images, namer, columns)
        if not where:
            texts, copies = _names_as_texts(images)
    elif hasattr(labels, "items"):
        texts, where = _from_dict(labels, namer), "labels"
    elif _is_sidecar(labels):
        texts, where = _read_sidecars(files, images, labels).texts, labels
    elif _is_table(labels, files):
        texts, where = _from_table(files, labels, namer, columns), os.fspath(labels)
    else:
        texts, where = _match_names(images, labels), ""
    found = {name: text for name, text in texts.items() if name in files}
    if not images and not found:
        raise ValueError(
            "There is no image: of "
            f"{len(files)} files, none has the ending of an image."
            + (f" The first: {some(list(files), 3)}." if files else "")
        )
    missing = [name for name in texts if name not in files]
    unlabelled = [name for name in images if name not in found]
    problems = []
    if unlabelled:
        lack = f"no text in {where}" if where else f"a name that {labels!r} misses"
        problems.append(say_problem(f"have {lack}", unlabelled, len(images)))
    if missing:
        problems.append(
            f"{len(missing)} of {len(texts)} texts in {where} have no image: "
            f"{some(missing)}"
        )
    return Found(found, problems, said, copies)


def say_problem(what, names, count):
    """Say what some of the images have or lack, and name them.

    Parameters
    ----------
    what : str
        What they have.
    names : list
        Of these images.
    count : int
        Of all images.

    Returns
    -------
    str

    Examples
    --------
    >>> from crnn_tutorial.data.text.labels import say_problem
    >>> say_problem("have no text", ["a.png"], 7)
    '1 of 7 images have no text: a.png'
    """
    return f"{len(names)} of {count} images {what}: {some(names)}"


def _ending(name):
    return posixpath.splitext(name)[1].lower()


def _check_columns(columns):
    pair = isinstance(columns, list | tuple) and len(columns) == 2
    if columns is not None and not pair:
        raise ValueError(
            'columns are two, of the file and of its text, such as ("file", "text"), '
            f"but got {columns!r}."
        )


# Where nobody says where the texts are


def _search(files, images, namer, columns):
    """Return texts, where they were found, and the words that say so; or nothing."""
    beside = (
        {} if columns else {end: _sidecars(files, images, end) for end in _SIDECARS}
    )
    used = {sidecar for pairs in beside.values() for sidecar in pairs.values()}
    sources, unclear, errors = {}, [], []
    for ending, pairs in beside.items():
        if pairs and 2 * len(pairs) >= len(images):
            sources[ending] = _read_sidecars(files, images, ending)
        elif pairs:
            unclear.append(next(iter(pairs.values())))
    for name in [name for name in files if name not in used]:
        try:
            if _is_table_of(files, name, namer):
                sources[name] = _read_table(files, name, name, namer, columns)
            elif _promises_labels(name):
                unclear.append(name)
        except ValueError as error:
            errors.append(error)
    if sources:
        said = "; ".join(f"{name} ({table.columns})" for name, table in sources.items())
        return _merge(sources), " and ".join(sources), f"the texts come from {said}"
    if errors:
        raise errors[0]
    if unclear or columns:
        what = f"{some(unclear, 3)} lies there, but it" if unclear else "No table there"
        negated = "does not say" if unclear else "says"
        raise ValueError(
            f"{what} {negated} clearly what each image shows. Pass labels=: the name "
            "of a table (csv, tsv, txt), an ending such as '.gt.txt' of files beside "
            "the images, a dict {file: text}, or r'.+' to take the images' names."
        )
    return {}, "", ""


def _is_table_of(files, name, namer):
    if _ending(name) not in _TABLES:
        return False
    try:
        return names_files(_read_text(files, name), name, namer)
    except ValueError:
        if _promises_labels(name):
            raise
        return False  # any other file of text


def _promises_labels(name):
    table = _ending(name) in (".csv", ".tsv")
    return table or bool(_LABELS.match(posixpath.basename(name)))


def _merge(sources):
    """Put the texts of several sources together, if they do not contradict."""
    texts, origin = {}, {}
    for source, table in sources.items():
        for name, text in table.texts.items():
            if texts.setdefault(name, text) != text:
                raise ValueError(
                    f"{origin[name]} and {source} give {name} different texts, "
                    f"{texts[name]!r} and {text!r}. Say which of them counts, such as "
                    f"labels={source!r}."
                )
            origin.setdefault(name, source)
    return texts


# The ways to say it


def _names_as_texts(images):
    """Read the names themselves; a name that is a copy's has the original's text."""
    texts, copies = {}, {}
    known = {posixpath.splitext(name)[0] for name in images}
    for name in images:
        folder, last = posixpath.split(posixpath.splitext(name)[0])
        text = clean(last)
        original, certain = original_of(text)
        if original and (certain or posixpath.join(folder, original) in known):
            copies[name] = original, certain
        texts[name] = original if name in copies or is_numbered(text) else text
    return texts, copies


def _match_names(images, pattern):
    try:
        expression = re.compile(pattern)
    except (re.error, TypeError) as error:
        raise ValueError(
            f"labels is no regular expression: {pattern!r} ({error}). It is one, or "
            "the name of a file ending in .csv or .tsv or .txt, an ending such as "
            ".gt.txt, or a dict."
        ) from error
    group = "text" if "text" in expression.groupindex else min(expression.groups, 1)
    if group == 1 and expression.groups > 1:
        raise ValueError(
            f"labels has {expression.groups} groups: {pattern!r}. Name that of the "
            "text: (?P<text>...)."
        )
    texts = {}
    for name in images:
        stem = posixpath.splitext(posixpath.basename(name))[0]
        match = expression.search(clean(stem))
        if match and match[group] is not None:
            texts[name] = clean(match[group])
    if images and not texts:
        raise ValueError(
            f"The pattern {pattern!r} fits no file name: {some(images, 3)}. It is "
            "searched for in each name without its ending."
        )
    return texts


def _from_dict(labels, namer):
    texts = {}
    for entry, text in labels.items():
        if not isinstance(entry, str | os.PathLike) or not isinstance(text, str):
            raise ValueError(
                "labels as a dict is {file: text}, both str, but got "
                f"{entry!r}: {text!r:.80}."
            )
        entry = os.fspath(entry)
        name, text = namer.find(entry) or entry, clean(text)
        if texts.setdefault(name, text) != text:
            raise ValueError(
                f"labels: {name} has two texts, {texts[name]!r} and {text!r}."
            )
    return texts


def _is_sidecar(labels):
    return isinstance(labels, str) and re.fullmatch(r"(\.\w+)+", labels) is not None


def _sidecars(files, images, ending):
    """Return the file beside each image that has its name, but this ending."""
    ends = {f.casefold(): f for f in files if f.casefold().endswith(ending.casefold())}
    beside = {}
    for name in images:
        folder, last = posixpath.split(name)
        for stem in stems(last):
            exact = posixpath.join(folder, stem + ending)
            found = exact if exact in files else ends.get(exact.casefold())
            if found:
                beside.setdefault(name, found)
    return beside


def _read_sidecars(files, images, ending):
    beside = _sidecars(files, images, ending)
    texts = {}
    for name, sidecar in beside.items():
        lines = _read_text(files, sidecar).strip().splitlines()
        if len(lines) > 1:
            raise ValueError(
                f"{sidecar} has {len(lines)} lines; the text of one image is one line."
            )
        texts[name] = clean(lines[0]) if lines else ""
    if not texts:
        raise ValueError(
            f"No image has a file ending in {ending} beside it: {some(images, 3)}."
        )
    return Table(texts, "one beside each image")


def _is_table(labels, files):
    if not isinstance(labels, str):
        return isinstance(labels, os.PathLike)
    return labels.lower().endswith(_TABLES) or labels in files


def _from_table(files, labels, namer, columns):
    """Read a table inside the folder or zip, or any other file."""
    labels = os.fspath(labels)
    place = Path(labels)
    found = [f for f in files if f == labels or f.endswith("/" + labels)]
    if len(found) == 1:
        return _read_table(files, found[0], found[0], namer, columns).texts
    if not found and place.is_file():
        outside = {labels: File(place.stat().st_size, partial(place.open, "rb"), place)}
        return _read_table(outside, labels, place.name, namer, columns).texts
    tables = [f for f in files if _ending(f) in _TABLES]
    raise ValueError(
        f"labels names one file inside the folder or zip, but got {labels!r}, of which "
        f"there are {len(found)}. Tables there: {some(tables) or 'none'}."
    )


def _read_table(files, name, called, namer, columns):
    return read_table(_read_text(files, name), called, namer, columns)


def _read_text(files, name):
    try:
        return decode_text(read_file(files, name), name)
    except BROKEN as error:
        raise ValueError(f"{name} cannot be read ({error}).") from error
