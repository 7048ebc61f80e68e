"""How well a model reads, in a few lines, and which images it reads worst.

``evaluate`` gives the one number that ``judge`` and ``compare`` need; this is what you
look at before you change anything.
"""

import os.path
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from crnn_tutorial.checks import check_count
from crnn_tutorial.data.text.stacking import pad_lines
from crnn_tutorial.judging import evaluation
from crnn_tutorial.judging.intervals import Interval, interval
from crnn_tutorial.metrics.text import (
    edits_per_image,
    error_rate,
    exact_match_per_image,
)
from crnn_tutorial.tasks import reading

_LINE = 66  # columns that a printed line has at most


class WrongReading(NamedTuple):
    """An image, what it says, and what was read instead.

    Parameters
    ----------
    number : int
        Where the image stands in the split, from 0: ``split.images[number]``.
    image : numpy.ndarray
        ``(height, width, channels)`` in [0, 1], as the model sees it, without padding.
    truth, text : str
        What the image says, and what was read.
    confidence : float
        P(text | image) in [0, 1]: how sure the model is of its wrong answer.
    """

    number: int
    image: np.ndarray
    truth: str
    text: str
    confidence: float


@dataclass(frozen=True, eq=False, repr=False)
class TextReport:
    """How well a model reads one split; ``print`` shows it.

    Parameters
    ----------
    images : int
        Number of images read.
    exact_match : float
        Share of the images whose whole text is right.
    interval : Interval
        The same with its 95 % interval over the images.
    cer : float
        Character error rate: all edits, divided by all characters of the true texts.
    cer_interval : Interval
        The same with its 95 % interval over the images.
    worst : list of WrongReading
        Wrong answers only, the worst first; empty if all is right.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.judging.text_report import WrongReading
    >>> wrong = WrongReading(
    ...     17, np.zeros((8, 40, 1)), "KQXZAB", "KOXZAB", 0.62
    ... )
    >>> exact, cer = ct.Interval(0.978, 0.964, 0.989), ct.Interval(0.005, 0.002, 0.009)
    >>> ct.TextReport(500, exact.value, exact, cer.value, cer, [wrong])
    500 images, read without a mistake: 97.8 % [96.4, 98.9]
    character error rate: 0.5 % [0.2, 0.9]
    In brackets: 95 % intervals, what other such images may give.
    the worst of 11 wrong readings:
      image  truth   read    confidence
         17  KQXZAB  KOXZAB        62 %
    """

    images: int
    exact_match: float
    interval: Interval
    cer: float
    cer_interval: Interval
    worst: list

    @property
    def mistakes(self):
        """Number of images whose text has at least one mistake."""
        return round(self.images * (1 - self.exact_match))

    def __repr__(self):
        images = "1 image" if self.images == 1 else f"{self.images:,} images"
        lines = [
            f"{images}, read without a mistake: {self.interval}",
            f"character error rate: {_percent(self.cer_interval)}",
            "In brackets: 95 % intervals, what other such images may give.",
        ]
        if self.worst:
            lines += [_heading(len(self.worst), self.mistakes), *_table(self.worst)]
        return "\n".join(lines)

    def plot(self):
        """Draw the worst images, all at one scale, each with its truth and reading.

        Returns
        -------
        matplotlib.figure.Figure or None
            From `plot_images`. None, and a printed sentence, if all is right.

        Examples
        --------
        >>> import crnn_tutorial as ct
        >>> everything = ct.Interval(1.0, 0.94, 1.0), ct.Interval(0.0, 0.0, 0.06)
        >>> ct.TextReport(50, 1.0, everything[0], 0.0, everything[1], []).plot()
        No text was read wrong: there is no image to draw.
        """
        if not self.worst:
            print("No text was read wrong: there is no image to draw.")
            return None
        from crnn_tutorial.figures.images import (
            plot_images,  # Matplotlib, when it is needed
        )

        images = pad_lines([wrong.image for wrong in self.worst])
        high = images.shape[1] > 0.35 * images.shape[2]
        columns = min(2 if high else 1, len(images))
        room = 11 if columns == 2 else 26  # also of capital Ws
        titles = []
        for wrong in self.worst:
            truth, text = _pair(wrong, room)
            title = f"truth: {truth}\nread: {text}"
            titles.append(title.replace("$", r"\$"))  # else Matplotlib sets a formula
        return plot_images(images, titles, columns)


def report_text(model, split, *, worst=5, beam_width=1, batch_size=64):
    """Say how well a model reads a split, and show what it reads worst.

    Parameters
    ----------
    model : keras.Model
        From ``ct.build_text_recognizer`` or ``ct.build_fixed_length_reader``, trained.
    split : Split
        With ``images`` as `read_text` takes them (an array, or a list of paths, PIL
        images or arrays) and one text for each in ``targets``. A text with a character
        that the model does not know is no error: the model cannot read it, and it
        counts as wrong.
    worst : int
        How many wrong answers to keep, at least 1. The worst has the most edits for
        each character of its true text; of equals, the one of which the model is surest
        comes first.
    beam_width, batch_size : int
        As in `read_text`. With a beam width of 1 the score is that of `evaluate`.

    Returns
    -------
    TextReport
        Prints itself in lines of at most 66 columns; ``.plot()`` draws the worst.

    Raises
    ------
    ValueError
        If the model does not read, the split is empty or lacks images or texts, the
        images do not fit the model, or an option is below 1.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.set_seed(0)
    >>> model = ct.build_text_recognizer((16, None, 1), "0123456789")  # not trained
    >>> texts = ["2015", "1997"]
    >>> test = ct.Split([ct.digit_string(text) for text in texts], texts)
    >>> print(ct.report_text(model, test))
    2 images, read without a mistake: 0.0 % [0.0, 65.8]
    character error rate: ...
    In brackets: 95 % intervals, what other such images may give.
    the 2 wrong readings, the worst first:
      image  truth  read       confidence
    ...
    """
    _check_reader(model)
    evaluation._check_split(split)
    worst = check_count("worst", worst)
    truths = _check_truths(split.targets)
    lines = reading.fit_lines(model, split.images)  # once: files are slow to open
    readings = reading.read_text(
        model, lines, beam_width, return_confidence=True, batch_size=batch_size
    )
    texts = [found.text for found in readings]
    exact = interval(exact_match_per_image(truths, texts))
    edits = edits_per_image(truths, texts)
    cer = interval(edits, reduce=error_rate)
    chosen = _rank(edits, [found.confidence for found in readings])[:worst]
    wrong = [
        WrongReading(i, lines[i], truths[i], texts[i], readings[i].confidence)
        for i in chosen
    ]
    return TextReport(len(lines), exact.value, exact, cer.value, cer, wrong)


def _check_reader(model):
    try:
        reading.check_reader(model)
    except ValueError as error:
        raise ValueError(
            f"{error} To score a model that gives classes, call ct.evaluate(model, "
            "split)."
        ) from error


def _check_truths(targets):
    truths = list(targets)
    for truth in truths:
        if not isinstance(truth, str):
            raise ValueError(
                "The targets of the split are texts, one str for each image, but got "
                f"{truth!r:.60}, a {type(truth).__name__}."
            )
    return truths


def _rank(edits, confidences):
    """Return where the wrong answers are, the worst first."""
    shares = error_rate(edits[:, np.newaxis], axis=1)  # of each image alone
    order = np.lexsort((-np.array(confidences), -shares))
    return [int(i) for i in order if edits[i, 0]]


# The printed lines


def _percent(interval):
    """Write it in percent also above 100 %, which an error rate can reach."""
    value, low, high = interval.value, interval.low, interval.high
    ends = "" if np.isnan(low) else f" [{100 * low:.1f}, {100 * high:.1f}]"
    return f"{100 * value:.1f} %{ends}"


def _heading(shown, mistakes):
    if mistakes == 1:
        return "the only wrong reading:"
    if shown == mistakes:
        return f"the {shown:,} wrong readings, the worst first:"
    some = "worst" if shown == 1 else f"{shown:,} worst"
    return f"the {some} of {mistakes:,} wrong readings:"


def _table(worst):
    numbers = [str(wrong.number) for wrong in worst]
    first = max(map(len, ["image", *numbers]))
    room = (_LINE - first - len("confidence") - 2 * 4) // 2  # two blanks before each
    rows = [("image", "truth", "read", "confidence")]
    for number, wrong in zip(numbers, worst, strict=True):
        rows.append((number, *_pair(wrong, room), _sure(wrong.confidence)))
    truth, text = (max(_width(row[k]) for row in rows) for k in (1, 2))
    return [
        f"  {row[0]:>{first}}  {_padded(row[1], truth)}  {_padded(row[2], text)}"
        f"  {row[3]:>10}"
        for row in rows
    ]


def _sure(confidence):
    if confidence < 0.01:
        return "below 1 %"
    if confidence > 0.99:
        return "above 99 %"
    return f"{100 * confidence:.0f} %"


def _pair(wrong, room):
    """Return truth and reading so that both fit and the first mistake is seen."""
    pair = [_visible(wrong.truth), _visible(wrong.text)]
    if max(map(_width, pair)) > room:
        same = os.path.commonprefix(pair)
        if _width(same) > room - 3:  # the mistake would be cut off
            start = 0
            while _width(same[start:]) > room // 2:
                start += 1
            pair = ["…" + text[start:] for text in pair]
    return [_cut(text, room) or "(nothing)" for text in pair]


def _cut(text, room):
    if _width(text) <= room:
        return text
    while _width(text) > room - 1:
        text = text[:-1]
    return text + "…"


def _visible(text):
    """Return a text whose every character can be seen, also a blank at its ends."""
    inner = text.strip(" ")
    left = len(text) - len(text.lstrip(" "))
    ends = "␣" * left, "␣" * (len(text) - left - len(inner))
    inner = "".join(c if c.isprintable() else repr(c)[1:-1] for c in inner)
    return ends[0] + inner + ends[1]


def _width(text):
    """Count the columns of a text in print: Chinese characters take two, marks none."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    marks = sum(unicodedata.category(c) in ("Mn", "Me") for c in text)
    return len(text) + wide - marks


def _padded(text, width):
    return text + " " * (width - _width(text))
