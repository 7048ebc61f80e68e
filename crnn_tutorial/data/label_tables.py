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
    separator : str
        Between two columns.
    rows : list of tuple
        Of each row that is not empty: its line, its cells, and the files that these
        name, or None.
    width : int
        The number of columns that most of the rows have.

    Examples
    --------
    >>> from crnn_tutorial.data.label_tables import Sheet
    >>> sheet = Sheet("t.csv", ",", [(1, ["0", "a"], ["0.png", None])], 2)
    >>> sheet.read()
    Table(texts={'0.png': 'a'}, columns='columns 1 and 2')
    """

    name: str
    separator: str
    rows: list
    width: int

    def named(self):
        """Count the rows in which an entry names a file."""
        return sum(any(files) for _, _, files in self.rows if files[1:])

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
        (_, first, _), *others = self.rows
        said = f"columns {file + 1} and {text + 1}"
        titled = columns is not None and isinstance(columns[0], str)
        if titled := titled or _is_heading(self, file):
            said = f"columns {clean(first[file])!r} and {clean(first[text])!r}"
        folder, texts = posixpath.dirname(self.name), {}
        for line, cells, files in others if titled else self.rows:
            if len(cells) != self.width:
                raise _wrong_width(self, line, cells)
            entry = posixpath.join(folder, clean(cells[file]).replace("\\", "/"))
            name = files[file] or posixpath.normpath(entry)
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
    >>> from crnn_tutorial.data.label_tables import open_table
    >>> from crnn_tutorial.data.namer import Namer
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
            continue
        counts = Counter(len(cells) for _, cells, _ in rows)
        width = max(counts, key=lambda width: (counts[width], width), default=0)
        sheets.append(Sheet(name, separator, rows, width))
    best = max(sheets, key=Sheet.named)
    if best.named():
        return best
    if errors:
        raise errors[0]
    usual = "\t" if name.lower().endswith(".tsv") else ","
    return max(sheets, key=lambda sheet: (sheet.width > 1, sheet.separator == usual))


def _split_rows(content, name, namer, separator):
    """Yield line, cells and the files they name of each row that is not empty."""
    content = re.sub(r'\A"?sep=.?"?\s*\n', "", content)  # Excel's own first line
    folder = posixpath.dirname(name)
    if separator == " ":
        lines = content.splitlines()
        rows = enumerate((_split_at_blank(line, folder, namer) for line in lines), 1)
    else:
        rows = _csv_rows(content, name, separator)
    for line, cells in rows:
        if any(cell.strip() for cell in cells):
            yield line, cells, [namer.find(cell, folder) for cell in cells]


def _csv_rows(content, name, separator):
    lines, strict = io.StringIO(content, ""), {"strict": True, "skipinitialspace": True}
    reader = csv.reader(lines, delimiter=separator, **strict)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f"{name}, line {reader.line_num}: {error}.") from error


def _split_at_blank(line, folder, namer):
    """Split a line at its first blank, or at the last one if a file stands there."""
    line = line.strip()
    quoted = re.match(r'"((?:[^"]|"")*)"\s+(.*)', line)
    if quoted:
        return [quoted[1].replace('""', '"'), _unquoted(quoted[2])]
    words = line.split(" ")
    for cut in range(1, min(len(words), _WORDS)):  # names may hold blanks, too
        entry = " ".join(words[:cut])
        if namer.find(entry, folder):
            return [entry, _unquoted(" ".join(words[cut:]))]
    if len(words) > 1 and namer.find(words[-1], folder):
        return [_unquoted(" ".join(words[:-1])), words[-1]]
    return line.split(maxsplit=1)


def _unquoted(text):
    quoted = re.fullmatch(r'"((?:[^"]|"")*)"', text.strip())
    return quoted[1].replace('""', '"') if quoted else text


def _find_columns(sheet):
    """Return which column names the files, and which is the text."""
    heading = [_word(cell) for cell in sheet.rows[0][1]] + [""] * sheet.width
    rows = [row[1:] for row in sheet.rows if len(row[1]) == sheet.width]
    scores = []
    for column in range(sheet.width):
        found = [cells[column] for cells, files in rows if files[column]]
        known = heading[column] in _FILE and 2 * len(found) >= len(rows)
        scores.append((sum("." in entry for entry in found), known, len(found)))
    file = max(range(sheet.width), key=scores.__getitem__)
    others = [column for column in range(sheet.width) if column != file]
    others = [c for c in others if any(cells[c].strip() for cells, _ in rows)] or others
    titled = [c for c in others if heading[c] in _TEXT]
    if len(others) > 1 and len(titled) == 1:
        others = titled
    if len(others) != 1:
        line, cells = next(r[:2] for r in sheet.rows if len(r[1]) == sheet.width)
        raise _wrong_width(sheet, line, cells)
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
    (_, first, files), *others = sheet.rows
    if len(first) != sheet.width or files[file]:
        return False
    if _word(first[file]) in _FILE:
        return True
    found = [row[2][file] for row in others if len(row[1]) == sheet.width]
    ending = posixpath.splitext(clean(first[file]))[1].lower()
    return ending not in image_endings() and 2 * sum(map(bool, found)) > len(found)


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
