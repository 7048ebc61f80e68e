"""How one line of text is drawn: glyphs, slant, blur, background, noise."""

import math
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

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

    def __init__(
        self,
        characters,
        *,
        fonts="train",
        photographs=None,
        height=32,
        width=None,
        backgrounds=BACKGROUNDS,
        slant=(-0.25, 0.25),
        spacing=(0.0, 0.15),
        blur=(0.0, 0.05),
        contrast=(0.35, 0.9),
    ):
        self.height = check_count("height", height)
        if height < 16:
            raise ValueError(
                f"height is at least 16 pixels, to be legible, but got {height}."
            )
        self.width = None if width is None else check_count("width", width)
        self.characters = characters
        self.fonts = find_fonts(fonts, characters)
        if photographs is None:
            photographs = fonts if isinstance(fonts, str) else "train"
        self.photographs = _check_photographs(photographs)
        self.backgrounds = _check_backgrounds(backgrounds)
        self.slants = _check_range("slant", slant, -1, 1)
        self.spacings = _check_range("spacing", spacing, -0.1, 2)
        self.blurs = _check_range("blur", blur, 0, 0.2)
        self.contrasts = _check_range("contrast", contrast, 0.05, 1)
        self.sizes = tuple(round(share * height) for share in _SIZES)

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
        def within(low, high):
            return (low + (high - low) * rng.random(count)).tolist()

        margins = _MARGINS[0], _MARGINS[1] * self.height
        return [
            _Style(self.fonts[font], self.backgrounds[kind], int(size), *rest)
            for font, kind, size, *rest in zip(
                rng.integers(len(self.fonts), size=count),
                rng.integers(len(self.backgrounds), size=count),
                rng.integers(self.sizes[0], self.sizes[1] + 1, count),
                within(*self.slants),
                within(*self.spacings),
                within(*self.blurs),
                within(*self.contrasts),
                zip(within(*margins), within(*margins), strict=True),
                *(within(0, 1) for _ in range(5)),
                strict=True,
            )
        ]

    def _fit(self, text, style):
        """Lay a line out, smaller and at last closer where it is too large."""
        for size in range(style.size, self.sizes[0] - 1, -1):
            line = self._lay_out(text, style._replace(size=size))
            if self._fits(line):
                return line, style._replace(size=size)
        style = self._tightest(style)
        line = self._lay_out(text, style)
        if not self._fits(line):
            raise ValueError(
                f"The text {text!r} needs {line.width} x {line.above + line.below + 2} "
                f"pixels (width x height), but there are {self.width} x {self.height}. "
                "Give a larger width or height, or shorter texts."
            )
        return line, style

    def _tightest(self, style):
        return style._replace(
            size=self.sizes[0], spacing=self.spacings[0], margins=(_MARGINS[0],) * 2
        )

    def _fits(self, line):
        narrow = self.width is None or line.width <= self.width
        return narrow and line.above + line.below + 2 <= self.height

    def _lay_out(self, text, style):
        glyphs = [read_glyph(style.font, style.size, c) for c in text]
        lefts, pen = [], 0.0
        for glyph in glyphs:
            lefts.append(round(pen) + glyph.left)
            pen += glyph.advance + style.spacing * style.size
        above = max([-glyph.top for glyph in glyphs], default=0)
        below = max([g.top + len(g.ink) for g in glyphs], default=0)
        # Slanting moves the top row by slant * above, the last one by -slant * below.
        leans = (style.slant * above, -style.slant * below, 0)
        start = min([0, *lefts]) + min(leans) - style.margins[0]
        ends = [left + g.ink.shape[1] for left, g in zip(lefts, glyphs, strict=True)]
        end = max([pen - style.spacing * style.size * (pen > 0), *ends])
        end += max(leans) + style.margins[1]
        lefts = [left - math.floor(start) for left in lefts]
        width = math.ceil(end) - math.floor(start)
        width = max(width, self._least_width(text))
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

        def widest(size, spacing):
            return max(self._widest(f, texts, size, spacing) for f in self.fonts)

        needed = widest(self.sizes[0], self.spacings[0])
        if self.width is None:  # most lines keep the size they draw
            usual = widest(sum(self.sizes) // 2, sum(self.spacings) / 2)
            self.width = 16 * -(-max(needed, usual) // 16)
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
        every = glyphs.values()
        before = max([0, *(-g.left for g in every)])
        after = max([0, *(g.left + g.ink.shape[1] - g.advance for g in every)])
        rows = max([0, *(-g.top for g in every)])
        rows += max([0, *(g.top + len(g.ink) for g in every)])
        lean = max(map(abs, self.slants)) * rows
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
    if isinstance(backgrounds, str) or not set(backgrounds) <= set(BACKGROUNDS):
        raise ValueError(
            f"backgrounds are some of {BACKGROUNDS}, in a tuple or list, but got "
            f"{backgrounds!r}."
        )
    if not backgrounds:
        raise ValueError("backgrounds has at least one word, but is empty.")
    return tuple(backgrounds)


def _check_range(name, value, least, most):
    low_high = (value, value) if np.ndim(value) == 0 else tuple(value)
    if len(low_high) != 2 or not least <= low_high[0] <= low_high[1] <= most:
        raise ValueError(
            f"{name} is a number or (lowest, highest) within [{least}, {most}], "
            f"but got {value!r}."
        )
    return low_high
