"""Lines of text, drawn: any number of them, in many fonts, over many backgrounds."""

import math
from itertools import pairwise
from typing import NamedTuple

import keras
import numpy as np

from crnn_tutorial.checks import check_count
from crnn_tutorial.data.splits import Split
from crnn_tutorial.data.text.alphabet import Alphabet
from crnn_tutorial.data.text.pen import BACKGROUNDS, Pen, check_range


def render_text_lines(
    texts,
    count=None,
    *,
    fonts="train",
    photographs=None,
    height=32,
    width=None,
    length=(1, 8),
    backgrounds=BACKGROUNDS,
    slant=(-0.25, 0.25),
    spacing=(0.0, 0.15),
    blur=(0.0, 0.05),
    contrast=(0.35, 0.9),
    seed=0,
):
    """Draw lines of text, each in a font, size and grey and on a background of its own.

    Half of the lines are darker than their background, half are lighter. Each character
    is drawn by itself, from left to right. A range is ``(lowest, highest)``: each line
    draws its own value; one number is the same for all.

    Parameters
    ----------
    texts : sequence of str or Alphabet
        What to draw, in this order; empty texts are background alone. From an alphabet,
        random words are made (without its spaces).
    count : int, optional
        How many lines. Needed with an alphabet; with texts: so many, drawn at random.
    fonts : {"train", "validation", "test"} or list of paths
        Fonts that come with Matplotlib and Pillow, or your own files (TrueType or
        OpenType). ``"train"``: DejaVu Sans, DejaVu Sans Mono and Computer Modern (12
        fonts); ``"validation"``: DejaVu Serif (4); ``"test"``: STIX and Aileron (5). Of
        these, a font that lacks a character of the texts is left out.
    photographs : {"train", "validation", "test"}, optional
        Whose photographs are behind the text: 10, 2 and 5 of `load_photos`. Those of
        ``fonts`` by default, ``"train"`` for your own files.
    height : int
        Of the images in pixels, at least 16. Fonts have from 0.5 to 0.8 of it.
    width : int, optional
        Of the images in pixels. A line that would be wider is drawn in a smaller size.
        ``None``: that of the widest line.
    length : int or tuple of two ints
        Characters in a random word, or the fewest and the most.
    backgrounds : sequence of str
        One or more of ``"plain"``, ``"noisy"`` and ``"photograph"``, equally often.
    slant : float or range
        How many pixels to the right each row is moved for each pixel upwards, in
        [-1, 1].
    spacing : float or range
        Space added between characters as a share of the font's size, in [-0.1, 2].
    blur : float or range
        Standard deviation of the blur of the text, as a share of the font's size, in
        [0, 0.2].
    contrast : float or range
        Distance in brightness between the text's strongest pixel and the nearest one of
        its background (before the noise), in [0.05, 1]. At 1: black and white.
    seed : int or sequence of ints
        Decides everything: the same seed, the same arrays.

    Returns
    -------
    Split
        Images ``(lines, height, width, 1)`` in [0, 1], on the right padded with -1
        where the line has ended; targets are a list of `str`.

    Raises
    ------
    ValueError
        If an argument makes no sense, a text has a character that a font (or all fonts
        of a part) has no glyph for, or a line does not fit into the image.
    FileNotFoundError
        If there is no such font file.

    References
    ----------
    The idea: M. Jaderberg et al., "Synthetic data and artificial neural networks for
    natural scene text recognition", 2014, arXiv:1406.2227.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> lines = ct.render_text_lines(["CRNN", "2015"], width=160)
    >>> lines.images.shape, lines.targets
    ((2, 32, 160, 1), ['CRNN', '2015'])
    >>> digits = ct.Alphabet("0123456789")
    >>> ct.render_text_lines(digits, 3, length=4, fonts="test", seed=1).targets
    ['4579', '0189', '2384']
    """
    rng = np.random.default_rng(seed)
    words = _check_texts(texts, count, length)
    pen = Pen(
        words.characters,
        fonts=fonts,
        photographs=photographs,
        height=height,
        width=width,
        backgrounds=backgrounds,
        slant=slant,
        spacing=spacing,
        blur=blur,
        contrast=contrast,
    )
    texts = list(words.texts) if count is None else words.draw(count, rng)
    return Split(pen.draw(texts, rng), texts)


class TextLineStream(keras.utils.PyDataset):
    """Batches of drawn lines that never end: new ones in each epoch.

    Batch ``i`` of epoch ``e`` follows from ``(seed, e, i)`` alone. All batches have the
    same shape, so that Keras traces (or compiles) the model once. To validate, take
    lines that stay the same: ``ct.render_text_lines(..., fonts="validation")``.

    Parameters
    ----------
    texts : sequence of str or Alphabet
        Texts to draw from, or an alphabet to make random words of.
    batch_size, batches_per_epoch : int
        At least 1.
    alphabet : Alphabet, optional
        That of the model, which encodes the targets. All characters of the texts by
        default, or the alphabet in their place.
    width : int, optional
        Of all images in pixels; by default one that holds every line, and any
        of middle size and spacing as it is.
    length : int or tuple of two ints
        As in `render_text_lines`.
    seed : int
        Decides all lines.
    **options
        The other keywords of `render_text_lines`.

    Raises
    ------
    ValueError, FileNotFoundError
        As `render_text_lines`, and if a line may not fit into ``width``, at once and
        not in the middle of a training.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> digits = ct.Alphabet("0123456789")
    >>> stream = ct.TextLineStream(digits, 16, batches_per_epoch=50, length=4)
    >>> images, targets = stream[0]
    >>> images.shape, targets.shape, len(stream)
    ((16, 32, 80, 1), (16, 4), 50)
    >>> digits.decode(targets)[:3]
    ['8652', '3000', '1869']
    """

    def __init__(
        self,
        texts,
        batch_size=32,
        batches_per_epoch=100,
        *,
        alphabet=None,
        width=None,
        length=(1, 8),
        seed=0,
        **options,
    ):
        super().__init__()
        self.batch_size = check_count("batch_size", batch_size)
        self.batches_per_epoch = check_count("batches_per_epoch", batches_per_epoch)
        self.seed = seed
        self._words = _check_texts(texts, batch_size, length)
        self.alphabet = alphabet or Alphabet(self._words.characters)
        self.alphabet.encode(self._words.candidates())  # refuses unknown characters
        self._pen = Pen(self._words.characters, width=width, **options)
        self._pen.reserve_width(self._words.candidates())
        self.set_epoch(0)

    def set_epoch(self, epoch):
        """Take the lines of this epoch, and begin the next training with it."""
        self.epoch = self._next_epoch = epoch

    def on_epoch_begin(self):
        """Go to the next epoch; Keras calls this."""
        self.set_epoch(self._next_epoch)
        self._next_epoch += 1

    def __len__(self):
        return self.batches_per_epoch

    def __getitem__(self, batch):
        if not 0 <= batch < len(self):
            raise IndexError(f"There are {len(self)} batches, but number {batch} came.")
        rng = np.random.default_rng([self.seed, self.epoch, batch])
        texts = self._words.draw(self.batch_size, rng)
        longest = max(1, self._words.lengths[1])  # the same shape in each batch
        return self._pen.draw(texts, rng), self.alphabet.encode(texts, longest)


class _Words(NamedTuple):
    """Where texts come from: those given, or random words of an alphabet."""

    texts: tuple
    characters: str
    lengths: tuple

    def draw(self, count, rng):
        if self.texts:
            return [self.texts[i] for i in rng.integers(len(self.texts), size=count)]
        lengths = rng.integers(self.lengths[0], self.lengths[1] + 1, count)
        letters = rng.integers(len(self.characters), size=lengths.sum())
        text = "".join(self.characters[i] for i in letters)
        ends = np.cumsum([0, *lengths]).tolist()
        return [text[start:end] for start, end in pairwise(ends)]

    def candidates(self):
        """Return texts that hold the widest one."""
        longest = self.lengths[1]
        return self.texts or tuple(c * longest for c in self.characters)


def _check_texts(texts, count, length):
    if count is not None:
        check_count("count", count)
    if isinstance(texts, Alphabet):
        if count is None:
            raise ValueError("From an alphabet, say how many lines: count=100.")
        characters = "".join(c for c in texts.characters if not c.isspace())
        if not characters:
            raise ValueError("The alphabet has only spaces: there is nothing to draw.")
        return _Words((), characters, _check_lengths(length))
    known = () if isinstance(texts, str) else tuple(texts)
    if not known or not all(isinstance(text, str) for text in known):
        raise ValueError(
            "Texts are a list of at least one str, such as ['2015'], or an alphabet, "
            f"such as ct.Alphabet('0123456789'), but got {texts!r:.60}."
        )
    lengths = [len(text) for text in known]
    characters = "".join(sorted(set().union(*known)))
    return _Words(known, characters, (min(lengths), max(lengths)))


def _check_lengths(length):
    for one in np.ravel(length).tolist():
        check_count("length", one, least=0)
    return check_range("length", length, 0, math.inf)
