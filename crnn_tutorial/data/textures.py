"""Textures from photographs, and blocks of pages: what may be read patch by patch.

Sizes are ``(height, width)``, the shape of the arrays.
"""

import numpy as np

from crnn_tutorial.checks import check_pixels
from crnn_tutorial.data.images import load_image, resize_image
from crnn_tutorial.data.photographs import (
    _PHOTOGRAPHS,
    PHOTOS_LICENCE,
    PHOTOS_SOURCE,
    _photograph_path,
    _random_crops,
)
from crnn_tutorial.data.splits import Dataset, Split, check_sizes
from crnn_tutorial.data.text.fonts import find_fonts, read_glyph
from crnn_tutorial.data.text.pen import PHOTOGRAPHS

# Photographs that look alike everywhere: seen, not computed. The others show one thing.
_TEXTURES = tuple("brick coins galaxies grass gravel moon retina tissue".split())
_DISC = slice(230, 1180)  # rows and columns of the retina without the black around it
_SHARES = np.array([0.5, 0.25, 0.25])  # of the width, to train, validate and test
_GAP = 4  # columns between two regions
_BRIGHTNESS, _CONTRAST = (0.4, 0.6), (0.08, 0.18)  # mean and standard deviation

_BLOCKS = ("text", "heading", "table", "picture")
_PARTS = ("train", "validation", "test")
_LETTERS = ("bcdfghklmnprstvw", "aeiou")  # in turn, for words that nobody knows
_WORDS = 600  # of each part


def load_textures(sizes=(2000, 300, 500), size=(64, 64), seed=0):
    """Cut crops from eight photographs that are one texture throughout.

    The task is to say from which photograph a crop comes. Each photograph is cut into
    three regions beside each other, four pixels apart: half of its width to train, a
    quarter to validate and a quarter to test. No crop of one split has a pixel of
    another's region.

    Parameters
    ----------
    sizes : tuple of three ints
        How many crops to train, to validate and to test; each class equally often, or
        once more.
    size : tuple of two ints
        ``(height, width)`` of a crop in pixels, at most 303 x 94.
    seed : int
        Which region is where, the places of the crops, their brightness and contrast.

    Returns
    -------
    Dataset
        Grey images ``(crops, height, width, 1)`` in [0, 1]; targets index
        `class_names`, the names of the photographs. Each crop is brought to a mean
        (0.4 to 0.6) and a standard deviation (0.08 to 0.18) that are drawn for it, and
        then cut off at 0 and 1: neither tells the texture.

    Raises
    ------
    ValueError
        If the sizes make no sense, or a crop is larger than a region.
    FileNotFoundError
        If the installed library has left out a photograph.

    References
    ----------
    The photographs of `load_photos`; the retina without the black around it and at half
    its size.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> textures = ct.load_textures(sizes=(80, 16, 16))
    >>> textures.train
    Split(80 images, shape (64, 64, 1), targets int64)
    >>> textures.class_names[:4]
    ('brick', 'coins', 'galaxies', 'grass')
    """
    sizes = check_sizes(sizes)
    size = check_pixels("size is (height, width)", size)
    rng = np.random.default_rng(seed)
    known = {photograph.name: photograph for photograph in _PHOTOGRAPHS}
    chosen = [known[name] for name in _TEXTURES]
    regions = [_regions(_texture(photograph), rng) for photograph in chosen]
    _check_fit(size, regions)
    return Dataset(
        *(
            _crops(part, count, size, rng)
            for part, count in zip(zip(*regions, strict=True), sizes, strict=True)
        ),
        class_names=_TEXTURES,
        source="; ".join(f"{p.name}: {p.source} ({p.package})" for p in chosen),
        licence="; ".join(f"{p.name}: {p.licence}" for p in chosen),
    )


def _texture(photograph):
    whole = load_image(_photograph_path(photograph), channels=1)
    if photograph.name == "retina":  # its vessels are too wide for a crop
        whole = whole[_DISC, _DISC]
        whole = resize_image(whole, tuple(side // 2 for side in whole.shape[1::-1]))
    return whole[..., 0]


def _regions(image, rng):
    """Cut an image into the regions to train, validate and test, in any order."""
    order = rng.permutation(len(_SHARES))
    widths = (_SHARES * (image.shape[1] - _GAP * (len(order) - 1))).astype(int)
    ends = np.cumsum(widths[order] + _GAP) - _GAP
    regions = {
        part: image[:, end - widths[part] : end]
        for part, end in zip(order.tolist(), ends, strict=True)
    }
    return [regions[part] for part in range(len(order))]


def _check_fit(size, regions):
    shapes = [region.shape for parts in regions for region in parts]
    most = tuple(min(sides) for sides in zip(*shapes, strict=True))
    if size[0] > most[0] or size[1] > most[1]:
        raise ValueError(
            f"A crop has at most {most[0]} x {most[1]} pixels (height x width), what "
            f"the smallest region has, but got {size[0]} x {size[1]}."
        )


def _crops(regions, count, size, rng):
    """Draw crops of all regions, equally often, in light of any kind."""
    targets = rng.permutation(np.arange(count) % len(regions))
    images = np.empty((count, *size), np.float32)
    for number, region in enumerate(regions):
        here = np.flatnonzero(targets == number)
        windows = np.lib.stride_tricks.sliding_window_view(region, size)
        places = (rng.integers(free, size=len(here)) for free in windows.shape[:2])
        images[here] = windows[tuple(places)]
    mean, spread = (
        rng.uniform(*limits, (count, 1, 1)).astype(np.float32)
        for limits in (_BRIGHTNESS, _CONTRAST)
    )
    images -= images.mean(axis=(1, 2), keepdims=True)
    images *= spread / np.maximum(images.std(axis=(1, 2), keepdims=True), 1e-3)
    return Split(np.clip(images + mean, 0, 1)[..., np.newaxis], targets)


def load_page_blocks(sizes=(1200, 200, 400), size=(64, 64), seed=0):
    """Draw blocks of a page: running text, a heading, a table, or a picture.

    The words mean nothing. The splits share neither a word nor a font nor a photograph.

    Parameters
    ----------
    sizes : tuple of three ints
        How many blocks to train, to validate and to test; each class equally often, or
        once more.
    size : tuple of two ints
        ``(height, width)`` of a block in pixels, each from 32 to 300.
    seed : int
        Decides all.

    Returns
    -------
    Dataset
        Grey images ``(blocks, height, width, 1)`` in [0, 1]: dark ink on light paper,
        or the other way in every fourth one, with noise; targets index `class_names`:
        text, heading, table, picture.

    Raises
    ------
    ValueError
        If the sizes make no sense.

    References
    ----------
    The fonts of `render_text_lines`, the photographs of `load_photos`.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.load_page_blocks(sizes=(12, 4, 8))
    Dataset(4 classes, images of shape (64, 64, 1))
      train         12 images
      validation     4 images
      test           8 images
    """
    sizes = check_sizes(sizes)
    size = check_pixels("size is (height, width)", size)
    if not 32 <= min(size) <= max(size) <= 300:
        raise ValueError(f"size is from 32 to 300 pixels each, but got {size}.")
    rng = np.random.default_rng(seed)
    words = np.split(_make_words(len(_PARTS) * _WORDS, rng), len(_PARTS))
    return Dataset(
        *(
            _blocks(part, list(known), count, size, rng)
            for part, known, count in zip(_PARTS, words, sizes, strict=True)
        ),
        class_names=_BLOCKS,
        source=f"drawn with fonts of Matplotlib and Pillow; {PHOTOS_SOURCE}",
        licence=f"the fonts' own; {PHOTOS_LICENCE}",
    )


def _make_words(count, rng):
    """Make up different words of two to nine letters, which can be pronounced."""
    words = {}
    while len(words) < count:
        length = rng.integers(2, 10)
        letters = (_LETTERS[i % 2] for i in range(length))
        words["".join(some[rng.integers(len(some))] for some in letters)] = None
    return np.array(list(words)[:count])


def _blocks(part, words, count, size, rng):
    """Draw what a part of the fonts, words and photographs allows."""
    targets = rng.permutation(np.arange(count) % len(_BLOCKS))
    fonts = find_fonts(part, "".join(words) + "0123456789.")
    photographs = [p for p in _PHOTOGRAPHS if p.name in PHOTOGRAPHS[part]]
    dark, light = rng.uniform(0, 0.3, count), rng.uniform(0.7, 1, count)
    images = np.empty((count, *size), np.float32)
    pictures = np.flatnonzero(targets == _BLOCKS.index("picture"))
    images[pictures] = _pictures(photographs, len(pictures), size, rng)
    draw = {"text": _draw_text, "heading": _draw_heading, "table": _draw_table}
    for i in np.flatnonzero(targets != _BLOCKS.index("picture")):
        ink = np.zeros(size, np.float32)
        font = fonts[rng.integers(len(fonts))]
        draw[_BLOCKS[targets[i]]](ink, words, font, rng)
        images[i] = light[i] + ink * (dark[i] - light[i])
    turned = rng.random(count) < 0.25
    images[turned] = 1 - images[turned]
    noise = rng.uniform(0, 0.06, (count, 1, 1)) * rng.standard_normal(images.shape)
    images = np.clip(images + noise, 0, 1).astype(np.float32)
    return Split(images[..., np.newaxis], targets)


def _pictures(photographs, count, size, rng):
    each = -(-count // len(photographs))
    crops = []
    for photograph in photographs:
        whole = load_image(_photograph_path(photograph), channels=1)
        crops.append(_random_crops(whole, size, each, rng, photograph.name))
    return rng.permutation(np.concatenate(crops))[:count, ..., 0]


def _draw_text(ink, words, font, rng):
    """Fill a block with lines of one size; the last one ends somewhere."""
    letters, left = int(rng.integers(8, 13)), int(rng.integers(-3, 5))
    pitch = round(letters * rng.uniform(1.1, 1.6))
    baselines = range(int(rng.integers(4, pitch + 4)), len(ink) + letters, pitch)
    for baseline in baselines:
        pen = left
        end = ink.shape[1] * (1 if baseline < baselines[-2] else rng.random())
        while pen < end:
            word = words[rng.integers(len(words))]
            pen = _write(ink, word, font, letters, baseline, pen) + letters // 3


def _draw_heading(ink, words, font, rng):
    """Write one word, or two below each other, large and with much paper around."""
    letters = int(rng.integers(15, 25))
    baseline = int(rng.integers(letters, max(len(ink) - letters, letters + 1)))
    left = int(rng.integers(-letters // 2, letters))
    for line in range(int(rng.integers(1, 3))):
        word = words[rng.integers(len(words))].capitalize()
        _write(ink, word, font, letters, baseline + round(1.3 * line * letters), left)


def _draw_table(ink, words, font, rng):
    """Write short numbers and words in rows and columns, half of them with lines."""
    letters = int(rng.integers(8, 12))
    down = letters + int(rng.integers(3, 8))
    across = round(letters * rng.uniform(2.8, 4))
    top, left = int(rng.integers(0, down)), int(rng.integers(0, across // 2))
    ruled = rng.random() < 0.5
    for y in range(top - down, len(ink), down):
        for x in range(left - across, ink.shape[1], across):
            cell = words[rng.integers(len(words))][:3]
            if rng.random() < 0.7:
                cell = f"{rng.random() * 10 ** rng.integers(3):.1f}"[:4]
            _write(ink, cell, font, letters, y + down - 3, x + 3)
    if ruled:
        ink[top::down] = np.maximum(ink[top::down], 0.6)
        ink[:, left::across] = np.maximum(ink[:, left::across], 0.6)


def _write(ink, text, font, letters, baseline, left):
    """Write a word, cut off where the block ends; return where the pen stands."""
    pen = float(left)
    for character in text:
        glyph = read_glyph(font, letters, character)
        top, start = baseline + glyph.top, round(pen) + glyph.left
        rows, columns = slice(max(-top, 0), None), slice(max(-start, 0), None)
        window = ink[max(top, 0) :, max(start, 0) :]
        seen = glyph.ink[rows, columns][: window.shape[0], : window.shape[1]]
        window = window[: seen.shape[0], : seen.shape[1]]
        np.maximum(window, seen, out=window)
        pen += glyph.advance
    return round(pen)
