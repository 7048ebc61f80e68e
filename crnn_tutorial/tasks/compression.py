"""Images as few bytes: an autoencoder whose middle is whole numbers."""

import math
import struct
from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
from keras import layers, ops

from crnn_tutorial.checks import check_images
from crnn_tutorial.data.patches import to_patches
from crnn_tutorial.metrics.pictures import psnr_per_image
from crnn_tutorial.network import backbones, heads
from crnn_tutorial.network.assemble import assemble, begin, check_filters
from crnn_tutorial.network.heads import Features
from crnn_tutorial.network.masks import CHANNELS_LAST, register

VERSION = 1  # of a file
# "CR", version, fingerprint of the model, height, width, check sum of all the rest.
HEADER = struct.Struct(">2sB4sHH2s")
OVERHEAD = 8 * HEADER.size + 16  # bits of a file that tell nothing about the image
LARGEST = 127  # whole number of a latent; what is larger is cut off
LEVELS = 2 * LARGEST + 1
MEMORY = 0.98  # of how often each level occurred, from one batch to the next
FINENESS = 16  # parts of a count that the tables tell apart
PATIENCE = 0.03  # how fast the price follows
# How far its logarithm goes. Without an end the first batches drive it so high that all
# numbers become 0, and stay so.
REACH = 2.5
# Of a bit, in squared errors, at a step of 1: rounding adds step**2 / 12, and each bit
# more divides that by 4, which is 2 log(2) / 12 = 0.12. Measured: a quarter.
PRICE = 0.03


@register
class Quantise(layers.Layer):
    """Round a map to whole numbers, and learn how often each of them occurs.

    In training the gradient passes through the rounding as if it were not there. Added
    to the loss is ``price`` times the bits that the numbers cost, by how often each
    occurred of late: on average, if they were rounded up or down by chance. The price
    rises while files are larger than asked, and falls while they are smaller.

    Parameters
    ----------
    bits_per_pixel : float
        How large the file of an image shall be on average.
    stride : int
        Pixels from one place of the map to the next.

    Returns
    -------
    tensor
        Whole numbers from -127 to 127, same shape as the map.

    References
    ----------
    Theis et al., 2017, "Lossy image compression with compressive autoencoders",
    arXiv:1703.00395, for the gradient of the rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.compression import Quantise
    >>> latents = np.array([[[[0.4, -1.7, 300.0]]]])
    >>> np.ravel(Quantise(1.0, stride=8)(latents)).tolist()
    [0.0, -2.0, 127.0]
    """

    def __init__(self, bits_per_pixel, stride, **kwargs):
        super().__init__(**kwargs)
        self.bits_per_pixel = bits_per_pixel
        self.stride = stride

    def build(self, shape):
        state = {"trainable": False, "dtype": "float32"}
        self.start = math.log(PRICE * first_step(self.bits_per_pixel) ** 2)
        self.price = self.add_weight(  # its logarithm
            initializer=keras.initializers.Constant(self.start), **state
        )
        self.counts = self.add_weight(
            shape=(shape[-1], LEVELS), initializer="zeros", **state
        )

    def call(self, latents, training=None):
        rounded = ops.clip(ops.round(latents), -LARGEST, LARGEST)
        if not training:
            return rounded
        costs = self._count(rounded)
        images, rows, columns, _ = ops.shape(latents)
        pixels = ops.cast(rows * columns * self.stride**2, "float32")
        images = ops.cast(images, "float32")
        bits = ops.sum(_look_up(costs, rounded)) / images
        self._follow(bits, self.bits_per_pixel * pixels - OVERHEAD)
        rate = ops.sum(_expect(costs, latents)) / (images * pixels)
        self.add_loss(ops.exp(self.price) * rate)
        return latents + ops.stop_gradient(rounded - latents)

    def _follow(self, bits, wanted):
        """Raise the price while files are too large, and lower it while too small."""
        change = ops.clip(ops.log(bits / ops.maximum(wanted, 1.0)), -1.0, 1.0)
        low, high = self.start - REACH, self.start + REACH
        self.price.assign(ops.clip(self.price + PATIENCE * change, low, high))

    def _count(self, rounded):
        """Update how often each level occurs; return what each of them costs."""
        channels = rounded.shape[-1]
        places = ops.reshape(_places(rounded), (-1,))
        ones = ops.ones_like(places, dtype="float32")
        found = ops.segment_sum(ones, places, num_segments=channels * LEVELS)
        counts = MEMORY * self.counts + ops.reshape(found, self.counts.shape)
        self.counts.assign(counts)
        share = FINENESS * counts + 1
        share = share / ops.sum(share, axis=1, keepdims=True)
        return -ops.log(share) / math.log(2)

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        own = {"bits_per_pixel": self.bits_per_pixel, "stride": self.stride}
        return {**super().get_config(), **own}


def _places(numbers):
    """Return where the level of each number stands in a flat table of all channels."""
    levels = ops.cast(numbers, "int32") + LARGEST
    return levels + ops.arange(numbers.shape[-1], dtype="int32") * LEVELS


def _look_up(costs, numbers):
    return ops.take(ops.reshape(costs, (-1,)), _places(numbers))


def _expect(costs, latents):
    """Return what each number costs on average, rounded up or down by chance."""
    latents = ops.clip(ops.cast(latents, "float32"), -LARGEST, LARGEST - 1e-3)
    below = ops.floor(latents)
    share = latents - below
    return (1 - share) * _look_up(costs, below) + share * _look_up(costs, below + 1)


def first_step(bits_per_pixel):
    """Return about how coarse photographs are rounded at this rate, in [0, 1] grey.

    Measured with `build_pca_compressor`; training then finds its own.

    Examples
    --------
    >>> from crnn_tutorial.tasks.compression import first_step
    >>> first_step(0.5)
    0.24
    """
    return 0.12 / bits_per_pixel


@register
class Pixels(layers.Layer):
    """Cut off what lies outside of [0, 1], once the model is trained.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.compression import Pixels
    >>> np.array(Pixels()(np.array([-1.0, 0.5, 2.0]))).tolist()
    [0.0, 0.5, 1.0]
    """

    def call(self, image, training=None):
        # In training the gradient leads those back that lie outside.
        return image if training else ops.clip(image, 0.0, 1.0)

    def compute_output_shape(self, shape):
        return shape


@heads.register(Pixels)
@dataclass(frozen=True)
class Compress(heads.Head):
    """The image itself, from a map that is rounded to whole numbers on the way.

    Parameters
    ----------
    bits_per_pixel : float, optional
        How large a file shall be; None where a model is there already.
    filters : tuple of int
        Of the convolutions, as the backbone has them; the last comes first here.
    units : int
        Size of the recurrent state in each direction.
    recurrence : str or None
        Of the decoder. None: only the linear part, each patch by itself.
    channels : int
        Of the image.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.compression import Compress
    >>> images = np.zeros((1, 8, 8, 1), "float32")
    >>> Compress().per_image(images, images + 0.1).round(1).tolist()  # decibels
    [20.0]
    """

    bits_per_pixel: float | None = None
    filters: tuple = ()
    units: int = 0
    recurrence: str | None = None
    channels: int = 1
    loss: ClassVar[str] = "mse"
    metrics: ClassVar[tuple[str, ...]] = ()
    metric_name: ClassVar[str] = "PSNR"
    takes: ClassVar[str] = "images"

    @classmethod
    def from_layer(cls, layer, shape):
        """Return the head."""
        return cls(channels=shape[-1])

    def __call__(self, features, dropout=0.0):
        """Round the map, then draw each patch, and correct it with its surroundings."""
        stride = 2 ** len(self.filters)
        quantise = Quantise(self.bits_per_pixel, stride, name="whole_numbers")
        numbers = quantise(features.map)
        same = {"padding": "same", **CHANNELS_LAST}
        patches = layers.Conv2DTranspose(
            self.channels, 2 * stride, stride, name="draw_patches", **same
        )
        image = patches(numbers)
        if self.recurrence:
            x = layers.Dense(2 * self.units, activation="relu", name="enter")(numbers)
            x = backbones.connect_places(x, self.recurrence, self.units, "draw_")
            for level, count in reversed(list(enumerate(self.filters, start=1))):
                enlarge = layers.Conv2DTranspose(
                    count, 4, 2, activation="relu", name=f"enlarge_{level}", **same
                )
                x = enlarge(x)
            correct = layers.Conv2D(
                self.channels, 3, kernel_initializer="zeros", name="correct", **same
            )
            image = layers.Add(name="sum")([image, correct(x)])
        return Pixels(name="image_again")(image)

    def encode(self, targets):
        """Take the images themselves, in [0, 1]."""
        return check_images(targets, name="targets")

    def check(self, model, images, encoded, targets):
        """Refuse targets that are not as large as the images, and broken patches."""
        stride = stride_of(model)
        if encoded.shape != images.shape or any(n % stride for n in images.shape[1:3]):
            raise ValueError(
                "A compressor is trained on images that are their own targets, with "
                f"sides that are multiples of {stride}: ct.Split(images, images). Got "
                f"images of shape {images.shape}, targets of {encoded.shape}."
            )

    def augment(self, function, images, targets, rng):
        """Change the images by chance; they stay their own targets."""
        changed = function(images, rng)
        return changed, changed

    def decode(self, outputs):
        """Return the images."""
        return np.asarray(outputs)

    def per_image(self, targets, outputs):
        """Score the peak signal-to-noise ratio of each image, in decibels."""
        return psnr_per_image(self.encode(targets), outputs)


def stride_of(model):
    """Return the side of a patch of a compressor, in pixels.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.tasks.compression import stride_of
    >>> stride_of(ct.build_compressor((64, 64, 1), bits_per_pixel=0.3))
    8
    """
    return model.get_layer("whole_numbers").stride


def build_compressor(
    input_shape,
    bits_per_pixel,
    *,
    filters=(8, 16, 32),
    units=32,
    recurrence="lstm",
    learning_rate=None,
):
    """Build a CRNN that turns an image into few whole numbers, and these into an image.

    Each patch is described by as many numbers as it has pixels, most of them 0. At
    first they are those of JPEG: the shares of cosines, rounded. Training changes the
    cosines, and adds what the recurrence knows of the other patches, before the
    rounding and after it.

    Parameters
    ----------
    input_shape : tuple of int, or Dataset
        ``(height, width, channels)``; height and width may be None: any size.
    bits_per_pixel : float
        How large the files of the training images shall be on average, with their
        header. A test image takes more or less, by how much there is to see in it.
        Training lowers the rate where it is too high, and hardly raises it: at 1 bit
        per pixel, files of smooth photographs stay about a fifth smaller.
    filters : sequence of int
        One block of convolution and pooling for each number; a patch is
        ``2 ** len(filters)`` pixels wide.
    units : int
        Size of the recurrent state in each direction.
    recurrence : str or None
        How the patches see each other: ``"lstm"``, or one of the controls that
        ``connect_places`` names. None: not at all, and only cosines are learnt.
    learning_rate : float, optional
        Of the Adam optimiser. By default 0.2 divided by the pixels of a patch, at most
        0.003: the larger a patch, the more a small change of all its weights adds up.

    Returns
    -------
    keras.Model
        Images -> the images that their files would give back. Train it on images that
        are their own targets: ``ct.Split(images, images)``.

    Raises
    ------
    ValueError
        If an argument makes no sense, or a file would be smaller than its header.

    References
    ----------
    Ballé, Laparra and Simoncelli, 2017, "End-to-end optimized image compression",
    arXiv:1611.01704.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.build_compressor((None, None, 1), bits_per_pixel=0.5).output_shape
    (None, None, None, 1)
    """
    image, *_ = begin(input_shape, None, free=("height", "width"))
    height, width, channels = image.shape[1:]
    filters = check_filters(filters, height, width)
    stride = 2 ** len(filters)
    _check_rate(bits_per_pixel, height, width, stride)
    count = min(channels * stride**2, 192)
    same = {"padding": "same", **CHANNELS_LAST}
    latents = layers.Conv2D(count, 2 * stride, stride, name="cut_patches", **same)(
        image
    )
    if recurrence:
        features = backbones.patches(image, filters, units, recurrence)
        known = layers.Dense(count, kernel_initializer="zeros", name="surroundings")
        latents = layers.Add(name="latents")([latents, known(features.map)])
    learning_rate = learning_rate or min(0.2 / stride**2, 3e-3)
    head = Compress(bits_per_pixel, filters, units, recurrence, channels)
    model = assemble(image, Features(latents), head, learning_rate=learning_rate)
    step = first_step(bits_per_pixel)
    _draw_with(model, _cosines(stride, channels)[:count], 0.5, step)
    return model


def _check_rate(bits_per_pixel, height, width, stride):
    if not bits_per_pixel > 0:
        raise ValueError(f"bits_per_pixel is above 0, but got {bits_per_pixel!r}.")
    if height is None or width is None:
        return
    if height % stride or width % stride:
        raise ValueError(
            f"The sides of an image are multiples of the patch, {stride} pixels, but "
            f"got {height} x {width} (height x width). Pass fewer or more filters."
        )
    if bits_per_pixel * height * width < 2 * OVERHEAD:
        raise ValueError(
            f"At {bits_per_pixel} bits per pixel an image of {height} x {width} has "
            f"{bits_per_pixel * height * width:.0f} bits, and its header has "
            f"{OVERHEAD}: ask for {2 * OVERHEAD / (height * width):.2g} at least."
        )


def _cosines(side, channels):
    """Return the patterns of JPEG, ``(patterns, side, side, channels)``, coarse first.

    Their squares sum to 1, and each is at right angles to all others.
    """
    wave, place = np.mgrid[:side, :side]
    waves = np.cos(np.pi * wave * (place + 0.5) / side) * np.sqrt(2 / side)
    waves[0] /= np.sqrt(2)
    patterns = np.einsum("ky,lx,cd->klcyxd", waves, waves, np.eye(channels))
    rows, columns, _ = np.unravel_index(
        np.arange(side**2 * channels), patterns.shape[:3]
    )
    order = np.argsort(rows + columns, kind="stable")
    return patterns.reshape(-1, side, side, channels)[order]


def _draw_with(model, patterns, grey, step):
    """Let the linear part measure patterns in steps, and draw them again."""
    cut, draw = model.get_layer("cut_patches"), model.get_layer("draw_patches")
    margin = patterns.shape[1] // 2  # training may let neighbours overlap so far
    patterns = np.pad(patterns, ((0, 0), (margin,) * 2, (margin,) * 2, (0, 0)))
    patterns = np.moveaxis(patterns, 0, -1)  # (side, side, channels, patterns)
    grey = np.broadcast_to(grey, patterns.shape[2])
    offset = np.einsum("yxcp,c->p", patterns, grey)
    cut.set_weights([patterns / step, -offset / step])
    draw.set_weights([patterns * step, grey])


def build_pca_compressor(images, bits_per_pixel, patch_size=8):
    """Fit the best linear compressor: principal components of patches, rounded.

    What a `build_compressor` has to beat: the same rounding, the same tables, the same
    files, with nothing learnt by gradients. One step for all components, which is the
    best there is at a high rate, is chosen so that the files have the size asked for.

    Parameters
    ----------
    images : array of floats
        ``(images, height, width, channels)`` in [0, 1].
    bits_per_pixel : float
        As in `build_compressor`.
    patch_size : int
        Side of a patch in pixels, a power of 2.

    Returns
    -------
    keras.Model
        As `build_compressor` returns it, fitted.

    Raises
    ------
    ValueError
        If an argument makes no sense.

    References
    ----------
    Goyal, 2001, "Theoretical foundations of transform coding", IEEE Signal Processing
    Magazine 18(5).

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> images = ct.load_photos(channels=1, crops=4).train.images
    >>> model = ct.build_pca_compressor(images, bits_per_pixel=0.5)
    >>> sizes = [len(file) for file in ct.compress(model, images)]
    >>> bool(abs(8 * np.mean(sizes) / 64**2 - 0.5) < 0.02)
    True
    """
    images = check_images(images)
    blocks = max(int(patch_size).bit_length() - 1, 1)
    if patch_size != 2**blocks:
        raise ValueError(f"patch_size is a power of 2, but got {patch_size!r}.")
    shape, filters = (None, None, images.shape[-1]), (1,) * blocks
    _check_rate(bits_per_pixel, *images.shape[1:3], patch_size)
    model = build_compressor(shape, bits_per_pixel, filters=filters, recurrence=None)
    quantise = model.get_layer("whole_numbers")
    grey = images.mean(axis=(0, 1, 2), dtype=float)
    patches = to_patches(images - grey, patch_size)
    patches = patches.reshape(-1, math.prod(patches.shape[3:]))
    _, vectors = np.linalg.eigh(patches.T @ patches)
    basis = vectors[:, ::-1][:, : quantise.counts.shape[0]]
    latents = patches @ basis
    wanted = bits_per_pixel * images[0, ..., 0].size - OVERHEAD
    low, high = 1e-4, 1e2  # the step, in units of a pixel's range
    for _ in range(20):
        step = math.sqrt(low * high)
        counts = _count_levels(np.rint(latents / step))
        bits = _bits(counts).sum() / len(images)
        low, high = (step, high) if bits > wanted else (low, step)
    _draw_with(model, basis.T.reshape(-1, *_patch(model)), grey, step)
    quantise.counts.assign(counts)
    return model


def _patch(model):
    return (*[stride_of(model)] * 2, model.output_shape[-1])


def _count_levels(numbers):
    """Count how often each level occurs in each channel: ``(channels, levels)``."""
    places = np.clip(numbers, -LARGEST, LARGEST).astype(int) + LARGEST
    return np.stack([np.bincount(one, minlength=LEVELS) for one in places.T])


def _bits(counts):
    """Return the bits of each channel, if its numbers are as frequent as these."""
    share = FINENESS * counts + 1
    share = share / share.sum(axis=1, keepdims=True)
    return -(counts * np.log2(share)).sum(axis=1)
