"""Figures made of pictures: images, answers, confusions, feature maps, kernels."""

import keras
import numpy as np
from matplotlib import patheffects

from crnn_tutorial.checks import check_images
from crnn_tutorial.figures.style import (
    COLORS,
    WIDTH,
    new_figure,
    show_image,
    show_map,
)


def plot_images(images, titles=None, columns=None):
    """Show images side by side, each with its title.

    Parameters
    ----------
    images : array of floats, or list of them
        ``(images, height, width, channels)`` in [0, 1]; in a list each image may have
        its own size. Columns of -1 (padding) are shown grey.
    titles : sequence of str, optional
        One for each image.
    columns : int, optional
        Images in a row; by default as many as leave them readable on a phone.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If there is no image, one is none, or the number of titles differs.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.plot_images(ct.load_digits().test.images[:4], titles=list("abcd"))
    <Figure size 480x145 with 4 Axes>
    """
    images = [check_images(np.asarray(image)[None], padded=True)[0] for image in images]
    titles = [""] * len(images) if titles is None else [str(t) for t in titles]
    if not images or len(titles) != len(images):
        raise ValueError(
            f"There is one title for each image, at least one of both, but got "
            f"{len(images)} images and {len(titles)} titles."
        )
    figure, tiles = _tiles([image.shape[:2] for image in images], titles, columns)
    for axes, image, title in zip(tiles, images, titles, strict=True):
        show_image(axes, image)
        axes.set_title(title, loc="left")
    return figure


def _tiles(sizes, titles=("",), columns=None, right=0.0):
    """Make a figure with one axes for each picture of (height, width)."""
    tallest = max(height / width for height, width in sizes)
    if columns is None:
        columns = 4 if tallest > 0.7 else 2 if tallest > 0.35 else 1
        columns = min(columns, len(sizes))
    rows = -(-len(sizes) // columns)
    side = min((WIDTH - right) / columns - 0.15, 3.2 / tallest)
    lines = max(title.count("\n") + 1 if title else 0 for title in titles)
    figure = new_figure(0.1 + rows * (side * tallest + 0.21 * lines + 0.1))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(sizes) :]:
        axes.set_axis_off()
    return figure, grid[: len(sizes)]


def plot_predictions(
    images, targets, answers, class_names=None, *, count=12, columns=None
):
    """Show images with the model's answers, failures first.

    Parameters
    ----------
    images : array of floats
        ``(images, height, width, channels)`` in [0, 1].
    targets : sequence of int or str
        One class or text for each image.
    answers : sequence of int or str, or array of float
        One for each image; or probabilities ``(images, classes)``.
    class_names : sequence of str, optional
        One for each class.
    count : int
        At most so many images.
    columns : int, optional
        Images in a row.

    Returns
    -------
    matplotlib.figure.Figure
        Failures carry a cross, a frame and both answers, the rest a tick.

    Raises
    ------
    ValueError
        If the lengths differ, or ``count`` is less than 1.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> test = ct.load_digits().test[:4]
    >>> answers = [*test.targets[:3], 9 - test.targets[3]]
    >>> figure = ct.plot_predictions(test.images, test.targets, answers)
    >>> [axes.get_title(loc="left")[0] for axes in figure.axes]
    ['✗', '✓', '✓', '✓']
    """
    images = check_images(images, targets, padded=True)
    targets, answers = np.asarray(targets), _most_probable(answers)
    if targets.shape != answers.shape or count < 1:
        raise ValueError(
            f"There is one answer for each of {len(targets)} targets, and count is at "
            f"least 1, but got answers of shape {answers.shape} and count {count}."
        )
    wrong = targets != answers
    order = np.argsort(~wrong, kind="stable")[:count]
    said, true = (
        [k if class_names is None else class_names[k] for k in classes[order]]
        for classes in (answers, targets)
    )
    split = "\n" if images.shape[2] <= 2.8 * images.shape[1] else ", "
    titles = [
        f"✗ {answer}{split}is {target}" if failed else f"✓ {answer}"
        for answer, target, failed in zip(said, true, wrong[order], strict=True)
    ]
    figure = plot_images(images[order], titles, columns)
    for axes in np.array(figure.axes)[: len(order)][wrong[order]]:
        axes.spines[:].set(visible=True, linewidth=3, color=COLORS["vermillion"])
    failures = f"{wrong.sum()} of {len(wrong)} wrong"
    if wrong.sum() > len(order):
        failures += f", {len(order)} of them shown"
    elif 0 < wrong.sum() < len(order):
        failures += ", shown first"
    figure.set_figheight(figure.get_figheight() + 0.3125)
    figure.suptitle(failures)
    return figure


def _most_probable(answers):
    """Return the most probable class of each image where probabilities came."""
    answers = np.asarray(answers)
    return answers.argmax(axis=1) if answers.ndim == 2 else answers


def plot_confusion(targets, answers, class_names, images=None):
    """Draw which class was taken for which, with the images of the mistakes.

    Parameters
    ----------
    targets : sequence of int
        ``(images,)``; the true classes.
    answers : sequence of int or array of float
        ``(images,)`` classes, or ``(images, classes)`` probabilities.
    class_names : sequence of str
        One for each class.
    images : array of floats, optional
        ``(images, height, width, channels)`` in [0, 1]: each wrong cell shows its
        first image, and their number if there are more.

    Returns
    -------
    matplotlib.figure.Figure
        Rows: the true class; columns: the answer; numbers: images. Beyond 12 classes
        a shade replaces numbers and images.

    Raises
    ------
    ValueError
        If the lengths differ, or a class has no name.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.plot_confusion([0, 1, 1], [0, 1, 0], ["cat", "dog"])
    <Figure size 480x480 with 1 Axes>
    """
    targets, answers = _classes(targets, answers, len(class_names))
    if images is not None:
        images = check_images(images, targets, padded=True)
    counts = np.zeros((len(class_names), len(class_names)), int)
    np.add.at(counts, (targets, answers), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = new_figure(WIDTH)
    axes = figure.subplots()
    shades = axes.imshow(share, cmap="Blues", vmin=0, vmax=1.6)
    crowded = len(class_names) > 12
    if crowded:
        shades.set_clim(0, 1)
        figure.colorbar(shades, shrink=0.7, label="share of the true class")
    for row, column in [] if crowded else zip(*np.nonzero(counts), strict=True):
        wrong = np.flatnonzero((targets == row) & (answers == column))
        if images is not None and row != column:
            box = (column - 0.46, row - 0.46, 0.92, 0.92)
            tile = axes.inset_axes(box, transform=axes.transData)
            show_image(tile, images[wrong[0]])
            if len(wrong) > 1:
                place = {"transform": tile.transAxes}
                tile.text(0.04, 0.96, len(wrong), **place, **_ON_IMAGE)
        else:
            axes.text(column, row, counts[row, column], ha="center", va="center")
    _name_classes(axes, class_names, crowded)
    return figure


_ON_IMAGE = {
    "va": "top",
    "color": "black",
    "weight": "bold",
    "path_effects": [patheffects.withStroke(linewidth=3, foreground="white")],
}


def _name_classes(axes, class_names, crowded):
    names = [str(name) for name in class_names]
    every = 1 + len(names) // 13
    ticks = range(0, len(names), every)
    room = 38 / min(len(names), 12)  # characters below one cell
    turn = 0 if max(map(len, names)) <= room else 90
    axes.set_xticks(ticks, names[::every], rotation=turn)
    axes.set_yticks(ticks, names[::every])
    axes.set(xlabel="answer", ylabel="true class")
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if not crowded:
        edges = np.arange(len(names) + 1) - 0.5
        for draw in (axes.hlines, axes.vlines):
            draw(edges, -0.5, edges[-1], color="0.85", linewidth=0.8)


def _classes(targets, answers, num_classes):
    """Return both as arrays of classes, after checking."""
    targets, answers = np.asarray(targets), _most_probable(answers)
    if targets.ndim != 1 or targets.shape != answers.shape or not targets.size:
        raise ValueError(
            "There is one target and one answer for each image, but got shapes "
            f"{targets.shape} and {answers.shape}."
        )
    both = np.concatenate([targets, answers])
    if both.dtype.kind not in "iu" or both.min() < 0 or both.max() >= num_classes:
        raise ValueError(
            f"Classes are integers from 0 to {num_classes - 1}, one for each of the "
            f"{num_classes} class_names, but got {np.unique(both)[:20].tolist()}."
        )
    return targets, answers


def _find_layer(model, layer):
    """Find a layer that returns maps: by name, index or itself, else the last."""
    if not isinstance(model, keras.Model):
        raise ValueError(f"Expected a Keras model, but got a {type(model).__name__}.")
    maps = {}
    for candidate in model.layers:
        output = output_of(candidate)
        if output is not None and len(output.shape) == 4:
            maps[candidate.name] = candidate
    if layer is None and maps:
        return list(maps.values())[-1]
    if isinstance(layer, int) and -len(model.layers) <= layer < len(model.layers):
        layer = model.layers[layer]
    name = getattr(layer, "name", layer)
    if name in maps:
        return maps[name]
    raise ValueError(
        f"The model has no layer {name!r} that returns maps. "
        f"There are: {', '.join(maps) or 'none'}."
    )


def output_of(layer):
    """Return the one tensor that a layer returned; None: never called, or several."""
    try:
        output = layer.output
    except (AttributeError, ValueError):
        return None
    return output if isinstance(output, keras.KerasTensor) else None


def plot_feature_maps(model, image, layer=None, *, count=8):
    """Show what a layer makes of one image, one picture for each channel.

    Parameters
    ----------
    model : keras.Model
        Any functional or sequential model.
    image : array of floats
        ``(height, width, channels)`` in [0, 1].
    layer : str, int or keras.Layer, optional
        A layer that returns maps; by default the last of them.
    count : int
        At most so many channels: those that vary most over the image.

    Returns
    -------
    matplotlib.figure.Figure
        All pictures on one scale.

    Raises
    ------
    ValueError
        If there is no such layer, or the image does not fit the model.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> model = ct.build_crnn_model((16, 64, 1), num_classes=10)
    >>> ct.plot_feature_maps(model, ct.digit_string("2015"), "conv_1", count=3)
    <Figure size 480x383 with 4 Axes>
    """
    found = _find_layer(model, layer)
    images = check_images(np.asarray(image)[None], padded=True)
    fit_input(model, images.shape)
    maps = keras.Model(model.inputs[0], found.output)(images, training=False)
    maps = keras.ops.convert_to_numpy(maps)[0]  # (height, width, channels)
    chosen, pictures, scale = shown_channels(maps, count)
    titles = [f"channel {k}" for k in chosen]
    figure, tiles = _tiles([maps.shape[:2]] * len(chosen), titles, right=0.9)
    for axes, picture, title in zip(tiles, pictures, titles, strict=True):
        drawn = show_map(axes, picture, **scale)
        axes.set_title(title, loc="left")
    figure.colorbar(drawn, ax=list(figure.axes), label="activation", aspect=30)
    return figure


def shown_channels(maps, count):
    """Return the channels that vary most, their pictures, and one scale for all."""
    chosen = strongest(maps, count)
    pictures = np.moveaxis(maps[..., chosen], -1, 0)
    limits = {"vmin": pictures.min(), "vmax": pictures.max()}
    return chosen, list(pictures), {"cmap": "viridis", **limits}


def strongest(maps, count):
    """Return the indices, in order, of the channels that vary most over a map."""
    spread = maps.reshape(-1, maps.shape[-1]).std(axis=0)
    return np.sort(np.argsort(-spread, kind="stable")[:count])


def fit_input(model, shape):
    """Refuse an image whose shape the model does not take."""
    wanted = model.input_shape
    free = [side or got for side, got in zip(wanted, shape, strict=False)]
    if len(wanted) != len(shape) or tuple(free) != tuple(shape):
        raise ValueError(
            f"The model takes one image of shape {wanted[1:]}, but got {shape[1:]}."
        )
