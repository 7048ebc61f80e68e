"""From features to an answer: what must never part.

A head knows how to *encode* what a person has (labels, texts) into arrays, the
*last layer*, the *loss*, the *metric*, how to *decode* what the model returns into what
a person wants, and the errors that only its task knows. Each file of ``tasks``
registers its head with the layer that the head ends in, so that ``of(model)`` finds it
in any model of this package, also after it was saved and loaded.
"""

import copy
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
    skips : tuple of keras.KerasTensor
        The maps before each pooling, the largest first: for heads that answer for each
        pixel. Empty where a backbone has none.
    """

    map: keras.KerasTensor
    mask: keras.KerasTensor | None = None
    skips: tuple = ()


class Head:
    """What a head has; each task has a subclass of its own.

    Its attributes ``loss``, ``metrics`` and ``metric_name`` are what Keras compiles,
    and how the score of an image is called. ``padded`` says whether images may have
    columns of -1 on the right. Where a split has several kinds of targets, ``takes`` is
    the name of those that the head is trained on. ``moves`` is "masks" or "boxes" for
    targets that an augmentation has to move together with the images, as
    ``ct.augment_shift`` does.

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
    takes: ClassVar[str] = ""
    moves: ClassVar[str] = ""
    reduce = staticmethod(np.mean)

    @classmethod
    def from_layer(cls, layer, shape):
        """Return the head of a layer whose output has this shape; None: of no head."""
        raise NotImplementedError

    def __call__(self, features, dropout=0.0):
        """Return the model's output, from the `Features` of a backbone."""
        raise NotImplementedError

    def compiled(self):
        """Return the loss and the metrics, as ``model.compile`` takes them."""
        loss = keras.losses.CTC() if self.loss == "ctc" else self.loss
        return {"loss": loss, "metrics": list(self.metrics)}

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

    def also(self, targets, outputs):
        """Return name -> score, of scores that only all images together have."""
        return {}

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

    def pick(self, targets):
        """Return the targets of this head, also where a dict holds several kinds."""
        if not isinstance(targets, dict):
            return targets
        if self.takes in targets:
            return targets[self.takes]
        raise ValueError(
            f"The targets are {', '.join(targets)}, but the model wants "
            f"{self.takes or 'one kind alone'}: pass targets[name]."
        )

    def augment(self, function, images, targets, rng):
        """Change images by chance, and their targets (encoded) with them."""
        if not self.moves:
            return function(images, rng), targets
        return function(images, rng, **{self.moves: targets})

    def is_encoded(self, targets):
        """Say whether the targets of a stream are arrays for the loss already."""
        return False

    def check(self, model, images, encoded, targets):
        """Refuse images and targets that cannot be learnt together."""

    def weigh(self, weights):
        """Bring one weight for each image to the rank of the loss."""
        return weights


class Several(Head):
    """The heads of a model that answers several questions about an image.

    Targets, outputs, scores and answers are dicts with the names of the heads.

    Parameters
    ----------
    heads : dict of Head
        By the name of their output.

    Examples
    --------
    >>> from crnn_tutorial.network.heads import Several
    >>> from crnn_tutorial.tasks.classification import Classify
    >>> both = Several({"digit": Classify(10), "colour": Classify(3)})
    >>> encoded = both.encode({"digit": [7, 1], "colour": [0, 2]})
    >>> encoded["colour"].tolist(), both["digit"]
    ([0, 2], Classify(num_classes=10))
    """

    def __init__(self, heads):
        self.heads = dict(heads)
        self.padded = any(head.padded for head in self.heads.values())
        self.loss = {name: head.loss for name, head in self.heads.items()}

    def __getitem__(self, name):
        return self.heads[name]

    def __call__(self, features, dropout=0.0):
        """Return a dict of outputs."""
        return {name: head(features, dropout) for name, head in self.heads.items()}

    def compiled(self):
        """Return a dict of losses and one of metrics."""
        each = {name: head.compiled() for name, head in self.heads.items()}
        return {
            kind: {name: one[kind] for name, one in each.items()}
            for kind in ("loss", "metrics")
        }

    def pick(self, targets):
        """Return a dict of the targets of each head, by its name or what it takes."""
        if not isinstance(targets, dict):
            raise ValueError(
                "The model has several outputs, so its targets are a dict with "
                f"{', '.join(self.heads)}, but got {type(targets).__name__}."
            )
        return {
            name: targets[name] if name in targets else head.pick(targets)
            for name, head in self.heads.items()
        }

    def encode(self, targets):
        """Encode what each head is trained on."""
        return {name: self.heads[name].encode(one) for name, one in targets.items()}

    def decode(self, outputs):
        """Decode what each head says."""
        return {name: head.decode(outputs[name]) for name, head in self.heads.items()}

    def answer(self, outputs):
        """Return a dict for each image: what each head says, and how sure it is."""
        each = [head.answer(outputs[name]) for name, head in self.heads.items()]
        return [
            dict(zip(self.heads, one, strict=True)) for one in zip(*each, strict=True)
        ]

    def per_image(self, targets, outputs):
        """Score each image once for each head."""
        return {
            name: head.per_image(targets[name], outputs[name])
            for name, head in self.heads.items()
        }

    def also(self, targets, outputs):
        """Return what each head also says of all images together."""
        return {
            name: head.also(targets[name], outputs[name])
            for name, head in self.heads.items()
        }

    def augment(self, function, images, targets, rng):
        """Draw the same for the images and for the targets of each head."""
        moved, start = dict(targets), copy.deepcopy(rng)
        changed = function(images, rng)
        for name, head in self.heads.items():
            if head.moves:
                same = copy.deepcopy(start)
                _, moved[name] = head.augment(function, images, targets[name], same)
        return changed, moved

    def check(self, model, images, encoded, targets):
        """Let each head refuse what it cannot learn."""
        for name, head in self.heads.items():
            head.check(model, images, encoded[name], targets[name])

    def weigh(self, weights):
        """Weigh an image alike for all heads."""
        return {name: head.weigh(weights) for name, head in self.heads.items()}


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
    Head
        Read off the model's last layer; for a model with several named outputs
        `Several`, with one for each of them.

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
        return Several(
            {
                name: _head_of(out._keras_history.operation, out.shape, model)
                for name, out in outputs.items()
            }
        )
    # One that was never called has no shape yet.
    shape = getattr(model, "output_shape", ())
    return _head_of(model.layers[-1], shape, model)


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
