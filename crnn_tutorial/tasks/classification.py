"""One class for each image: the CRNN, and its rivals."""

import keras

from crnn_tutorial.network import backbones, heads
from crnn_tutorial.network.assemble import (
    IMAGE,
    _assemble,
    _check_filters,
    _check_shape,
)
from crnn_tutorial.network.layers import MapToSequence


def build_crnn_model(
    input_shape,
    num_classes,
    *,
    filters=None,
    units=64,
    recurrence="lstm",
    sequence="columns",
    dropout=0.0,
    learning_rate=1e-3,
):
    """Build a CRNN that classifies images: convolutions, a recurrence, softmax.

    The image becomes a map of features, the map a sequence of columns, a bidirectional
    LSTM reads the columns, and their average is classified.

    Parameters
    ----------
    input_shape : tuple of int
        ``(height, width, channels)``, from 8 x 8 x 1 up.
    num_classes : int
        At least 2.
    filters : sequence of int, optional
        One block of convolution and pooling for each number. By default as many as
        leave a map 4 to 7 rows high, at most 5: 32, 64, 128, 128, 128.
    units : int
        Size of the recurrent state in each direction.
    recurrence : str
        How the steps see each other: ``"lstm"``, ``"gru"``, ``"simple_rnn"``, or one of
        the controls ``"order_blind"``, ``"attention"``, ``"convolution"``.
    sequence : {"columns", "patches"}
        What becomes the sequence: columns from left to right, or the places of the
        map, along rows and columns.
    dropout : float
        Share of features dropped before the last layer, in [0, 1).
    learning_rate : float
        Of the Adam optimiser.

    Returns
    -------
    keras.Model
        Compiled; images ``(batch, height, width, channels)`` in [0, 1] to
        probabilities ``(batch, num_classes)``.

    Raises
    ------
    ValueError
        If the shape is no image's, the image is too small for the pooling layers, or a
        word is none of those above.

    References
    ----------
    The article, section 4.2 (repaired); Shi, Bai and Yao, 2015, arXiv:1507.05717.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> model = ct.build_crnn_model((28, 28, 1), num_classes=10)
    >>> model.output_shape
    (None, 10)
    """
    shape = height, width, _ = _check_shape(input_shape, IMAGE)
    filters = _check_filters(filters, height, width)
    inputs = keras.Input(shape, name="image")
    if sequence == "columns":
        features = backbones.columns(inputs, filters, units, recurrence)
    elif sequence == "patches":
        features = backbones.patches(inputs, filters, units, recurrence)
    else:
        raise ValueError(f'sequence is "columns" or "patches", not {sequence!r}.')
    return _assemble(
        inputs, features, heads.Classify(num_classes), dropout, learning_rate
    )


def build_cnn_model(
    input_shape,
    num_classes,
    *,
    filters=None,
    units=64,
    whole_image=True,
    dropout=0.0,
    learning_rate=1e-3,
):
    """Build a CNN that classifies images: the CRNN's stem, then more convolutions.

    The fair control of the CRNN: the same first blocks; in place of the recurrence,
    further blocks of convolution and pooling until the receptive field covers the
    whole image.

    Parameters
    ----------
    input_shape, num_classes, filters, dropout, learning_rate
        As in `build_crnn_model`.
    units : int
        Number of filters of each further block.
    whole_image : bool
        False leaves the further blocks out: a CNN that sees only a small window.

    Returns
    -------
    keras.Model
        Compiled; images in [0, 1] to probabilities ``(batch, num_classes)``.

    Raises
    ------
    ValueError
        If the shape is no image's or the image is too small for the pooling layers.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> model = ct.build_cnn_model((28, 28, 1), num_classes=10)
    >>> ct.receptive_field(model)
    (46, 46)
    """
    shape = height, width, _ = _check_shape(input_shape, IMAGE)
    filters = _check_filters(filters, height, width)
    inputs = keras.Input(shape, name="image")
    x = _convolve(inputs, filters, units if whole_image else None)
    return _assemble(inputs, x, heads.Classify(num_classes), dropout, learning_rate)


def build_rnn_model(
    input_shape,
    num_classes,
    *,
    units=64,
    along="width",
    dropout=0.0,
    learning_rate=1e-3,
):
    """Build a plain recurrent classifier: one simple RNN over the raw pixel columns.

    Parameters
    ----------
    input_shape, num_classes, dropout, learning_rate
        As in `build_crnn_model`.
    units : int
        Size of the recurrent state in each direction.
    along : {"width", "height"}
        Read columns from left to right, or rows from top to bottom.

    Returns
    -------
    keras.Model
        Compiled; images in [0, 1] to probabilities ``(batch, num_classes)``.

    Raises
    ------
    ValueError
        If the shape is no image's, or ``along`` another word.

    References
    ----------
    Elman, 1990, "Finding structure in time".

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.build_rnn_model((8, 8, 1), num_classes=10, units=32).count_params()
    3274
    """
    return _build_scanner(
        "simple_rnn", input_shape, num_classes, units, along, dropout, learning_rate
    )


def build_lstm_model(
    input_shape,
    num_classes,
    *,
    units=64,
    along="width",
    dropout=0.0,
    learning_rate=1e-3,
):
    """Build a plain LSTM classifier: one LSTM over the raw pixel columns.

    Parameters
    ----------
    input_shape, num_classes, dropout, learning_rate
        As in `build_crnn_model`.
    units : int
        Size of the recurrent state in each direction.
    along : {"width", "height"}
        Read columns from left to right, or rows from top to bottom.

    Returns
    -------
    keras.Model
        Compiled; images in [0, 1] to probabilities ``(batch, num_classes)``.

    Raises
    ------
    ValueError
        If the shape is no image's, or ``along`` another word.

    References
    ----------
    Hochreiter and Schmidhuber, 1997; Gers, Schmidhuber and Cummins, 2000.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.build_lstm_model((8, 8, 1), num_classes=10, units=32).count_params()
    11146
    """
    return _build_scanner(
        "lstm", input_shape, num_classes, units, along, dropout, learning_rate
    )


def _build_scanner(
    cell, input_shape, num_classes, units, along, dropout, learning_rate
):
    shape = _check_shape(input_shape, IMAGE)
    inputs = keras.Input(shape, name="image")
    sequence = MapToSequence(along, name="map_to_sequence")(inputs)
    states = backbones.connect_steps(sequence, cell, units)
    return _assemble(
        inputs, states, heads.Classify(num_classes), dropout, learning_rate
    )


def _convolve(x, filters, units=None):
    """The stem, then blocks of ``units`` filters until one place sees the image."""
    side = max(x.shape[1:3])
    for block, count in enumerate(filters):
        x = backbones.convolution_block(x, count, str(block + 1))
    block = len(filters)
    # With b blocks of a 3 x 3 convolution and 2 x 2 pooling, one output sees
    # 3 * 2**b - 2 pixels in each direction.
    while units is not None and 3 * 2**block - 2 < side:
        pool = tuple(min(2, side) for side in x.shape[1:3])
        x = backbones.convolution_block(x, units, str(block + 1), pool)
        block += 1
    return x
