"""From an image to a sequence (or map) of features: what becomes time, and how.

A backbone makes two choices. *What becomes the sequence*: the columns of an image,
its patches, or the frames of a clip. *How do the steps see each other*: the
``recurrence``, which is an LSTM in a CRNN and something else in its controls.
"""

import math

from keras import layers

from crnn_tutorial.network.heads import Features
from crnn_tutorial.network.layers import (
    AttentionOverSteps,
    MapToSequence,
    OverPlaces,
    PerFrame,
    ResizeLike,
    ScanRows,
)
from crnn_tutorial.network.masks import (
    CHANNELS_LAST,
    KeepColumns,
    MaskedNormalization,
    PoolMask,
)

RECURRENT_CELLS = {
    "lstm": layers.LSTM,
    "gru": layers.GRU,
    "simple_rnn": layers.SimpleRNN,
}

RECURRENCES = (*RECURRENT_CELLS, "order_blind", "attention", "convolution")
# Keras' default momentum of 0.99 needs hundreds of steps before evaluation works.
MOMENTUM = 0.9


def default_filters(height, width):
    """Numbers of filters that leave a map 4 to 7 rows high, at most five blocks.

    Parameters
    ----------
    height, width : int
        Size of the image in pixels.

    Returns
    -------
    tuple of int
        One number for each block of convolution and pooling.

    Examples
    --------
    >>> from crnn_tutorial.network.backbones import default_filters
    >>> default_filters(28, 28)
    (32, 64)
    """
    smallest = min(height, width)
    blocks = min(5, max(1, int(math.log2(max(smallest, 8))) - 2))
    return (32, 64, 128, 128, 128)[:blocks]


def require_size(height, width, blocks):
    """Refuse an image that is too small to be halved ``blocks`` times.

    Parameters
    ----------
    height, width : int or None
        Size of the image in pixels; None is any size.
    blocks : int
        How many times a pooling layer halves it.

    Raises
    ------
    ValueError
        If a side is shorter than ``2 ** blocks``; the message names the smallest size.

    Examples
    --------
    >>> from crnn_tutorial.network.backbones import require_size
    >>> require_size(28, 28, blocks=2)
    """
    smallest = 2**blocks
    if min(side for side in (height, width, smallest) if side is not None) < smallest:
        raise ValueError(
            f"An image of {height} x {width} pixels (height x width) is too small for "
            f"{blocks} pooling layers, each of which halves it. The smallest size that "
            f"works is {smallest} x {smallest}; or pass fewer numbers in filters."
        )


def convolution_block(x, filters, name, pool=2, mask=None):
    """Convolution, normalisation, ReLU and pooling: the bricks of every stem.

    Parameters
    ----------
    x : keras.KerasTensor
        Map ``(batch, height, width, channels)``.
    filters : int
        Number of kernels.
    name : str
        Ending of the layers' names, such as ``"1"`` in ``conv_1``.
    pool : int or tuple of int
        Pooling window, ``(height, width)`` or one number for both.
    mask : keras.KerasTensor, optional
        Real columns ``(batch, width)``.

    Returns
    -------
    keras.KerasTensor or tuple
        The map, ``(batch, height / pool, width / pool, filters)``; with a mask also
        the mask of the pooled columns.

    Examples
    --------
    >>> import keras
    >>> from crnn_tutorial.network.backbones import convolution_block
    >>> tuple(convolution_block(keras.Input((28, 28, 1)), 32, "1").shape)
    (None, 14, 14, 32)
    """
    x = convolve(x, filters, name, mask)
    x = layers.MaxPooling2D(pool, name=f"pool_{name}", **CHANNELS_LAST)(x)
    if mask is None:
        return x
    mask = PoolMask(pool if isinstance(pool, int) else pool[1])(mask)
    return KeepColumns()(x, mask), mask


def convolve(x, filters, name, mask=None):
    """Convolution, normalisation and ReLU, at the same size.

    Parameters
    ----------
    x, filters, name, mask
        As in `convolution_block`.

    Returns
    -------
    keras.KerasTensor
        The map, ``(batch, height, width, filters)``.

    Examples
    --------
    >>> import keras
    >>> from crnn_tutorial.network.backbones import convolve
    >>> tuple(convolve(keras.Input((28, 28, 1)), 32, "1").shape)
    (None, 28, 28, 32)
    """
    x = _convolution(filters, name=f"conv_{name}")(x)
    x = _normalize(x, f"norm_{name}", mask)
    return layers.ReLU(name=f"relu_{name}")(x)


def _convolution(filters, **options):
    # Without a bias: the normalisation that follows has one.
    same = {"padding": "same", "use_bias": False, **CHANNELS_LAST}
    return layers.Conv2D(filters, 3, **same, **options)


def _normalize(x, name, mask):
    if mask is None:
        return layers.BatchNormalization(momentum=MOMENTUM, name=name)(x)
    return MaskedNormalization(momentum=MOMENTUM, name=name)(x, mask)


def connect_steps(x, recurrence, units, mask=None):
    """Let the steps of a sequence see each other, in one of six ways.

    Parameters
    ----------
    x : keras.KerasTensor
        Sequence ``(batch, steps, features)``.
    recurrence : str
        ``"lstm"``, ``"gru"``, ``"simple_rnn"`` (all bidirectional), ``"attention"``,
        ``"convolution"`` (along the steps, until its receptive field covers them
        all), or ``"order_blind"`` (the same dense layer at each step: no step sees
        another).
    units : int
        Width; each step of the result has ``2 * units`` features.
    mask : keras.KerasTensor, optional
        Real steps ``(batch, steps)``.

    Returns
    -------
    keras.KerasTensor
        Sequence ``(batch, steps, 2 * units)``.

    Raises
    ------
    ValueError
        If ``recurrence`` is another word.

    Examples
    --------
    >>> import keras
    >>> from crnn_tutorial.network.backbones import connect_steps
    >>> tuple(connect_steps(keras.Input((16, 256)), "lstm", units=64).shape)
    (None, 16, 128)
    """
    if recurrence in RECURRENT_CELLS:
        cell = RECURRENT_CELLS[recurrence](units, return_sequences=True)
        return layers.Bidirectional(cell, name=recurrence)(x, mask=mask)
    if recurrence == "order_blind":
        return layers.Dense(2 * units, activation="relu", name="each_step_alone")(x)
    if recurrence == "attention":
        return AttentionOverSteps(2 * units, name="attention")(x, mask=mask)
    if recurrence == "convolution":
        return _convolve_steps(x, 2 * units, mask)
    raise ValueError(
        f"recurrence is one of {', '.join(RECURRENCES)}, but got {recurrence!r}."
    )


def _convolve_steps(x, filters, mask):
    """Dilated convolutions with shortcuts: 1, 2, 4, ... steps apart."""
    steps = x.shape[1] or 32  # any length: a reach of 31 steps to each side
    x = layers.Dense(filters, name="enter_steps")(x)
    dilation = 1
    while dilation < steps:
        y = x if mask is None else KeepColumns()(x, mask)
        y = layers.Conv1D(
            filters,
            3,
            padding="same",
            dilation_rate=dilation,
            activation="relu",
            name=f"conv_steps_{dilation}",
            **CHANNELS_LAST,
        )(y)
        x = layers.Add()([x, y])
        dilation *= 2
    return x


def columns(images, filters, units, recurrence="lstm", pools=None, mask=None):
    """Convolve an image, cut the map into columns, connect the columns.

    Parameters
    ----------
    images : keras.KerasTensor
        ``(batch, height, width, channels)``.
    filters : sequence of int
        One block of convolution and pooling for each number.
    units : int
        Width of the recurrence.
    recurrence : str
        See `connect_steps`.
    pools : sequence, optional
        Pooling window of each block; 2 by default.
    mask : keras.KerasTensor, optional
        Real columns of the images ``(batch, width)``.

    Returns
    -------
    Features
        Sequence ``(batch, steps, 2 * units)``, and the mask of its real steps.

    References
    ----------
    Shi, Bai and Yao, 2015, arXiv:1507.05717.

    Examples
    --------
    >>> import keras
    >>> from crnn_tutorial.network.backbones import columns
    >>> tuple(columns(keras.Input((16, 64, 1)), (32, 64), units=64).map.shape)
    (None, 16, 128)
    """
    x = images if mask is None else KeepColumns()(images, mask)
    for block, count in enumerate(filters):
        pool = 2 if pools is None else pools[block]
        x = convolution_block(x, count, str(block + 1), pool, mask)
        if mask is not None:
            x, mask = x
    x = MapToSequence("width", name="map_to_sequence")(x)
    return Features(connect_steps(x, recurrence, units, mask), mask)


def patches(images, filters, units, recurrence="lstm"):
    """Convolve an image, then let each place of the map depend on all others.

    Parameters
    ----------
    images : keras.KerasTensor
        ``(batch, height, width, channels)``.
    filters : sequence of int
        One block of convolution and pooling for each number; a patch is
        ``2 ** len(filters)`` pixels wide.
    units : int
        Width of the recurrence.
    recurrence : str
        See `connect_places`.

    Returns
    -------
    Features
        Map ``(batch, rows, columns, 2 * units)``, and a skip for each block.

    Raises
    ------
    ValueError
        If ``recurrence`` is another word.

    References
    ----------
    Visin et al., 2015, "ReNet", arXiv:1505.00393.

    Examples
    --------
    >>> import keras
    >>> from crnn_tutorial.network.backbones import patches
    >>> tuple(patches(keras.Input((64, 64, 3)), (32, 64), units=32).map.shape)
    (None, 16, 16, 64)
    """
    x, skips = images, []
    for block, count in enumerate(filters, start=1):
        x = convolve(x, count, str(block))
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"pool_{block}", **CHANNELS_LAST)(x)
    return Features(connect_places(x, recurrence, units), skips=tuple(skips))


def connect_places(x, recurrence, units, prefix="", memory=None):
    """Let the places of a map see each other, in one of five ways.

    Parameters
    ----------
    x : keras.KerasTensor
        Map ``(batch, rows, columns, channels)``.
    recurrence : str
        ``"lstm"``: along the rows, then along the columns. ``"raster"``: one LSTM over
        all places, row by row, as the article has it. ``"attention"`` between all
        places. ``"convolution"``, until its receptive field covers a map of 32 places
        to each side (or as many as there are). ``"order_blind"``: the same dense layers
        at each place; no place sees another.
    units : int
        Width of the recurrence in each direction.
    prefix : str
        Beginning of the layers' names, where a model has such layers twice.
    memory : int, optional
        Of the LSTM along rows and columns: see `ScanRows`.

    Returns
    -------
    keras.KerasTensor
        Map ``(batch, rows, columns, 2 * units)``.

    Raises
    ------
    ValueError
        If ``recurrence`` is another word.

    References
    ----------
    Visin et al., 2015, "ReNet", arXiv:1505.00393.

    Examples
    --------
    >>> import keras
    >>> from crnn_tutorial.network.backbones import connect_places
    >>> tuple(connect_places(keras.Input((8, 8, 64)), "raster", units=16).shape)
    (None, 8, 8, 32)
    """
    if recurrence == "lstm":
        x = ScanRows(units, "width", memory, name=f"{prefix}scan_width")(x)
        return ScanRows(units, "height", memory, name=f"{prefix}scan_height")(x)
    if recurrence == "raster":
        lstm = layers.LSTM(units, return_sequences=True)
        return OverPlaces(layers.Bidirectional(lstm), name=f"{prefix}raster")(x)
    if recurrence == "attention":
        attention = AttentionOverSteps(2 * units)
        return OverPlaces(attention, name=f"{prefix}attention")(x)
    if recurrence == "convolution":
        return _convolve_places(x, 2 * units, prefix)
    if recurrence == "order_blind":
        for along in ("width", "height"):  # as many layers as the LSTM has
            name = f"{prefix}each_patch_alone_{along}"
            x = layers.Dense(2 * units, activation="relu", name=name)(x)
        return x
    raise ValueError(
        "With patches, recurrence is one of lstm, raster, attention, convolution, "
        f"order_blind, but got {recurrence!r}."
    )


def _convolve_places(x, filters, prefix):
    """Dilated convolutions with shortcuts: 1, 2, 4, ... places apart."""
    places = max(x.shape[1] or 32, x.shape[2] or 32)
    x = layers.Dense(filters, name=f"{prefix}enter_places")(x)
    dilation = 1
    while dilation < places:
        y = layers.Conv2D(
            filters,
            3,
            padding="same",
            dilation_rate=dilation,
            activation="relu",
            name=f"{prefix}conv_places_{dilation}",
            **CHANNELS_LAST,
        )(x)
        x = layers.Add()([x, y])
        dilation *= 2
    return x


def average(features):
    """Average the features over all real steps, or over all places of a map.

    Parameters
    ----------
    features : Features
        From any backbone.

    Returns
    -------
    keras.KerasTensor
        ``(batch, channels)``.

    Examples
    --------
    >>> import keras
    >>> from crnn_tutorial.network.backbones import average, patches
    >>> tuple(average(patches(keras.Input((16, 16, 3)), (8,), units=4)).shape)
    (None, 8)
    """
    if len(features.map.shape) == 4:
        pool = layers.GlobalAveragePooling2D(name="average", **CHANNELS_LAST)
        return pool(features.map)
    pool = layers.GlobalAveragePooling1D(name="average", **CHANNELS_LAST)
    return pool(features.map, mask=features.mask)


def decode(features, name, levels=None):
    """Bring a map back to the size of the image, with what the skips still know.

    Parameters
    ----------
    features : Features
        From `patches`.
    name : str
        Beginning of the layers' names, such as ``"mask"``.
    levels : int, optional
        How many times the map is enlarged, each time to the size of a skip; all by
        default, and the map is then as large as the image.

    Returns
    -------
    keras.KerasTensor
        Map ``(batch, height, width, filters of the skip)``.

    References
    ----------
    Ronneberger, Fischer and Brox, 2015, "U-Net", arXiv:1505.04597.

    Examples
    --------
    >>> import keras
    >>> from crnn_tutorial.network.backbones import decode, patches
    >>> features = patches(keras.Input((None, None, 3)), (16, 32), units=8)
    >>> tuple(decode(features, "mask").shape)
    (None, None, None, 16)
    """
    x, skips = features.map, list(enumerate(features.skips, start=1))
    for level, skip in skips[::-1][:levels]:
        filters = skip.shape[-1]
        x = layers.Dense(filters, name=f"{name}_narrow_{level}")(x)
        x = ResizeLike(name=f"{name}_resize_{level}")(x, skip)
        x = layers.Add(name=f"{name}_add_{level}")([x, skip])
        x = convolve(x, filters, f"{name}_{level}")
    return x


def encode_frames(clips, filters, mask=None):
    """Convolve each frame of a clip alone, with the same kernels for all.

    Parameters
    ----------
    clips, filters, mask
        As in `frames`. A frame is halved after each block, down to one pixel.

    Returns
    -------
    keras.KerasTensor
        ``(batch, frames, height, width, filters)``, smaller than before.

    Examples
    --------
    >>> import keras
    >>> from crnn_tutorial.network.backbones import encode_frames
    >>> tuple(encode_frames(keras.Input((9, 8, 4, 1)), (16, 32, 64)).shape)
    (None, 9, 1, 1, 64)
    """
    x = clips
    for block, count in enumerate(filters, start=1):
        x = PerFrame(_convolution(count), name=f"conv_{block}")(x)
        x = _normalize(x, f"norm_{block}", mask)
        x = layers.ReLU(name=f"relu_{block}")(x)
        window = tuple(min(2, side or 2) for side in x.shape[2:4])
        pool = layers.MaxPooling2D(window, **CHANNELS_LAST)
        x = PerFrame(pool, name=f"pool_{block}")(x)
    return x


def frames(clips, filters, units, recurrence="lstm", mask=None):
    """Convolve each frame of a clip alone, then connect the frames.

    Parameters
    ----------
    clips : keras.KerasTensor
        ``(batch, frames, height, width, channels)``.
    filters : sequence of int
        One block of convolution and pooling for each number.
    units : int
        Width of the recurrence.
    recurrence : str
        See `connect_steps`; or ``"conv_lstm"``, an LSTM at each place of the map that
        sees the neighbouring places, too.
    mask : keras.KerasTensor, optional
        Real frames ``(batch, frames)``.

    Returns
    -------
    Features
        Sequence ``(batch, frames, 2 * units)``, and the mask.

    References
    ----------
    Donahue et al., 2014, "Long-term recurrent convolutional networks",
    arXiv:1411.4389; X. Shi et al., 2015, "Convolutional LSTM network",
    arXiv:1506.04214.

    Examples
    --------
    >>> import keras
    >>> from crnn_tutorial.network.backbones import frames
    >>> tuple(frames(keras.Input((8, 16, 32, 1)), (16, 32), units=32).map.shape)
    (None, 8, 64)
    """
    x = encode_frames(clips, filters, mask)
    if recurrence == "conv_lstm":
        cell = layers.ConvLSTM2D(
            units, 3, padding="same", return_sequences=True, **CHANNELS_LAST
        )
        x = layers.Bidirectional(cell, name=recurrence)(x, mask=mask)
        average = layers.GlobalAveragePooling2D(**CHANNELS_LAST)
        return Features(PerFrame(average, name="average_of_frame")(x), mask)
    x = PerFrame(layers.Flatten(**CHANNELS_LAST), name="flatten_frame")(x)
    return Features(connect_steps(x, recurrence, units, mask), mask)
