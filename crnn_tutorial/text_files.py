"""What a folder or a zip of text images holds: its files, and the text of each.

A zip is read in memory and trusted in nothing: not its paths, sizes or names.
"""

import csv
import io
import os
import posixpath
import re
import unicodedata
import zipfile
from collections import Counter
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from PIL import Image

from crnn_tutorial.image_folders import _files, _name_some

MAX_FILE = 2**28  # bytes in one file, unpacked
MAX_TOTAL = 2**32  # bytes in all files of a zip, unpacked
# The text is the name; " (2)", as systems mark a second file of that name, is not.
_STEM = r"^(?P<text>.*?)(?: \(\d+\))?$"
_HEADING = re.compile(r"(?i)(.*/)?(file|image|path)[ _]?(name|path)?$")


@contextmanager
def open_files(path):
    """Open a folder or a zip, without unpacking anything to disk.

    Parameters
    ----------
    path : str or path
        The folder or zip.

    Yields
    ------
    dict
        For each file that is not hidden, by its name inside, with ``/``: its size in
        bytes, and a function that returns them.

    Raises
    ------
    ValueError
        If the zip is damaged, encrypted, too large, has two files of one name, or paths
        that leave it; if there is a file that is no zip.
    FileNotFoundError
        If there is nothing.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from crnn_tutorial.text_files import open_files, read_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = Path(folder, "notes.txt").write_text("seven")
    ...     with open_files(folder) as files:
    ...         print(list(files), read_file(files, "notes.txt"))
    ['notes.txt'] b'seven'
    """
    path = Path(path)
    if path.is_dir():
        yield {
            file.relative_to(path).as_posix(): (file.stat().st_size, file.read_bytes)
            for file in _files(path)
        }
    elif not path.exists():
        raise FileNotFoundError(f"There is no folder and no zip {path}.")
    else:
        with _open_zip(path) as archive:
            entries = [info for info in archive.infolist() if not info.is_dir()]
            _check_entries(entries, path)
            yield {
                entry.filename: (entry.file_size, partial(archive.read, entry))
                for entry in sorted(entries, key=lambda entry: entry.filename)
                if not _is_hidden(entry.filename)
            }


def read_file(files, name):
    """Return the bytes of a file that `open_files` found.

    Parameters
    ----------
    files : dict
        From `open_files`, while it is open.
    name : str
        Which one.

    Returns
    -------
    bytes
        All of it.

    Raises
    ------
    ValueError
        If the file is larger than ``MAX_FILE``.

    Examples
    --------
    >>> from crnn_tutorial.text_files import read_file
    >>> read_file({"a.txt": (5, lambda: b"seven")}, "a.txt")
    b'seven'
    """
    size, read = files[name]
    if size > MAX_FILE:
        raise ValueError(
            f"{name} is {size / 2**20:.0f} MiB large; at most {MAX_FILE // 2**20} MiB "
            "are read"
        )
    return read()


def _open_zip(path):
    try:
        # Many programs write names in UTF-8 without saying so.
        return zipfile.ZipFile(path, metadata_encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} has names of files that are no UTF-8, so their letters are not "
            "known. Unpack it and load the folder, or zip it with another program."
        ) from error
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"{path} is neither a folder nor a zip, or the zip is damaged ({error}). "
            "Copy or download it again."
        ) from error


def _check_entries(entries, path):
    names = [entry.filename for entry in entries]
    leaving = [name for name in names if _leaves(name)]
    if leaving:
        raise ValueError(
            f"{path} has paths that leave its folder, as no honest zip does: "
            f"{_name_some(leaving)}. Nothing was read."
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{path} holds two files of one name: {_name_some(twice)}.")
    if any(entry.flag_bits & 1 for entry in entries):
        raise ValueError(f"{path} is encrypted. Unpack it and load the folder.")
    total = sum(entry.file_size for entry in entries)
    if total > MAX_TOTAL:
        raise ValueError(
            f"{path} would be {total / 2**30:.1f} GiB large unpacked; at most "
            f"{MAX_TOTAL / 2**30:.0f} GiB are read. Unpack it and load the folder."
        )


def _leaves(name):
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or parts[0] == "" or parts[0].endswith(":")


def _is_hidden(name):
    parts = name.split("/")
    return parts[-1].lower() in ("thumbs.db", "desktop.ini") or any(
        part[0] == "." or part == "__MACOSX" for part in parts
    )


# The text of each file


def find_texts(files, labels):
    r"""Find the text of each image.

    Parameters
    ----------
    files : dict
        From `open_files`, while it is open.
    labels : str or None
        As in ``ct.load_text_images``.

    Returns
    -------
    dict
        The text of each image that has one, by the file's name.
    list of str
        What does not fit together, in words.

    Raises
    ------
    ValueError
        If there is no image, or the pattern or the table makes no sense.

    Examples
    --------
    >>> from crnn_tutorial.text_files import find_texts
    >>> find_texts({"scan_12.png": None, "scan_7.png": None}, r"_(\d+)$")
    ({'scan_12.png': '12', 'scan_7.png': '7'}, [])
    """
    labels = _STEM if labels is None else os.fspath(labels)
    table = labels.lower().endswith((".csv", ".tsv"))
    endings = Image.registered_extensions()
    names = [f for f in files if posixpath.splitext(f)[1].lower() in endings]
    texts = _read_table(files, labels) if table else _match_names(names, labels)
    named = {_clean(name): name for name in files}
    found = {named[name]: text for name, text in texts.items() if name in named}
    if not names and not found:
        raise ValueError(
            "There is no image: of "
            f"{len(files)} files, none has the ending of an image."
            + (f" The first: {_name_some(list(files), 3)}." if files else "")
        )
    problems = []
    unlabelled = [name for name in names if name not in found]
    if unlabelled:
        where = f"no text in {labels}" if table else f"a name that {labels!r} misses"
        problems.append(_problem(f"have {where}", unlabelled, len(names)))
    missing = [name for name in texts if name not in named]
    if missing:
        problems.append(
            f"{len(missing)} of {len(texts)} texts in {labels} have no image: "
            f"{_name_some(missing)}"
        )
    return found, problems


def _problem(what, names, count):
    """Say what some of the images have or lack, and name them."""
    return f"{len(names)} of {count} images {what}: {_name_some(names)}"


def _match_names(names, pattern):
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"labels is no regular expression: {pattern!r} ({error}). It is one, or "
            "the name of a file ending in .csv or .tsv."
        ) from error
    group = "text" if "text" in expression.groupindex else min(expression.groups, 1)
    if group == 1 and expression.groups > 1:
        raise ValueError(
            f"labels has {expression.groups} groups: {pattern!r}. Name that of the "
            "text: (?P<text>...)."
        )
    texts = {}
    for name in names:
        stem = posixpath.splitext(posixpath.basename(name))[0]
        match = expression.search(_clean(stem))
        if match and match[group] is not None:
            texts[_clean(name)] = _clean(match[group])
    if names and not texts:
        raise ValueError(
            f"The pattern {pattern!r} fits no file name: {_name_some(names, 3)}. It is "
            "searched for in each name without its ending."
        )
    return texts


def _read_table(files, labels):
    """Return the text of each file that the table names, in the table's order."""
    table = _find_table(files, labels)
    try:
        content = read_file(files, table).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{table} is no UTF-8 ({error}). Save it as UTF-8.") from error
    delimiter = "," if labels.lower().endswith(".csv") else "\t"
    reader = csv.reader(io.StringIO(content, ""), delimiter=delimiter, strict=True)
    texts = {}
    try:
        for row in filter(None, reader):
            _add_row(texts, row, table, reader.line_num, delimiter)
    except csv.Error as error:
        raise ValueError(f"{table}, line {reader.line_num}: {error}.") from error
    first = next(iter(texts), None)
    if first not in map(_clean, files) and _HEADING.match(first or ""):
        del texts[first]
    return texts


def _add_row(texts, row, table, line, delimiter):
    if len(row) != 2:
        wanted = "a comma" if delimiter == "," else "a tab"
        raise ValueError(
            f"{table}, line {line}: two columns are expected, the file and its text, "
            f"separated by {wanted}, but got {len(row)}: {row!r:.80}. A text that has "
            'one inside stands in quotes: "a, b".'
        )
    path = posixpath.join(posixpath.dirname(table), row[0].strip().replace("\\", "/"))
    name, text = _clean(posixpath.normpath(path)), _clean(row[1])
    if texts.setdefault(name, text) != text:
        raise ValueError(
            f"{table}, line {line}: {name} has two texts, {texts[name]!r} and {text!r}."
        )


def _find_table(files, labels):
    found = [f for f in files if f == labels or f.endswith("/" + labels)]
    if len(found) == 1:
        return found[0]
    tables = [f for f in files if f.lower().endswith((".csv", ".tsv"))]
    raise ValueError(
        f"labels names one file inside the folder or zip, but got {labels!r}, of which "
        f"there are {len(found)}. Tables there: {_name_some(tables) or 'none'}."
    )


def _clean(text):
    return unicodedata.normalize("NFC", text).strip()
