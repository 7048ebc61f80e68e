"""How one line of text is drawn: glyphs, slant, blur, background, noise."""

import math
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from crnn_tutorial.checks import check_count
from crnn_tutorial.data.images import load_image
from crnn_tutorial.data.photographs import _PHOTOGRAPHS, _photograph_path
from crnn_tutorial.data.text.fonts import find_fonts, read_glyph

# Not drawn by a seed: no photograph is ever behind both a training and a test line.
PHOTOGRAPHS = {
    "train": ("astronaut", "cat", "coffee", "rocket", "china", "galaxies")
    + ("brick", "camera", "grass", "moon"),
    "validation": ("tissue", "clock"),
    "test": ("motorcycle", "flower", "retina", "coins", "gravel"),
}

BACKGROUNDS = ("plain", "noisy", "photograph")

_LIMITS = dict(slant=(-1, 1), spacing=(-0.1, 2), blur=(0, 0.2), contrast=(0.05, 1))

_SIZES = (0.5, 0.8)  # of a font, as shares of the height of the image

_MARGINS = (2, 1 / 4)  # on each side: the smallest in pixels, the largest as a share
# At least so much width for each step that CTC needs: 4 of 32 pixels, which a reader
# that halves the width twice makes one step. Only "lllll" and the like are widened.
_STEP = 1 / 8
# A crop of a photograph with hardly any contrast is drawn again, so often at most.
_STRUCTURE, _TRIES = 0.05, 5


class _Style(NamedTuple):
    """How one line looks."""

    font: str
    background: str
    size: int
    slant: float
    spacing: float
    blur: float
    contrast: float
    margins: tuple  # left, right, in pixels
    down: float  # the rest of these: from 0 to 1
    ink: float
    paper: float
    noise: float
    light: float


class _Line(NamedTuple):
    """Where the glyphs of one line stand, in pixels."""

    glyphs: list
    lefts: list  # of the glyphs, before the line is slanted
    above: int  # rows above the baseline
    below: int
    width: int


@dataclass
class Pen:
    """Draws lines in settings that are checked once.

    Parameters
    ----------
    characters : iterable of str
        All that will be drawn.
    fonts, photographs, height, width, backgrounds, slant, spacing, blur, contrast
        As in `render_text_lines`.

    Raises
    ------
    ValueError, FileNotFoundError
        As `render_text_lines`.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.data.text.pen import Pen
    >>> pen = Pen("0125", height=24, width=100)
    >>> pen.draw(["2015", "0"], np.random.default_rng(0)).shape
    (2, 24, 100, 1)
    """

    characters: Any
    _: KW_ONLY
    fonts: Any = "train"
    photographs: Any = None
    height: int = 32
    width: int | None = None
    backgrounds: Any = BACKGROUNDS
    slant: Any = (-0.25, 0.25)
    spacing: Any = (0.0, 0.15)
    blur: Any = (0.0, 0.05)
    contrast: Any = (0.35, 0.9)

    def __post_init__(self):
        check_count("height", self.height, least=16)  # to be legible
        if self.width is not None:
            check_count("width", self.width)
        if self.photographs is None:
            self.photographs = self.fonts if isinstance(self.fonts, str) else "train"
        self.fonts = find_fonts(self.fonts, self.characters)
        self.photographs = _check_photographs(self.photographs)
        self.backgrounds = _check_backgrounds(self.backgrounds)
        for name, limits in _LIMITS.items():
            setattr(self, name, check_range(name, getattr(self, name), *limits))
        self.sizes = tuple(round(share * self.height) for share in _SIZES)

    def draw(self, texts, rng):
        """Draw texts with what a generator of random numbers says.

        Parameters
        ----------
        texts : list of str
            At least one.
        rng : numpy.random.Generator
            Decides how each line looks.

        Returns
        -------
        array of float32
            ``(len(texts), height, width, 1)`` in [0, 1], on the right padded with -1.

        Raises
        ------
        ValueError
            If a text does not fit in the smallest size.
        """
        styles = self._draw_styles(len(texts), rng)
        lines = [self._fit(*one) for one in zip(texts, styles, strict=True)]
        width = self.width or max(line.width for line, _ in lines)
        images = np.full((len(lines), self.height, width, 1), -1, np.float32)
        for image, (line, style) in zip(images, lines, strict=True):
            ink = _set_glyphs(line, style, self.height)
            image[:, : line.width, 0] = self._paint(ink, style, rng)
        return images

    def _draw_styles(self, count, rng):
        def one_of(values):
            return [values[i] for i in rng.integers(len(values), size=count)]

        def within(low, high):
            return (low + (high - low) * rng.random(count)).tolist()

        margins = _MARGINS[0], _MARGINS[1] * self.height
        columns = [
            one_of(self.fonts),
            one_of(self.backgrounds),
            rng.integers(self.sizes[0], self.sizes[1] + 1, count).tolist(),
            *(within(*getattr(self, name)) for name in _LIMITS),
            zip(within(*margins), within(*margins), strict=True),
            *(within(0, 1) for _ in range(5)),
        ]
        return [_Style(*one) for one in zip(*columns, strict=True)]

    def _smaller(self, style):
        """Yield a style in its size, in smaller ones, and at last with less space."""
        for size in range(style.size, self.sizes[0] - 1, -1):
            yield style._replace(size=size)
        margins = (_MARGINS[0],) * 2
        size, spacing = self.sizes[0], self.spacing[0]
        yield style._replace(size=size, spacing=spacing, margins=margins)

    def _fit(self, text, style):
        """Lay a line out, smaller and at last closer where it is too large."""
        for one in self._smaller(style):
            line = self._lay_out(text, one)
            rows = line.above + line.below + 2
            if rows <= self.height and line.width <= (self.width or line.width):
                return line, one
        raise ValueError(
            f"The text {text!r} needs {line.width} x {rows} pixels (width x height), "
            f"but there are {self.width} x {self.height}. Give a larger width or "
            "height, or shorter texts."
        )

    def _lay_out(self, text, style):
        glyphs = [read_glyph(style.font, style.size, c) for c in text]
        gap = style.spacing * style.size
        steps = (glyph.advance + gap for glyph in glyphs)
        *pens, end = accumulate(steps, initial=0.0)
        pairs = zip(pens, glyphs, strict=True)
        lefts = [round(pen) + glyph.left for pen, glyph in pairs]
        above = max([-glyph.top for glyph in glyphs], default=0)
        below = max([g.top + len(g.ink) for g in glyphs], default=0)
        # Slanting moves the top row by slant * above, the last one by -slant * below.
        leans = (style.slant * above, -style.slant * below, 0)
        start = min([0, *lefts]) + min(leans) - style.margins[0]
        ends = [left + g.ink.shape[1] for left, g in zip(lefts, glyphs, strict=True)]
        end = max([end - gap * (end > 0), *ends])
        end += max(leans) + style.margins[1]
        lefts = [left - math.floor(start) for left in lefts]
        width = max(math.ceil(end) - math.floor(start), self._least_width(text))
        return _Line(glyphs, lefts, above, below, width)

    def reserve_width(self, texts):
        """Take a width in which all these texts fit, or refuse the one given.

        Parameters
        ----------
        texts : sequence of str
            All that will be drawn, or the widest of them.

        Raises
        ------
        ValueError
            If the width given is too small for one of them in the smallest size.
        """
        closest = self.sizes[0], self.spacing[0]
        usual = sum(self.sizes) // 2, sum(self.spacing) / 2
        needed, wanted = (
            max(self._widest(font, texts, *look) for font in self.fonts)
            for look in (closest, usual)
        )
        if self.width is None:  # most lines keep the size they draw
            self.width = 16 * -(-max(needed, wanted) // 16)
        elif self.width < needed:
            raise ValueError(
                f"The widest line needs {needed} pixels, but width is {self.width}. "
                "Give a larger width, a smaller height, or shorter texts."
            )

    def _widest(self, font, texts, size, spacing):
        """Return a width within which each text can be drawn."""
        gap = spacing * size
        glyphs = {c: read_glyph(font, size, c) for c in self.characters}
        steps = {c: glyph.advance + gap for c, glyph in glyphs.items()}
        pen = max(sum(map(steps.__getitem__, text)) for text in texts)
        edges = [
            (-g.left, g.left + g.ink.shape[1] - g.advance, -g.top, g.top + len(g.ink))
            for g in glyphs.values()
        ]
        before, after, above, below = np.reshape(edges, (-1, 4)).max(axis=0, initial=0)
        lean = max(map(abs, self.slant)) * (above + below)
        width = before + pen + abs(gap) + after + lean + 2 * _MARGINS[0]
        rounding = 3
        return max(math.ceil(width) + rounding, *map(self._least_width, texts))

    def _least_width(self, text):
        doubled = sum(a == b for a, b in pairwise(text))
        return math.ceil(max((len(text) + doubled) * _STEP, 0.5) * self.height)

    def _paint(self, ink, style, rng):
        """Lay ink over a background: dark on light, then perhaps the other way."""
        room = 1 - style.contrast
        dark = room * style.ink**2  # most inks are nearly black
        nearest = dark + style.contrast
        if style.background == "photograph":
            paper = _background(self._crop(ink.shape, rng), nearest, style.paper)
        else:
            paper = nearest + (1 - nearest) * style.paper
        image = paper + ink * (dark - paper)
        if style.background == "noisy":
            noise = rng.standard_normal(ink.shape, np.float32)
            image += noise * np.float32(style.contrast * (0.04 + 0.12 * style.noise))
            np.clip(image, 0, 1, out=image)
        return 1 - image if style.light < 0.5 else image

    def _crop(self, shape, rng):
        name = self.photographs[rng.integers(len(self.photographs))]
        photograph = _photograph(name)
        pairs = list(zip(shape, photograph.shape, strict=True))
        if any(need > has for need, has in pairs):  # it goes on, mirrored
            more = [(0, max(0, need - has)) for need, has in pairs]
            photograph = np.pad(photograph, more, "reflect")
        for _ in range(_TRIES):
            top, left = (rng.integers(0, max(0, has - need) + 1) for need, has in pairs)
            crop = photograph[top : top + shape[0], left : left + shape[1]]
            if crop.std() > _STRUCTURE:
                break
        return crop


def _background(crop, low, where):
    """Fit a crop between ``low`` and 1, with at most twice the contrast it has."""
    darkest, brightest = crop.min(), crop.max()
    gain = min(2, (1 - low) / max(brightest - darkest, 1e-6))
    rest = 1 - low - gain * (brightest - darkest)
    return (crop - darkest) * np.float32(gain) + np.float32(low + where * rest)


def _set_glyphs(line, style, height):
    """Return how much ink is on each pixel: ``(height, width)``, from 0 to 1."""
    ink = np.zeros((height, line.width), np.float32)
    free = height - 2 - line.above - line.below
    baseline = 1 + line.above + round(style.down * free)
    for glyph, left in zip(line.glyphs, line.lefts, strict=True):
        rows, columns = glyph.ink.shape
        top = baseline + glyph.top
        window = ink[top : top + rows, left : left + columns]
        np.maximum(window, glyph.ink, out=window)
    if style.slant:
        ink = _lean(ink, style.slant * (baseline - 0.5 - np.arange(height)))
    sigma = style.blur * style.size
    if sigma:
        ink = gaussian_filter(ink, sigma, mode="constant", truncate=3)
    # Blurred hairlines would be too pale to read.
    return ink / max(ink.max(), 1e-6)


def _lean(ink, shifts):
    """Move each row to the right, by parts of pixels too; the margins are empty."""
    whole = np.floor(shifts)
    part = (shifts - whole).astype(np.float32)[:, None]
    width = ink.shape[1]
    columns = np.arange(width) - whole.astype(int)[:, None]
    np.clip(columns, 1, width - 1, out=columns)
    places = columns + width * np.arange(len(ink))[:, None]
    return ink.take(places) * (1 - part) + ink.take(places - 1) * part


@lru_cache(maxsize=32)
def _photograph(name):
    known = {photograph.name: photograph for photograph in _PHOTOGRAPHS}
    return load_image(_photograph_path(known[name]), channels=1)[..., 0]


def _check_photographs(part):
    if part not in PHOTOGRAPHS:
        words = ", ".join(f'"{known}"' for known in PHOTOGRAPHS)
        raise ValueError(f"photographs is one of {words}, but got {part!r}.")
    return PHOTOGRAPHS[part]


def _check_backgrounds(backgrounds):
    words = set(backgrounds)
    if isinstance(backgrounds, str) or not words or words - set(BACKGROUNDS):
        raise ValueError(
            f"backgrounds are at least one of {BACKGROUNDS}, in a tuple or list, but "
            f"got {backgrounds!r}."
        )
    return tuple(backgrounds)


def check_range(name, value, least, most):
    """Return the lowest and the highest value that were given, or say what came.

    Parameters
    ----------
    name : str
        What to call it.
    value : float or tuple of two floats
        One number is both.
    least, most : float
        What is allowed.

    Returns
    -------
    tuple of two floats

    Raises
    ------
    ValueError
        If it is neither, or goes beyond what is allowed.

    Examples
    --------
    >>> from crnn_tutorial.data.text.pen import check_range
    >>> check_range("slant", 0.2, -1, 1)
    (0.2, 0.2)
    """
    low_high = (value, value) if np.ndim(value) == 0 else tuple(value)
    if len(low_high) != 2 or not least <= low_high[0] <= low_high[1] <= most:
        raise ValueError(
            f"{name} is a number or (lowest, highest) within [{least}, {most}], "
            f"but got {value!r}."
        )
    return low_high
