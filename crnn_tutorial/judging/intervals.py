"""How sure we are of a score: intervals from the scores of single images."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

_BATCH = 2_000_000  # scores that one step of the bootstrap holds in memory


def _are_fractions(values):
    return bool(np.min(values) >= 0 and np.max(values) <= 1)


def _unseen_share(images, confidence=0.95):
    """Largest share of all images that ``images`` of them may well not show once.

    A kind of image with the share q is missing from a sample with probability
    (1 - q)^images. At 95 % that is close to 3 / images: the "rule of three".
    """
    return 1 - (1 - confidence) ** (1 / images)


def _decimals(half_width, *bounds):
    """One digit of the half-width at least, and enough that no bound shows as 0."""
    decimals = 1
    if 0 < half_width < math.inf:
        decimals = min(max(1, -math.floor(math.log10(half_width))), 6)
    while decimals < 6 and any(b and not round(b, decimals) for b in bounds):
        decimals += 1
    return decimals


@dataclass(frozen=True)
class Interval:
    """A score and the range in which it may lie; ``str()`` shows it for a reader.

    Parameters
    ----------
    value : float
        What was measured.
    low, high : float
        Ends of the interval; NaN when the data cannot tell.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> print(ct.Interval(0.983, 0.969, 0.994), ct.Interval(31.24, 30.1, 32.4))
    98.3 % [96.9, 99.4] 31.2 [30.1, 32.4]
    """

    value: float
    low: float
    high: float

    def __str__(self):
        numbers = np.array([self.value, self.low, self.high])
        percent = _are_fractions(numbers[np.isfinite(numbers)])
        value, low, high = numbers * (100 if percent else 1)
        places = 1 if percent else _decimals((high - low) / 2)
        text = f"{value:.{places}f}" + (" %" if percent else "")
        if np.isnan(low):
            return text
        return f"{text} [{low:.{places}f}, {high:.{places}f}]"

    def __repr__(self):
        return f"Interval({self})"


def interval(per_image, reduce=np.mean, confidence=0.95, clusters=None):
    """Give a score its interval: what other images would show.

    The share of right answers gets the *Wilson* interval: scores of 0 and 1, of which
    ``reduce`` takes the mean. All other scores get the `bootstrap`. For shares near
    100 % it is too narrow: where the truth is 99 %, an interval from 360 images covers
    it 86 times in 100. ``benchmarks/coverage.py`` measures both.

    Parameters
    ----------
    per_image, reduce, confidence
        As in `bootstrap`.
    clusters : array_like, optional
        ``(images,)``; a label for each image. Images that were made from one source,
        such as a digit and its mirror image, have one label: their scores are averaged
        first, and count once.

    Returns
    -------
    Interval
        With ``value``, ``low`` and ``high``, in the units of the score.

    Raises
    ------
    ValueError
        As `bootstrap`, or if there is not one label for each image.

    References
    ----------
    E. B. Wilson (1927), "Probable inference, the law of succession, and statistical
    inference", J. Am. Stat. Assoc. 22.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.interval([1] * 354 + [0] * 6)
    Interval(98.3 % [96.4, 99.2])
    >>> ct.interval([1] * 50)  # not [100.0, 100.0]
    Interval(100.0 % [92.9, 100.0])
    >>> ct.interval([1] * 50, clusters=[*range(25)] * 2)  # each of 25 sources twice
    Interval(100.0 % [86.7, 100.0])
    """
    scores = _scores("per_image", per_image, axes=(1, 2))
    _check_confidence(confidence)
    if clusters is not None:
        scores = _merge(scores, clusters)
    if reduce is np.mean and scores.ndim == 1 and np.isin(scores, (0, 1)).all():
        found = stats.binomtest(int(scores.sum()), len(scores))
        low, high = found.proportion_ci(confidence, method="wilson")
        return Interval(float(scores.mean()), float(low), float(high))
    return bootstrap(scores, reduce, confidence)


def _merge(scores, clusters):
    """Average the scores, images first, of each cluster: one row for each is left."""
    try:
        labels = np.asarray(clusters)
        names, place = np.unique(labels, return_inverse=True)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "clusters holds one label for each image, all of them numbers or all of "
            f"them texts, but got {clusters!r:.60}."
        ) from error
    if labels.shape != scores.shape[:1]:
        raise ValueError(
            f"clusters holds one label for each of the {len(scores)} images, but got "
            f"the shape {labels.shape}. Give images of one source the same label, and "
            "every other image a label of its own."
        )
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise ValueError(
            f"clusters holds {np.isnan(labels).sum()} labels that are NaN. Give an "
            "image without a known source a label of its own."
        )
    total = np.zeros((len(names), *scores.shape[1:]))
    np.add.at(total, place, scores)
    return total / np.bincount(place).reshape(-1, *[1] * (scores.ndim - 1))


def bootstrap(per_image, reduce=np.mean, confidence=0.95, resamples=2000, seed=0):
    """Give a score its percentile-bootstrap interval: what other images would show.

    For a share of right answers `interval` is better: it calls this where it must.

    Draws as many images as there are, with replacement, ``resamples`` times, and
    takes the middle ``confidence`` of the scores that come out. It covers the choice
    of test images, not that of the seed: for that, train several times and ``judge``.

    When all images score the same (50 of 50 right), every resample is equal, and the
    interval would have no width: a lie, for a 51st image may be wrong. Then the *rule
    of three* holds: with 95 % confidence at most some 3 of ``images`` parts score
    otherwise, exactly ``1 - 0.05 ** (1 / images)``. It needs to know how far
    otherwise: outside [0, 1] nobody knows, and the ends are NaN.

    Parameters
    ----------
    per_image : array_like
        ``(images,)`` or ``(images, k)``; the scores of each image. Rows stay whole.
    reduce : callable
        ``reduce(scores, axis=...)`` -> one number for all images on that axis, as
        ``np.mean``, ``np.median`` or ``metrics.error_rate``.
    confidence : float
        Between 0 and 1.
    resamples : int
        At least 100; the ends move a little with the seed when there are few.
    seed : int
        The same seed gives the same interval.

    Returns
    -------
    Interval
        With ``value``, ``low`` and ``high``, in the units of the score.

    Raises
    ------
    ValueError
        If there is no image, a score is NaN or infinite, or an option is out of range.

    References
    ----------
    B. Efron (1979), "Bootstrap methods: another look at the jackknife", Ann. Stat. 7.
    J. A. Hanley and A. Lippman-Hand (1983), "If nothing goes wrong, is everything all
    right?", JAMA 249, for the rule of three.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.bootstrap([1] * 354 + [0] * 6)
    Interval(98.3 % [96.9, 99.4])
    >>> ct.bootstrap([1] * 50)  # not [100.0, 100.0]
    Interval(100.0 % [94.2, 100.0])
    """
    scores = _scores("per_image", per_image, axes=(1, 2))
    _check_confidence(confidence)
    if resamples < 100:
        raise ValueError(f"Expected at least 100 resamples, but got {resamples}.")
    value = float(reduce(scores, axis=0))
    rng = np.random.default_rng(seed)
    images, step = len(scores), max(1, _BATCH // scores.size)
    drawn = []
    for start in range(0, resamples, step):
        chosen = rng.integers(images, size=(min(step, resamples - start), images))
        drawn.append(reduce(scores[chosen], axis=1))  # one number for each row
    drawn = np.concatenate(drawn)  # (resamples,)
    if np.ptp(drawn) <= 1e-12 * max(1, abs(value)):
        return _no_spread(value, _unseen_share(images, confidence))
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high))


def _check_confidence(confidence):
    if not 0 < confidence < 1:
        raise ValueError(
            "Expected a confidence between 0 and 1, such as 0.95, but got "
            f"{confidence}."
        )


def _no_spread(value, unseen):
    """Bound a constant score when the share ``unseen`` may score anything in [0, 1]."""
    if not 0 <= value <= 1:
        return Interval(value, math.nan, math.nan)
    return Interval(value, (1 - unseen) * value, (1 - unseen) * value + unseen)


def _scores(name, values, axes):
    try:
        values = np.asarray(values, float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} holds one number for each image, but got a "
            f"{type(values).__name__}. Pass evaluation.per_image."
        ) from error
    if values.ndim not in axes or values.size == 0:
        raise ValueError(
            f"{name} has {' or '.join(map(str, axes))} axes and at least one image, "
            f"but got the shape {values.shape}."
        )
    if not np.isfinite(values).all():
        raise ValueError(
            f"{name} holds {np.sum(~np.isfinite(values))} scores that are NaN or "
            "infinite: a model that diverged has no score to compare."
        )
    return values
