"""Images from noise: a CRNN run backwards, and the CRNN that judges what it draws."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import keras
import numpy as np
from keras import layers, ops

from crnn_tutorial.checks import check_count
from crnn_tutorial.network import (
    adversarial,  # noqa: F401 (loading knows its class)
    backbones,
    heads,
)
from crnn_tutorial.network.assemble import assemble, begin, check_filters
from crnn_tutorial.network.heads import Features
from crnn_tutorial.network.masks import CHANNELS_LAST, register

SAME = {"padding": "same", **CHANNELS_LAST}


@register
class SequenceToMap(layers.Layer):
    """Put columns (or rows) side by side again: `MapToSequence` backwards.

    Parameters
    ----------
    size : int
        Places in each step.
    along : {"width", "height"}
        ``"width"``: the steps are columns, from left to right. ``"height"``: rows.

    Returns
    -------
    tensor
        Map ``(batch, height, width, channels)``; each step has ``size * channels``
        features.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.network.layers import MapToSequence
    >>> from crnn_tutorial.tasks.generation import SequenceToMap
    >>> features = np.random.default_rng(0).random((1, 4, 6, 3), dtype="float32")
    >>> again = SequenceToMap(4)(MapToSequence()(features))
    >>> bool((np.array(again) == features).all())
    True
    """

    def __init__(self, size, along="width", **kwargs):
        super().__init__(**kwargs)
        self.size, self.along = size, along

    def call(self, sequence):
        steps, features = sequence.shape[1:]
        shape = (-1, steps, self.size, features // self.size)
        features = ops.reshape(sequence, shape)
        return ops.swapaxes(features, 1, 2) if self.along == "width" else features

    def compute_output_shape(self, input_shape):
        batch, steps, features = input_shape
        sides = (self.size, steps) if self.along == "width" else (steps, self.size)
        return batch, *sides, features // self.size

    def get_config(self):
        return {**super().get_config(), "size": self.size, "along": self.along}


@register
class LimitStretch(keras.constraints.Constraint):
    """Keep a kernel from stretching any input by more than a factor.

    A discriminator whose score is the same around every generated image teaches a
    generator nothing; a gentle slope does. This is spectral normalisation after each
    step instead of within it, without a state of its own.

    Parameters
    ----------
    most : float
        The largest singular value that is left, of the kernel as a matrix.

    References
    ----------
    Miyato et al., 2018, "Spectral normalization for generative adversarial networks",
    arXiv:1802.05957.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.generation import LimitStretch
    >>> kernel = np.diag([4.0, 1.0]).astype("float32")
    >>> np.array(LimitStretch()(kernel)).round(2).tolist()
    [[1.0, 0.0], [0.0, 0.25]]
    """

    def __init__(self, most=1.0):
        self.most = most

    def __call__(self, kernel):
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        gram = ops.matmul(ops.transpose(matrix), matrix)
        # Squared again and again, only the largest eigenvalue is left of the trace.
        power, logarithm = 1.0, 0.0
        for _ in range(6):
            trace = ops.trace(gram) + 1e-12
            logarithm += ops.log(trace) / power
            gram = gram / trace
            gram = ops.matmul(gram, gram)
            power *= 2
        logarithm += ops.log(ops.trace(gram) + 1e-12) / power
        largest = ops.exp(logarithm / 2)
        return kernel * (self.most / ops.maximum(largest, self.most))

    def get_config(self):
        return {"most": self.most}


@register
class RealLogits(layers.Dense):
    """Score each image: above 0 it looks real, below it looks generated.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.generation import RealLogits
    >>> tuple(RealLogits(1)(np.ones((3, 8))).shape)
    (3, 1)
    """


@heads.register(RealLogits)
@dataclass(frozen=True)
class RealOrGenerated(heads.Head):
    """Whether an image is real (1) or generated (0).

    Parameters
    ----------
    wanted : keras.KerasTensor, optional
        What the image should show, ``(batch, features of the backbone)``: the score
        then also depends on how well the two go together.

    References
    ----------
    Miyato and Koyama, 2018, "cGANs with projection discriminator", arXiv:1802.05637.

    Examples
    --------
    >>> from crnn_tutorial.tasks.generation import RealOrGenerated
    >>> RealOrGenerated().decode([[2.0], [-1.0]]).tolist()
    [1, 0]
    """

    wanted: Any = field(default=None, repr=False)
    loss: ClassVar[Any] = keras.losses.BinaryCrossentropy(from_logits=True)
    metrics: ClassVar[tuple[str, ...]] = ()
    metric_name: ClassVar[str] = "accuracy"
    takes: ClassVar[str] = "real"

    @classmethod
    def from_layer(cls, layer, shape):
        """Return the head."""
        return cls()

    def __call__(self, features, dropout=0.0):
        """Average over all places, then one number."""
        # Another head may average, too: this layer has a name of its own.
        average = layers.GlobalAveragePooling2D(
            name="average_for_real", **CHANNELS_LAST
        )
        x = seen = average(features.map)
        if self.wanted is not None:
            fit = layers.Multiply(name="as_wanted")([seen, self.wanted])
            x = layers.Concatenate(name="seen_and_wanted")([x, fit])
        return RealLogits(1, name="logits")(x)

    def encode(self, targets):
        """Take 1 for real and 0 for generated."""
        return np.asarray(targets, "float32").reshape(-1, 1)

    def decode(self, outputs):
        """Return 1 where an image looks real, else 0."""
        return (np.asarray(outputs)[:, 0] > 0).astype(int)

    def per_image(self, targets, outputs):
        """Score 1 where the discriminator is right, else 0."""
        return (self.decode(outputs) == np.ravel(targets)).astype(float)


def build_generator(
    image_shape,
    noise_size,
    num_classes=None,
    *,
    filters=None,
    units=64,
    recurrence="lstm",
    along="width",
):
    """Build a CRNN backwards: noise, then a recurrence over columns, then convolutions.

    Parameters
    ----------
    image_shape : tuple of int
        ``(height, width, channels)`` of what comes out.
    noise_size : int
        How many random numbers each image is made from.
    num_classes : int, optional
        With it the generator also takes the class that an image shall show, in an input
        called ``condition``.
    filters : sequence of int, optional
        One block for each number, from the smallest map on; each doubles it. The sides
        of the image are multiples of ``2 ** len(filters)``.
    units : int
        Width of the recurrence.
    recurrence : str or None
        How the columns see each other: ``"lstm"``, or one of the controls that
        ``connect_steps`` names, such as ``"order_blind"``. None: no sequence at all, a
        DCGAN.
    along : {"width", "height"}
        Whether a step is a column or a row.

    Returns
    -------
    keras.Model
        Noise ``(batch, noise_size)`` (and classes) -> images in [0, 1]. Train it in an
        `AdversarialModel`.

    Raises
    ------
    ValueError
        If an argument makes no sense.

    References
    ----------
    Radford, Metz and Chintala, 2016, "DCGAN", arXiv:1511.06434.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.build_generator((28, 28, 1), noise_size=64, num_classes=10).output_shape
    (None, 28, 28, 1)
    """
    image, *_ = begin(image_shape, None)
    height, width, channels = image.shape[1:]
    filters = _check_blocks(filters, height, width)
    rows, columns = (side // 2 ** len(filters) for side in (height, width))
    noise = keras.Input((check_count("noise_size", noise_size),), name="noise")
    inputs, x = noise, noise
    if num_classes is not None:
        wanted = keras.Input((), dtype="int32", name="condition")
        number = check_count("num_classes", num_classes)
        embed = layers.Embedding(number, noise_size, name="embed_class")
        inputs = {"noise": noise, "condition": wanted}
        x = layers.Concatenate(name="noise_and_class")([noise, embed(wanted)])
    x = _first_map(x, rows, columns, filters[0], units, recurrence, along)
    for block, count in enumerate(filters, start=1):
        x = _normalize_and_activate(x, str(block))
        enlarge = layers.Conv2DTranspose(
            count, 4, 2, use_bias=False, name=f"enlarge_{block}", **SAME
        )
        x = enlarge(x)
    x = _normalize_and_activate(x, "last")
    draw = layers.Conv2D(channels, 3, activation="sigmoid", name="draw", **SAME)
    return keras.Model(inputs, draw(x), name="generator")


def _first_map(x, rows, columns, channels, units, recurrence, along):
    """Return the smallest map, through a sequence or without one."""
    if recurrence is None:
        x = layers.Dense(rows * columns * channels, name="first_map")(x)
        return layers.Reshape((rows, columns, channels), name="as_map")(x)
    steps, size = (columns, rows) if along == "width" else (rows, columns)
    x = layers.Dense(steps * units, name="first_steps")(x)
    x = layers.Reshape((steps, units), name="as_sequence")(x)
    x = backbones.connect_steps(x, recurrence, units)  # (batch, steps, 2 * units)
    x = layers.Dense(size * channels, name="each_step")(x)
    return SequenceToMap(size, along, name="sequence_to_map")(x)


def _normalize_and_activate(x, name):
    norm = layers.BatchNormalization(momentum=backbones.MOMENTUM, name=f"norm_{name}")
    return layers.ReLU(name=f"relu_{name}")(norm(x))


def _check_blocks(filters, height, width):
    """Return the filters, or say what is wrong with them or with the image."""
    if filters is None:  # the smallest map comes first here, and has most channels
        filters = backbones.default_filters(height, width)[::-1]
    filters = check_filters(filters, height, width)
    factor = 2 ** len(filters)
    if height % factor or width % factor:
        raise ValueError(
            f"Each block doubles the image: its sides are multiples of {factor} for "
            f"{len(filters)} blocks, but got {height} x {width} (height x width). Pass "
            "fewer or more filters."
        )
    return filters


def build_discriminator(
    image_shape,
    heads=(),
    num_classes=None,
    *,
    filters=None,
    units=32,
    recurrence="lstm",
    limit=None,
    learning_rate=1e-3,
):
    """Build a CRNN that says whether an image is real, and more where it is asked to.

    Parameters
    ----------
    image_shape : tuple of int
        ``(height, width, channels)``; height and width may be None: any size.
    heads : dict of Head
        Name -> what else it says about an image, such as ``{"digit": Classify(10)}``.
    num_classes : int, optional
        With it the discriminator is told which class an image shall show, in an input
        called ``condition``, as the generator is.
    filters : sequence of int, optional
        One block of two convolutions for each number; each halves the map.
    units : int
        Width of the recurrence.
    recurrence : str or None
        How the places of the map see each other, as ``connect_places`` names it; None:
        by convolutions alone.
    limit : float, optional
        How far its convolutions may stretch anything (`LimitStretch`), such as 1. On
        small digits this makes training slower and no better.
    learning_rate : float
        Where it is trained alone.

    Returns
    -------
    keras.Model
        Images (and classes) -> logits ``(batch, 1)``, above 0 for real; with other
        heads a dict, in which these are called ``real``.

    Raises
    ------
    ValueError
        If an argument makes no sense.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.tasks.classification import Classify
    >>> ct.build_discriminator((8, 8, 1)).output_shape
    (None, 1)
    >>> both = ct.build_discriminator((8, 8, 1), heads={"digit": Classify(10)})
    >>> sorted(both.output)
    ['digit', 'real']
    """
    image, *_ = begin(image_shape, None, free=("height", "width"))
    filters = check_filters(filters, *image.shape[1:3])
    features = _stem(image, filters, units, recurrence, limit)
    inputs, wanted = image, None
    if num_classes is not None:
        label = keras.Input((), dtype="int32", name="condition")
        number = check_count("num_classes", num_classes)
        inputs = {"image": image, "condition": label}
        size = features.map.shape[-1]
        wanted = layers.Embedding(
            number, size, embeddings_initializer="random_normal", name="embed_class"
        )(label)
    head = RealOrGenerated(wanted)
    head = {"real": head, **heads} if heads else head
    return assemble(inputs, features, head, learning_rate=learning_rate)


def _stem(x, filters, units, recurrence, limit):
    """Convolve without normalisation, which would let images of a batch mix."""
    skips = []
    options = {"kernel_initializer": "he_normal", **SAME}
    if limit is not None:
        options["kernel_constraint"] = LimitStretch(limit)
    for block, count in enumerate(filters, start=1):
        for part, strides in (("see", 1), ("halve", 2)):
            name = f"{part}_{block}"
            conv = layers.Conv2D(count, 3, strides, name=name, **options)
            x = layers.LeakyReLU(0.2, name=f"leaky_{name}")(conv(x))
            if strides == 1:
                skips.append(x)
    if recurrence is not None:
        x = backbones.connect_places(x, recurrence, units)
    return Features(x, skips=tuple(skips))
