"""What happens to one image on its way through a model: a table and a figure."""

import html
from dataclasses import dataclass, field

import keras
import numpy as np

from crnn_tutorial.checks import check_images
from crnn_tutorial.figures.images import fit_input, shown_channels, strongest
from crnn_tutorial.figures.trace_figure import FULL, Panel, draw_panels, panel_width
from crnn_tutorial.figures.trace_values import (
    RECURRENT,
    Values,
    answer_of,
    is_small,
    two_ways,
)
from crnn_tutorial.network.layers import ScanRows

ROWS = 32  # of a heat map: more are no longer to be told apart on a phone
# What became the steps -> which way they run in image and maps.
_WAYS = {"width": "across", "frames": "across", "height": "down", "": ""}


@dataclass(frozen=True, eq=False)
class Trace:
    """The way of one image through a model; from ``ct.trace_shapes``.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The numbers at the main stations, one above the other.
    table : list of Station
        ``(layer, shape, meaning)`` of every layer; shapes without the batch.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> model = ct.build_rnn_model((8, 8, 1), num_classes=2, units=4)
    >>> trace = ct.trace_shapes(model, np.zeros((8, 8, 1)))
    >>> trace.table[1].shape
    (8, 8)
    """

    figure: object = field(repr=False)
    table: list

    def __repr__(self):
        rows = [("layer", "shape", "meaning")]
        rows += [(name, " x ".join(map(str, n)), what) for name, n, what in self.table]
        wide, middle = (max(len(row[k]) for row in rows) for k in (0, 1))
        return "\n".join(f"{a:{wide}}  {b:{middle}}  {c}" for a, b, c in rows)

    def _repr_html_(self):
        rows = "<tr><th>Layer</th><th>Shape</th><th>Meaning</th></tr></thead><tbody>"
        for layer, shape, meaning in self.table:
            sides = "&nbsp;×&nbsp;".join(map(str, shape))  # on one line, on a phone too
            words = html.escape(meaning).replace(" x ", " × ")
            cells = html.escape(layer), sides, words
            rows += f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        return f"<table><thead>{rows}</tbody></table>"

    def _ipython_display_(self):
        from IPython.display import display

        display(self.figure)
        both = {"text/html": self._repr_html_(), "text/plain": repr(self)}
        display(both, raw=True)


def trace_shapes(model, image, *, channels=3, highlight=None, class_names=None):
    """Follow one image through a model: maps, sequence, states, probabilities.

    All panels that have columns share the x axis, so that one looks straight down
    from a column of the image to its step and its state.

    Parameters
    ----------
    model : keras.Model
        Any functional or sequential model with one input. What a layer's output is
        follows from its number of axes: maps, sequences, vectors. Which axis of the
        image became the steps is known of the models that this package builds.
    image : array of floats
        ``(height, width, channels)`` in [0, 1], or a clip
        ``(frames, height, width, channels)``.
    channels : int
        At most so many channels of a map are shown: those that vary most.
    highlight : int, optional
        Frame this step, from 0, in every panel.
    class_names : sequence of str, optional
        Names of the classes below the bars.

    Returns
    -------
    Trace
        With ``.figure`` and ``.table``; a notebook shows both.

    Raises
    ------
    ValueError
        If the model's layers cannot be followed, the image does not fit, there is no
        such step, or the number of names is not that of the classes.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> model = ct.build_crnn_model((16, 64, 1), num_classes=10)
    >>> ct.trace_shapes(model, ct.digit_string("2015"))
    layer                   shape         meaning
    image                   16 x 64 x 1   rows x columns x channels, pixels in [0, 1]
    conv_1, norm_1, relu_1  16 x 64 x 32  at each place, how well each kernel fits
    pool_1                  8 x 32 x 32   the strongest answer of each window
    conv_2, norm_2, relu_2  8 x 32 x 64   at each place, how well each kernel fits
    pool_2                  4 x 16 x 64   the strongest answer of each window
    map_to_sequence         16 x 256      each column is one step, from left to right
    lstm                    16 x 128      at each step, 64 states forward, 64 backward
    average                 128           the mean over all steps
    probabilities           10            one probability for each class
    """
    inputs = getattr(model, "inputs", None) or ()
    if not isinstance(model, keras.Model) or len(inputs) != 1:
        raise ValueError(
            "trace_shapes follows functional or sequential Keras models with one input "
            f"whose shape is known, but got {getattr(model, 'name', model)!r}."
        )
    image = np.asarray(image)
    rank = 5 if image.ndim == 4 and len(model.input_shape) == 5 else 4
    image = check_images(image[None], rank=rank, padded=True, name="image")[0]
    fit_input(model, (1, *image.shape))
    values = Values(model, image)
    if highlight is not None and not 0 <= highlight < values.steps:
        raise ValueError(
            f"highlight is a step from 0 to {values.steps - 1}, but got {highlight}."
            if values.steps
            else "This model makes no sequence: there is no step to highlight."
        )
    panels = _panels(values, channels, class_names)
    step = None if highlight is None else (highlight, values.steps)
    figure = draw_panels(panels, panel_width(panels[0].pictures[0]), step)
    return Trace(figure, values.table())


def _panels(values, channels, class_names):
    image, picture = values.image, _side_by_side(values.image)
    across = ("column of the image (px)", picture.shape[1])
    if image.ndim == 4:
        across = ("frame", len(image))
    width = panel_width(picture)
    height = min(3.2, width * picture.shape[0] / picture.shape[1])
    panels = [Panel(f"{values.name}: {_size(image)}", [picture], across, height)]
    panels[0].arrow = values.time == "height"
    panels += [_map_panel(values, k, channels, across, width) for k in _maps(values)]
    for panel in panels:
        panel.steps = _WAYS[values.time]
    steps = across
    if values.joint is not None:
        if values.time == "height":
            steps = ("row of the image (px)", len(image))
        elif not values.time:
            steps = ("step", values.steps)
        panels += _sequence_panels(values, steps)
    return [*panels, _answer_panel(values, steps, channels, class_names)]


def _size(array):
    return " × ".join(map(str, array.shape))


def _side_by_side(picture):
    """Lay the frames of a clip side by side."""
    return picture if picture.ndim == 3 else np.concatenate(list(picture), axis=1)


def _maps(values):
    """Return the last map before the sequence or the answer, and the last scan."""
    found = {}
    for k, layer in enumerate(values.layers[:-1][: values.joint]):
        # Rows and columns that changed places stand below no column of the image.
        if values.arrays[k].ndim >= 3 and not isinstance(layer, keras.layers.Permute):
            found[isinstance(layer, ScanRows)] = k
    return sorted(found.values())


def _map_panel(values, k, channels, axis, width):
    maps = _side_by_side(values.arrays[k])
    chosen, pictures, style = shown_channels(maps, channels)
    true_height = width * maps.shape[0] / maps.shape[1]
    name = next(x.name for x in values.layers[k::-1] if not is_small(x))
    return Panel(
        f"{name}: {_size(values.arrays[k])}, {len(chosen)} channels shown",
        pictures,
        axis,
        float(np.clip(true_height, 0.42, 0.9)),
        labels=[[(0.5, f"channel\n{channel}")] for channel in chosen],
        style=style,
        scale="activation",
    )


def _sequence_panels(values, axis):
    """Return the sequence as it enters the recurrence, and the states."""
    k, last, panels = values.joint, len(values.layers) - 1, []
    if k != last:
        panels.append(_heat_map(values, k, "features", axis, {"cmap": "viridis"}))
        panels[-1].arrow = values.time != ""
    later = [i for i in range(k + 1, last) if values.arrays[i].ndim == 2]
    states = [i for i in later if isinstance(values.layers[i], RECURRENT)]
    if later and len(values.arrays[(states or later)[-1]]) == values.steps:
        i = (states or later)[-1]
        most = np.abs(values.arrays[i]).max() or 1.0
        style = {"cmap": "RdBu_r", "vmin": -most, "vmax": most}
        what = "states" if states else "features"
        panels.append(_heat_map(values, i, what, axis, style))
    return panels


def _heat_map(values, k, what, axis, style):
    array, name = values.arrays[k], values.layers[k].name
    title = f"{name}: {array.shape[0]} steps × {array.shape[1]} {what}"
    parts, labels = [array], [what]
    if what == "states" and two_ways(values.layers[k]):
        parts, labels = np.split(array, 2, axis=1), ["forward\n→", "backward\n←"]
    if array.shape[1] > ROWS:
        title += f", {ROWS} shown"
        parts = [part[:, strongest(part, ROWS // len(parts))] for part in parts]
    picture = np.concatenate(parts, axis=1).T
    labels = _beside(labels)
    return Panel(title, [picture], axis, 1.3, [labels], style, what, "across")


def _beside(words):
    """Place words at the middle of equal parts of a picture's height."""
    return [((k + 0.5) / len(words), word) for k, word in enumerate(words)]


def _answer_panel(values, axis, channels, class_names):
    last = values.layers[-1]
    answer, kind, _ = answer_of(values.arrays[-1], values.aligned)
    if answer.ndim > 2:
        return _map_panel(values, len(values.layers) - 1, channels, axis, FULL)
    classes = answer.shape[-1]
    if class_names is not None and len(class_names) != classes:
        raise ValueError(
            f"The model answers with {classes} classes, but got {len(class_names)} "
            "class_names."
        )
    names = [str(name) for name in class_names or range(classes)]
    title = f"{last.name}: {kind}"
    if answer.ndim == 1:
        title += " of each class"
        limits = (0, 1) if kind == "probability" else None
        return Panel(title, [answer], None, 1.3, names=names, limits=limits)
    if characters := getattr(last, "characters", None):
        names = ["blank" if values.aligned else "none", *characters]
    steps = "across" if values.aligned else ""
    axis = axis if steps else ("position", len(answer))
    labels, height = _beside(names)[:: 1 + classes // 16], 0.2 * min(classes, 16)
    style = {"cmap": "Greys", "vmin": 0, "vmax": 1}
    return Panel(title, [answer.T], axis, height, [labels], style, "probability", steps)
