"""One class for each image: the head, the CRNN, and its rivals."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from keras import layers

from crnn_tutorial.checks import check_count
from crnn_tutorial.metrics.classes import accuracy_per_image
from crnn_tutorial.network import backbones, heads
from crnn_tutorial.network.assemble import assemble, begin, check_filters
from crnn_tutorial.network.heads import Features
from crnn_tutorial.network.layers import ClassProbabilities, MapToSequence


@heads.register(layers.Softmax)
@heads.register(layers.Dense)
@dataclass(frozen=True)
class Classify(heads.Head):
    """One class for each image (or clip): average, dense, softmax.

    Parameters
    ----------
    num_classes : int
        At least 2.
    class_names : tuple of str, optional
        What the classes are called; they are saved with the model.

    Raises
    ------
    ValueError
        If there are fewer than two classes.

    Examples
    --------
    >>> from crnn_tutorial.tasks.classification import Classify
    >>> head = Classify(3)
    >>> head.encode([[0, 0, 1], [1, 0, 0]]).tolist()  # one-hot or integers
    [2, 0]
    >>> head.decode([[0.1, 0.2, 0.7]]).tolist()
    [2]
    """

    num_classes: int
    class_names: tuple | None = field(default=None, repr=False)
    loss: ClassVar[str] = "sparse_categorical_crossentropy"
    metrics: ClassVar[tuple[str, ...]] = ("accuracy",)
    metric_name: ClassVar[str] = "accuracy"

    def __post_init__(self):
        check_count("num_classes", self.num_classes, least=2)  # 1: nothing to decide

    @classmethod
    def from_layer(cls, layer, shape):
        """Return the head of a softmax over one row of classes, else None."""
        activation = getattr(getattr(layer, "activation", None), "__name__", "")
        softmax = isinstance(layer, layers.Softmax) or activation == "softmax"
        one_row = len(shape) == 2  # with more axes: at each place
        names = getattr(layer, "class_names", None)
        return cls(shape[-1], names) if softmax and one_row else None

    def __call__(self, features, dropout=0.0):
        """Average over real steps (or places), then one probability for each class."""
        x = backbones.average(features)
        if dropout:
            x = layers.Dropout(dropout, name="dropout")(x)
        if self.class_names is not None:
            return ClassProbabilities(self.class_names, name="probabilities")(x)
        count = int(self.num_classes)
        return layers.Dense(count, activation="softmax", name="probabilities")(x)

    def encode(self, targets):
        """Turn integer or one-hot labels ``(n,)`` or ``(n, classes)`` into integers."""
        targets = np.asarray(targets)
        if targets.dtype == object:  # a table's column
            targets = np.array(targets.tolist())
        if targets.ndim == 2 and targets.shape[1] == self.num_classes:
            binary = np.isin(targets, (0, 1)).all()
            if not binary or (targets.sum(axis=1) != 1).any():
                raise ValueError(
                    "One-hot labels have exactly one 1 in each row and 0 elsewhere."
                )
            return targets.argmax(axis=1)
        if targets.ndim != 1 or targets.dtype.kind not in "iu":
            raise ValueError(
                f"Labels are integers of shape (n,) or one-hot rows of shape "
                f"(n, {self.num_classes}), but got {targets.dtype} of shape "
                f"{targets.shape}."
            )
        if targets.size and not 0 <= targets.min() <= targets.max() < self.num_classes:
            raise ValueError(
                f"Labels run from 0 to {self.num_classes - 1} for {self.num_classes} "
                f"classes, but got {targets.min()} to {targets.max()}."
            )
        return targets

    def decode(self, outputs):
        """Turn probabilities ``(n, classes)`` into the most probable class ``(n,)``."""
        return np.argmax(outputs, axis=-1)

    def answer(self, outputs):
        """Name the most probable class of each row, with its probability."""
        names = self.class_names or range(self.num_classes)
        best = self.decode(outputs).tolist()
        return [(names[k], float(row[k])) for k, row in zip(best, outputs, strict=True)]

    def per_image(self, targets, outputs):
        """Score each image: 1.0 where the answer is right, else 0.0."""
        return accuracy_per_image(self.encode(targets), self.decode(outputs))


def build_crnn_model(
    input_shape,
    num_classes=None,
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
    input_shape : tuple of int, or Dataset
        ``(height, width, channels)``, from 8 x 8 x 1 up. A dataset, as
        ``ct.load_image_folder`` returns it, says all: the shape, and what the classes
        are called; `predict` then answers with the names.
    num_classes : int
        At least 2; None for a dataset.
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
    inputs, *classes = begin(input_shape, num_classes)
    head = Classify(*classes)
    filters = check_filters(filters, *inputs.shape[1:3])
    if sequence not in ("columns", "patches"):
        raise ValueError(f'sequence is "columns" or "patches", not {sequence!r}.')
    features = getattr(backbones, sequence)(inputs, filters, units, recurrence)
    return assemble(inputs, features, head, dropout, learning_rate)


def build_cnn_model(
    input_shape,
    num_classes=None,
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
    inputs, *classes = begin(input_shape, num_classes)
    head = Classify(*classes)
    filters = check_filters(filters, *inputs.shape[1:3])
    features = convolve(inputs, filters, units if whole_image else None)
    return assemble(inputs, features, head, dropout, learning_rate)


def build_rnn_model(
    input_shape,
    num_classes=None,
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
    options = along, dropout, learning_rate
    return _scan("simple_rnn", input_shape, num_classes, units, *options)


def build_lstm_model(
    input_shape,
    num_classes=None,
    *,
    units=64,
    along="width",
    dropout=0.0,
    learning_rate=1e-3,
):
    """Build a plain LSTM classifier: one LSTM over the raw pixel columns.

    Parameters
    ----------
    input_shape, num_classes, units, along, dropout, learning_rate
        As in `build_rnn_model`.

    Returns
    -------
    keras.Model
        Compiled; images in [0, 1] to probabilities ``(batch, num_classes)``.

    Raises
    ------
    ValueError
        As `build_rnn_model`.

    References
    ----------
    Hochreiter and Schmidhuber, 1997; Gers, Schmidhuber and Cummins, 2000.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.build_lstm_model((8, 8, 1), num_classes=10, units=32).count_params()
    11146
    """
    options = along, dropout, learning_rate
    return _scan("lstm", input_shape, num_classes, units, *options)


def _scan(cell, input_shape, num_classes, units, along, *options):
    inputs, *classes = begin(input_shape, num_classes)
    head = Classify(*classes)
    sequence = MapToSequence(along, name="map_to_sequence")(inputs)
    features = Features(backbones.connect_steps(sequence, cell, units))
    return assemble(inputs, features, head, *options)


def convolve(x, filters, units=None):
    """The stem, then blocks of ``units`` filters until one place sees the image.

    Parameters
    ----------
    x : keras.KerasTensor
        ``(batch, height, width, channels)``, of known size.
    filters, units : sequence of int, int
        Of the stem, and of each further block; units of None: the stem alone.

    Examples
    --------
    >>> import keras
    >>> from crnn_tutorial.tasks.classification import convolve
    >>> tuple(convolve(keras.Input((28, 28, 1)), (32, 64), units=16).map.shape)
    (None, 1, 1, 16)
    """
    side, blocks = max(x.shape[1:3]), list(filters)
    # With b blocks of a 3 x 3 convolution and 2 x 2 pooling, one output sees
    # 3 * 2**b - 2 pixels in each direction.
    while units is not None and 3 * 2 ** len(blocks) - 2 < side:
        blocks.append(units)
    for block, count in enumerate(blocks, start=1):
        pool = tuple(min(2, side) for side in x.shape[1:3])
        x = backbones.convolution_block(x, count, str(block), pool)
    return Features(x)
