"""Sets of text images that differ as the sets of readers differ, as zips on disk.

Each is a zip of PNG files at their own size with a table ``labels.csv``: what a reader
would bring. Real captchas need ``captcha_upper6/images.zip`` in the folder that
``CRNN_TUTORIAL_DATA`` names (by default ``../shared/data`` beside the repository).
"""

import csv
import io
import os
import string
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

import crnn_tutorial as ct
from crnn_tutorial.data.text.fonts import find_fonts

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
DIGITS, CAPITALS = string.digits, string.ascii_uppercase
MIXED = string.ascii_letters + DIGITS
# As in the set of an issue's author: five of 19 characters.
PARTS = ("train", "validation", "test")
NINETEEN = "2345678bcdefgmnpwxy"


def render(alphabet, length, fonts, height=32, size=None, finish=None):
    """Draw 1,000 lines on plain paper, each in one of a few fonts.

    ``size`` is (share of the width, height) to squeeze or stretch the image to.
    """
    every = [str(font) for part in PARTS for font in find_fonts(part, alphabet)]
    lines = ct.render_text_lines(
        ct.Alphabet(alphabet),
        1000,
        height=height,
        length=length,
        fonts=[f for f in every if Path(f).stem in fonts],
        backgrounds=("plain",),
        slant=(-0.1, 0.1),
        contrast=(0.5, 0.9),
        blur=(0, 0.03),
    )
    rng = np.random.default_rng(0)
    for image, text in zip(lines.images, lines.targets, strict=True):
        real = image[:, image[0, :, 0] != -1, 0]
        picture = Image.fromarray((255 * real).round().astype("uint8"))
        if size:
            wide = round(size[0] * picture.width)
            picture = picture.resize((wide, size[1]), Image.Resampling.BILINEAR)
        yield finish(picture, rng) if finish else picture, text


def strike(picture, rng):
    """Draw a curved line through the text, and blur and noise over it."""
    pixels = np.asarray(picture, float)
    height, width = pixels.shape
    x = np.arange(width)
    start, end = rng.uniform(0.3, 0.7, 2) * height
    wave = rng.uniform(0, 0.15) * height * np.sin(x / width * rng.uniform(3, 9))
    middle = start + (end - start) * x / width + wave
    near = np.abs(np.arange(height)[:, None] - middle) < max(height / 30, 0.8)
    paper = np.median(pixels)
    ink = pixels.min() if paper > 127 else pixels.max()
    struck = np.where(near, ink, pixels) + rng.normal(0, 8, pixels.shape)
    return Image.fromarray(struck.clip(0, 255).astype("uint8"))


def a_third(picture, rng):
    """Put the text somewhere into an image three times as wide."""
    paper = int(np.median(np.asarray(picture)))
    wide = Image.new("L", (3 * picture.width, picture.height), paper)
    wide.paste(picture, (int(rng.integers(2 * picture.width)), 0))
    return wide


def darken(picture, rng):
    """Make all text light and all paper dark."""
    pixels = np.asarray(picture)
    return Image.fromarray(255 - pixels if np.median(pixels) > 127 else pixels)


def noisy(picture, rng):
    """Add noise; its standard deviation is a fifth of black to white."""
    pixels = np.asarray(picture, float)
    pixels = pixels + rng.normal(0, 51, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype("uint8"))


def captchas(number):
    """Return so many of the 5,000 real captchas: 185 x 70 pixels, six letters."""
    folder = Path(os.environ.get("CRNN_TUTORIAL_DATA", BESIDE))
    with zipfile.ZipFile(folder / "captcha_upper6" / "images.zip") as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".png"))
        for name in np.random.default_rng(0).permutation(names)[:number]:
            yield Image.open(io.BytesIO(archive.read(name))), Path(name).stem


def handwriting(number=1000):
    """Return lines of two to five handwritten digits, 16 pixels high."""
    strings = ct.load_digit_strings(length=(2, 5), sizes=(number, 1, 1)).train
    for image, text in zip(strings.images, strings.targets, strict=True):
        real = image[:, image[0, :, 0] != -1, 0]
        yield Image.fromarray((255 * real).round().astype("uint8")), text


SANS, BOLD, MONO = "DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono"
SERIF, STIX = "DejaVuSerif", "STIXGeneral"
# Of the captchas, as of all others, load_text_images trains on 80 %.
SETS = {
    "captchas, 4,500": partial(captchas, 4500),
    "captchas, 1,000": partial(captchas, 1000),
    "captchas, 500": partial(captchas, 500),
    "captchas, 200": partial(captchas, 200),
    "1 to 4 digits": partial(render, DIGITS, (1, 4), (SANS, MONO)),
    "8 to 12 mixed characters": partial(render, MIXED, (8, 12), (MONO, SERIF)),
    "condensed": partial(render, CAPITALS, (5, 8), (SANS, BOLD), 40, (0.6, 40)),
    "wide": partial(render, CAPITALS, (3, 5), (SANS, "cmss10"), 40, (1.7, 40)),
    "a line through it": partial(
        render, NINETEEN, (5, 5), (BOLD, "cmtt10"), 50, finish=strike
    ),
    "a third of the image": partial(
        render, DIGITS, (4, 6), (SANS, STIX), finish=a_third
    ),
    "20 pixels high": partial(render, DIGITS, (3, 8), (SANS, MONO), 20),
    "80 pixels high": partial(render, CAPITALS, (3, 8), ("cmr10", STIX), 80),
    "strong noise": partial(render, DIGITS, (3, 6), (BOLD,), finish=noisy),
    "light on dark": partial(render, CAPITALS, (4, 7), (SERIF, "cmb10"), finish=darken),
    "handwritten digits": handwriting,
}


def write(name, folder):
    """Write one set as a zip; return its path."""
    path = Path(folder) / f"{name.replace(' ', '_').replace(',', '')}.zip"
    if path.exists():
        return path
    unfinished = path.with_suffix(f".{os.getpid()}")  # other processes write it, too
    rows = io.StringIO()
    table = csv.writer(rows)
    table.writerow(["file", "text"])
    with zipfile.ZipFile(unfinished, "w") as archive:
        for number, (picture, text) in enumerate(SETS[name]()):
            file = io.BytesIO()
            picture.convert("L").save(file, "PNG")
            archive.writestr(f"{number:05}.png", file.getvalue())
            table.writerow([f"{number:05}.png", text])
        archive.writestr("labels.csv", rows.getvalue())
    return unfinished.replace(path)
