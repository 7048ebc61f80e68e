"""Fonts that come with the libraries, or the reader's own: which have which glyphs."""

import unicodedata
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from fontTools import agl
from fontTools.ttLib import TTFont, TTLibError
from PIL import Image, ImageDraw, ImageFont

_PILLOW = "the default font of Pillow (Aileron)"


def _family(name, *styles):
    return tuple(f"{name}{style}.ttf" for style in styles)


_SLOPES = ("", "-Bold", "-Oblique", "-BoldOblique")
# Split by design: who tests never saw a sibling of a training font. STIXGeneral is
# drawn after Times, Aileron after Helvetica. cmti10 is missing: only new versions of
# Matplotlib have it, and the same seed should choose the same fonts everywhere.
PARTS = {
    "train": _family("DejaVuSans", *_SLOPES)
    + _family("DejaVuSansMono", *_SLOPES)
    + _family("cm", "r10", "b10", "ss10", "tt10"),
    "validation": _family("DejaVuSerif", "", "-Bold", "-Italic", "-BoldItalic"),
    "test": (*_family("STIXGeneral", "", "Bol", "Italic", "BolIta"), _PILLOW),
}
# Glyphs of Computer Modern whose very names are unknown or wrong.
_WRONG = {name: "Ã∙" for name in PARTS["train"] if name.startswith("cm")}


class Glyph(NamedTuple):
    """One character of a font in one size, as Pillow draws it.

    Parameters
    ----------
    ink : array of float32
        ``(height, width)``, from 0 to 1; without a pixel for a space.
    left, top : int
        Where its upper left pixel is, from the pen on the baseline: to the right, and
        downwards (negative: above the baseline).
    advance : float
        How many pixels to the right the pen goes on.

    Examples
    --------
    >>> from crnn_tutorial.data.text.fonts import find_fonts, read_glyph
    >>> glyph = read_glyph(find_fonts("train", "x")[0], 20, " ")
    >>> glyph.ink.shape, glyph.advance > 0
    ((0, 0), True)
    """

    ink: Any
    left: int
    top: int
    advance: float


def find_fonts(fonts, characters):
    """Return the fonts of a part, or those of the reader, that draw all characters.

    Parameters
    ----------
    fonts : {"train", "validation", "test"} or list of paths
        Of a part, fonts that lack a character are left out; a file of your own that
        lacks one is refused.
    characters : iterable of str
        All characters that will be drawn.

    Returns
    -------
    tuple of str
        At least one.

    Raises
    ------
    ValueError
        If no font of the part, or not each of your own, has all characters, if a file
        is no font, or if a character cannot be drawn by itself.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> from crnn_tutorial.data.text.fonts import find_fonts
    >>> len(find_fonts("train", "abc")), len(find_fonts("train", "äöü"))
    (12, 8)
    """
    characters = sorted(set(characters))
    for character in characters:
        _check_character(character)
    part = fonts if isinstance(fonts, str) else None
    every = _paths(fonts)
    missing = {f: [c for c in characters if not has_glyph(f, c)] for f in every}
    found = tuple(font for font in every if not missing[font])
    if found == every or (part and found):
        return found
    font, lacks = next((font, lacks) for font, lacks in missing.items() if lacks)
    text = f"None of the {part} fonts has all characters: " if part else ""
    raise ValueError(
        f"{text}{_file_name(font)} has no glyph for {lacks[0]!r} "
        f"({_describe(lacks[0])}). Leave the character out, or pass "
        'fonts=["path/of/a/font.ttf"], a font file of yours that has it.'
    )


def _paths(fonts):
    """Return the font files of a part, or those of the reader."""
    if isinstance(fonts, str) and fonts in PARTS:
        folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
        return tuple(f if f == _PILLOW else str(folder / f) for f in PARTS[fonts])
    try:
        paths = () if isinstance(fonts, str) else tuple(str(Path(f)) for f in fonts)
    except TypeError:
        paths = ()
    if not paths:
        words = ", ".join(f'"{part}"' for part in PARTS)
        raise ValueError(
            f"fonts is {words} or a list of paths of font files, but got {fonts!r}. "
            'One file is fonts=["path/of/a/font.ttf"].'
        )
    for path in paths:
        if not Path(path).is_file():
            raise FileNotFoundError(f"There is no font file {path}. Check the path.")
    return paths


def _file_name(font):
    return font if font == _PILLOW else f"the font {Path(font).name}"


def _describe(character):
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip()


def _check_character(character):
    kind = unicodedata.category(character)
    reason = ""
    if kind[0] == "C" or kind in ("Zl", "Zp"):
        reason = "is no character that can be seen: a text is one line"
    elif kind[0] == "M":
        reason = 'is a mark on another letter: try unicodedata.normalize("NFC", text)'
    elif unicodedata.bidirectional(character) in ("R", "AL"):
        reason = "is written from right to left, and lines are drawn from the left"
    if reason:
        raise ValueError(f"{character!r} ({_describe(character)}) {reason}.")


@lru_cache(maxsize=100_000)
def has_glyph(font, character):
    """Whether a font shows a character as itself.

    It does not where its table of characters lacks it, where the glyph is empty, or
    where the glyph's name belongs to another character: Computer Modern shows an
    exclamation mark on its head for "<".

    Parameters
    ----------
    font : str
        A path, or a name from `find_fonts`.
    character : str
        One.

    Returns
    -------
    bool
        Whether it has the glyph.

    Examples
    --------
    >>> from crnn_tutorial.data.text.fonts import find_fonts, has_glyph
    >>> roman = next(f for f in find_fonts("train", "a") if "cmr10" in f)
    >>> [has_glyph(roman, character) for character in "a<中"]
    [True, False, False]
    """
    name = _character_map(font).get(ord(character), ".notdef")
    if name == ".notdef" or character in _WRONG.get(Path(font).name, ""):
        return False
    # Beyond Latin-1 the same glyph may well serve two characters.
    meant = agl.toUnicode(name) if ord(character) < 0x100 else ""
    same = (character, unicodedata.normalize("NFKC", character), "")
    if meant not in same:
        return False
    return character.isspace() or read_glyph(font, 32, character).ink.size > 0


@lru_cache(maxsize=64)
def _character_map(font):
    try:
        # Opened here: fontTools leaves a file open that is no font.
        with _open(font) as file, TTFont(file, fontNumber=0, lazy=True) as opened:
            return dict(opened.getBestCmap() or {})
    except (TTLibError, OSError, AssertionError) as error:
        raise ValueError(
            f"{font} cannot be read as a font ({error}). Expected a TrueType or "
            "OpenType file: .ttf, .otf or .ttc."
        ) from error


def _file(font):
    return BytesIO(_pillow_font()) if font == _PILLOW else font


def _open(font):
    return _file(font) if font == _PILLOW else Path(font).open("rb")


@lru_cache(maxsize=1)
def _pillow_font():
    file = ImageFont.load_default(size=10).path
    file.seek(0)
    return file.read()


@lru_cache(maxsize=256)
def _sized(font, size):
    # The basic layout is the same on all machines; the other one needs libraqm.
    return ImageFont.truetype(_file(font), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=100_000)
def read_glyph(font, size, character):
    """Draw one character with Pillow, once for each font and size.

    Parameters
    ----------
    font : str
        A path, or a name from `find_fonts`.
    size : int
        In pixels.
    character : str
        One.

    Returns
    -------
    Glyph
        Not to be written on: it is kept.

    Examples
    --------
    >>> from crnn_tutorial.data.text.fonts import find_fonts, read_glyph
    >>> glyph = read_glyph(find_fonts("train", "T")[0], 20, "T")
    >>> len(glyph.ink) == -glyph.top  # it stands on the baseline
    True
    """
    sized = _sized(font, size)
    advance = sized.getlength(character)
    left, top, right, bottom = sized.getbbox(character, anchor="ls")
    if character.isspace():
        return Glyph(np.zeros((0, 0), np.float32), 0, 0, advance)
    # One pixel more on each side than Pillow says, then without empty rows and columns.
    canvas = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
    origin = (1 - left, 1 - top)
    ImageDraw.Draw(canvas).text(origin, character, fill=255, font=sized, anchor="ls")
    box = canvas.getbbox() or (0, 0, 0, 0)
    ink = np.asarray(canvas.crop(box), np.float32) / 255
    ink.flags.writeable = False
    return Glyph(ink, box[0] - int(origin[0]), box[1] - int(origin[1]), advance)
