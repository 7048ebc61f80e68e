"""The text of each image in a folder or a zip: from its name, a table or a sidecar."""

import os
import posixpath
import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

from crnn_tutorial.data import label_tables as tables
from crnn_tutorial.data.file_names import clean, is_numbered, original_of, some
from crnn_tutorial.data.files import BROKEN, File, read_file
from crnn_tutorial.data.image_files import image_endings
from crnn_tutorial.data.namer import Namer, stems

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
    >>> Found({"a.png": "seven"}, [], "", {}).texts["a.png"]
    'seven'
    """

    texts: dict
    problems: list
    said: str
    copies: dict


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
    pair = isinstance(columns, list | tuple) and len(columns) == 2
    if columns is not None and not pair:
        raise ValueError(
            'columns are two, of the file and of its text, such as ("file", "text"), '
            f"but got {columns!r}."
        )
    images = [name for name in files if _ending(name) in image_endings()]
    place = _Place(files, images, Namer(files, images), columns)
    texts, where, said, copies = _find(place, labels)
    found = {name: text for name, text in texts.items() if name in files}
    if not images and not found:
        raise ValueError(
            f"There is no image: of {len(files)} files, none has the ending of an "
            f"image. The first: {some(list(files), 3) or 'none'}."
        )
    lack = f"no text in {where}" if where else f"a name that {labels!r} misses"
    bare = [name for name in images if name not in found]
    lost = [name for name in texts if name not in files]
    problems = [
        say_problem(f"images have {lack}", bare, len(images)),
        say_problem(f"texts in {where} have no image", lost, len(texts)),
    ]
    return Found(found, [*filter(None, problems)], said, copies)


def say_problem(what, names, count):
    """Say what is wrong with some of the images or texts, and name them.

    Parameters
    ----------
    what : str
        Of what, and what is wrong with them.
    names : list
        Those with which it is so.
    count : int
        Of all.

    Returns
    -------
    str
        Empty if there are none.

    Examples
    --------
    >>> from crnn_tutorial.data.text.labels import say_problem
    >>> say_problem("images have no text", ["a.png"], 7)
    '1 of 7 images have no text: a.png'
    """
    return f"{len(names)} of {count} {what}: {some(names)}" if names else ""


def _ending(name):
    return posixpath.splitext(name)[1].lower()


class _Place(NamedTuple):
    """A folder or a zip in which texts are looked for."""

    files: dict
    images: list
    namer: Namer
    columns: tuple | None

    def open_table(self, name, called=None, files=None):
        content = _read_text(files or self.files, name)
        return tables.open_table(content, called or name, self.namer)

    def find_sidecars(self, ending):
        """Return the file beside each image that has its name, but this ending."""
        any_case = {name.casefold(): name for name in self.files}
        beside = {}
        for name in self.images:
            folder, last = posixpath.split(name)
            for stem in stems(last):
                exact = posixpath.join(folder, stem + ending)
                found = exact if exact in self.files else any_case.get(exact.casefold())
                if found:
                    beside.setdefault(name, found)
        return beside

    def read_sidecars(self, ending):
        """Return the texts that stand in the files beside the images."""
        texts = {}
        for name, file in self.find_sidecars(ending).items():
            lines = _read_text(self.files, file).strip().splitlines()
            if len(lines) > 1:
                raise ValueError(
                    f"{file} has {len(lines)} lines; the text of one image is one line."
                )
            texts[name] = clean("".join(lines))
        if not texts:
            first = some(self.images, 3)
            raise ValueError(
                f"No image has a file ending in {ending} beside it: {first}."
            )
        return tables.Table(texts, "one beside each image")


def _find(place, labels):
    """Return texts, where they stand, what to say of it, and which files are copies."""
    if labels is None:
        texts, where, said = _search(place)
        texts, copies = (texts, {}) if where else _names_as_texts(place.images)
        return texts, where, said, copies
    if hasattr(labels, "items"):
        return _from_dict(labels, place.namer), "labels", "", {}
    if isinstance(labels, str) and re.fullmatch(r"(\.\w+)+", labels):
        return place.read_sidecars(labels).texts, labels, "", {}
    path = os.fspath(labels) if isinstance(labels, str | os.PathLike) else ""
    named = path in place.files or path.lower().endswith(_TABLES)
    if named or isinstance(labels, os.PathLike):
        return _from_table(place, path), path, "", {}
    return _match_names(place.images, labels), "", "", {}


# Where nobody says where the texts are


def _search(place):
    """Return texts, where they were found, and the words that say so; or nothing."""
    sources, unclear, errors, used = {}, [], [], set()
    for ending in () if place.columns else _SIDECARS:
        beside = list(place.find_sidecars(ending).values())
        used.update(beside)
        if beside and 2 * len(beside) >= len(place.images):
            sources[ending] = place.read_sidecars(ending)
        else:
            unclear += beside[:1]
    for name in [name for name in place.files if name not in used]:
        sheet, promising = None, _promises_labels(name)
        try:
            sheet = place.open_table(name) if _ending(name) in _TABLES else None
            if sheet and 2 * sheet.named() >= max(len(sheet.rows), 1):
                sources[name] = sheet.read(place.columns)
            elif promising:
                unclear.append(name)
        except ValueError as error:
            if sheet or promising:  # else it is any other file of text
                errors.append(error)
    if sources:
        said = "; ".join(f"{name} ({table.columns})" for name, table in sources.items())
        return _merge(sources), " and ".join(sources), f"the texts come from {said}"
    if errors:
        raise errors[0]
    if unclear or place.columns:
        what = "No table there says"
        if unclear:
            what = f"{some(unclear, 3)} lies there, but it does not say"
        raise ValueError(
            f"{what} clearly what each image shows. Pass labels=: the name "
            "of a table (csv, tsv, txt), an ending such as '.gt.txt' of files beside "
            "the images, a dict {file: text}, or r'.+' to take the images' names."
        )
    return {}, "", ""


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
        tables.add_text(texts, namer.find(entry) or entry, text, "labels")
    return texts


def _from_table(place, labels):
    """Read a table inside the folder or zip, or any other file."""
    inside = [f for f in place.files if f == labels or f.endswith("/" + labels)]
    path = Path(labels)
    if len(inside) == 1:
        sheet = place.open_table(inside[0])
    elif not inside and path.is_file():
        file = File(path.stat().st_size, partial(path.open, "rb"), path)
        sheet = place.open_table(labels, path.name, {labels: file})
    else:
        there = [name for name in place.files if _ending(name) in _TABLES]
        raise ValueError(
            "labels names one file inside the folder or zip, but got "
            f"{labels!r}, of which there are {len(inside)}. Tables there: "
            f"{some(there) or 'none'}."
        )
    return sheet.read(place.columns).texts


def _read_text(files, name):
    try:
        return tables.decode_text(read_file(files, name), name)
    except BROKEN as error:
        raise ValueError(f"{name} cannot be read ({error}).") from error
