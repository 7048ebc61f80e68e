"""From what a person has to batches in an order that can be repeated."""

import math

import keras
import numpy as np

from crnn_tutorial import heads
from crnn_tutorial.images import check_images
from crnn_tutorial.layers import FrameMask


class ShuffledBatches(keras.utils.PyDataset):
    """Batches of arrays whose order depends on the seed and the epoch alone.

    Parameters
    ----------
    images, targets : array
        Of the same length.
    batch_size : int
        The last batch of an epoch may be smaller.
    seed : int
        Decides all orders, and what ``augment`` draws.
    augment : function, optional
        ``augment(images, rng) -> images``.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.batches import ShuffledBatches
    >>> batches = ShuffledBatches(np.zeros((5, 1)), np.arange(5), batch_size=3)
    >>> for epoch in range(2):
    ...     batches.set_epoch(epoch)
    ...     print([targets.tolist() for images, targets in batches])
    [[2, 4, 3], [0, 1]]
    [[1, 4, 3], [0, 2]]
    """

    def __init__(self, images, targets, batch_size, seed=0, augment=None):
        super().__init__()
        self.images, self.targets = images, targets
        self.batch_size, self.seed, self.augment = batch_size, seed, augment
        self.set_epoch(0)

    def set_epoch(self, epoch):
        """Take the order of this epoch, counted from 0."""
        self.epoch = epoch
        self._order = _generator(self.seed, epoch).permutation(len(self.images))

    def __len__(self):
        return -(-len(self.images) // self.batch_size)

    def __getitem__(self, batch):
        # Python ends a loop over the batches here, where Keras is too old to do it.
        if not 0 <= batch < len(self):
            raise IndexError(f"There are {len(self)} batches, but number {batch} came.")
        start = batch * self.batch_size
        rows = self._order[start : start + self.batch_size]
        return _augmented(self.images[rows], self, batch), self.targets[rows]


class ShuffledStream(keras.utils.PyDataset):
    """The batches of another stream, augmented, in an order that can be repeated.

    A stream that has a method ``set_epoch(epoch)``, as ``ct.ImageStream``, knows its
    order; the batches of any other one are shuffled here.

    Parameters
    ----------
    stream : keras.utils.PyDataset
        Of ``(images, targets)``, finite.
    seed : int
        Decides the order, and what ``augment`` draws.
    augment : function, optional
        ``augment(images, rng) -> images``.

    Raises
    ------
    ValueError
        If the stream does not say how many batches it has, or has none.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.batches import ShuffledBatches, ShuffledStream
    >>> stream = ShuffledBatches(np.zeros((6, 1)), np.arange(6), batch_size=2)
    >>> shuffled = ShuffledStream(stream)
    >>> shuffled.set_epoch(1)
    >>> len(shuffled), stream.epoch
    (3, 1)
    """

    def __init__(self, stream, seed=0, augment=None):
        super().__init__(
            workers=stream.workers,
            use_multiprocessing=stream.use_multiprocessing,
            max_queue_size=stream.max_queue_size,
        )
        if not stream.num_batches:
            raise ValueError(
                "A stream says how many batches it has (len(stream) above 0), but got "
                f"{stream.num_batches}."
            )
        self.stream, self.seed, self.augment = stream, seed, augment
        self.set_epoch(0)

    def set_epoch(self, epoch):
        """Take the order of this epoch, counted from 0."""
        self.epoch = epoch
        self._order = np.arange(len(self))
        if hasattr(self.stream, "set_epoch"):
            self.stream.set_epoch(epoch)
        else:
            self._order = _generator(self.seed, epoch).permutation(self._order)

    def __len__(self):
        return self.stream.num_batches

    def __getitem__(self, batch):
        images, targets = self.stream[int(self._order[batch])]
        return _augmented(images, self, batch), targets

    def on_epoch_begin(self):
        """Tell the stream."""
        self.stream.on_epoch_begin()

    def on_epoch_end(self):
        """Tell the stream."""
        self.stream.on_epoch_end()


def _generator(seed, epoch, batch=-1):
    # The shuffling and each batch draw from generators of their own, so that no number
    # depends on how many were drawn before an interruption.
    return np.random.default_rng([seed, epoch, batch + 1])


def _augmented(images, data, batch):
    if data.augment is None:
        return images
    shape, rng = images.shape, _generator(data.seed, data.epoch, batch)
    images = np.asarray(data.augment(images, rng))
    if images.shape != shape:
        raise ValueError(
            f"augment(images, rng) returns images of the same shape, {shape}, but "
            f"returned {images.shape}."
        )
    return images.astype("float32", copy=False)


def check_model(model):
    """Return the head of a model that can be trained, or say why it cannot."""
    if not isinstance(model, keras.Model):
        raise ValueError(
            f"The first argument is a keras.Model, but got {type(model).__name__}. "
            "Build one with ct.build_crnn_model(input_shape, num_classes)."
        )
    if not model.compiled:
        raise ValueError(
            f"The model {model.name!r} is not compiled. Call model.compile(optimizer="
            '"adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"]).'
        )
    if len(getattr(model, "input_shape", None) or ()) not in (3, 4, 5):
        raise ValueError(
            f"The model {model.name!r} does not take images: its input has the shape "
            f"{getattr(model, 'input_shape', 'unknown')}, but expected (batch, height, "
            "width, channels), one more axis for clips, or (batch, frames, features). "
            "Begin it with keras.Input."
        )
    return heads.of(model)


def prepare(model, head, images, labels, what="train"):
    """Return images and targets as arrays that fit the model, or say what is wrong."""
    if labels is None:
        raise ValueError(
            f"The {what} images have no labels: only a stream brings its own."
        )
    images = check_images(
        images,
        labels,
        rank=len(model.input_shape),
        padded=not isinstance(head, heads.Classify) or _masks_frames(model),
        name=f"{what} images",
    )
    _check_shape(model, images)
    targets = head.encode(labels)
    if isinstance(head, heads.ReadText):
        _check_lengths(model, images, targets, labels)
    if _wants_one_hot(model.loss):
        targets = keras.utils.to_categorical(targets, model.output_shape[-1])
    return images, targets


def _masks_frames(model):
    return any(isinstance(layer, FrameMask) for layer in model.layers)


def prepare_validation(model, head, data):
    """Return a tuple of arrays, a stream or None, or say what is wrong."""
    if data is None or isinstance(data, keras.utils.PyDataset):
        return data
    if hasattr(data, "images") and hasattr(data, "targets"):
        data = data.images, data.targets
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise ValueError(
            "validation_data is (images, labels), a Split or a stream, but got "
            f"{type(data).__name__}."
        )
    return prepare(model, head, *data, what="validation")


def _check_shape(model, images):
    expected, got = model.input_shape[1:], images.shape[1:]
    pairs = zip(expected, got, strict=True)
    if any(side not in (None, length) for side, length in pairs):
        raise ValueError(
            f"The model takes images of shape {expected}, but got {got}. Build it for "
            "input_shape=images.shape[1:], or resize the images (ct.resize_image)."
        )


def check_stream(model, head, data, labels):
    """Refuse a stream whose first batch does not fit the model."""
    if labels is not None:
        raise ValueError("A stream brings its own labels: pass None for train_labels.")
    batch = data.stream[0]
    if not isinstance(batch, tuple) or len(batch) != 2:
        raise ValueError(
            "A batch of a stream is a tuple (images, labels), but got "
            f"{type(batch).__name__}."
        )
    images = check_images(*batch, rank=len(model.input_shape), padded=True)
    _check_shape(model, images)
    if isinstance(head, heads.Classify):
        head.encode(batch[1])


def _check_lengths(model, images, targets, texts):
    """Refuse a text that needs more steps than its image has: an infinite loss."""
    real_steps = keras.Model(model.input, model.layers[-1].input[1])
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
            f"first is text {i}, {texts[i]!r}: it needs {needed[i]} steps (one for "
            "each character, and one between two that are the same), but its image has "
            f"{steps[i]}. To fit all: images {widen:.1f} times as wide, or a model "
            "that halves the width less often (build_text_recognizer, pools=)."
        )


def _wants_one_hot(loss):
    name = (
        loss
        if isinstance(loss, str)
        else getattr(loss, "__name__", type(loss).__name__)
    )
    name = name.lower().replace("_", "")
    return "categorical" in name and "sparse" not in name
