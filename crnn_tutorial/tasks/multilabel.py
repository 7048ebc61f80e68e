"""Several classes for one image: the head that answers yes or no for each."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

import keras
import numpy as np
from keras import layers, ops

from crnn_tutorial.checks import check_count
from crnn_tutorial.network import heads
from crnn_tutorial.network.assemble import assemble, begin_with_patches
from crnn_tutorial.network.masks import CHANNELS_LAST, register


@register
class AnyPlace(layers.Layer):
    """For each class the probability that it is at one place of a map at least.

    Each place has a probability of its own, and all are taken as independent: what is
    missing everywhere is missing.

    Parameters
    ----------
    class_names : sequence of str, optional
        What the classes are called.

    Returns
    -------
    tensor
        Probabilities ``(batch, classes)`` from logits ``(batch, rows, columns,
        classes)``.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.multilabel import AnyPlace
    >>> logits = np.full((1, 2, 2, 3), -9.0)
    >>> logits[0, 1, 0, 2] = 9  # class 2 stands at one place
    >>> np.array(AnyPlace()(logits)).round(2).tolist()
    [[0.0, 0.0, 1.0]]
    """

    def __init__(self, class_names=None, **kwargs):
        super().__init__(**kwargs)
        self.class_names = class_names and tuple(class_names)

    def call(self, logits):
        # The logarithm of the probability that it is at no place at all.
        nowhere = -ops.sum(ops.softplus(logits), axis=(1, 2))
        return 1.0 - ops.exp(nowhere)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "class_names": self.class_names}


@heads.register(AnyPlace)
@dataclass(frozen=True)
class LabelSet(heads.Head):
    """The classes that are in an image: a sigmoid and a yes or no for each.

    Parameters
    ----------
    num_classes : int
        How many classes there are.
    class_names : tuple of str, optional
        What they are called.

    Examples
    --------
    >>> from crnn_tutorial.tasks.multilabel import LabelSet
    >>> head = LabelSet(3)
    >>> head.encode([[2, 0], []]).tolist()  # sets, or rows of 0 and 1
    [[1, 0, 1], [0, 0, 0]]
    >>> head.decode([[0.9, 0.1, 0.6]])
    [(0, 2)]
    """

    num_classes: int
    class_names: tuple | None = field(default=None, repr=False)
    loss: ClassVar[str] = "binary_crossentropy"
    metrics: ClassVar[tuple[str, ...]] = ("binary_accuracy",)
    metric_name: ClassVar[str] = "exact set"
    takes: ClassVar[str] = "labels"

    @classmethod
    def from_layer(cls, layer, shape):
        """Return the head with the names that the layer knows."""
        return cls(shape[-1], layer.class_names)

    def __call__(self, features, dropout=0.0):
        """Score each class at each place; one place is enough."""
        x = features.map
        if dropout:
            x = layers.Dropout(dropout, name="dropout")(x)
        rare = keras.initializers.Constant(-4.0)  # most classes are not at most places
        x = layers.Conv2D(
            self.num_classes, 1, bias_initializer=rare, name="score", **CHANNELS_LAST
        )(x)
        return AnyPlace(self.class_names, name="probabilities")(x)

    def encode(self, targets):
        """Turn sets of classes, or rows of 0 and 1, into rows ``(n, classes)``."""
        if isinstance(targets, np.ndarray) and targets.ndim == 2:
            return self._check_rows(targets)
        if not all(isinstance(one, Iterable) for one in targets):
            raise ValueError(
                "The labels of an image are a set of classes, such as {2, 7}, or (2,) "
                f"for one alone, but got {targets!r:.60}."
            )
        rows = np.zeros((len(targets), self.num_classes), int)
        for row, classes in zip(rows, targets, strict=True):
            classes = np.asarray(list(classes), dtype=int)
            if classes.size and not 0 <= classes.min() <= classes.max() < len(row):
                raise ValueError(
                    f"The classes are 0 to {len(row) - 1}, but got {classes.tolist()}."
                )
            row[classes] = 1
        return rows

    def _check_rows(self, rows):
        if rows.shape[1] != self.num_classes or not np.isin(rows, (0, 1)).all():
            raise ValueError(
                "Labels are sets of classes, or rows of 0 and 1 of shape (images, "
                f"{self.num_classes}), but got {rows.dtype} of shape {rows.shape} from "
                f"{rows.min()} to {rows.max()}."
            )
        return rows.astype(int)

    def decode(self, outputs):
        """Name the classes that are more likely there than not: a list of tuples."""
        return [tuple(np.flatnonzero(row > 0.5).tolist()) for row in np.array(outputs)]

    def answer(self, outputs):
        """Name the classes, with the probability of the least certain yes or no."""
        names = self.class_names or range(self.num_classes)
        sure = np.maximum(outputs, 1 - np.asarray(outputs)).min(axis=1)
        sets = [tuple(names[k] for k in one) for one in self.decode(outputs)]
        return list(zip(sets, sure.tolist(), strict=True))

    def per_image(self, targets, outputs):
        """1 where every class is right, else 0."""
        right = self.encode(targets) == self.encode(self.decode(outputs))
        return right.all(axis=1).astype(float)


def build_multilabel_classifier(
    input_shape,
    num_classes=None,
    *,
    filters=(16, 32, 64, 64),
    units=32,
    recurrence="lstm",
    dropout=0.0,
    learning_rate=3e-3,
):
    """Build a CRNN that says which of several classes are in an image.

    Convolutions make a map, the recurrence runs over its rows and columns, and each
    place of the map is asked for each class. A class is in the image if it is at one
    place at least.

    Parameters
    ----------
    input_shape : tuple of int, or Dataset
        ``(height, width, channels)``; height and width may be None: any size. A dataset
        says this, the number of classes, and what they are called.
    num_classes : int
        At least 1; None for a dataset.
    filters : sequence of int
        One block of convolution and pooling for each number.
    units : int
        Size of the recurrent state in each direction.
    recurrence : str
        How the places of the map see each other: ``"lstm"``, or one of the controls
        that ``connect_places`` names.
    dropout : float
        Share of features dropped before the last layer, in [0, 1).
    learning_rate : float
        Of the Adam optimiser.

    Returns
    -------
    keras.Model
        Images -> probabilities ``(batch, num_classes)``, each by itself.

    Raises
    ------
    ValueError
        If an argument makes no sense, or the image is too small for the blocks.

    References
    ----------
    The article's question 9, which proposes a softmax: its probabilities sum to 1, so
    that two classes can never both be certain.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> model = ct.build_multilabel_classifier((64, 64, 1), num_classes=10)
    >>> model.output_shape
    (None, 10)
    """
    image, features, count, names = begin_with_patches(
        input_shape, num_classes, filters, units, recurrence
    )
    head = LabelSet(check_count("num_classes", count), names)
    return assemble(image, features, head, dropout, learning_rate)
