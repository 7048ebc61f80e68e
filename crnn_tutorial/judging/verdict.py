"""The rule of the book: when ours is better than a control, over images and seeds."""

import math
import textwrap
from dataclasses import MISSING, asdict, dataclass, fields

import numpy as np
from scipy import stats

from crnn_tutorial.judging.intervals import (
    _are_fractions,
    _decimals,
    _merge,
    _scores,
    _unseen_share,
)
from crnn_tutorial.metrics.words import MARGIN, comparison_word

# comparison -> what it makes of the claim that ours is better
_VERDICTS = {"better": "supported", "worse": "false"}


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
        Smallest difference that such a test calls "better" 4 times in 5.
    verdict : str
        On the claim that ours is better: "supported", "not supported" or "false".
    seeds, images : int
        How many of each were compared.
    claim : str
        What was judged, may be empty.
    fractions : bool
        Whether all scores lay in [0, 1]: shown in percentage points.
    margin : float
        Differences up to this one do not matter.
    clusters : int or None
        How many sources the images have, where `judge` was told.
    p_value : float or None
        How often chance alone would show such a difference or a larger one; below 0.05
        where the interval leaves out zero. None in results of older versions.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> found = ct.Judgement(0.002, -0.009, 0.013, 0.016, "not supported", 5, 500)
    >>> found.word
    'undecided'
    >>> print(found.sentence)
    undecided: +0.2 points [-0.9, 1.3] over 5 seeds and 500 images;
    a difference of 1.6 points or more would have been seen 4 times in 5
    >>> found.points
    '+0.2 points [-0.9, 1.3]'
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
    margin: float = MARGIN
    clusters: int | None = None
    p_value: float | None = None

    @classmethod
    def of(cls, stored):
        """Return the judgement that ``ct.run_seeds`` has stored.

        Parameters
        ----------
        stored : dict or Judgement
            One of ``results["judgements"]``. What older versions stored is judged by
            the present words, with the usual margin.

        Returns
        -------
        Judgement
            With its ``word`` and ``sentence``.

        Raises
        ------
        ValueError
            If something that a judgement needs is missing.

        Examples
        --------
        >>> import crnn_tutorial as ct
        >>> stored = ct.load_results("digits")["random"]["judgements"]["CNN"]
        >>> found = ct.Judgement.of(stored)
        >>> found.difference == stored["difference"]
        True
        """
        if isinstance(stored, cls):
            return stored
        known = {field.name for field in fields(cls)}
        try:
            return cls(**{key: stored[key] for key in known & set(stored)})
        except TypeError as error:
            needed = [f.name for f in fields(cls) if f.default is MISSING]
            raise ValueError(
                f"A judgement has {', '.join(needed)}, but got {stored!r:.60}. Pass "
                "what ct.judge returned, or one of the judgements of ct.run_seeds."
            ) from error

    def as_dict(self):
        """Return what is stored, with its word and its sentence; `of` reads it again.

        Returns
        -------
        dict
            Ready for JSON.

        Examples
        --------
        >>> import crnn_tutorial as ct
        >>> found = ct.Judgement(0.002, -0.009, 0.013, 0.016, "not supported", 5, 500)
        >>> found.as_dict()["word"], ct.Judgement.of(found.as_dict()) == found
        ('undecided', True)
        """
        return asdict(self) | {"word": self.word, "sentence": self.sentence}

    @property
    def word(self):
        """The comparison: "better", "worse", "as good" or "undecided"."""
        return comparison_word(self.low, self.high, self.margin)

    @property
    def sentence(self):
        """The comparison with its numbers, as it can stand in a chapter."""
        return f"{self._finding}: {self._numbers}"

    @property
    def points(self):
        """The difference with its interval, as it can stand in a sentence.

        In percentage points where the scores lie in [0, 1], else in their own unit.
        """
        scale, unit, places = _scale(self)
        low, high = (f"{end * scale:z.{places}f}" for end in (self.low, self.high))
        return f"{self.difference * scale:+z.{places}f}{unit} [{low}, {high}]"

    @property
    def _finding(self):
        if self.word != "as good":
            return self.word
        scale, unit = (100, " points") if self.fractions else (1, "")
        margin = f"{self.margin * scale:g}"
        return f"as good, within {margin}{unit[:-1] if margin == '1' else unit}"

    @property
    def _numbers(self):
        text = f"{self.points} over {self.seeds} seed{'s' * (self.seeds > 1)}"
        text += f" and {self.images:,} images"
        if self.clusters is not None:
            text += f" of {self.clusters:,} sources"
        if self.word == "undecided":
            scale, unit, places = _scale(self)
            text += f"; a difference of {self.detectable * scale:.{places}f}{unit}"
            text += " or more would have been seen 4 times in 5"
        if self.seeds == 1:
            text += "; one seed only: another training may say otherwise"
        return text

    def __str__(self):
        if not self.claim:
            return _wrap(self.sentence)
        return _wrap(f"{self.claim}: {self.verdict} ({self._finding}): {self._numbers}")

    def __repr__(self):
        return f"Judgement({self})"


def print_judgements(judgements):
    """Print comparisons, one below the other, in lines that fit a page.

    What is printed is the word of the comparison. To see the verdict on a claim, print
    the judgement itself.

    Parameters
    ----------
    judgements : dict
        Name -> ``Judgement``, or the same as stored by ``ct.run_seeds``. The name says
        what was compared with what.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> found = ct.Judgement(0.002, -0.009, 0.013, 0.016, "not supported", 5, 500)
    >>> ct.print_judgements({"CRNN minus CNN": found})
    CRNN minus CNN: undecided: +0.2 points [-0.9, 1.3] over 5 seeds
      and 500 images; a difference of 1.6 points or more would have
      been seen 4 times in 5
    """
    for name, found in judgements.items():
        print(_wrap(f"{name}: {Judgement.of(found).sentence}"))


def _wrap(text):
    return textwrap.fill(text, 66, subsequent_indent="  ")


def _scale(found):
    """Return the factor, the unit and the decimals in which to show a difference."""
    scale, unit = (100, " points") if found.fractions else (1, "")
    low, high, margin = (x * scale for x in (found.low, found.high, found.margin))
    told = [low, high]  # what must not show as zero
    if found.word in ("as good", "undecided"):  # on which side of the margin, too
        told += [gap for gap in (low + margin, high - margin) if abs(gap) > 1e-9]
    return scale, unit, _decimals((high - low) / 2, *told)


def judge(ours, control, claim="", *, margin=MARGIN, clusters=None):
    """Compare two rivals on the same images and seeds, and say who is better.

    The 95 % interval of ours minus control decides:

    - *better*: it lies wholly above zero;
    - *worse*: it lies wholly below zero;
    - *as good*: it holds zero and lies wholly within ``margin`` of it;
    - *undecided*: it holds zero and reaches beyond the margin. The sentence names the
      smallest difference that would have been seen (with a power of 80 %, the noise
      being as measured).

    An interval that lies above zero *and* within the margin is called better: that is
    the stronger statement, and its numbers show how small the advantage is. The claim
    that ours is better is *supported* where the comparison says better, *false* where
    it says worse, and else *not supported*.

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

    The p-value belongs to the interval: it is the level at which the interval begins to
    hold zero. That is ``2 * P(T > |mean(d)| / SE)`` with ``T`` distributed by Student's
    t; under the rule of three never less than ``(1 - |mean(d)|) ** images``. It is for
    judging many comparisons together (``scipy.stats.false_discovery_control``).

    Parameters
    ----------
    ours, control : array_like
        ``(images,)`` or ``(seeds, images)``; the score of each image, *higher is
        better*: pass minus the error where lower is better. The same images in the
        same order for all. A rival that knows no seed, ``(images,)``, is compared with
        each seed of the other.
    claim : str
        What is judged, for the reader.
    margin : float
        Differences up to this one do not matter; in the units of the score. Name it
        before you look: one percentage point where you name none. It suits scores from
        0 to 1 only.
    clusters : array_like, optional
        ``(images,)``; a label for each image. Images that were made from one source,
        such as a digit and its mirror image, have one label: their scores are averaged
        first, and count once.

    Returns
    -------
    Judgement
        Difference, interval, detectable difference, word, verdict, p-value, and more.

    Raises
    ------
    ValueError
        If images or seeds do not match, fewer than two images or sources were given, a
        score is NaN or infinite, the margin is negative, or there is not one label for
        each image.

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
    better: +3.0 points [2.1, 3.9] over 5 seeds and 500 images
    >>> print(ct.judge(ours, ours))
    as good, within 1 point: +0.0 points [-0.6, 0.6] over 5 seeds and
    500 images
    >>> equal = rng.random((5, 500)) < 0.90
    >>> print(ct.judge(equal, control, claim="The CRNN reads better"))
    The CRNN reads better: not supported (undecided):
    +0.6 points [-1.1, 2.4] over 5 seeds and 500 images;
    a difference of 2.5 points or more would have been seen 4 times in 5
    """
    if not margin >= 0:
        raise ValueError(
            "The margin is the largest difference that does not matter, 0 or more, but "
            f"got {margin}."
        )
    ours, control = _paired(ours, control)
    seeds, images = ours.shape
    fractions = _are_fractions([ours, control])
    binary = np.isin([ours, control], (0, 1)).all()
    if clusters is not None:
        ours, control = (_merge(scores.T, clusters).T for scores in (ours, control))
    sources = ours.shape[1]
    if sources < 2:
        one = "1" if clusters is None else f"{images} of a single source"
        raise ValueError(f"At least two images are needed to tell anything, got {one}.")
    difference = ours - control  # (seeds, images or their sources)
    mean = float(difference.mean())
    error, freedom = _standard_error(difference)
    t, power = stats.t.ppf([0.975, 0.80], freedom)
    half_width, detectable = t * error, (t + power) * error
    p_value = 2 * stats.t.sf(abs(mean) / error, freedom) if error else float(mean == 0)
    if binary or error == 0:
        reach = 1 if fractions else max(np.ptp(ours), np.ptp(control), abs(mean))
        unseen = _unseen_share(sources) * reach
        half_width, detectable = max(half_width, unseen), max(detectable, unseen)
        p_value = max(p_value, (1 - abs(mean) / (reach or 1)) ** sources)
    low, high = mean - half_width, mean + half_width
    if fractions:
        low, high, detectable = max(low, -1.0), min(high, 1.0), min(detectable, 1.0)
    return Judgement(
        difference=mean,
        low=float(low),
        high=float(high),
        detectable=float(detectable),
        verdict=_VERDICTS.get(comparison_word(low, high), "not supported"),
        seeds=seeds,
        images=images,
        claim=claim,
        fractions=fractions,
        margin=float(margin),
        clusters=None if clusters is None else sources,
        p_value=float(p_value),
    )


def _paired(ours, control):
    """Check two arrays of scores and give both the shape (seeds, images)."""
    ours = np.atleast_2d(_scores("ours", ours, axes=(1, 2)))
    control = np.atleast_2d(_scores("control", control, axes=(1, 2)))
    if ours.shape[1] != control.shape[1]:
        raise ValueError(
            "The comparison is paired: both need the same images, but got "
            f"{ours.shape[1]} and {control.shape[1]}."
        )
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
