"""Complete models: a backbone and a head, compiled and ready for ``fit``."""

import numbers
import zipfile
from pathlib import Path

import keras

from crnn_tutorial import backbones, heads
from crnn_tutorial import layers as registered  # noqa: F401  (load_model needs them)
from crnn_tutorial.heads import Alphabet

# What an input_shape says, with an example for the messages.
IMAGE = {"height": 28, "width": 28, "channels": 1}
CLIP = {"frames": 8, "height": 16, "width": 32, "channels": 1}


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
    x = inputs
    for block, count in enumerate(filters):
        x = backbones.convolution_block(x, count, str(block + 1))
    block = len(filters)
    # With b blocks of a 3 x 3 convolution and 2 x 2 pooling, one output sees
    # 3 * 2**b - 2 pixels in each direction.
    while whole_image and 3 * 2**block - 2 < max(height, width):
        pool = tuple(min(2, side) for side in x.shape[1:3])
        x = backbones.convolution_block(x, units, str(block + 1), pool)
        block += 1
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
    sequence = registered.MapToSequence(along, name="map_to_sequence")(inputs)
    states = backbones.connect_steps(sequence, cell, units)
    return _assemble(
        inputs, states, heads.Classify(num_classes), dropout, learning_rate
    )


def build_video_classifier(
    input_shape,
    num_classes,
    *,
    filters=(16, 32),
    units=32,
    recurrence="lstm",
    dropout=0.0,
    learning_rate=1e-3,
):
    """Build a CRNN that classifies clips: convolutions in each frame, LSTM over frames.

    Parameters
    ----------
    input_shape : tuple of int or None
        ``(frames, height, width, channels)``; None frames take clips of any length.
    num_classes : int
        At least 2.
    filters : sequence of int
        One block of convolution and pooling for each number.
    units : int
        Size of the recurrent state in each direction.
    recurrence : str
        As in `build_crnn_model`.
    dropout, learning_rate : float
        As in `build_crnn_model`.

    Returns
    -------
    keras.Model
        Compiled; clips ``(batch, frames, height, width, channels)`` in [0, 1] to
        probabilities ``(batch, num_classes)``.

    Raises
    ------
    ValueError
        If the shape is no clip's, or the frames are too small for the pooling layers.

    References
    ----------
    Donahue et al., 2014, arXiv:1411.4389.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.build_video_classifier((8, 16, 32, 1), num_classes=2).output_shape
    (None, 2)
    """
    shape = _check_shape(input_shape, CLIP, free="frames")
    filters = _check_filters(filters, *shape[1:3])
    inputs = keras.Input(shape, name="clip")
    features = backbones.frames(inputs, filters, units, recurrence)
    return _assemble(
        inputs, features, heads.Classify(num_classes), dropout, learning_rate
    )


def build_text_recognizer(
    input_shape,
    alphabet,
    *,
    filters=(32, 64),
    units=64,
    recurrence="lstm",
    dropout=0.0,
    learning_rate=1e-3,
):
    """Build a CRNN that reads a line of text of any length, trained with CTC.

    Columns of -1 on the right of a narrow image are padding: they change neither the
    loss nor the answer.

    Parameters
    ----------
    input_shape : tuple of int or None
        ``(height, width, channels)``; a width of None takes any width.
    alphabet : Alphabet
        The characters that can be read.
    filters, units, recurrence, dropout, learning_rate
        As in `build_crnn_model`.

    Returns
    -------
    keras.Model
        Compiled; images to logits ``(batch, width / 2**len(filters), classes)``, where
        class 0 is CTC's blank.

    Raises
    ------
    ValueError
        If the shape is no image's or too small for the pooling layers.

    References
    ----------
    Shi, Bai and Yao, 2015; Graves et al., 2006 (CTC).

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> reader = ct.build_text_recognizer((16, None, 1), ct.Alphabet("0123456789"))
    >>> reader.output_shape
    (None, None, 11)
    """
    shape = height, width, _ = _check_shape(input_shape, IMAGE, free="width")
    filters = _check_filters(filters, height, width)
    inputs = keras.Input(shape, name="image")
    mask = registered.ColumnMask(name="real_columns")(inputs)
    features, mask = backbones.columns(inputs, filters, units, recurrence, mask=mask)
    head = heads.ReadText(_check_alphabet(alphabet))
    return _compile(
        keras.Model(inputs, head(features, mask, dropout)), head, learning_rate
    )


def build_fixed_length_reader(
    input_shape,
    alphabet,
    positions,
    *,
    filters=(32, 64),
    dropout=0.0,
    learning_rate=1e-3,
):
    """Build a CNN that reads at most ``positions`` characters, one softmax for each.

    The control of the text recogniser: the same convolutions, and no CTC.

    Parameters
    ----------
    input_shape : tuple of int
        ``(height, width, channels)``.
    alphabet : Alphabet
        The characters that can be read.
    positions : int
        The largest number of characters.
    filters, dropout, learning_rate
        As in `build_crnn_model`.

    Returns
    -------
    keras.Model
        Compiled; images to probabilities ``(batch, positions, classes)``, where class 0
        means "no character here".

    Raises
    ------
    ValueError
        If the shape is no image's or too small for the pooling layers.

    References
    ----------
    Goodfellow et al., 2013, arXiv:1312.6082.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> digits = ct.Alphabet("0123456789")
    >>> ct.build_fixed_length_reader((16, 128, 1), digits, positions=8).output_shape
    (None, 8, 11)
    """
    shape = height, width, _ = _check_shape(input_shape, IMAGE)
    filters = _check_filters(filters, height, width)
    inputs = keras.Input(shape, name="image")
    mask = registered.ColumnMask(name="real_columns")(inputs)
    x = registered.KeepColumns(name="padding_to_zero")(inputs, mask)
    for block, count in enumerate(filters):
        x = backbones.convolution_block(x, count, str(block + 1))
    head = heads.ReadPositions(_check_alphabet(alphabet), positions)
    return _assemble(inputs, x, head, dropout, learning_rate)


def load_model(path):
    """Load a model that was saved with ``model.save("name.keras")``.

    Parameters
    ----------
    path : str or path
        A ``.keras`` file.

    Returns
    -------
    keras.Model
        Compiled as it was saved; it predicts the same numbers.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no ``.keras`` file.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import crnn_tutorial as ct
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "digits.keras"
    >>> ct.build_crnn_model((8, 8, 1), num_classes=10).save(path)
    >>> ct.load_model(path).output_shape
    (None, 10)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {path}. Save a model first: model.save('name.keras')."
        )
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path.name} is no .keras file (it is damaged or of another format). "
            "Save the model with model.save('name.keras')."
        )
    return keras.saving.load_model(path)


def _assemble(inputs, features, head, dropout, learning_rate):
    return _compile(keras.Model(inputs, head(features, dropout)), head, learning_rate)


def _compile(model, head, learning_rate):
    loss = keras.losses.CTC() if head.loss == "ctc" else head.loss
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=loss,
        metrics=list(head.metrics),
        jit_compile=_jit_compile(),
    )
    # Otherwise a model saved before its first training loads with a warning.
    model.optimizer.build(model.trainable_variables)
    return model


def _jit_compile():
    # TensorFlow's compiler makes small models about twice slower on a CPU.
    on_cpu = not keras.distribution.list_devices("gpu")
    return False if keras.backend.backend() == "tensorflow" and on_cpu else "auto"


def _check_shape(input_shape, example, free=None):
    """As whole numbers; the axis called ``free`` may be None, which is any size."""
    shape = _whole_numbers(input_shape)
    right = len(shape) == len(example) and all(
        n is not None or (name == free and given is None)
        for n, name, given in zip(shape, example, input_shape, strict=True)
    )
    if not right:
        names = [f"{name} or None" if name == free else name for name in example]
        raise ValueError(
            f"input_shape is ({', '.join(names)}), whole numbers such as "
            f"{tuple(example.values())}, but got {input_shape!r}. The size of a batch "
            "is no part of it."
        )
    return shape


def _whole_numbers(values):
    """As a tuple, empty if it is none, with None for what is no number above 0."""
    values = values if isinstance(values, (tuple, list)) else ()
    return tuple(int(n) if _is_count(n) else None for n in values)


def _is_count(value):
    return isinstance(value, numbers.Integral) and value > 0


def _check_filters(filters, height, width):
    if filters is None:
        filters = backbones.default_filters(height, width or height)
    counts = _whole_numbers(filters)
    if not counts or None in counts:
        raise ValueError(
            "filters are whole numbers above 0, one for each block, such as (32, 64), "
            f"but got {filters!r}."
        )
    backbones.require_size(height, width, len(counts))
    return counts


def _check_alphabet(alphabet):
    return alphabet if isinstance(alphabet, Alphabet) else Alphabet(alphabet)
