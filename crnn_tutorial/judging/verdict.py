"""The rule of the book: when ours is better than a control, over images and seeds."""

import math
import textwrap
from dataclasses import dataclass

import numpy as np
from scipy import stats

from crnn_tutorial.judging.intervals import (
    _are_fractions,
    _decimals,
    _scores,
    _unseen_share,
)


@dataclass(frozen=True, repr=False)
class Judgement:
    """What a paired comparison found; ``sentence`` says it in one line.

    Parameters
    ----------
    difference : float
        Mean of ours minus control, in the units of the score.
    low, high : float
        Ends of the 95 % interval of the difference.
    detectable : float
        Smallest difference that such a test calls "supported" 4 times in 5.
    verdict : str
        "supported", "not supported" or "false".
    seeds, images : int
        How many of each were compared.
    claim : str
        What was judged, may be empty.
    fractions : bool
        Whether all scores lay in [0, 1]: shown in percentage points.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> found = ct.Judgement(0.002, -0.009, 0.013, 0.016, "not supported", 5, 500)
    >>> print(found.sentence)
    not supported: +0.2 points [-0.9, 1.3] over 5 seeds and 500 images;
    a difference of 1.6 points or more would have been seen 4 times in 5
    """

    difference: float
    low: float
    high: float
    detectable: float
    verdict: str
    seeds: int
    images: int
    claim: str = ""
    fractions: bool = True

    @property
    def sentence(self):
        """The verdict with its numbers, as it can stand in a chapter."""
        text = (
            f"{self.verdict}: {points(self)} over "
            f"{self.seeds} seed{'s' * (self.seeds > 1)} and {self.images:,} images"
        )
        if self.verdict == "not supported":
            scale, unit, places = _scale(vars(self))
            least = f"{self.detectable * scale:.{places}f}{unit}"
            text += (
                f"; a difference of {least} or more would have been seen 4 times in 5"
            )
        if self.seeds == 1:
            text += "; one seed only: another training may say otherwise"
        return text

    def __str__(self):
        return _wrap(f"{self.claim}: {self.sentence}" if self.claim else self.sentence)

    def __repr__(self):
        return f"Judgement({self})"


def print_judgements(judgements):
    """Print judgements, one below the other, in lines that fit a page.

    Parameters
    ----------
    judgements : dict
        Name -> ``Judgement``, or the same as stored by ``ct.run_seeds``.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> found = ct.Judgement(0.002, -0.009, 0.013, 0.016, "not supported", 5, 500)
    >>> ct.print_judgements({"CRNN minus CNN": found})
    CRNN minus CNN: not supported: +0.2 points [-0.9, 1.3] over 5
      seeds and 500 images; a difference of 1.6 points or more would
      have been seen 4 times in 5
    """
    for name, found in judgements.items():
        stored = isinstance(found, dict)
        print(_wrap(f"{name}: {found['sentence'] if stored else found.sentence}"))


def _wrap(text):
    return textwrap.fill(text, 66, subsequent_indent="  ")


def points(judgement):
    """Write a difference with its interval, as it can stand in a sentence.

    Parameters
    ----------
    judgement : Judgement or dict
        From ``ct.judge``, or as ``ct.run_seeds`` stores it.

    Returns
    -------
    str
        In percentage points where the scores lie in [0, 1], else in their own unit.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> found = ct.Judgement(0.047, 0.027, 0.066, 0.02, "supported", 5, 360)
    >>> ct.points(found)
    '+4.7 points [2.7, 6.6]'
    """
    found = judgement if isinstance(judgement, dict) else vars(judgement)
    scale, unit, places = _scale(found)
    difference, low, high = (
        found[name] * scale for name in ("difference", "low", "high")
    )
    bounds = f"[{low:z.{places}f}, {high:z.{places}f}]"
    return f"{difference:+z.{places}f}{unit} {bounds}"


def _scale(found):
    """Return the factor, the unit and the decimals in which to show a difference."""
    scale, unit = (100, " points") if found["fractions"] else (1, "")
    low, high = found["low"] * scale, found["high"] * scale
    return scale, unit, _decimals((high - low) / 2, low, high)


def judge(ours, control, claim=""):
    """Compare two rivals on the same images and seeds, and give the verdict.

    *Supported* when the whole 95 % interval of ours minus control lies above zero,
    *false* when it lies below, *not supported* otherwise, with the smallest difference
    that could have been seen (with a power of 80 %, the noise being as measured).

    The differences ``d`` are paired by image and seed, and both count as random: other
    images *and* other seeds would have given another mean. So its variance is that of
    the seeds' means plus that of the images' means,

        SE^2 = var(mean of d over images) / seeds + var(mean of d over seeds) / images

    and the interval is ``mean(d) +- t * SE`` with Satterthwaite's degrees of freedom.
    What is peculiar to one seed *and* one image enters both terms, so that the interval
    is rather too wide than too narrow. With one seed, only the images are covered.

    Where the scores are 0 or 1, or no two differences differ, the half-width and the
    detectable difference are never less than the *rule of three*: some 3 in ``images``
    may score otherwise, and the sample does not show one (see ``bootstrap``).

    Parameters
    ----------
    ours, control : array_like
        ``(images,)`` or ``(seeds, images)``; the score of each image, *higher is
        better*: pass minus the error where lower is better. The same images in the
        same order for all. A rival that knows no seed, ``(images,)``, is compared with
        each seed of the other.
    claim : str
        What is judged, for the reader.

    Returns
    -------
    Judgement
        Difference, interval, detectable difference, verdict, seeds, images.

    Raises
    ------
    ValueError
        If images or seeds do not match, fewer than two images were given, or a score
        is NaN or infinite.

    References
    ----------
    Crossed random effects of images and seeds: J. Baayen, D. Davidson and D. Bates
    (2008), J. Memory and Language 59. Degrees of freedom: F. E. Satterthwaite (1946),
    Biometrics Bulletin 2. Our rules: the book's page "How we judge".

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> rng = np.random.default_rng(0)
    >>> control = rng.random((5, 500)) < 0.90  # five seeds, right in 90 % of cases
    >>> ours = control | (rng.random((5, 500)) < 0.30)  # repairs 30 % of the errors
    >>> print(ct.judge(ours, control))
    supported: +3.0 points [2.1, 3.9] over 5 seeds and 500 images
    >>> equal = rng.random((5, 500)) < 0.90
    >>> print(ct.judge(equal, control, claim="The CRNN reads better"))
    The CRNN reads better:
    not supported: +0.6 points [-1.1, 2.4] over 5 seeds and 500 images;
    a difference of 2.5 points or more would have been seen 4 times in 5
    """
    ours, control = _paired(ours, control)
    fractions = _are_fractions([ours, control])
    difference = ours - control  # (seeds, images)
    mean, (seeds, images) = float(difference.mean()), difference.shape
    error, freedom = _standard_error(difference)
    t, power = stats.t.ppf([0.975, 0.80], freedom)
    half_width, detectable = t * error, (t + power) * error
    binary = np.isin([ours, control], (0, 1)).all()
    if binary or error == 0:
        reach = 1 if fractions else max(np.ptp(ours), np.ptp(control), abs(mean))
        unseen = _unseen_share(images) * reach
        half_width, detectable = max(half_width, unseen), max(detectable, unseen)
    low, high = mean - half_width, mean + half_width
    if fractions:
        low, high, detectable = max(low, -1.0), min(high, 1.0), min(detectable, 1.0)
    verdict = "supported" if low > 0 else "false" if high < 0 else "not supported"
    numbers = (mean, float(low), float(high), float(detectable))
    return Judgement(*numbers, verdict, seeds, images, claim, fractions)


def _paired(ours, control):
    """Check two arrays of scores and give both the shape (seeds, images)."""
    ours = np.atleast_2d(_scores("ours", ours, axes=(1, 2)))
    control = np.atleast_2d(_scores("control", control, axes=(1, 2)))
    if ours.shape[1] != control.shape[1]:
        raise ValueError(
            "The comparison is paired: both need the same images, but got "
            f"{ours.shape[1]} and {control.shape[1]}."
        )
    if ours.shape[1] < 2:
        raise ValueError("At least two images are needed to tell anything, got 1.")
    if ours.shape[0] != control.shape[0] and 1 not in (len(ours), len(control)):
        raise ValueError(
            "Both need the same seeds, or one of them none at all, but got "
            f"{len(ours)} and {len(control)}."
        )
    return np.broadcast_arrays(ours, control)


def _standard_error(difference):
    """Find the standard error of the mean of ``(seeds, images)``, and its freedom."""
    parts = []  # the variance that seeds and images each bring, and its freedom
    for means in (difference.mean(axis=1), difference.mean(axis=0)):
        if len(means) > 1:
            parts.append((means.var(ddof=1) / len(means), len(means) - 1))
    variance = sum(part for part, _ in parts)
    if variance <= (1e-12 * np.abs(difference).max()) ** 2:  # rounding, not spread
        return 0.0, max(freedom for _, freedom in parts)
    freedom = variance**2 / sum(part**2 / freedom for part, freedom in parts)
    return math.sqrt(variance), freedom
