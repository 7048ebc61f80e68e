"""What we compare with: twins of equal size.

A difference between two models means something only when they differ in one thing.
Each twin here has the same stem and (within 2 %) the same number of parameters as the
model it is compared with. (With few units, one more can be over 2 %: then the filters
of the stem are scaled, too, and ``match_parameters`` says so.)
"""

import contextlib
import functools
import inspect
import io
import numbers
from dataclasses import dataclass

import numpy as np
from keras import layers

from crnn_tutorial.network import backbones
from crnn_tutorial.network.assemble import assemble, begin, check_filters
from crnn_tutorial.network.masks import CHANNELS_LAST
from crnn_tutorial.tasks.classification import (
    Classify,
    build_cnn_model,
    build_crnn_model,
    convolve,
)

# By name, not layers.RNN: ConvLSTM2D is one too, and counts otherwise.
RECURRENT = tuple(backbones.RECURRENT_CELLS.values())


@dataclass(frozen=True)
class Match:
    """A builder whose widths were chosen to reach a number of parameters.

    Parameters
    ----------
    builder : callable
        Builds the compiled model, with no arguments.
    widths : dict
        The widths that were found, such as ``{"units": 71}``.
    ratio : float
        Parameters reached divided by parameters wanted.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> match = ct.match_parameters(ct.build_lstm_model, 20_000, (8, 8, 1), 10)
    >>> match.widths, round(match.ratio, 3)
    ({'units': 45}, 1.018)
    """

    builder: object
    widths: dict
    ratio: float


def match_parameters(builder, target, *args, tolerance=0.02, **kwargs):
    """Find the widths that give a model the same number of parameters as another.

    ``units`` is searched first; if no whole number comes close enough, ``filters``
    (where the builder has them) are scaled too. Where ``units`` changes nothing, such
    as in a CNN of the stem alone, only the filters are scaled.

    Parameters
    ----------
    builder : callable
        Such as ``ct.build_cnn_model``; takes ``units``, ``filters`` or both.
    target : keras.Model or int
        The model, or the number of parameters, to match.
    *args, **kwargs
        What ``builder`` is called with, such as ``input_shape`` and ``num_classes``.
    tolerance : float
        Largest relative difference allowed, 0.02 is 2 %.

    Returns
    -------
    Match
        With a builder of no arguments, the widths and the ratio reached.

    Raises
    ------
    ValueError
        If no widths come within the tolerance; the message says how close it came.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> crnn = ct.build_crnn_model((16, 64, 1), 10)
    >>> match = ct.match_parameters(ct.build_cnn_model, crnn, (16, 64, 1), 10)
    >>> abs(match.ratio - 1) < 0.02
    True
    """
    builder, args, kwargs = _unfold(builder, args, kwargs)
    is_number = isinstance(target, numbers.Integral)
    wanted = int(target) if is_number else target.count_params()
    if wanted < 1:
        raise ValueError(f"target is at least 1 parameter, but got {wanted}.")

    @functools.cache
    def count(units, filters):
        with contextlib.redirect_stdout(
            io.StringIO()
        ):  # one for a dataset says its size
            return builder(*args, **kwargs | _widths(units, filters)).count_params()

    def error(choice):
        return abs(count(*choice) / wanted - 1)

    best = None
    for choices in _choices(builder, args, kwargs, count, wanted):
        best = min([*choices, *filter(None, [best])], key=error)
        if error(best) <= tolerance:
            break
    if best is None:
        raise ValueError(f"{_name(builder)} has neither units= nor filters= to vary.")
    widths, ratio = _widths(*best), count(*best) / wanted
    if error(best) > tolerance:
        raise ValueError(
            f"No widths of {_name(builder)} come within {tolerance:.0%} of "
            f"{wanted:,} parameters; the nearest, {widths}, gives "
            f"{count(*best):,} ({ratio:.3f}). Pass other filters or units."
        )
    return Match(functools.partial(builder, *args, **kwargs | widths), widths, ratio)


def _unfold(builder, args, kwargs):
    """Return the function inside of partials, and all its arguments."""
    while isinstance(builder, functools.partial):
        args = (*builder.args, *args)
        kwargs = {**builder.keywords, **kwargs}
        builder = builder.func
    return builder, args, kwargs


def _choices(builder, args, kwargs, count, wanted):
    """Pairs (units, filters) around ``wanted``, those with the own filters first."""
    takes = inspect.signature(builder).parameters
    own = kwargs.get("filters") and tuple(kwargs["filters"])
    scaled = functools.partial(_scaled_filters, builder, args, kwargs)
    percents = (95, 105, 90, 110, 80, 120, 65, 50, 35, 25) if "filters" in takes else ()
    if "units" in takes and count(1, own) < count(2, own):
        for filters in (own, *map(scaled, percents)):
            units = _bisect(lambda n, f=filters: count(n, f), wanted)
            yield [(units, filters), (units + 1, filters)]
    elif "filters" in takes:
        percent = _bisect(lambda n: count(None, scaled(n)), wanted, unit=100)
        yield [(None, scaled(percent)), (None, scaled(percent + 1))]


def _widths(units, filters):
    widths = {"units": units, "filters": filters}
    return {name: width for name, width in widths.items() if width is not None}


def _name(builder):
    return getattr(builder, "__name__", "the builder")


def _bisect(count, wanted, unit=1):
    """Largest whole number whose count is at most ``wanted`` (at least 1)."""
    # Weights grow as a quadratic: solving it saves building a dozen models.
    low, step = _solve_quadratic(count, wanted, unit), 1
    high = low + 1
    while low > 1 and count(low) > wanted:
        low, high, step = max(1, low - step), low, 2 * step
    while count(high) <= wanted:
        low, high, step = high, high + step, 2 * step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= wanted else (low, middle)
    return low


def _solve_quadratic(count, wanted, unit):
    """Whole number where the parabola through three counts is ``wanted``, or 1."""
    first, second, third = (count(n * unit) for n in (1, 2, 3))
    square = (third - 2 * second + first) / 2
    line = second - first - 3 * square
    roots = np.roots([max(square, 0), line, first - square - line - wanted])
    return max(1, int(roots.real.max() * unit))


def _scaled_filters(builder, args, kwargs, percent):
    default = inspect.signature(builder).parameters["filters"].default
    input_shape = args[0] if args else kwargs["input_shape"]
    input_shape = getattr(input_shape, "input_shape", input_shape)  # of a dataset
    if len(input_shape) < 3:  # a sequence of features: nothing is convolved
        return None
    height, width = input_shape[-3], input_shape[-2] or input_shape[-3]
    filters = kwargs.get("filters") or default
    filters = filters or backbones.default_filters(height, width)
    return tuple(max(1, round(n * percent / 100)) for n in filters)


def twin(builder, recurrence):
    """Make the twin of a recurrent builder, with something else in the LSTM's place.

    Parameters
    ----------
    builder : callable
        Takes ``recurrence=`` and ``units=``, such as ``ct.build_crnn_model``.
    recurrence : str
        What stands in the LSTM's place. ``"order_blind"``: the same dense layer at each
        step, so that a shuffled sequence gives the same answer; ``"attention"``: each
        step looks at all others; ``"convolution"``: windows along the steps; or any
        other word that the builder knows.

    Returns
    -------
    callable
        Takes the same arguments and builds the twin, parameters matched.

    Raises
    ------
    ValueError
        If the builder has no recurrence to replace.

    References
    ----------
    Vaswani et al., 2017, arXiv:1706.03762 (attention); Bai, Kolter and Koltun, 2018,
    arXiv:1803.01271 (convolution along the steps).

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> build_twin = ct.twin(ct.build_crnn_model, "order_blind")
    >>> blind = build_twin((8, 8, 1), num_classes=10)
    >>> original = ct.build_crnn_model((8, 8, 1), num_classes=10)
    >>> 0.98 < blind.count_params() / original.count_params() < 1.02
    True
    """
    if "recurrence" not in inspect.signature(builder).parameters:
        raise ValueError(
            f"{_name(builder)} has no argument recurrence=, so "
            "there is no recurrence to replace. Pass ct.build_crnn_model, "
            "ct.build_video_classifier or ct.build_text_recognizer."
        )

    @functools.wraps(builder)
    def build(*args, **kwargs):
        original = builder(*args, **kwargs)
        kept = {k: v for k, v in kwargs.items() if k not in ("units", "recurrence")}
        match = match_parameters(
            builder, original, *args, recurrence=recurrence, **kept
        )
        return match.builder()

    return build


def rivals(builder, *args, **kwargs):
    """Line up a CRNN and its controls, all with the same number of parameters.

    Parameters
    ----------
    builder : callable
        ``ct.build_crnn_model``, ``ct.build_video_classifier`` or
        ``ct.build_text_recognizer``.
    *args, **kwargs
        What the builder is called with, such as ``input_shape`` and ``num_classes``.

    Returns
    -------
    dict
        Builders of no arguments, by name: ``"CRNN"``, ``"CNN"`` (sees the whole image),
        ``"plain CNN"`` (the CRNN's blocks, then dense layers, as most tutorials build
        it), ``"order-blind"`` and ``"attention"``. For text and clips the CNN has
        convolutions along the steps, and the order-blind twin is the plain CNN.

    Raises
    ------
    ValueError
        If the builder has no recurrence to replace.

    References
    ----------
    The rules of this book, `book/appendix/how_we_judge`, rule 4.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> list(ct.rivals(ct.build_crnn_model, (8, 8, 1), 10))
    ['CRNN', 'CNN', 'plain CNN', 'order-blind', 'attention']
    """
    builder, args, kwargs = _unfold(builder, args, kwargs)
    original = functools.partial(builder, *args, **kwargs)

    def replaced(recurrence):
        return functools.partial(twin(builder, recurrence), *args, **kwargs)

    if builder is build_crnn_model:
        own = ("units", "recurrence", "sequence")
        shared = {k: v for k, v in kwargs.items() if k not in own}
        cnns = {
            name: match_parameters(build, original(), *args, **shared).builder
            for name, build in (
                ("CNN", build_cnn_model),
                ("plain CNN", _build_plain_cnn),
            )
        }
    else:
        cnns = {"CNN": replaced("convolution")}
    return {
        "CRNN": original,
        **cnns,
        "order-blind": replaced("order_blind"),
        "attention": replaced("attention"),
    }


def _build_plain_cnn(
    input_shape,
    num_classes=None,
    *,
    filters=None,
    units=64,
    dropout=0.0,
    learning_rate=1e-3,
):
    """Build a CNN as most tutorials do: blocks of convolution, then dense layers."""
    inputs, *classes = begin(input_shape, num_classes)
    features = convolve(inputs, check_filters(filters, *inputs.shape[1:3]))
    # A kernel as large as the map: a dense layer over all of its numbers.
    dense = layers.Conv2D(units, features.map.shape[1:3], name="dense", **CHANNELS_LAST)
    x = layers.ReLU(name="relu_dense")(dense(features.map))
    return assemble(
        inputs, features._replace(map=x), Classify(*classes), dropout, learning_rate
    )
