"""Batches and streams of images in an order that can be repeated."""

import keras
import numpy as np

# Keras reads so many batches before the first epoch, to see which axes vary.
_READ_BEFORE = 2


class ShuffledBatches(keras.utils.PyDataset):
    """Batches of arrays whose order depends on the seed and the epoch alone.

    Parameters
    ----------
    images, targets : array
        Of the same length. Images may be `LazyImages`, loaded batch by batch; several
        kinds of targets are a dict of arrays.
    batch_size : int
        The last batch of an epoch may be smaller.
    seed : int or None
        Decides all orders, and what ``augment`` draws; None keeps the order.
    augment : function, optional
        ``augment(images, rng) -> images``.
    weights : array of floats, optional
        ``(images,)``: how much each image counts in the loss; or a dict of these.
    widths : array of int, optional
        ``(images,)``: the columns that a batch with this image must have; those on the
        right of the widest are cut off.
    move : function, optional
        ``move(augment, images, targets, rng)`` augments both; by default the targets
        stay as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.training.streams import ShuffledBatches
    >>> batches = ShuffledBatches(np.zeros((5, 1)), np.arange(5), batch_size=3)
    >>> for epoch in range(2):
    ...     batches.set_epoch(epoch)
    ...     print([targets.tolist() for images, targets in batches])
    [[2, 4, 3], [0, 1]]
    [[1, 4, 3], [0, 2]]
    """

    def __init__(
        self,
        images,
        targets,
        batch_size,
        seed=0,
        augment=None,
        weights=None,
        widths=None,
        move=None,
    ):
        super().__init__()
        self.images, self.targets, self.weights = images, targets, weights
        self.batch_size, self.seed, self.augment = batch_size, seed, augment
        self.widths, self.move, self.problem = widths, move, None
        self.set_epoch(0)

    def set_epoch(self, epoch):
        """Take the order of this epoch, counted from 0."""
        self.epoch = epoch
        self._order = np.arange(len(self.images))
        if self.seed is not None:
            self._order = _generator(self.seed, epoch).permutation(self._order)

    def __len__(self):
        return -(-len(self.images) // self.batch_size)

    def __getitem__(self, batch):
        # Python ends a loop over the batches here, where Keras is too old to do it.
        if not 0 <= batch < len(self):
            raise IndexError(f"There are {len(self)} batches, but number {batch} came.")
        start = batch * self.batch_size
        rows = self._order[start : start + self.batch_size]
        try:
            images = self.images[rows]
        except Exception as error:
            self.problem = error  # TensorFlow buries it in an error of its own
            raise
        if self.widths is not None:
            images = images[:, :, : self.widths[rows].max()]
        targets = _rows(self.targets, rows)
        weights = () if self.weights is None else (_rows(self.weights, rows),)
        return (*_augmented(images, targets, self, batch), *weights)


class ShuffledStream(keras.utils.PyDataset):
    """The batches of another stream, augmented, in an order that can be repeated.

    A stream that has a method ``set_epoch(epoch)`` knows its order; the batches of any
    other one are shuffled here.

    Parameters
    ----------
    stream : keras.utils.PyDataset
        Of ``(images, targets)`` or ``(images, targets, weights)``, finite.
    seed : int or None
        Decides the order, and what ``augment`` draws; None keeps the order.
    augment : function, optional
        ``augment(images, rng) -> images``.
    encode : function, optional
        Called with the parts of a batch, returns what the model trains on.
    steps : int, optional
        Batches of an epoch, where the stream has no end.
    move : function, optional
        As in `ShuffledBatches`.

    Raises
    ------
    ValueError
        If it is not known how many batches there are, or there are none.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.training.streams import ShuffledBatches, ShuffledStream
    >>> stream = ShuffledBatches(np.zeros((6, 1)), np.arange(6), batch_size=2)
    >>> shuffled = ShuffledStream(stream)
    >>> shuffled.set_epoch(1)
    >>> len(shuffled), stream.epoch
    (3, 1)
    """

    def __init__(
        self, stream, seed=0, augment=None, encode=None, steps=None, move=None
    ):
        super().__init__(
            workers=stream.workers,
            use_multiprocessing=stream.use_multiprocessing,
            max_queue_size=stream.max_queue_size,
        )
        self.steps = _count_steps(stream, steps)
        self.stream, self.seed, self.augment = stream, seed, augment
        self.encode, self.move, self.problem = encode, move, None
        self.set_epoch(0)

    def set_epoch(self, epoch):
        """Take the order of this epoch, counted from 0."""
        self.epoch = epoch
        self._order = np.arange(len(self))
        if hasattr(self.stream, "set_epoch"):
            self.stream.set_epoch(epoch)
        elif self.stream.num_batches is None:
            self._order += epoch * len(self)
        elif self.seed is not None:
            self._order = _generator(self.seed, epoch).permutation(self._order)

    def __len__(self):
        return self.steps

    def read(self, batch):
        """Return a batch as the model trains on it, but not augmented."""
        parts = self.stream[int(self._order[batch])]
        return self.encode(*parts) if self.encode else tuple(parts)

    def __getitem__(self, batch):
        try:
            images, targets, *weights = self.read(batch)
            return (*_augmented(images, targets, self, batch), *weights)
        except Exception as error:
            self.problem = error  # TensorFlow buries it in an error of its own
            raise

    def on_epoch_begin(self):
        """Tell the stream."""
        self.stream.on_epoch_begin()

    def on_epoch_end(self):
        """Tell the stream."""
        self.stream.on_epoch_end()


class IteratedStream(keras.utils.PyDataset):
    """The batches of something that can only be iterated, one after the other.

    Parameters
    ----------
    data : iterable
        Of tuples such as ``(images, targets)``: a ``tf.data.Dataset``, a generator.
    steps : int, optional
        Batches of an epoch. By default ``len(data)``, and each epoch begins anew.

    Raises
    ------
    ValueError
        If it is not known how many batches there are.

    Examples
    --------
    >>> from crnn_tutorial.training.streams import IteratedStream
    >>> stream = IteratedStream(((i, i + 1) for i in range(9)), steps=3)
    >>> [int(stream[i][0]) for i in range(3)]
    [0, 1, 2]
    """

    def __init__(self, data, steps=None):
        super().__init__()
        self.data, self.anew = data, steps is None
        self.steps = _length(data) if steps is None else steps
        if self.steps is None:
            raise ValueError(
                f"A {type(data).__name__} does not say how many batches an epoch has: "
                "pass steps_per_epoch=..., or use a keras.utils.PyDataset."
            )
        self.once = iter(data) is data
        self.epoch, self._iterator, self._first = 0, None, []

    def set_epoch(self, epoch):
        """Begin anew, where there are as many batches as an epoch has."""
        if self.anew:
            self._iterator = None
        if self.anew or epoch != self.epoch:
            self._first = []
        self.epoch = epoch

    def __len__(self):
        return self.steps

    def __getitem__(self, batch):
        # Keras may read the first batches twice, but they can be taken only once.
        if batch < len(self._first):
            return self._first[batch]
        item = self._next()
        if batch < _READ_BEFORE:
            self._first.append(item)
        return item

    def _next(self):
        for attempt in range(2):
            if self._iterator is None:
                self._iterator = iter(self.data)
            for item in self._iterator:
                return _as_arrays(item)
            if self.once or attempt:
                raise ValueError(
                    f"The {type(self.data).__name__} has no more batches in epoch "
                    f"{self.epoch + 1}: it must give steps_per_epoch of them for each "
                    "epoch (and guess_steps before the first)."
                )
            self._iterator = None
        return None


class KeptBatches(keras.utils.PyDataset):
    """Batches that are there already.

    Parameters
    ----------
    batches : list of tuples
        ``(images, targets)`` or ``(images, targets, weights)``.

    Examples
    --------
    >>> from crnn_tutorial.training.streams import KeptBatches
    >>> len(KeptBatches([([0.0, 0.5], [0, 1]), ([1.0], [1])]))
    2
    """

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, batch):
        return self.batches[batch]


def _length(data):
    try:
        return len(data)
    except TypeError:  # unknown or infinite
        return None


def _as_arrays(batch):
    if not isinstance(batch, tuple | list):
        return batch
    return tuple(
        part if isinstance(part, list | dict) else np.asarray(part) for part in batch
    )


def _count_steps(stream, steps):
    if steps is not None and stream.num_batches is not None:
        raise ValueError(
            "steps_per_epoch is for data that do not say how many batches they have, "
            f"but this stream has {stream.num_batches}. Leave it out."
        )
    number = stream.num_batches if steps is None else steps
    if not number:
        raise ValueError(
            "A stream says how many batches it has (len(stream) above 0), but got "
            f"{number}. Pass steps_per_epoch for one without an end."
        )
    return number


def _generator(seed, epoch, batch=-1):
    # Order (0) and augmentation (from 1) have generators of their own, so that no
    # number depends on how many were drawn before an interruption.
    return np.random.default_rng([seed, epoch, batch + 1])


def _rows(arrays, rows):
    return keras.tree.map_structure(lambda array: array[rows], arrays)


def _augmented(images, targets, data, batch):
    if data.augment is None:
        return images, targets
    shape, rng = images.shape, _generator(data.seed, data.epoch, batch)
    if data.move is None:
        images = data.augment(images, rng)
    else:
        images, targets = data.move(data.augment, images, targets, rng)
    images = np.asarray(images)
    if images.shape != shape:
        raise ValueError(
            f"augment(images, rng) returns images of the same shape, {shape}, but "
            f"returned {images.shape}."
        )
    return images.astype("float32", copy=False), targets
