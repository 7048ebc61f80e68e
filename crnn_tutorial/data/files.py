"""The files of a folder or of a zip, read the same way.

A zip is read in memory and trusted in nothing: not its paths, sizes or names.
"""

import io
import mmap
import struct
import zipfile
import zlib
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from crnn_tutorial.data.file_names import check_decodable, is_rubbish, some

MAX_FILE = 2**28  # bytes of one file that are read

MAX_TOTAL = 2**32  # bytes in all files of a zip, unpacked

BROKEN = (
    OSError,
    EOFError,
    RuntimeError,
    UnicodeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)

_PIECE = 2**20  # bytes that are unpacked at once

_METHODS = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


class File(NamedTuple):
    """One file of a folder or of a zip.

    Parameters
    ----------
    size : int
        In bytes, as the folder or the zip says.
    open : function
        Returns it, opened in binary mode.
    place : path or str
        What to call it: of a folder its path, of a zip the name inside.

    Examples
    --------
    >>> import io
    >>> from crnn_tutorial.data.files import File
    >>> File(5, lambda: io.BytesIO(b"seven"), "notes.txt").place
    'notes.txt'
    """

    size: int
    open: object
    place: object


class Files(dict):
    """By its name inside, with ``/``, each `File` that is not hidden; and the folders.

    Examples
    --------
    >>> from crnn_tutorial.data.files import Files
    >>> Files(folders=["cats"]).folders
    ('cats',)
    """

    def __init__(self, files=(), folders=()):
        super().__init__(files)
        self.folders = tuple(folders)


@contextmanager
def open_files(path):
    """Open a folder or a zip, without unpacking anything to disk.

    Parameters
    ----------
    path : str or path
        The folder or zip.

    Yields
    ------
    Files
        Without what is hidden, or what systems leave there.

    Raises
    ------
    ValueError
        If the zip is damaged, encrypted, too large, has two files of one name, or paths
        that leave it; if there is a file that is no zip; if a name cannot be decoded.
    FileNotFoundError
        If there is nothing.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from crnn_tutorial.data.files import open_files, read_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = Path(folder, "notes.txt").write_text("seven")
    ...     with open_files(folder) as files:
    ...         print(list(files), read_file(files, "notes.txt"))
    ['notes.txt'] b'seven'
    """
    path = Path(path)
    if path.is_dir():
        yield _list_folder(path)
    elif not path.exists():
        raise FileNotFoundError(f"There is no folder and no zip {path}.")
    else:
        with _open_zip(path) as archive:
            yield _list_zip(archive, path)


def read_file(files, name):
    """Return the bytes of a file that `open_files` found.

    It is unpacked piece by piece, so that a zip that lies about sizes takes no memory.

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
    OSError, zipfile.BadZipFile, zlib.error
        And the others of ``BROKEN``: if it cannot be read.

    Examples
    --------
    >>> import io
    >>> from crnn_tutorial.data.files import File, read_file
    >>> file = File(5, lambda: io.BytesIO(b"seven"), "a.txt")
    >>> read_file({"a.txt": file}, "a.txt")
    b'seven'
    """
    if files[name].size > MAX_FILE:
        raise _too_large(name, files[name].size)
    content = bytearray()
    with files[name].open() as file:
        while piece := file.read(min(_PIECE, MAX_FILE + 1 - len(content))):
            content += piece
    if len(content) > MAX_FILE:
        raise _too_large(name, len(content))
    return bytes(content)


def read_picture(files, name, called=None):
    """Return a file in memory that Pillow can open, and that knows its name.

    Parameters
    ----------
    files : dict
        From `open_files`, while it is open.
    name : str
        Which one.
    called : str, optional
        What to call it in messages: its place, by default.

    Returns
    -------
    io.BytesIO
        With its name, for messages.

    Raises
    ------
    ValueError
        If it cannot be read, or is larger than ``MAX_FILE``.

    Examples
    --------
    >>> import io
    >>> from crnn_tutorial.data.files import File, read_picture
    >>> file = File(5, lambda: io.BytesIO(b"seven"), "a.png")
    >>> read_picture({"a.png": file}, "a.png").name
    'a.png'
    """
    called = called or str(files[name].place)
    try:
        file = io.BytesIO(read_file(files, name))
    except BROKEN as error:
        raise ValueError(f"{called} cannot be read ({error})") from error
    file.name = called
    return file


def check_zip(path):
    """Read every file of a zip once, piece by piece, and refuse a damaged one.

    Parameters
    ----------
    path : str or path
        Of any size.

    Raises
    ------
    ValueError
        If it is no zip, if anything in it cannot be read or is not what it says, or if
        a description (``.json``) in it is larger than ``MAX_FILE``.

    Examples
    --------
    >>> import tempfile, zipfile
    >>> from pathlib import Path
    >>> from crnn_tutorial.data.files import check_zip
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with zipfile.ZipFile(Path(folder, "notes.zip"), "w") as archive:
    ...         archive.writestr("notes.txt", "seven")
    ...     check_zip(Path(folder, "notes.zip"))
    """
    with _open_zip(Path(path)) as archive:
        for entry in archive.infolist():
            if entry.file_size > MAX_FILE and entry.filename.endswith(".json"):
                raise _too_large(entry.filename, entry.file_size)
            try:
                with _open_entry(archive, entry) as file:
                    while file.read(_PIECE):
                        pass
            except BROKEN as error:
                raise ValueError(
                    f"{path}: {entry.filename} is damaged ({error}). Copy or download "
                    "it again."
                ) from error


def _too_large(name, size):
    return ValueError(
        f"{name} is {size / 2**20:.0f} MiB large; at most {MAX_FILE // 2**20} MiB are "
        "read"
    )


def _list_folder(path):
    inside = {found.relative_to(path).as_posix(): found for found in path.rglob("*")}
    names = _in_order(name for name in inside if not is_rubbish(name))
    inside = {name: inside[name] for name in names}
    check_decodable(list(inside), path)
    files = {
        name: File(found.stat().st_size, partial(found.open, "rb"), found)
        for name, found in inside.items()
        if found.is_file()
    }
    return Files(files, (name for name, found in inside.items() if found.is_dir()))


def _list_zip(archive, path):
    entries = {}
    for entry in archive.infolist():
        entries.setdefault(_name_of(entry), []).append(entry)
    names = _in_order(entries)
    check_decodable(names, path)
    _check_entries(entries, path)
    kept = [name for name in names if not is_rubbish(name)]
    files = {
        name: File(entry.file_size, partial(_open_entry, archive, entry), name)
        for name in kept
        for entry in entries[name]
        if not name.endswith("/")
    }
    parents = {parent for name in kept for parent in _parents(name)}
    return Files(files, _in_order(parents))


def _in_order(names):
    return sorted(names, key=lambda name: name.split("/"))


def _parents(name):
    parts = name.split("/")[:-1]
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


def _open_entry(archive, entry):
    # Other methods unpack a few bytes into any number of them at once.
    if entry.compress_type not in _METHODS:
        raise NotImplementedError(
            "it is packed by a rare method; zip it with the usual one, deflate"
        )
    return archive.open(entry)


def _name_of(entry):
    """Return an entry's name with ``/``; what is no UTF-8 becomes lone surrogates."""
    name = entry.orig_filename.replace("\\", "/")
    given = entry.filename.replace("\\", "/")
    if given != name.split("\0")[0]:
        return given  # from a field of its own, always UTF-8
    if not entry.flag_bits & 0x800:  # many programs write UTF-8 without saying so
        name = name.encode("cp437").decode("utf-8", "surrogateescape")
    return name.split("\0")[0]


def _open_zip(path):
    try:
        return zipfile.ZipFile(path)
    except (PermissionError, MemoryError):
        raise
    except Exception as error:  # a zip can be broken in many ways
        if isinstance(error, UnicodeDecodeError):
            check_decodable(_raw_names(path, error.object), path)
        raise ValueError(
            f"{path} is neither a folder nor a zip, or the zip is damaged ({error}). "
            "Copy or download it again."
        ) from error


def _raw_names(path, last):
    """Return names from the table of a zip, up to one that is no UTF-8.

    Only the number of the others counts.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=1) as content:
        table = content[: content.rfind(last)]
    before = table[table.find(b"PK\x01\x02") :].count(b"PK\x01\x02") - 1
    return [""] * max(before, 0) + [last.decode("utf-8", "surrogateescape")]


def _check_entries(entries, path):
    leaving = [name for name in entries if _leaves(name)]
    if leaving:
        raise ValueError(
            f"{path} has paths that leave its folder, as no honest zip does: "
            f"{some(leaving)}. Nothing was read."
        )
    twice = [name for name in entries if len(entries[name]) > 1 and name[-1:] != "/"]
    if twice:
        raise ValueError(f"{path} holds two files of one name: {some(twice)}.")
    every = [entry for found in entries.values() for entry in found]
    if any(entry.flag_bits & 1 for entry in every):
        raise ValueError(f"{path} is encrypted. Unpack it and load the folder.")
    total = sum(entry.file_size for entry in every)
    if total > MAX_TOTAL:
        raise ValueError(
            f"{path} would be {total / 2**30:.1f} GiB large unpacked; at most "
            f"{MAX_TOTAL / 2**30:.0f} GiB are read. Unpack it and load the folder."
        )


def _leaves(name):
    parts = name.split("/")
    return ".." in parts or parts[0] == "" or parts[0].endswith(":")
