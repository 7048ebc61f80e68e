"""Lines of text: the heads of readers, and their builders."""

import math
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

import keras
import numpy as np

from crnn_tutorial.checks import check_count, check_pixels
from crnn_tutorial.data.splits import Dataset
from crnn_tutorial.data.text.alphabet import Alphabet
from crnn_tutorial.data.text.ink import find_text
from crnn_tutorial.data.text.stacking import stack_text_images
from crnn_tutorial.metrics.keras_text import CharacterErrorRate, ExactMatch
from crnn_tutorial.metrics.text import exact_match_per_image
from crnn_tutorial.network import backbones, heads
from crnn_tutorial.network.assemble import IMAGE, assemble, check_filters, check_shape
from crnn_tutorial.network.layers import CharacterLogits, PositionProbabilities
from crnn_tutorial.network.masks import CHANNELS_LAST, ColumnMask, KeepColumns
from crnn_tutorial.tasks.classification import convolve

# Fewer steps of a character than this cost accuracy, more of them time.
STEPS = 4

_LOOKED_AT = 200  # images of a dataset, to find how wide a character is


class Read(heads.Head):
    """What all heads that read texts have in common."""

    metric_name: ClassVar[str] = "exact match"
    padded: ClassVar[bool] = True
    merge_repeats: ClassVar[bool] = True

    @property
    def metrics(self):
        """New Keras metrics for ``compile``: each model counts with its own."""
        return ExactMatch(self.merge_repeats), CharacterErrorRate(self.merge_repeats)

    def stack(self, images, input_shape):
        """Return one array of lines of any size, as wide as the model wants it."""
        if not heads.came_one_by_one(images):
            return images
        images = stack_text_images(list(images), input_shape[1])
        missing = max((input_shape[2] or 0) - images.shape[2], 0)
        padding = (0, 0), (0, 0), (0, missing), (0, 0)
        return np.pad(images, padding, constant_values=-1)

    def is_encoded(self, targets):
        """Say whether a stream brings classes and no texts."""
        return np.asarray(targets).dtype.kind not in "OSU"

    def per_image(self, targets, outputs):
        """Score each image: 1.0 where the whole text is right, else 0.0."""
        return exact_match_per_image(targets, self.decode(outputs))


@heads.register(CharacterLogits)
@dataclass(frozen=True)
class ReadText(Read):
    """A text of any length from the columns of an image, by CTC.

    Parameters
    ----------
    alphabet : Alphabet
        The characters that can be read.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.tasks.text import ReadText
    >>> head = ReadText(ct.Alphabet("ab"))
    >>> best_class_of_each_step = [1, 1, 0, 1, 2, 2]  # a a blank a b b
    >>> head.decode(np.eye(3)[[best_class_of_each_step]])
    ['aab']
    """

    alphabet: Alphabet
    loss: ClassVar[str] = "ctc"

    @classmethod
    def from_layer(cls, layer, shape):
        """Return the head with the alphabet of the layer."""
        return cls(Alphabet(layer.characters))

    def __call__(self, features, dropout=0.0):
        """Logits of each character at each real step ``(batch, steps, classes)``."""
        sequence, mask = features.map, features.mask
        if dropout:
            sequence = keras.layers.Dropout(dropout, name="dropout")(sequence)
        characters = self.alphabet.characters
        return CharacterLogits(characters, name="logits")(sequence, mask)

    def encode(self, targets):
        """Turn texts into padded classes ``(n, longest)``."""
        return self.alphabet.encode(_as_str(targets))

    def check(self, model, images, encoded, targets):
        """Refuse a text that needs more steps than its image has: an infinite loss."""
        _check_lengths(model, images, encoded, list(targets))

    def decode(self, outputs):
        """Best class of each step, repeats merged, blanks dropped: a list of str."""
        best = np.argmax(outputs, axis=-1)  # (n, steps)
        merged = [[k for k, _ in groupby(row)] for row in best.tolist()]
        return self.alphabet.decode(merged)


@heads.register(PositionProbabilities)
@dataclass(frozen=True)
class ReadPositions(Read):
    """A text from a fixed number of positions: what a reader does without CTC.

    Parameters
    ----------
    alphabet : Alphabet
        The characters that can be read.
    positions : int
        The largest number of characters, at least 1.

    Raises
    ------
    ValueError
        If there are fewer than one position.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.tasks.text import ReadPositions
    >>> head = ReadPositions(ct.Alphabet("ab"), positions=3)
    >>> head.decode(np.eye(3)[[[2, 1, 0]]])
    ['ba']
    """

    alphabet: Alphabet
    positions: int
    merge_repeats: ClassVar[bool] = False
    loss: ClassVar[str] = "sparse_categorical_crossentropy"

    @classmethod
    def from_layer(cls, layer, shape):
        """Return the head with the alphabet and the positions of the layer."""
        return cls(Alphabet(layer.characters), layer.positions)

    def __post_init__(self):
        check_count("positions", self.positions)

    def __call__(self, features, dropout=0.0):
        """Probabilities of each character at each position from the whole map."""
        x = keras.layers.Flatten(name="flatten", **CHANNELS_LAST)(features.map)
        if dropout:
            x = keras.layers.Dropout(dropout, name="dropout")(x)
        sizes = self.alphabet.characters, int(self.positions)
        return PositionProbabilities(*sizes, name="probabilities")(x)

    def encode(self, targets):
        """Turn texts into classes ``(n, positions)``."""
        return self.alphabet.encode(_as_str(targets), self.positions)

    def weigh(self, weights):
        """Each position has a loss of its own."""
        return weights[:, None]

    def decode(self, outputs):
        """Best class of each position, "no character" dropped: a list of str."""
        return self.alphabet.decode(np.argmax(outputs, axis=-1).tolist())


def build_text_recognizer(
    input_shape,
    alphabet=None,
    *,
    filters=(16, 32, 64),
    pools=None,
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
    input_shape : tuple of int or None, or Dataset
        ``(height, width, channels)``; a width of None takes any width. A dataset, as
        ``ct.load_text_images`` returns it, says all: the shape, the alphabet, and how
        wide a character is; what follows from that is printed in one line.
    alphabet : Alphabet or str, optional
        The characters that can be read; by default those of the dataset. They are read
        from left to right: give texts in Arabic or Hebrew in the order in which they
        stand on the page from the left (``bidi.get_display(text)`` of the package
        python-bidi), not as they are typed.
    pools : sequence, optional
        The pooling window of each block, ``(height, width)`` or one number for both. By
        default each block halves the height. How many of them halve the width, too,
        follows from a dataset: as many as leave a character four steps or more. With
        a shape it is the first two, and a step is 4 pixels wide.
    filters, units, recurrence, dropout, learning_rate
        As in `build_crnn_model`. ``ct.train_text_recognizer`` brings a learning rate of
        its own.

    Returns
    -------
    keras.Model
        Compiled; images to logits ``(batch, steps, classes)``, where class 0 is CTC's
        blank. By default ``steps`` is ``width / 4``.

    Raises
    ------
    ValueError
        If the shape is no image's, too small for the pooling layers, or if there is not
        one pool for each number in ``filters``.

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
    words = input_shape if isinstance(input_shape, Dataset) else None
    if words is not None:
        input_shape = words.input_shape
        alphabet = words.class_names if alphabet is None else alphabet
    shape = height, width, _ = check_shape(input_shape, IMAGE, free=("width",))
    filters = check_filters(filters, height, None)
    if pools is None:
        halved = 2 if words is None else _count_halvings(words, len(filters))
        pools = [(2, 2 if block < halved else 1) for block in range(len(filters))]
    pools = _check_pools(pools, len(filters), height, width)
    inputs = keras.Input(shape, name="image")
    mask = ColumnMask(name="real_columns")(inputs)
    features = backbones.columns(inputs, filters, units, recurrence, pools, mask=mask)
    head = ReadText(Alphabet(alphabet))
    return assemble(inputs, features, head, dropout, learning_rate)


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
    alphabet : Alphabet or str
        As in `build_text_recognizer`.
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
    shape = height, width, _ = check_shape(input_shape, IMAGE)
    filters = check_filters(filters, height, width)
    inputs = keras.Input(shape, name="image")
    mask = ColumnMask(name="real_columns")(inputs)
    x = KeepColumns(name="padding_to_zero")(inputs, mask)
    head = ReadPositions(Alphabet(alphabet), positions)
    return assemble(inputs, convolve(x, filters), head, dropout, learning_rate)


def check_reader(model):
    """Return the head of a model that reads, or say that it does not.

    Raises
    ------
    ValueError
        If it classifies, or is no model.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.tasks.text import check_reader
    >>> check_reader(ct.build_text_recognizer((16, None, 1), "ab"))
    ReadText(alphabet=Alphabet(characters='ab'))
    """
    head = heads.of(model) if isinstance(model, keras.Model) else None
    if not hasattr(head, "alphabet"):
        got = "it classifies" if head else f"it is a {type(model).__name__}"
        raise ValueError(
            f"The model does not read texts: {got}. Build one with "
            "ct.build_text_recognizer(input_shape, alphabet)."
        )
    return head


def _count_halvings(words, blocks):
    """Halve the width as often as each character can spare it; say what came out."""
    images, texts = words.train.images, words.train.targets
    lengths = np.array([max(len(text), 1) for text in texts])
    start, end = find_text(images[:_LOOKED_AT]).T
    room = np.median((end - start) / lengths[:_LOOKED_AT])  # of a character, in pixels
    # CTC needs a step for each character, and one between two equal neighbours.
    needed = lengths + [sum(map(str.__eq__, text, text[1:])) for text in texts]
    widths = (images[:, 0, :, 0] != -1).sum(axis=1)
    widest = min(room / STEPS, (widths / needed).min())
    halved = min(int(math.log2(max(widest, 1))), blocks)
    step = 2**halved
    columns = f"{step} column{'s' if step > 1 else ''}"
    print(
        f"{words.input_shape[0]} pixels high; a step is {columns}, "
        f"a character {room / step:.1f} steps."
    )
    return halved


def _check_pools(pools, blocks, height, width):
    """Return one window for each block that the image is large enough for."""
    name = "pools has one window for each number in filters, such as [2, (2, 1)]"
    pairs = [pool if isinstance(pool, tuple | list) else (pool, pool) for pool in pools]
    windows = [check_pixels(name, pair) for pair in pairs]
    if len(windows) != blocks:
        raise ValueError(f"{name}, but got {pools!r} for {blocks} blocks.")
    smallest = np.prod(windows, axis=0).tolist()
    sides = zip(("high", "wide"), (height, width), smallest, strict=True)
    for way, side, least in sides:
        if side is not None and side < least:
            raise ValueError(
                f"An image {side} pixels {way} is too small for the pools {windows}: "
                f"it is at least {least} pixels {way}. Pass larger images, fewer "
                "filters or smaller pools."
            )
    return windows


def _as_str(texts):
    """Decode bytes: TensorFlow's strings are some. Anything else is left as it is."""
    if isinstance(texts, str | bytes) or not hasattr(texts, "__iter__"):
        return texts
    return [text.decode() if isinstance(text, bytes) else text for text in texts]


def _check_lengths(model, images, targets, texts):
    """Refuse a text that needs more steps than its image has: an infinite loss."""
    # By its name: with several heads it need not be the last layer.
    real_steps = keras.Model(model.input, model.get_layer("logits").input[1])
    some = range(0, len(images), 1024)
    masks = [real_steps(images[i : i + 1024]) for i in some]
    steps = np.concatenate([keras.ops.convert_to_numpy(m).sum(axis=-1) for m in masks])
    doubled = (targets[:, 1:] == targets[:, :-1]) & (targets[:, 1:] > 0)
    needed = (targets > 0).sum(axis=1) + doubled.sum(axis=1)
    too_long = np.flatnonzero(needed > steps)
    if len(too_long):
        i = too_long[0]
        # Rounded up, so that images of this width do fit.
        widen = math.ceil(10 * (needed / np.maximum(steps, 1)).max()) / 10
        raise ValueError(
            f"{len(too_long)} of {len(texts)} texts are too long for their images. The "
            f"first is text {i}, {texts[i]!r:.60}: it needs {needed[i]} steps (one for "
            "each character, and one between two that are the same), but its image has "
            f"{steps[i]}. To fit all: images {widen:.1f} times as wide, or a model "
            "that halves the width less often (build_text_recognizer, pools=)."
        )
