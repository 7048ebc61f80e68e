"""From a damaged image to the one it was: what has to be added to each pixel."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from keras import layers, ops

from crnn_tutorial.checks import check_count, check_images
from crnn_tutorial.metrics.pictures import psnr_per_image
from crnn_tutorial.network import backbones, heads
from crnn_tutorial.network.assemble import assemble, begin, check_filters
from crnn_tutorial.network.heads import Features
from crnn_tutorial.network.layers import ResizeLike
from crnn_tutorial.network.masks import CHANNELS_LAST, register

# Of the two old pixels on each side, for a new pixel a quarter of a pixel to the right
# of an old one: Keys' cubic with a = -1/2 at the distances 1.25, 0.25, 0.75 and 1.75.
CUBIC = (-0.0703125, 0.8671875, 0.2265625, -0.0234375)


def enlarge_twice(images):
    """Make images twice as high and wide, bicubic, equal to Pillow's up to rounding.

    ``keras.ops.image.resize`` does the same, but not on TensorFlow for sizes that are
    known only when an image comes.

    Parameters
    ----------
    images : tensor
        ``(batch, height, width, channels)``.

    Returns
    -------
    tensor
        ``(batch, 2 * height, 2 * width, channels)``; a little below 0 or above 1 next
        to sharp edges.

    References
    ----------
    Keys, 1981, "Cubic convolution interpolation for digital image processing".

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.restoration import enlarge_twice
    >>> ramp = np.arange(6, dtype="float32").reshape(1, 1, 6, 1)
    >>> np.ravel(enlarge_twice(ramp))[4:8].round(3).tolist()
    [1.75, 2.25, 2.75, 3.25]
    """
    for axis in (1, 2):
        images = _enlarge_axis(images, axis)
    return images


def _enlarge_axis(x, axis):
    size = ops.shape(x)[axis]
    places = ops.arange(size)
    left, right, weight = 0.0, 0.0, 0.0
    # Beyond the edge there is nothing: the weights inside share what is missing.
    for offset, tap in zip((-1, 0, 1, 2), CUBIC, strict=True):
        inside = (places + offset >= 0) & (places + offset < size)
        share = ops.cast(inside, x.dtype) * tap
        share = ops.reshape(share, (-1, *(1,) * (3 - axis)))  # along this axis
        there = ops.clip(places + offset, 0, size - 1)
        right = right + share * ops.take(x, there, axis=axis)
        mirrored = ops.flip(share, axis=0)
        there = ops.clip(places - offset, 0, size - 1)
        left = left + mirrored * ops.take(x, there, axis=axis)
        weight = weight + share
    left, right = left / ops.flip(weight, axis=0), right / weight
    shape = list(ops.shape(x))
    shape[axis] = 2 * size
    return ops.reshape(ops.stack([left, right], axis=axis + 1), shape)


def interleave(blocks, channels):
    """Lay out the numbers of each place as a block of two by two pixels.

    Parameters
    ----------
    blocks : tensor
        ``(batch, height, width, 4 * channels)``.
    channels : int
        Of the image.

    Returns
    -------
    tensor
        ``(batch, 2 * height, 2 * width, channels)``.

    References
    ----------
    Shi et al., 2016, "Real-time single image and video super-resolution using an
    efficient sub-pixel convolutional neural network", arXiv:1609.05158.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.restoration import interleave
    >>> np.array(interleave(np.arange(4.0).reshape(1, 1, 1, 4), 1))[0, :, :, 0]
    array([[0., 1.],
           [2., 3.]])
    """
    batch, height, width, _ = ops.shape(blocks)
    x = ops.reshape(blocks, (batch, height, width, 2, 2, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (batch, 2 * height, 2 * width, channels))


@register
class Corrected(layers.Layer):
    """The image that came, enlarged where asked for, plus what the network adds.

    ``call(image, correction)`` takes the image ``(batch, height, width, channels)`` and
    four numbers for each block of two by two pixels and each channel of the answer.
    While it is trained nothing is cut off; afterwards what lies outside of [0, 1] is.

    Parameters
    ----------
    enlarge : {1, 2}
        How many times larger the answer is than the image.
    channels : int
        Of the answer: the first ones of the image.

    Returns
    -------
    tensor
        ``(batch, enlarge * height, enlarge * width, channels)``.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.restoration import Corrected
    >>> image, correction = np.full((1, 3, 5, 1), 0.5), np.full((1, 2, 3, 4), 0.25)
    >>> corrected = np.array(Corrected()(image, correction))
    >>> corrected.shape, float(corrected.max())
    ((1, 3, 5, 1), 0.75)
    """

    def __init__(self, enlarge=1, channels=1, **kwargs):
        super().__init__(**kwargs)
        self.enlarge, self.channels = enlarge, channels

    def call(self, image, correction, training=None):
        image = image[..., : self.channels]
        image = enlarge_twice(image) if self.enlarge == 2 else image
        height, width = ops.shape(image)[1:3]
        correction = interleave(correction, self.channels)
        # Of an image with an odd side, half of the last blocks lies outside.
        corrected = image + correction[:, :height, :width]
        return corrected if training else ops.clip(corrected, 0.0, 1.0)

    def compute_output_shape(self, image_shape, correction_shape):
        batch, *sides, _ = image_shape
        sides = [side and self.enlarge * side for side in sides]
        return (batch, *sides, self.channels)

    def get_config(self):
        own = {"enlarge": self.enlarge, "channels": self.channels}
        return {**super().get_config(), **own}


@heads.register(Corrected)
@dataclass(frozen=True)
class Restore(heads.Head):
    """The image without its damage: its difference to what came is predicted.

    Parameters
    ----------
    enlarge : {1, 2}
        How many times larger the answer is than the image.
    channels : int
        Of the answer.
    image : keras.KerasTensor, optional
        What came; None where a model is there already.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.restoration import Restore
    >>> images = np.zeros((1, 8, 8, 1), "float32")
    >>> Restore().per_image(images, images + 0.1).round(1).tolist()  # decibels
    [20.0]
    """

    enlarge: int = 1
    channels: int = 1
    image: object = None
    loss: ClassVar[str] = "mae"
    metrics: ClassVar[tuple[str, ...]] = ()
    metric_name: ClassVar[str] = "PSNR"
    takes: ClassVar[str] = "images"

    @classmethod
    def from_layer(cls, layer, shape):
        """Return the head."""
        return cls(layer.enlarge, layer.channels)

    def __call__(self, features, dropout=0.0):
        """Ask each place of the map for a block of two by two pixels."""
        x = layers.Dropout(dropout)(features.map) if dropout else features.map
        # Begun with zeros, the network begins with the image as it came.
        correct = layers.Conv2D(
            4 * self.channels,
            3,
            padding="same",
            kernel_initializer="zeros",
            name="correction",
            **CHANNELS_LAST,
        )
        corrected = Corrected(self.enlarge, self.channels, name="corrected")
        return corrected(self.image, correct(x))

    def encode(self, targets):
        """Take the images as they should be, in [0, 1]."""
        return check_images(targets, name="targets")

    def check(self, model, images, encoded, targets):
        """Refuse targets of another size than the answers have."""
        height, width = images.shape[1:3]
        size = (self.enlarge * height, self.enlarge * width, self.channels)
        if encoded.shape[1:] != size:
            advice = ""
            if self.enlarge == 2 and any(side % 2 for side in encoded.shape[1:3]):
                advice = (
                    " An image with an odd side is not twice as large as any other: "
                    "cut its last row or column off."
                )
            raise ValueError(
                f"For images of {images.shape[1:]} and enlarge={self.enlarge} the "
                f"targets have {size} (height, width, channels), but got "
                f"{encoded.shape[1:]}.{advice}"
            )

    def augment(self, function, images, targets, rng):
        """Change images and targets alike, as channels of one image."""
        if self.enlarge == 2:
            raise ValueError(
                "Images and targets of two sizes cannot be augmented alike. Change "
                "the targets first, then make the images from them (ct.degrade)."
            )
        channels = images.shape[-1]
        changed = function(np.concatenate([images, targets], axis=-1), rng)
        return changed[..., :channels], changed[..., channels:]

    def decode(self, outputs):
        """Return the images."""
        return np.asarray(outputs)

    def per_image(self, targets, outputs):
        """Score the peak signal-to-noise ratio of each image, in decibels."""
        return psnr_per_image(self.encode(targets), outputs)


def build_restorer(
    input_shape,
    enlarge=1,
    *,
    channels=None,
    filters=(24, 48),
    units=24,
    recurrence="lstm",
    memory=8,
    dropout=0.0,
    learning_rate=2e-3,
):
    """Build a CRNN that takes the damage out of an image, or makes it twice as large.

    It predicts what has to be added to the image as it came (or, where it is enlarged,
    to its bicubic enlargement). At first that is nothing.

    Parameters
    ----------
    input_shape : tuple of int, or Dataset
        ``(height, width, channels)`` of the damaged image; height and width may be
        None: any size, also odd.
    enlarge : {1, 2}
        How many times higher and wider the answer is.
    channels : int, optional
        Of the answer; by default as many as the image has. What the image has beyond
        these is only told, such as a map of where the holes are.
    filters : sequence of int
        Of the convolutions: at half the size of the answer, then each at half the size
        of the one before.
    units : int
        Size of the recurrent state in each direction; it runs over the smallest map.
    recurrence : str
        How the places of that map see each other: ``"lstm"``, or one of the controls
        that ``connect_places`` names.
    memory : int or None
        In a larger image the LSTM remembers so many places of the smallest map (8 are
        32 pixels with two filters), so that images of any size have no seams. Train on
        crops that are not much larger. None: without an end.
    dropout : float
        Share of features dropped before the last layer, in [0, 1).
    learning_rate : float
        Of the Adam optimiser.

    Returns
    -------
    keras.Model
        Images -> images ``(batch, enlarge * height, enlarge * width, channels)`` in
        [0, 1]. Train it on ``ct.Split(damaged, images)``, with ``ct.degrade``.

    Raises
    ------
    ValueError
        If an argument makes no sense.

    References
    ----------
    Zhang et al., 2017, "Beyond a Gaussian denoiser", arXiv:1608.03981, for learning the
    difference; Lim et al., 2017, "Enhanced deep residual networks for single image
    super-resolution", arXiv:1707.02921, for blocks without normalisation and for the
    mean absolute error, which is learnt sooner than the squared one.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.build_restorer((None, None, 1)).output_shape
    (None, None, None, 1)
    >>> ct.build_restorer((24, 24, 3), enlarge=2).output_shape
    (None, 48, 48, 3)
    """
    check_enlarge(enlarge)
    image, *_ = begin(input_shape, None, free=("height", "width"))
    counts = check_filters(filters, None, None)
    channels = image.shape[-1] if channels is None else channels
    if check_count("channels", channels) > image.shape[-1]:
        raise ValueError(
            f"The answer has at most the channels of the image, {image.shape[-1]}, but "
            f"channels is {channels}."
        )
    memory = memory and check_count("memory", memory)
    features = _see(image, 2 // enlarge, counts, units, recurrence, memory)
    head = Restore(enlarge, channels, image)
    return assemble(image, features, head, dropout, learning_rate)


def check_enlarge(enlarge):
    """Refuse all but 1 and 2."""
    if enlarge not in (1, 2):
        raise ValueError(f"enlarge is 1 or 2, but got {enlarge!r}.")


def _see(image, stride, filters, units, recurrence, memory):
    """Look at an image at half its size, a quarter, ..., and put all together."""
    x, skips = image, []
    for level, count in enumerate(filters, start=1):
        x = _convolution(
            count, 2 * stride if stride > 1 else 3, f"enter_{level}", stride
        )(x)
        x = _block(x, f"down_{level}")
        skips.append(x)
        stride = 2
    skips.pop()
    places = backbones.connect_places(x, recurrence, units, memory=memory)
    places = layers.Dense(filters[-1], name="leave_places")(places)
    x = _block(layers.Add(name="join_places")([x, places]), "places")
    for level, skip in reversed(list(enumerate(skips, start=1))):
        x = layers.Dense(skip.shape[-1], name=f"narrow_{level}")(x)
        x = ResizeLike(name=f"resize_{level}")(x, skip)
        x = layers.Add(name=f"join_{level}")([x, skip])
        x = _block(x, f"up_{level}")
    return Features(x)


def _block(x, name):
    """Two convolutions with a shortcut, at the same size."""
    y = _convolution(x.shape[-1], 3, f"{name}_first", activation="relu")(x)
    # Begun with zeros, a block begins as a shortcut: training bears a higher rate.
    y = _convolution(x.shape[-1], 3, f"{name}_second", initial="zeros")(y)
    return layers.Add(name=f"{name}_add")([x, y])


def _convolution(count, kernel, name, stride=1, activation=None, initial=None):
    return layers.Conv2D(
        count,
        kernel,
        stride,
        padding="same",
        activation=activation,
        kernel_initializer=initial or "glorot_uniform",
        name=name,
        **CHANNELS_LAST,
    )
