"""From features to an answer: what must never part.

A head knows how to *encode* what a person has (labels, texts) into arrays, the
*last layer*, the *loss*, the *metric*, how to *decode* what the model returns into what
a person wants, and the errors that only its task knows. Each file of ``tasks``
registers its head with the layer that the head ends in, so that ``of(model)`` finds it
in any model of this package, also after it was saved and loaded.
"""

import importlib
import pkgutil
from typing import ClassVar, NamedTuple

import keras
import numpy as np


class Features(NamedTuple):
    """What every backbone returns, and every head takes.

    Parameters
    ----------
    map : keras.KerasTensor
        A map ``(batch, height, width, channels)``, or a sequence ``(batch, steps,
        channels)``.
    mask : keras.KerasTensor, optional
        The real steps ``(batch, steps)``; None where all are.
    """

    map: keras.KerasTensor
    mask: keras.KerasTensor | None = None


class Head:
    """What a head has; each task has a subclass of its own.

    Its attributes ``loss``, ``metrics`` and ``metric_name`` are what Keras compiles,
    and how the score of an image is called. ``padded`` says whether images may have
    columns of -1 on the right.

    Examples
    --------
    A head for the mean brightness of an image, from the layer to the answer:

    >>> import keras
    >>> import numpy as np
    >>> from crnn_tutorial.network import assemble, heads
    >>> @keras.saving.register_keras_serializable("docs")
    ... class Brightness(keras.layers.Dense):
    ...     pass
    >>> @heads.register(Brightness)
    ... class Estimate(heads.Head):
    ...     loss, metrics, metric_name = "mse", (), "minus the error"
    ...
    ...     @classmethod
    ...     def from_layer(cls, layer, shape):
    ...         return cls()
    ...
    ...     def __call__(self, features, dropout=0.0):
    ...         average = keras.layers.GlobalAveragePooling2D()(features.map)
    ...         return Brightness(1)(average)
    ...
    ...     def encode(self, targets):
    ...         return np.asarray(targets, "float32")
    ...
    ...     def decode(self, outputs):
    ...         return outputs[:, 0]
    ...
    ...     def per_image(self, targets, outputs):
    ...         return -np.abs(self.encode(targets) - self.decode(outputs))
    >>> image = keras.Input((8, 8, 1))
    >>> model = assemble.assemble(image, heads.Features(image), Estimate())
    >>> type(heads.of(model)).__name__, model.output_shape
    ('Estimate', (None, 1))
    """

    padded: ClassVar[bool] = False
    reduce = staticmethod(np.mean)

    @classmethod
    def from_layer(cls, layer, shape):
        """Return the head of a layer whose output has this shape; None: of no head."""
        raise NotImplementedError

    def __call__(self, features, dropout=0.0):
        """Return the model's output, from the `Features` of a backbone."""
        raise NotImplementedError

    def encode(self, targets):
        """Turn what a person has into arrays that the loss takes, or refuse it."""
        raise NotImplementedError

    def decode(self, outputs):
        """Turn the model's outputs into what a person wants."""
        raise NotImplementedError

    def answer(self, outputs):
        """Return what each row says and how sure the model is; None: it cannot say."""
        return [(one, None) for one in self.decode(outputs)]

    def per_image(self, targets, outputs):
        """Score each image; more is better, and ``reduce`` makes one number of all."""
        raise NotImplementedError

    def stack(self, images, input_shape):
        """Return one array, also of a list or an object array of images of one size."""
        if not came_one_by_one(images):
            return images
        found = [np.asarray(image) for image in images]
        shapes = sorted({image.shape for image in found})
        if len(shapes) > 1:
            raise ValueError(
                f"Images for one model have one size, but got {shapes[0]} and "
                f"{shapes[1]}. Resize them (ct.resize_image)."
            )
        return np.array(found)

    def is_encoded(self, targets):
        """Say whether the targets of a stream are arrays for the loss already."""
        return False

    def check(self, model, images, encoded, targets):
        """Refuse images and targets that cannot be learnt together."""

    def weigh(self, weights):
        """Bring one weight for each image to the rank of the loss."""
        return weights


def came_one_by_one(images):
    """Tell whether images are a list, or an array or a table's column of objects."""
    boxed = getattr(images, "dtype", None) == np.dtype("O")
    return boxed or isinstance(images, list | tuple)


_REGISTERED: dict[type, type[Head]] = {}  # the layer that a head ends in -> the head


def register(layer):
    """Return a decorator: the head ends in a layer of this class.

    Parameters
    ----------
    layer : type
        A class of layers; the head is found again where a model ends in it.

    Returns
    -------
    function
        That registers a `Head`.

    Examples
    --------
    See `Head`.
    """

    def add(head):
        _REGISTERED[layer] = head
        return head

    return add


def load_tasks():
    """Import every file of ``tasks``: each registers its head and its layers."""
    tasks = importlib.import_module("crnn_tutorial.tasks")
    for file in pkgutil.iter_modules(tasks.__path__):
        importlib.import_module(f"{tasks.__name__}.{file.name}")


def of(model):
    """Find the head of a model: how to encode its targets and decode its answers.

    Parameters
    ----------
    model : keras.Model
        Built or loaded by this package, or any classifier that ends in a softmax.

    Returns
    -------
    Head, or dict of Head
        Read off the model's last layer; for a model with several named outputs one
        for each of them.

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
    load_tasks()
    outputs = getattr(model, "output", None)
    if isinstance(outputs, dict):
        return {
            name: _head_of(out._keras_history.operation, out.shape, model)
            for name, out in outputs.items()
        }
    # One that was never called has no shape yet.
    shape = getattr(model, "output_shape", ())
    return _head_of(model.layers[-1], shape, model)


def the_one(model):
    """Find the head of a model that has one output, or say that it has several."""
    head = of(model)
    if isinstance(head, dict):
        raise ValueError(
            f"The model {model.name!r} has several outputs ({', '.join(head)}), but "
            "expected one. Call model.fit and model.predict, which take dicts of them, "
            "and heads.of(model)[name] for the answers of one."
        )
    return head


def _head_of(layer, shape, model):
    for kind in type(layer).__mro__:
        head = kind in _REGISTERED and _REGISTERED[kind].from_layer(layer, shape)
        if head:
            return head
    raise ValueError(
        f"The model {model.name!r} ends in a {type(layer).__name__} layer, but "
        'expected Dense(num_classes, activation="softmax"), or a model of '
        "build_crnn_model, build_text_recognizer and so on."
    )
