"""Exact match and character error rate as Keras metrics, seen inside ``fit``.

They say the same as ``ct.exact_match`` and ``ct.character_error_rate`` say of decoded
texts, but count on the arrays that a model trains on, cheaply enough for every step.
"""

import keras
from keras import ops

BLOCK = 8  # steps of which the least is sought at once

FAR = 1e6  # more than any text has characters

register = keras.saving.register_keras_serializable(package="crnn_tutorial")


@register
class ExactMatch(keras.metrics.MeanMetricWrapper):
    """Share of the images whose whole text is read right, greedily.

    Parameters
    ----------
    merge_repeats : bool
        True for CTC: a class that stands at several steps in a row is one character.
        False where each step is a position of its own (`build_fixed_length_reader`).
    name : str
        In the history of a training, with ``val_`` in front for validation.
    dtype : str, optional
        Of the result.

    Notes
    -----
    ``update_state(targets, outputs)`` takes classes ``(batch, length)``, padded with 0
    on the right, and logits or probabilities ``(batch, steps, classes)``, where class 0
    is CTC's blank. Padding never counts; a perfect reading is exactly 1.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.metrics.keras_text import ExactMatch
    >>> best_classes = np.array([[1, 1, 0, 1, 2], [2, 2, 2, 2, 2]])  # "aab", "b"
    >>> metric = ExactMatch()
    >>> metric.update_state([[1, 1, 2], [1, 0, 0]], np.eye(3)[best_classes])
    >>> float(metric.result())
    0.5
    """

    def __init__(self, merge_repeats=True, name="exact_match", dtype=None):
        super().__init__(_matches, name, dtype, merge_repeats=merge_repeats)
        self.merge_repeats = merge_repeats
        self._direction = "up"  # what Keras' callbacks look for

    def get_config(self):
        # Not the parent's, which would store the function that it wraps.
        config = keras.metrics.Metric.get_config(self)
        return {**config, "merge_repeats": self.merge_repeats}


@register
class CharacterErrorRate(keras.metrics.Metric):
    """All edits between texts and greedy readings, divided by all characters.

    Parameters
    ----------
    merge_repeats, name, dtype
        As in `ExactMatch`.

    Notes
    -----
    ``update_state`` takes what that of `ExactMatch` takes. A perfect reading is exactly
    0, and more than 1 is possible. An empty truth adds its edits and no character;
    where all are empty, the rate is the number of edits.

    References
    ----------
    Wagner and Fischer, 1974, J. ACM 21(1), one row of the table at a time.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.metrics.keras_text import CharacterErrorRate
    >>> best_classes = np.array([[1, 1, 0, 1, 2], [2, 2, 2, 2, 2]])  # "aab", "b"
    >>> metric = CharacterErrorRate()
    >>> metric.update_state([[1, 1, 2], [1, 0, 0]], np.eye(3)[best_classes])
    >>> float(metric.result())  # 1 edit, 4 characters
    0.25
    """

    def __init__(self, merge_repeats=True, name="cer", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.merge_repeats = merge_repeats
        self._direction = "down"
        self.edits = self.add_variable((), "zeros", name="edits")
        self.characters = self.add_variable((), "zeros", name="characters")

    def update_state(self, y_true, y_pred, sample_weight=None):
        targets = _targets(y_true)
        edits = _edits(targets, *_read(y_pred, self.merge_repeats))  # (batch,)
        characters = ops.sum(ops.cast(targets != 0, "float32"), axis=1)  # (batch,)
        if sample_weight is not None:
            weights = ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
            edits, characters = edits * weights, characters * weights
        self.edits.assign_add(ops.cast(ops.sum(edits), self.edits.dtype))
        self.characters.assign_add(ops.cast(ops.sum(characters), self.characters.dtype))

    def result(self):
        # As metrics.error_rate: without any character, the number of edits.
        characters = ops.convert_to_tensor(self.characters)  # JAX wants no variables
        divisor = ops.where(ops.equal(characters, 0), 1.0, characters)
        return ops.divide(ops.convert_to_tensor(self.edits), divisor)

    def get_config(self):
        return {**super().get_config(), "merge_repeats": self.merge_repeats}


def _targets(targets):
    return ops.cast(ops.convert_to_tensor(targets), "int32")


def _read(outputs, merge_repeats):
    """Return each step's class and whether a character is read there, both or 0."""
    classes = ops.cast(ops.argmax(outputs, axis=-1), "int32")  # (batch, steps)
    read = classes != 0
    if merge_repeats:
        before = ops.pad(classes[:, :-1], [[0, 0], [1, 0]])  # 0 before the first
        read = ops.logical_and(read, classes != before)
    return ops.where(read, classes, 0), ops.cast(read, "int32")


def _matches(targets, outputs, merge_repeats):
    """Return whether each image's text is right: ``(batch,)``."""
    targets = _targets(targets)
    classes, read = _read(outputs, merge_repeats)
    length = ops.sum(ops.cast(targets != 0, "int32"), axis=1)
    # What is read at a step belongs to the place that so many characters precede; more
    # than there are places is wrong by its number.
    places = ops.minimum(ops.cumsum(read, axis=1) - read, ops.shape(targets)[1] - 1)
    right = classes == ops.take_along_axis(targets, places, axis=1)
    right = ops.all(ops.logical_or(right, read == 0), axis=1)
    return ops.logical_and(right, ops.sum(read, axis=1) == length)


def _edits(targets, classes, read):
    """Return the edit distance of each image's text, ``(batch,)``.

    A row of Wagner and Fischer's table holds the distances between the first i
    characters of the truth and what was read until each step. Less the number of
    characters read until there, a step at which nothing is read changes nothing, an
    insertion costs nothing, and the best place for it is the least so far.
    """
    # One step before the first, and some after the last until all blocks are full.
    after = BLOCK - 1 - ops.shape(classes)[1] % BLOCK
    classes, read = (ops.pad(x, [[0, 0], [0, after]]) for x in (classes, read))
    read = ops.cast(read, "float32")
    row = ops.zeros_like(ops.pad(read, [[0, 0], [1, 0]]))  # (batch, steps)

    def next_row(place, row):
        wanted = ops.take(targets, ops.reshape(place, (1,)), axis=1)  # (batch, 1)
        differs = ops.cast(classes != wanted, "float32")
        replaced = row[:, :-1] + differs - read
        replaced = ops.pad(replaced, [[0, 0], [1, 0]], constant_values=FAR)
        best = _least_so_far(ops.minimum(row + 1, replaced))  # row + 1: it is missing
        return ops.where(wanted != 0, best, row)

    length = targets.shape[1]
    if length is None:
        row = ops.fori_loop(0, ops.shape(targets)[1], next_row, row)
    else:
        for place in range(length):
            row = next_row(place, row)
    return row[:, -1] + ops.sum(read, axis=1)


def _least_so_far(row):
    """Return the cumulative minimum along ``(batch, steps)``, in blocks of steps."""
    number = ops.shape(row)[1] // BLOCK
    blocks = ops.reshape(row, (-1, number, BLOCK))
    inside = ops.min(blocks[..., None] + _later(BLOCK, 0), axis=2)
    before = ops.min(inside[:, :, -1:] + _later(number, 1), axis=1)  # (batch, number)
    return ops.reshape(ops.minimum(inside, before[..., None]), ops.shape(row))


def _later(size, by):
    """Return 0 where the column is at least ``by`` after the row, else ``FAR``."""
    places = ops.arange(size)
    earlier = places[None, :] < places[:, None] + by
    return ops.cast(earlier, "float32") * FAR  # (size, size)
