"""Names of files as systems write them: cleaned, sorted out, understood."""

import re
import unicodedata

_RUBBISH = {
    "__macosx",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "@eadir",
}

_SPLITS = {
    "train": ("train", "training"),
    "validation": ("valid", "val", "validation", "dev", "development"),
    "test": ("test", "testing"),
}
# How systems mark a copy. The second kind may as well be words of a text.
_COPY = re.compile(
    r"(?i)(?P<name>.+?)(?:"
    r" [-\u2013] (?:copy|kopie|copie|copia|kopia)(?: \(\d+\))?"
    r"| \((?:another |\d+(?:st|nd|rd|th) )?copy\)"
    r")$"
)

_PERHAPS = re.compile(r"(?i)(?:(?P<name>.+)[ _-]copy(?: ?\d+)?|copy of (?P<of>.+))$")

_NUMBERED = re.compile(r"(?P<name>.+) \((?P<number>\d+)\)$")


def clean(text):
    r"""Bring a text to Unicode's composed form, without blanks at both ends.

    Parameters
    ----------
    text : str
        A name, or what an image says.

    Returns
    -------
    str
        In the form NFC: an accent is part of its letter.

    Examples
    --------
    >>> from crnn_tutorial.data.file_names import clean
    >>> clean(" cafe\u0301 ") == "caf\u00e9"
    True
    """
    return unicodedata.normalize("NFC", text).replace("\ufeff", "").strip()


def is_rubbish(name):
    """Whether a file is hidden, or one that a system left there.

    Parameters
    ----------
    name : str
        Its path, with ``/``.

    Returns
    -------
    bool

    Examples
    --------
    >>> from crnn_tutorial.data.file_names import is_rubbish
    >>> [is_rubbish(n) for n in ("__MACOSX/a.png", "cats/.a.png", "cats/a.png")]
    [True, True, False]
    """
    # "Icon\r" is macOS's name for the picture of a folder.
    parts = [part for part in name.split("/") if part]
    return any(part[0] == "." or part.lower() in _RUBBISH for part in parts)


def check_decodable(names, place):
    r"""Refuse names whose letters are not known.

    Parameters
    ----------
    names : list of str
        Undecodable bytes stand in them as lone surrogates, as Python puts them there.
    place : str or path
        Where the names stand.

    Raises
    ------
    ValueError
        If there is such a name: how many there are, and the number of each.

    Examples
    --------
    >>> from crnn_tutorial.data.file_names import check_decodable
    >>> check_decodable(["a.png", "caf\udce9.png"], "photos")
    Traceback (most recent call last):
        ...
    ValueError: photos has names of files that are no UTF-8, so their letters are not
    known: 1 of 2, in sorted order number 2 ('caf\xe9.png'). Rename them. Unpack it if
    it is a zip, and load the folder.
    """
    bad = [i for i, name in enumerate(names) if shown(name) != name]
    if bad:
        numbers = some([str(i + 1) for i in bad], separator=", ")
        first = names[bad[0]].encode("utf-8", "surrogateescape")
        raise ValueError(
            f"{shown(place)} has names of files that are no UTF-8, so their letters "
            f"are not known: {len(bad)} of {len(names)}, in sorted order number "
            f"{numbers} ({str(first)[1:]}). Rename them. Unpack it if it "
            "is a zip, and load the folder."
        )


def shown(name):
    r"""Return a name that can be printed, whatever its bytes are.

    Parameters
    ----------
    name : str or path
        Perhaps with lone surrogates.

    Returns
    -------
    str

    Examples
    --------
    >>> from crnn_tutorial.data.file_names import shown
    >>> shown("caf\udce9")
    'caf\\udce9'
    """
    return str(name).encode("utf-8", "backslashreplace").decode()


def some(names, most=5, separator="; "):
    """Name the first few, and count the others.

    Parameters
    ----------
    names : sequence
        Texts or errors.
    most : int
        How many are named.
    separator : str
        Between two of them.

    Returns
    -------
    str

    Examples
    --------
    >>> from crnn_tutorial.data.file_names import some
    >>> some(["a.png", "b.png", "c.png"], most=2)
    'a.png; b.png; and 1 more'
    """
    more = f"{separator}and {len(names) - most} more" if len(names) > most else ""
    return separator.join(shown(name).rstrip(".") for name in names[:most]) + more


def split_of(folder):
    """Which split a folder holds by its name, or None.

    Parameters
    ----------
    folder : str
        Its name, in any case.

    Returns
    -------
    {"train", "validation", "test", None}

    Examples
    --------
    >>> from crnn_tutorial.data.file_names import split_of
    >>> [split_of(n) for n in ("Training", "val", "test_set", "cats")]
    ['train', 'validation', 'test', None]
    """
    word = re.sub(r"[ _-]?(set|data|images|split)$", "", clean(folder).casefold())
    for split, words in _SPLITS.items():
        if word in words:
            return split
    return None


def original_of(stem):
    """Return the name of which a name looks like a copy, and whether that is certain.

    Parameters
    ----------
    stem : str
        A file's name without its ending.

    Returns
    -------
    str or None
        Without the mark of a copy; None where there is no mark.
    bool
        False for a number above 1, which may mark another file of that name, and for
        words that may belong to the name.

    Examples
    --------
    >>> from crnn_tutorial.data.file_names import original_of
    >>> for stem in ("ABCD (1)", "ABCD - Copy", "ABCD (2)", "ABCD copy", "ABCD"):
    ...     print(original_of(stem))
    ('ABCD', True)
    ('ABCD', True)
    ('ABCD', False)
    ('ABCD', False)
    (None, False)
    """
    if match := _COPY.match(stem):
        return match["name"], True
    if match := _NUMBERED.match(stem):
        return match["name"], match["number"] == "1"
    if match := _PERHAPS.match(stem):
        return match["name"] or match["of"], False
    return None, False


def is_numbered(stem):
    """Whether a name ends in a number in brackets, as that of a second file.

    Parameters
    ----------
    stem : str
        A file's name without its ending.

    Returns
    -------
    bool

    Examples
    --------
    >>> from crnn_tutorial.data.file_names import is_numbered
    >>> is_numbered("ABCD (2)"), is_numbered("f(2)")
    (True, False)
    """
    return bool(_NUMBERED.match(stem))
