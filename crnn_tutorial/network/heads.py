"""From features to an answer: five things that must never part.

A head knows how to *encode* what a person has (labels, texts) into arrays, the
*last layer*, the *loss*, the *metrics*, and how to *decode* what the model returns
into what a person wants. ``of(model)`` finds the head of any model of this package,
also after it was saved and loaded.
"""

import numbers
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

import numpy as np
from keras import layers

from crnn_tutorial.data.text.alphabet import Alphabet
from crnn_tutorial.metrics.classes import accuracy_per_image
from crnn_tutorial.metrics.keras_text import CharacterErrorRate, ExactMatch
from crnn_tutorial.metrics.text import exact_match_per_image
from crnn_tutorial.network.layers import CharacterLogits, PositionProbabilities
from crnn_tutorial.network.masks import CHANNELS_LAST


@dataclass(frozen=True)
class Classify:
    """One class for each image (or clip): average, dense, softmax.

    Parameters
    ----------
    num_classes : int
        At least 2.

    Raises
    ------
    ValueError
        If there are fewer than two classes.

    Examples
    --------
    >>> from crnn_tutorial.network.heads import Classify
    >>> head = Classify(3)
    >>> head.encode([[0, 0, 1], [1, 0, 0]]).tolist()  # one-hot or integers
    [2, 0]
    >>> head.decode([[0.1, 0.2, 0.7]]).tolist()
    [2]
    """

    num_classes: int
    loss: ClassVar[str] = "sparse_categorical_crossentropy"
    metrics: ClassVar[tuple[str, ...]] = ("accuracy",)
    metric_name: ClassVar[str] = "accuracy"

    def __post_init__(self):
        if not isinstance(self.num_classes, numbers.Integral) or self.num_classes < 2:
            raise ValueError(
                "num_classes is a whole number, at least 2, but got "
                f"{self.num_classes!r}: with one class there is nothing to decide."
            )

    def __call__(self, features, dropout=0.0, mask=None):
        """Average over real steps (or places), then one probability for each class."""
        if len(features.shape) == 4:
            x = layers.GlobalAveragePooling2D(name="average", **CHANNELS_LAST)(features)
        else:
            average = layers.GlobalAveragePooling1D(name="average", **CHANNELS_LAST)
            x = average(features, mask=mask)
        if dropout:
            x = layers.Dropout(dropout, name="dropout")(x)
        return layers.Dense(
            int(self.num_classes), activation="softmax", name="probabilities"
        )(x)

    def encode(self, labels):
        """Turn integer or one-hot labels ``(n,)`` or ``(n, classes)`` into integers."""
        labels = np.asarray(labels)
        if labels.ndim == 2 and labels.shape[1] == self.num_classes:
            if not (np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()):
                raise ValueError(
                    "One-hot labels have exactly one 1 in each row and 0 elsewhere."
                )
            return labels.argmax(axis=1)
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(
                f"Labels are integers of shape (n,) or one-hot rows of shape "
                f"(n, {self.num_classes}), but got {labels.dtype} of shape "
                f"{labels.shape}."
            )
        if labels.size and not 0 <= labels.min() <= labels.max() < self.num_classes:
            raise ValueError(
                f"Labels run from 0 to {self.num_classes - 1} for {self.num_classes} "
                f"classes, but got {labels.min()} to {labels.max()}."
            )
        return labels

    def decode(self, outputs):
        """Turn probabilities ``(n, classes)`` into the most probable class ``(n,)``."""
        return np.argmax(outputs, axis=-1)

    def per_image(self, targets, outputs):
        """Score each image: 1.0 where the answer is right, else 0.0."""
        return accuracy_per_image(self.encode(targets), self.decode(outputs))


@dataclass(frozen=True)
class ReadText:
    """A text of any length from the columns of an image, by CTC.

    Parameters
    ----------
    alphabet : Alphabet
        The characters that can be read.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.network import heads
    >>> head = heads.ReadText(ct.Alphabet("ab"))
    >>> best_class_of_each_step = [1, 1, 0, 1, 2, 2]  # a a blank a b b
    >>> head.decode(np.eye(3)[[best_class_of_each_step]])
    ['aab']
    """

    alphabet: Alphabet
    loss: ClassVar[str] = "ctc"
    metric_name: ClassVar[str] = "exact match"

    @property
    def metrics(self):
        """New Keras metrics for ``compile``: each model counts with its own."""
        return ExactMatch(), CharacterErrorRate()

    def __call__(self, sequence, mask, dropout=0.0):
        """Logits of each character at each real step ``(batch, steps, classes)``."""
        if dropout:
            sequence = layers.Dropout(dropout, name="dropout")(sequence)
        characters = self.alphabet.characters
        return CharacterLogits(characters, name="logits")(sequence, mask)

    def encode(self, texts):
        """Turn texts into padded classes ``(n, longest)``."""
        return self.alphabet.encode(texts)

    def decode(self, outputs):
        """Best class of each step, repeats merged, blanks dropped: a list of str."""
        best = np.argmax(outputs, axis=-1)  # (n, steps)
        merged = [[k for k, _ in groupby(row)] for row in best.tolist()]
        return self.alphabet.decode(merged)

    def per_image(self, targets, outputs):
        """Score each image: 1.0 where the whole text is right, else 0.0."""
        return exact_match_per_image(targets, self.decode(outputs))


@dataclass(frozen=True)
class ReadPositions:
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
    >>> from crnn_tutorial.network import heads
    >>> head = heads.ReadPositions(ct.Alphabet("ab"), positions=3)
    >>> head.decode(np.eye(3)[[[2, 1, 0]]])
    ['ba']
    """

    alphabet: Alphabet
    positions: int
    loss: ClassVar[str] = "sparse_categorical_crossentropy"
    metric_name: ClassVar[str] = "exact match"

    @property
    def metrics(self):
        """New Keras metrics for ``compile``: each model counts with its own."""
        return ExactMatch(merge_repeats=False), CharacterErrorRate(merge_repeats=False)

    def __post_init__(self):
        if not isinstance(self.positions, numbers.Integral) or self.positions < 1:
            raise ValueError(
                "positions is a whole number, at least 1: the largest number of "
                f"characters to read, but got {self.positions!r}."
            )

    def __call__(self, features, dropout=0.0):
        """Probabilities of each character at each position from the whole map."""
        x = layers.Flatten(name="flatten", **CHANNELS_LAST)(features)
        if dropout:
            x = layers.Dropout(dropout, name="dropout")(x)
        return PositionProbabilities(
            self.alphabet.characters, int(self.positions), name="probabilities"
        )(x)

    def encode(self, texts):
        """Turn texts into classes ``(n, positions)``."""
        return self.alphabet.encode(texts, self.positions)

    def decode(self, outputs):
        """Best class of each position, "no character" dropped: a list of str."""
        return self.alphabet.decode(np.argmax(outputs, axis=-1).tolist())

    def per_image(self, targets, outputs):
        """Score each image: 1.0 where the whole text is right, else 0.0."""
        return exact_match_per_image(targets, self.decode(outputs))


def of(model):
    """Find the head of a model: how to encode its targets and decode its answers.

    Parameters
    ----------
    model : keras.Model
        Built or loaded by this package, or any classifier that ends in a softmax.

    Returns
    -------
    Classify, ReadText or ReadPositions
        Read off the model's last layer.

    Raises
    ------
    ValueError
        If the last layer is none of those that the package knows.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.network import heads
    >>> heads.of(ct.build_crnn_model((8, 8, 1), num_classes=10))
    Classify(num_classes=10)
    """
    last = model.layers[-1]
    if isinstance(last, CharacterLogits):
        return ReadText(Alphabet(last.characters))
    if isinstance(last, PositionProbabilities):
        return ReadPositions(Alphabet(last.characters), last.positions)
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    softmax = isinstance(last, layers.Dense) and activation == "softmax"
    softmax = softmax or isinstance(last, layers.Softmax)
    if softmax and len(model.output_shape) == 2:  # with more axes: at each place
        return Classify(model.output_shape[-1])
    raise ValueError(
        f"The model {model.name!r} ends in a {type(last).__name__} layer, but expected "
        'Dense(num_classes, activation="softmax"), or a model of build_crnn_model, '
        "build_text_recognizer and so on."
    )
