"""Curves, seeds and judgements.

Each function returns a Matplotlib figure; none calls ``plt.show()``.
"""

import textwrap

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import MaxNLocator

from crnn_tutorial.figures.style import COLORS, looks, new_figure
from crnn_tutorial.metrics.words import MARGIN, comparison_word


def plot_curves(
    x,
    curves,
    *,
    xlabel,
    ylabel,
    intervals=None,
    xscale="linear",
    yscale="linear",
    ylim=None,
    axes=None,
):
    """Draw lines that share an x axis, each with its name at its end.

    Parameters
    ----------
    x : sequence of float
        ``(points,)``.
    curves : dict
        Name -> ``(points,)``; NaN leaves a gap.
    xlabel, ylabel : str
        With the unit, such as "distance (px)".
    intervals : dict, optional
        Name -> (low, high), each ``(points,)``: drawn as a band.
    xscale, yscale : {"linear", "log"}
        Of the axes.
    ylim : tuple of float, optional
        Limits of the y axis.
    axes : matplotlib.axes.Axes, optional
        Draw here instead of in a figure of its own.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If a curve has not one value for each x, or is nowhere a number.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.plot_curves(
    ...     [1, 2, 3],
    ...     {"CNN": [0.9, 0.7, 0.5], "CRNN": [0.9, 0.9, 0.8]},
    ...     xlabel="distance (px)",
    ...     ylabel="accuracy",
    ... )
    <Figure size 480x307 with 1 Axes>
    """
    x = np.asarray(x, dtype=float)
    if axes is None:
        axes = new_figure(3.2).subplots()
    ends = []
    for (name, values), style in zip(curves.items(), looks(curves), strict=True):
        y = _curve(name, values, x)
        axes.plot(x, y, **style, markevery=max(1, len(x) // 8), label=name)
        if intervals and name in intervals:
            low, high = (_curve(name, bound, x) for bound in intervals[name])
            band = {"color": style["color"], "alpha": 0.15, "linewidth": 0}
            axes.fill_between(x, low, high, **band)
        last = np.flatnonzero(np.isfinite(y))[-1]
        ends.append((x[last], y[last], name, style))
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale=xscale, yscale=yscale)
    if ylim is not None:
        axes.set_ylim(ylim)
    if len(curves) > 1:
        _label_ends(axes, ends)
    return axes.figure


def _curve(name, values, x):
    y = np.asarray(values, dtype=float)
    if y.shape != x.shape or not np.isfinite(y).any():
        raise ValueError(
            f"The curve {name!r} needs one number for each of the {len(x)} x values, "
            f"but got shape {y.shape} with {np.isfinite(y).sum()} finite numbers."
        )
    return y


def _label_ends(axes, ends):
    """Write each name to the right of its line's end, so that no two overlap."""
    axes.autoscale_view()
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = [(*to_axes.transform((x, y)), *rest) for x, y, *rest in ends]
    ends.sort(key=lambda end: end[1])
    height = axes.figure.get_figheight() / len(axes.figure.axes)
    gaps = 1.2 * mpl.rcParams["font.size"] / 72 / (0.75 * height) * np.arange(len(ends))
    # Each stands at its end, or a gap above the one below; the highest within the axes.
    places = np.maximum.accumulate([y for _, y, *_ in ends] - gaps) + gaps
    places -= max(0.0, places[-1] - 1.0)
    inside = {"transform": axes.transAxes}
    for (x, y, name, style), place in zip(ends, places, strict=True):
        along = {"color": style["color"], "clip_on": False, **inside}
        axes.plot([x, 1.05], [y, place], "-", lw=0.8, alpha=0.7, **along)
        axes.plot([1.05], [place], style["marker"], **along)
        axes.text(1.08, place, name, va="center", **inside)


def plot_history(history):
    """Draw training curves: the loss and, below it, the accuracy if there is one.

    Parameters
    ----------
    history : keras.callbacks.History or dict
        What ``fit`` or ``ct.train_crnn_model`` returns, or its ``history``; or
        name -> history to lay several over each other.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each quantity, over the epochs.

    Raises
    ------
    ValueError
        If there is no epoch in it.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.plot_history({"loss": [2.3, 1.1, 0.6], "val_loss": [2.2, 1.3, 0.9]})
    <Figure size 480x259 with 1 Axes>
    """
    runs = _runs(history)
    recorded = next(iter(runs.values()), {})
    quantities = [
        name
        for name in sorted(recorded, key=lambda name: name != "loss")  # it is on top
        if not name.startswith("val_") and name != "learning_rate"
    ]
    if not quantities or not all(run.get(quantities[0]) for run in runs.values()):
        raise ValueError(
            "There is no epoch in the history: expected what fit returns, or a dict "
            f"such as {{'loss': [2.3, 1.1]}}, but got {history!r}."
        )
    figure = new_figure(2.7 * len(quantities))
    panels = figure.subplots(len(quantities), sharex=True, squeeze=False)[:, 0]
    for axes, quantity in zip(panels, quantities, strict=True):
        label, curves = _history_curves(runs, quantity)
        epochs = np.arange(1, 1 + max(map(len, curves.values())))
        shown = {name: np.full(len(epochs), np.nan) for name in curves}
        for name, values in curves.items():
            shown[name][: len(values)] = values
        if "accuracy" in quantity:
            label += " (%)"
            shown = {name: 100 * values for name, values in shown.items()}
        xlabel = "epoch" if axes is panels[-1] else ""
        plot_curves(epochs, shown, xlabel=xlabel, ylabel=label, axes=axes)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _runs(history):
    """Return name -> quantity -> values; one history alone has the name ""."""
    runs = _record(history)
    if all(isinstance(values, list | tuple | np.ndarray) for values in runs.values()):
        return {"": runs}
    return {name: _record(run) for name, run in runs.items()}


def _record(history):
    return dict(getattr(history, "history", history))


def _history_curves(runs, quantity):
    """Return the label of one panel and its curves: of several runs, one for each."""
    label, on = quantity.replace("_", " "), f"val_{quantity}"
    if "" in runs:
        both = {"training": quantity, "validation": on}
        return label, {k: runs[""][key] for k, key in both.items() if key in runs[""]}
    if all(on in run for run in runs.values()):
        label = f"validation {label}"
    return label, {name: run.get(on, run[quantity]) for name, run in runs.items()}


def plot_seeds(results, evaluations=None):
    """Draw the score of each seed as a dot, and this page's own run among them.

    Parameters
    ----------
    results : dict
        From ``ct.load_results``, or name -> scores of the seeds.
    evaluations : dict, optional
        Name -> ``Evaluation`` (or score) of the page's own run: open diamonds.

    Returns
    -------
    matplotlib.figure.Figure
        A row for each rival; a vertical stroke marks the mean, written on the right.

    Raises
    ------
    ValueError
        If a rival has no score, or the page's own run no such rival.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.plot_seeds({"CRNN": [0.981, 0.986], "CNN": [0.978, 0.983]}, {"CNN": 0.98})
    <Figure size 480x221 with 1 Axes>
    """
    metric = results.get("metric", "score")
    rivals = results.get("rivals", results)
    scores = {
        name: np.asarray(found["scores"] if isinstance(found, dict) else found, float)
        for name, found in rivals.items()
    }
    own = {name: getattr(e, "score", e) for name, e in (evaluations or {}).items()}
    empty = [name for name in scores if scores[name].size == 0]
    strangers = [name for name in own if name not in scores]
    if not scores or empty or strangers:
        raise ValueError(
            "Each rival needs at least one score, and each own run a rival of the same "
            f"name. Rivals: {list(scores)}; without scores: {empty}; "
            f"unknown: {strangers}."
        )
    everything = np.concatenate([*scores.values(), [*own.values()]])
    percent = everything.min() >= 0 and everything.max() <= 1
    factor, unit = (100, " (%)") if percent else (1, "")
    figure = new_figure(0.9 + 0.6 * len(scores) + 0.2 * bool(own))
    axes = figure.subplots()
    for row, (name, look) in enumerate(zip(scores, looks(scores), strict=True)):
        seeds = factor * scores[name]
        dots = look | {"linestyle": "none", "alpha": 0.6}
        axes.plot(seeds, np.full(len(seeds), row), **dots)
        axes.plot([seeds.mean()] * 2, [row - 0.25, row + 0.25], "-", color="black")
        if name in own:
            style = {"markersize": 11, "markerfacecolor": "none", "color": "black"}
            axes.plot([factor * own[name]], [row], "D", markeredgewidth=1.5, **style)
        place = {"transform": axes.get_yaxis_transform(), "va": "center"}
        axes.text(1.02, row, f"{seeds.mean():.{1 if percent else 2}f}", **place)
    key = "\n◇ this page's own run" if own else ""
    _name_rows(axes, list(scores), metric + unit + key)
    axes.text(1.02, -0.55, "mean", transform=axes.get_yaxis_transform(), va="bottom")
    return figure


def _name_rows(axes, names, xlabel):
    axes.set_yticks(range(len(names)), names)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlabel=xlabel)
    axes.grid(axis="y", visible=False)


# word of the comparison -> colour, marker, filled
_WORDS = {
    "better": (COLORS["blue"], "o", True),
    "as good": (COLORS["black"], "s", True),
    "undecided": (COLORS["black"], "s", False),
    "worse": (COLORS["vermillion"], "v", True),
}


def plot_judgements(judgements, xlabel="difference (points)", axes=None):
    """Draw paired differences with their 95 % intervals, a row for each.

    Parameters
    ----------
    judgements : dict
        Name -> ``Judgement``, or the same as stored by ``ct.run_seeds``. Of scores in
        [0, 1] the differences are shown in percentage points, of others as they are.
    xlabel : str
        What minus what, and the unit.
    axes : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Better: filled circles; worse: triangles; as good: filled squares; undecided:
        open squares. An interval that leaves the zero line free has a direction.

    Raises
    ------
    ValueError
        If there is no judgement, or one without its numbers.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> found = ct.Judgement(0.002, -0.009, 0.013, 0.016, "not supported", 5, 500)
    >>> ct.plot_judgements({"digits": found}, "CRNN minus CNN (points)")
    <Figure size 480x154 with 1 Axes>
    """
    rows = {
        name: found if isinstance(found, dict) else vars(found)
        for name, found in judgements.items()
    }
    numbers = {"difference", "low", "high"}
    bare = [name for name, found in rows.items() if numbers - set(found)]
    if not rows or bare:
        raise ValueError(
            "Expected {name: judgement} from ct.judge or ct.run_seeds, but got "
            f"{f'no difference, low and high for {bare}' if bare else 'nothing'}."
        )
    if axes is None:
        axes = new_figure(1.2 + 0.4 * len(rows)).subplots()
    axes.axvline(0, color="black", linewidth=1)
    for row, found in enumerate(rows.values()):
        margin = found.get("margin", MARGIN)  # older results have none
        word = comparison_word(found["low"], found["high"], margin)
        color, marker, filled = _WORDS[word]
        scale = 100 if found.get("fractions", True) else 1
        ends = [scale * found["low"], scale * found["high"]]
        axes.plot(ends, [row, row], "-", color=color)
        face = color if filled else "white"
        middle = scale * found["difference"]
        axes.plot(middle, row, marker, color=color, markerfacecolor=face, markersize=8)
    _name_rows(axes, list(rows), xlabel)
    return axes.figure


def plot_slopes(pairs, names=("alone", "joint"), columns=2):
    """Draw how scores change from one way of training to another, a line for each seed.

    Parameters
    ----------
    pairs : dict
        Title -> two lists, the scores of the seeds in each of the two ways, in the same
        order. A title may end in its unit.
    names : tuple of two str
        What the two ways are called.
    columns : int
        Panels side by side.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each pair, with an axis of its own. Lines that rise are blue and
        solid, others vermillion and dashed. Scores in [0, 1] are shown in percent.

    Raises
    ------
    ValueError
        If there is no pair, or one without as many scores on both sides.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.plot_slopes({"classify": ([0.98, 0.97], [0.95, 0.98])})
    <Figure size 480x240 with 1 Axes>
    """
    found = {title: np.asarray([*pair], object) for title, pair in pairs.items()}
    odd = [title for title, pair in found.items() if pair.ndim != 2 or len(pair) != 2]
    if not found or odd:
        raise ValueError(
            "Expected {title: (scores, scores)} with as many on both sides, but got "
            f"{f'others for {odd}' if odd else 'nothing'}."
        )
    rows = -(-len(found) // columns)
    figure = new_figure(0.2 + 2.3 * rows)
    for place, (title, pair) in enumerate(found.items(), start=1):
        axes = figure.add_subplot(rows, columns, place)
        pair = pair.astype(float)
        percent = pair.min() >= 0 and pair.max() <= 1
        for before, after in (100 if percent else 1) * pair.T:
            look = ("blue", "-") if after > before else ("vermillion", "--")
            axes.plot(
                [0, 1], [before, after], look[1], color=COLORS[look[0]], marker="o"
            )
        # Broken where it would run into the title of the panel beside it.
        title = textwrap.fill(title, 50 // columns)
        axes.set(xlim=(-0.3, 1.3), title=title, ylabel="%" if percent else "")
        axes.set_xticks([0, 1], names)
    return figure
