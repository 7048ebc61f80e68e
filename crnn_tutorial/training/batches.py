"""From what a person has to batches in an order that can be repeated."""

import functools
import inspect

import keras
import numpy as np

from crnn_tutorial.checks import check_count, check_images, check_targets
from crnn_tutorial.data.lazy_images import LazyImages
from crnn_tutorial.network import heads
from crnn_tutorial.network.masks import FrameMask, PoolMask, pixels_of_a_step
from crnn_tutorial.training.streams import (
    IteratedStream,
    KeptBatches,
    ShuffledBatches,
    ShuffledStream,
)
from crnn_tutorial.training.weights import (
    check_weights,
    class_table,
    combine,
    image_weights,
)


def as_batches(
    model,
    head,
    images,
    labels,
    batch_size,
    *,
    seed=0,
    augment=None,
    sample_weight=None,
    class_weight=None,
    steps_per_epoch=None,
):
    """Turn whatever `train_crnn_model` takes into batches, or say what is wrong.

    Parameters
    ----------
    model, head
        What is trained, and its head.
    images, labels, batch_size, seed, augment
        As in `train_crnn_model`.
    sample_weight, class_weight, steps_per_epoch
        As in `train_crnn_model`.

    Returns
    -------
    ShuffledBatches or ShuffledStream
        With ``set_epoch(epoch)``.

    Raises
    ------
    ValueError
        As `train_crnn_model`.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.network import heads
    >>> from crnn_tutorial.training.batches import as_batches
    >>> model = ct.build_rnn_model((8, 8, 1), num_classes=10)
    >>> train = ct.load_digits().train[:100]
    >>> len(as_batches(model, heads.of(model), train, None, batch_size=30))
    4
    """
    check_count("batch_size", batch_size)
    if steps_per_epoch is not None:
        check_count("steps_per_epoch", steps_per_epoch)
    _check_augment(augment, head)
    images, labels = _unpack(images, labels)
    stream = as_stream(images, steps_per_epoch)
    if stream is None:
        if steps_per_epoch is not None:
            raise ValueError(
                "steps_per_epoch is for a stream that does not say how many batches it "
                "has; arrays are cut into batches of batch_size. Leave it out."
            )
        data = prepare(model, head, images, labels, sample_weight, class_weight)
        data = _cut(model, head, data, batch_size, seed, augment)
        _check_devices(model, head, data)
        return data
    if labels is not None or sample_weight is not None:
        raise ValueError(
            "A stream brings its own labels and weights, in batches (images, labels) "
            "or (images, labels, weights): pass None for train_labels and leave "
            "sample_weight out."
        )
    encode = _encoder(model, head, class_weight)
    endless = steps_per_epoch if stream is images else None
    data = ShuffledStream(stream, seed, augment, encode, endless, head.augment)
    check_stream(model, data)
    return data


def _unpack(images, labels):
    """Return images and labels apart, also where they came together."""
    if isinstance(images, keras.utils.PyDataset):
        return images, labels
    if hasattr(images, "train") and hasattr(images, "test"):
        raise ValueError(
            "A Dataset has several splits: pass one of them, such as dataset.train."
        )
    if hasattr(images, "images") and hasattr(images, "targets"):
        if labels is not None:
            raise ValueError(
                "A Split brings its own labels: pass None for train_labels."
            )
        return images.images, images.targets
    return images, labels


def as_stream(images, steps=None):
    """Return a stream of batches, or None if there are arrays or a Split."""
    if isinstance(images, keras.utils.PyDataset):
        return images
    iterated = hasattr(images, "__iter__") and not hasattr(images, "__getitem__")
    return IteratedStream(images, steps) if iterated else None


def _check_augment(augment, head):
    """Refuse a function that moves images, but no masks or boxes with them."""
    several = isinstance(head, heads.Several)
    for one in head.heads.values() if several else [head]:
        kind = one.moves
        if augment and kind and kind not in inspect.signature(augment).parameters:
            raise ValueError(
                f"The model is trained on {kind}, which move with the image, but "
                f"augment(images, rng) has no parameter {kind}. Pass a function such "
                "as ct.augment_shift or ct.augment_affine, or write one: "
                f"augment(images, rng, {kind}) -> (images, {kind})."
            )


def _cut(model, head, data, batch_size, seed, augment=None):
    images, targets, weights = data
    widths = None
    if _width_is_free(model) and not isinstance(images, LazyImages):
        images = _pad_to_a_step(model, images)
        widths = _widths(model, images)
    return ShuffledBatches(
        images, targets, batch_size, seed, augment, weights, widths, head.augment
    )


def _check_devices(model, head, data):
    """Refuse batches that leave a device without an image, which CTC cannot bear."""
    strategy = getattr(model, "distribute_strategy", None)  # TensorFlow's
    devices = strategy.num_replicas_in_sync if strategy else 1
    number, size = len(data.images), data.batch_size
    for images in {min(size, number), number % size or size}:
        share = -(-images // devices)  # of each device, and the last gets what is left
        if head.loss == "ctc" and share * (devices - 1) >= images:
            raise ValueError(
                f"{number} images in batches of {size} make a batch of {images} for "
                f"{devices} devices, and CTC needs an image on each. Choose another "
                "batch_size, or leave some images out."
            )


def _width_is_free(model):
    pooled = any(isinstance(layer, PoolMask) for layer in model.layers)
    return pooled and model.input_shape[2] is None


def _pad_to_a_step(model, images):
    """Let a batch of the narrowest images have one step: padding changes nothing."""
    missing = pixels_of_a_step(model) - images.shape[2]
    if missing <= 0:
        return images
    missing = (0, 0), (0, 0), (0, missing), (0, 0)
    return np.pad(images, missing, constant_values=-1)


def _widths(model, images):
    """Return how wide a batch must be for each image: without the padding of others."""
    widest, smallest = images.shape[2], pixels_of_a_step(model)
    real = [(image != -1).any(axis=(0, 2)) for image in images]
    ends = [int(row.size - row[::-1].argmax()) if row.any() else 0 for row in real]
    widths = np.maximum(ends, smallest)
    if model.jit_compile:
        # Each width is compiled anew: at most four for each doubling.
        quarter = 2 ** np.maximum(np.floor(np.log2(widths)) - 2, 0)
        widths = np.ceil(widths / quarter) * quarter
    return np.minimum(widths, widest).astype(int)


def for_fit(model, data):
    """Return what Keras' ``fit`` gets, on TensorFlow with the axes named that vary.

    Keras learns them there from the first two batches alone: a later batch that is the
    first to have another width would stop the training.

    Parameters
    ----------
    model : keras.Model
        What is trained.
    data : ShuffledBatches, ShuffledStream, KeptBatches or anything else
        What it is trained on; what Keras makes of anything else is right.

    Returns
    -------
    keras.utils.PyDataset, tf.data.Dataset or what came
        The same batches.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.training.batches import for_fit
    >>> model = ct.build_rnn_model((8, 8, 1), num_classes=10)
    >>> for_fit(model, None) is None
    True
    """
    streamed = isinstance(data, ShuffledStream)
    varies = None in model.input_shape[1:] or (
        streamed and isinstance(data.stream, IteratedStream)
    )
    if (
        keras.backend.backend() != "tensorflow"
        or not varies
        or not isinstance(data, ShuffledBatches | ShuffledStream | KeptBatches)
        or data.workers > 1
        or data.use_multiprocessing
    ):
        return data
    import tensorflow as tf

    def batches():
        data.on_epoch_begin()
        yield from (data[batch] for batch in range(len(data)))
        data.on_epoch_end()

    def describe(array, shape=None):
        array = np.asarray(array)
        return tf.TensorSpec(shape or (None, *array.shape[1:]), array.dtype)

    def describe_target(array):
        # Texts of a stream, and maps, are as long and as large as the batch wants.
        rank = np.ndim(array)
        return describe(array, (None,) * rank if texts or rank > 2 else None)

    images, targets, *weights = data[0]
    texts = not isinstance(data, ShuffledBatches) and len(model.output_shape) == 3
    signature = (
        describe(images, (None, *model.input_shape[1:])),
        keras.tree.map_structure(describe_target, targets),
        *keras.tree.map_structure(describe, weights),
    )
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    known = tf.data.experimental.assert_cardinality(len(data))
    return dataset.apply(known).prefetch(tf.data.AUTOTUNE)


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


def prepare(
    model, head, images, labels, sample_weight=None, class_weight=None, what="train"
):
    """Return images, targets and weights that fit the model, or say what is wrong."""
    if labels is None:
        raise ValueError(
            f"The {what} images have no labels: only a stream or a Split brings its "
            "own."
        )
    labels = head.pick(labels)
    images = _check_all(
        head.stack(images, model.input_shape),
        labels,
        rank=len(model.input_shape),
        padded=head.padded or _masks_frames(model),
        name=f"{what} images",
    )
    _check_shape(model, images)
    targets = head.encode(labels)
    head.check(model, _pad_to_a_step(model, images), targets, labels)
    weights = image_weights(head, targets, sample_weight, class_weight)
    if weights is not None and not weights.any():
        raise ValueError("The weight is 0 for every image: nothing would be learnt.")
    weights = None if weights is None else head.weigh(weights)
    return images, _in_the_losss_form(model, targets), weights


def _check_all(images, labels, **options):
    """Return images that fit; of files on disk the first one tells of the others."""
    if not isinstance(images, LazyImages):
        return check_images(images, labels, **options)
    check_images(images[:1], **options)
    check_targets(images, labels)
    return images


def _in_the_losss_form(model, targets):
    if _wants_one_hot(model.loss):
        return keras.utils.to_categorical(targets, model.output_shape[-1])
    return targets


def _encoder(model, head, class_weight):
    # No closure: with multiprocessing a stream is sent to other processes.
    table = class_table(head, class_weight)
    classes = model.output_shape[-1] if _wants_one_hot(model.loss) else None
    return functools.partial(_encode_batch, head=head, table=table, classes=classes)


def _encode_batch(images, labels, weights=None, *, head, table, classes):
    """Return what the model trains on of one batch of a stream."""
    labels = head.pick(labels)
    targets = np.asarray(labels) if head.is_encoded(labels) else head.encode(labels)
    weights = combine(check_weights(weights, len(images)), table, targets)
    weights = None if weights is None else head.weigh(weights)
    if classes is not None:
        targets = keras.utils.to_categorical(targets, classes)
    return (images, targets) if weights is None else (images, targets, weights)


def _masks_frames(model):
    return any(isinstance(layer, FrameMask) for layer in model.layers)


def prepare_validation(model, head, data, batch_size):
    """Return what ``fit`` validates on, or say what is wrong."""
    if data is None:
        return None
    if isinstance(data, tuple | list) and len(data) in (2, 3):
        images, labels, *weights = data
    else:
        if hasattr(data, "__next__"):
            raise ValueError(
                "validation_data are read again after each epoch, which a "
                f"{type(data).__name__} cannot be: pass arrays, a Split or a "
                "keras.utils.PyDataset."
            )
        images, labels = _unpack(data, None)
        weights = []
        stream = as_stream(images) if labels is None else None
        if stream is not None:
            return ShuffledStream(stream, None, encode=_encoder(model, head, None))
        if labels is None:
            raise ValueError(
                "validation_data is (images, labels), (images, labels, weights), a "
                f"Split or a stream, but got {type(data).__name__}."
            )
    prepared = prepare(model, head, images, labels, *weights, what="validation")
    return _cut(model, head, prepared, batch_size, seed=None)


def _check_shape(model, images):
    expected, got = model.input_shape[1:], images.shape[1:]
    pairs = zip(expected, got, strict=True)
    if any(side not in (None, length) for side, length in pairs):
        raise ValueError(
            f"The model takes images of shape {expected}, but got {got}. Build it for "
            "input_shape=images.shape[1:], or resize the images (ct.resize_image)."
        )


def check_stream(model, data):
    """Refuse a stream whose first batch does not fit the model."""
    batch = data.stream[0]
    if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
        raise ValueError(
            "A batch of a stream is a tuple (images, labels) or (images, labels, "
            f"weights), but got {type(batch).__name__}."
        )
    if np.ndim(batch[0]) == len(model.input_shape) - 1:
        raise ValueError(
            "A stream gives batches, but this one gives images one by one: their shape "
            f"is {np.shape(batch[0])}. Put some together first (dataset.batch(32))."
        )
    images = check_images(*batch[:2], rank=len(model.input_shape), padded=True)
    _check_shape(model, images)
    data.read(0)


def _wants_one_hot(loss):
    name = (
        loss
        if isinstance(loss, str)
        else getattr(loss, "__name__", type(loss).__name__)
    )
    name = name.lower().replace("_", "")
    return "categorical" in name and "sparse" not in name
