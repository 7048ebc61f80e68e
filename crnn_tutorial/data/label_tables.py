"""Tables that say what an image shows: of any dialect, understood by their content.

The column of the images is the one whose entries name files; whatever separates the
columns, whatever they are called, with a heading or without.
"""

import csv
import io
import posixpath
import re
from collections import Counter
from typing import NamedTuple

from crnn_tutorial.data.file_names import clean, some
from crnn_tutorial.data.image_files import image_endings

_FILE = set(
    "file filename filepath image images img imagefile imagename imagepath imageid "
    "path name id".split()
)

_TEXT = set(
    "text texts label labels gt groundtruth transcription transcript word words target "
    "value string content".split()
)

_WORDS = 20  # that the name of a file has at most

_MARKS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar", " ": "blank"}


class Table(NamedTuple):
    """What a table says.

    Parameters
    ----------
    texts : dict
        Name of a file -> its text. A name that no file has is there as it was written.
    columns : str
        Which two of its columns these are, in words.

    Examples
    --------
    >>> from crnn_tutorial.data.label_tables import Table
    >>> Table({"a.png": "seven"}, "columns 1 and 2").texts["a.png"]
    'seven'
    """

    texts: dict
    columns: str


class Namer:
    r"""Find the file that an entry of a table means.

    Parameters
    ----------
    names : iterable of str
        All files, with ``/``.
    images : iterable of str
        Those of them whose endings may be left out in an entry.

    Examples
    --------
    >>> from crnn_tutorial.data.label_tables import Namer
    >>> files = ["words/a.png", "words/000001.bin.png"]
    >>> namer = Namer(files, files)
    >>> [namer.find(entry) for entry in ("words\\a.png", "000001", "/home/x/a.png")]
    ['words/a.png', 'words/000001.bin.png', 'words/a.png']
    """

    def __init__(self, names, images):
        names, images = list(names), list(images)
        self._indexes = [_Index(names, images, write) for write in (str, str.casefold)]

    def find(self, entry, folder=""):
        """Return the file, or None if no file or more than one is meant.

        ``folder`` is where the table stands: names are looked for from there first.
        Small and capital letters count only where files differ in nothing else.
        """
        entry = clean(entry).replace("\\", "/")
        meant = (index.find(entry, folder) for index in self._indexes if entry)
        return next(filter(None, meant), None)


class _Index:
    """Files by their whole names, and by what is left of these without endings."""

    def __init__(self, names, images, write):
        self.write = write
        self.whole, self.short = {}, {}
        for name in names:
            self.whole.setdefault(write(clean(name)), []).append(name)
        for name in images:  # last part of a path -> endings left out -> files
            last = write(posixpath.basename(clean(name)))
            for level, short in enumerate(stems(last)):
                levels = self.short.setdefault(short, {})
                levels.setdefault(level, []).append(name)

    def find(self, entry, folder):
        entry = self.write(entry)
        for place in (self.write(folder), ""):
            meant = self.whole.get(posixpath.normpath(posixpath.join(place, entry)))
            if meant:
                return _only(meant)
        levels = self.short.get(posixpath.basename(entry), {0: []})
        meant = levels[min(levels)]
        near = [n for n in meant if _parent(self.write(clean(n))) == _parent(entry)]
        return _only(near or meant)


def _only(names):
    return names[0] if len(names) == 1 else None


def stems(name):
    """Return a name, then without its ending, then without two endings, and so on.

    Parameters
    ----------
    name : str
        Without folders.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from crnn_tutorial.data.label_tables import stems
    >>> stems("000001.bin.png")
    ['000001.bin.png', '000001.bin', '000001']
    """
    found = [name]
    while posixpath.splitext(found[-1])[1]:
        found.append(posixpath.splitext(found[-1])[0])
    return found


def _parent(name):
    return posixpath.basename(posixpath.dirname(name))


def decode_text(content, name):
    r"""Decode a file of text: UTF-8, or UTF-16 with its mark.

    Parameters
    ----------
    content : bytes
        Marks of their order (BOM) may stand anywhere in it.
    name : str
        What to call it in the message.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> from crnn_tutorial.data.label_tables import decode_text
    >>> decode_text(b"\xef\xbb\xbfseven", "labels.csv")
    'seven'
    """
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = content.decode("utf-16" if wide else "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is no UTF-8 ({error}). Save it as UTF-8.") from error
    return text.replace("\ufeff", "")


def add_text(texts, name, text, where):
    """Note the text of a file, or say that it has two.

    Parameters
    ----------
    texts : dict
        File -> text; it grows.
    name, text : str
        Of the file.
    where : str
        Where it stands, for the message.

    Raises
    ------
    ValueError
        If the file has another text already.

    Examples
    --------
    >>> from crnn_tutorial.data.label_tables import add_text
    >>> texts = {"a.png": "seven"}
    >>> add_text(texts, "b.png", " eight", "labels.csv, line 2")
    >>> texts
    {'a.png': 'seven', 'b.png': 'eight'}
    """
    text = clean(text)
    if texts.setdefault(name, text) != text:
        raise ValueError(
            f"{where}: {name} has two texts, {texts[name]!r} and {text!r}."
        )


class Sheet(NamedTuple):
    """The rows of a table, split into cells.

    Parameters
    ----------
    name : str
        The file of the table.
    namer : Namer
        Of the files there are.
    separator : str
        Between two columns.
    rows : list of tuple
        The line and the cells of each row that is not empty.
    width : int
        The number of columns that most of the rows have.

    Examples
    --------
    >>> from crnn_tutorial.data.label_tables import Namer, Sheet
    >>> sheet = Sheet("t.csv", Namer(["0.png"], ["0.png"]), ",", [(1, ["0", "a"])], 2)
    >>> sheet.read()
    Table(texts={'0.png': 'a'}, columns='columns 1 and 2')
    """

    name: str
    namer: Namer
    separator: str
    rows: list
    width: int

    def find(self, entry):
        """Return the file that an entry means, or None."""
        return self.namer.find(entry, posixpath.dirname(self.name))

    def named(self):
        """Count the rows in which an entry names a file."""
        return sum(any(map(self.find, cells)) for _, cells in self.rows if cells[1:])

    def read(self, columns=None):
        """Return what the table says of each file.

        Parameters
        ----------
        columns : tuple of two, optional
            The headings of the file and of the text, or their positions from 0. By
            default the file is the column whose entries name files, and the text the
            other one, or of several others that with a heading such as ``text`` or
            ``label``.

        Returns
        -------
        Table

        Raises
        ------
        ValueError
            If a row has another number of columns, if it is not clear which column is
            the text, or if a file has two texts.
        """
        if not self.rows:
            raise ValueError(
                f"{self.name} is empty: expected rows of a file and its text."
            )
        if columns is None:
            file, text = _find_columns(self)
        else:
            file, text = (_position(column, self) for column in columns)
        (_, first), *others = self.rows
        said = f"columns {file + 1} and {text + 1}"
        titled = columns is not None and isinstance(columns[0], str)
        if titled := titled or _is_heading(self, file):
            said = f"columns {clean(first[file])!r} and {clean(first[text])!r}"
        folder, texts = posixpath.dirname(self.name), {}
        for line, cells in others if titled else self.rows:
            if len(cells) != self.width:
                raise _wrong_width(self, line, cells)
            entry = posixpath.join(folder, clean(cells[file]).replace("\\", "/"))
            name = self.find(cells[file]) or posixpath.normpath(entry)
            add_text(texts, name, cells[text], f"{self.name}, line {line}")
        return Table(texts, said)


def open_table(content, name, namer):
    r"""Split the rows of a table by that separator with which most of them name a file.

    Parameters
    ----------
    content : str
        The table. Its columns are separated by a tab, a comma, a semicolon, a bar or
        a blank; a field that has one inside stands in quotes.
    name : str
        The file of the table, with ``/``: for messages, and as the place from which
        it names files.
    namer : Namer
        Of the files there are.

    Returns
    -------
    Sheet

    Raises
    ------
    ValueError
        If its quotes do not close.

    Examples
    --------
    >>> from crnn_tutorial.data.label_tables import Namer, open_table
    >>> namer = Namer(["0.png", "1.png"], ["0.png", "1.png"])
    >>> sheet = open_table("label;id\nAB;0\nC D;1\n", "labels.csv", namer)
    >>> sheet.separator, sheet.named()
    (';', 2)
    >>> sheet.read()
    Table(texts={'0.png': 'AB', '1.png': 'C D'}, columns="columns 'id' and 'label'")
    """
    sheets, errors = [], []
    order = sorted(_MARKS, key=lambda mark: mark == "," and name[-4:] != ".csv")
    for separator in order:
        try:
            rows = list(_split_rows(content, name, namer, separator))
        except ValueError as error:
            errors.append(error)
        else:
            sheets.append(Sheet(name, namer, separator, rows, _usual_width(rows)))
    best = max(sheets, key=Sheet.named)
    if best.named():
        return best
    if errors:
        raise errors[0]
    usual = "\t" if name.lower().endswith(".tsv") else ","
    return max(sheets, key=lambda sheet: (sheet.width > 1, sheet.separator == usual))


def _usual_width(rows):
    counts = Counter(len(cells) for _, cells in rows)
    return max(counts, key=lambda width: (counts[width], width), default=0)


def _split_rows(content, name, namer, separator):
    """Yield the line and the cells of each row that is not empty."""
    content = re.sub(r'\A"?sep=.?"?\s*\n', "", content)  # Excel's own first line
    if separator == " ":
        for number, line in enumerate(content.splitlines(), 1):
            if line.strip():
                yield number, _split_at_blank(line.strip(), name, namer)
        return
    lines = io.StringIO(content, "")
    reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f"{name}, line {reader.line_num}: {error}.") from error


def _split_at_blank(line, name, namer):
    """Split a line at its first blank, or at the last one if a file stands there."""
    folder = posixpath.dirname(name)
    quoted = re.match(r'"((?:[^"]|"")*)"\s+(.*)', line)
    if quoted:
        return [quoted[1].replace('""', '"'), _unquoted(quoted[2])]
    words = line.split(" ")
    for cut in range(1, min(len(words), _WORDS)):  # names may hold blanks, too
        entry, text = " ".join(words[:cut]), " ".join(words[cut:]).strip()
        if namer.find(entry, folder):
            return [entry, _unquoted(text)]
    if len(words) > 1 and namer.find(words[-1], folder):
        return [_unquoted(" ".join(words[:-1])), words[-1]]
    return line.split(maxsplit=1)


def _unquoted(text):
    quoted = re.fullmatch(r'"((?:[^"]|"")*)"', text.strip())
    return quoted[1].replace('""', '"') if quoted else text


def _find_columns(sheet):
    """Return which column names the files, and which is the text."""
    heading = [_word(cell) for cell in sheet.rows[0][1]]
    cells = [cells for _, cells in sheet.rows if len(cells) == sheet.width]
    scores = []
    for column, entries in enumerate(zip(*cells, strict=True)):
        found = [entry for entry in entries if sheet.find(entry)]
        endings, half = sum("." in entry for entry in found), len(cells) / 2
        known = len(found) >= half and _FILE.issuperset(heading[column : column + 1])
        scores.append((endings, known, len(found)))
    file = max(range(sheet.width), key=scores.__getitem__)
    others = [column for column in range(sheet.width) if column != file]
    others = [c for c in others if any(row[c].strip() for row in cells)] or others
    titled = [c for c in others if _TEXT.intersection(heading[c : c + 1])]
    if len(others) > 1 and len(titled) == 1:
        others = titled
    if len(others) != 1:
        line, row = next(row for row in sheet.rows if len(row[1]) == sheet.width)
        raise _wrong_width(sheet, line, row)
    return file, others[0]


def _position(column, sheet):
    """Return the position of a column that is named by its heading or position."""
    heading = sheet.rows[0][1]
    if isinstance(column, int) and 0 <= column < sheet.width:
        return column
    words = [clean(cell).casefold() for cell in heading]
    if isinstance(column, str) and clean(column).casefold() in words:
        return words.index(clean(column).casefold())
    raise ValueError(
        f"columns are two headings or positions of {sheet.name}, but it has no "
        f"{column!r}. Its first row: {some([clean(cell) for cell in heading], 8)}."
    )


def _is_heading(sheet, file):
    """Whether the first row holds no file and its text, but says what they are."""
    first = sheet.rows[0][1]
    if len(first) != sheet.width or sheet.find(first[file]):
        return False
    if _word(first[file]) in _FILE:
        return True
    others = [cells[file] for _, cells in sheet.rows[1:] if len(cells) == sheet.width]
    found = [entry for entry in others if sheet.find(entry)]
    ending = posixpath.splitext(clean(first[file]))[1].lower()
    return ending not in image_endings() and 2 * len(found) > len(others)


def _word(cell):
    return re.sub(r"[\W_]+", "", clean(cell).casefold())


def _wrong_width(sheet, line, cells):
    wanted = "two" if sheet.width <= 3 else sheet.width
    return ValueError(
        f"{sheet.name}, line {line}: {wanted} columns are expected, the file and its "
        f"text, separated by a {_MARKS[sheet.separator]}, but got {len(cells)}: "
        f'{cells!r:.80}. A text that has one inside stands in quotes: "a, b". Of '
        'more columns, columns=("file", "text") says which ones count.'
    )
