"""One class for each pixel: the head, the loss, and the builder."""

from dataclasses import dataclass, field
from typing import ClassVar

import keras
import numpy as np
from keras import layers, ops

from crnn_tutorial.checks import check_count
from crnn_tutorial.metrics.masks import iou_per_image
from crnn_tutorial.network import backbones, heads
from crnn_tutorial.network.assemble import assemble, begin_with_patches
from crnn_tutorial.network.layers import resize_like
from crnn_tutorial.network.masks import CHANNELS_LAST, register


@register
class PixelProbabilities(layers.Layer):
    """Enlarge logits to the size of the image, and turn them into probabilities.

    Parameters
    ----------
    class_names : sequence of str, optional
        What the classes are called.

    Returns
    -------
    tensor
        ``(batch, height, width, classes)`` from logits of any size and a map of the
        image's size.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.segmentation import PixelProbabilities
    >>> logits, image = np.zeros((1, 4, 4, 2)), np.zeros((1, 8, 8, 3))
    >>> np.unique(PixelProbabilities()(logits, image)).round(3).tolist()
    [0.5]
    """

    def __init__(self, class_names=None, **kwargs):
        super().__init__(**kwargs)
        self.class_names = class_names and tuple(class_names)

    def call(self, logits, image):
        return ops.softmax(resize_like(logits, image), axis=-1)

    def compute_output_shape(self, logits_shape, image_shape):
        return (*image_shape[:3], logits_shape[-1])

    def get_config(self):
        return {**super().get_config(), "class_names": self.class_names}


@register
class PixelLoss(keras.losses.Loss):
    """Cross-entropy of each pixel; those that are not background count more.

    Parameters
    ----------
    foreground : float
        How many pixels of the background a pixel of another class counts for.

    Notes
    -----
    ``call(targets, probabilities)`` takes classes ``(batch, height, width)`` and
    returns ``(batch,)``.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.segmentation import PixelLoss
    >>> even = np.full((1, 1, 2, 2), 0.5, "float32")
    >>> round(float(PixelLoss()(np.array([[[0, 1]]]), even)), 3)  # -log(0.5)
    0.693
    """

    def __init__(self, foreground=3.0, name="pixel_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.foreground = foreground

    def call(self, targets, probabilities):
        targets = ops.cast(targets, "int32")
        # In one row: with torch, Keras cannot take the gradient of a map's.
        flat = ops.reshape(probabilities, (-1, probabilities.shape[-1]))
        losses = ops.sparse_categorical_crossentropy(ops.reshape(targets, (-1,)), flat)
        losses = ops.reshape(losses, ops.shape(targets))
        weights = ops.where(targets > 0, self.foreground, 1.0)
        weights = ops.cast(weights, losses.dtype)
        return ops.sum(weights * losses, axis=(1, 2)) / ops.sum(weights, axis=(1, 2))

    def get_config(self):
        return {**super().get_config(), "foreground": self.foreground}


def check_map_size(name, maps, images):
    """Refuse maps of another size than their images."""
    if maps.shape[1:] != images.shape[1:3]:
        raise ValueError(
            f"The {name} are as large as the images, but got {name} of "
            f"{maps.shape[1:]} for images of {images.shape[1:3]}."
        )


@heads.register(PixelProbabilities)
@dataclass(frozen=True)
class Segment(heads.Head):
    """A class for each pixel: logits at half the size, enlarged, softmax.

    Parameters
    ----------
    num_classes : int
        With the background, which is class 0.
    class_names : tuple of str, optional
        What they are called.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.segmentation import Segment
    >>> Segment(2).decode(np.array([[[[0.9, 0.1], [0.2, 0.8]]]])).tolist()
    [[[0, 1]]]
    """

    num_classes: int
    class_names: tuple | None = field(default=None, repr=False)
    metrics: ClassVar[tuple[str, ...]] = ("accuracy",)
    metric_name: ClassVar[str] = "IoU"
    takes: ClassVar[str] = "masks"
    moves: ClassVar[str] = "masks"

    @property
    def loss(self):
        """A new loss for ``compile``."""
        return PixelLoss()

    @classmethod
    def from_layer(cls, layer, shape):
        """Return the head with the names that the layer knows."""
        return cls(shape[-1], layer.class_names)

    def __call__(self, features, dropout=0.0):
        """Decode to half the size of the image, score, enlarge."""
        x = backbones.decode(features, "mask", max(len(features.skips) - 1, 1))
        if dropout:
            x = layers.Dropout(dropout, name="mask_dropout")(x)
        x = layers.Conv2D(self.num_classes, 1, name="mask_score", **CHANNELS_LAST)(x)
        resize = PixelProbabilities(self.class_names, name="probabilities")
        return resize(x, features.skips[0])

    def encode(self, targets):
        """Take masks ``(images, height, width)`` of whole numbers."""
        masks = np.asarray(targets)
        if masks.ndim == 4 and masks.shape[-1] == 1:
            masks = masks[..., 0]
        if masks.ndim != 3 or masks.dtype.kind not in "biu":
            raise ValueError(
                "Masks are whole numbers of shape (images, height, width), but got "
                f"{masks.dtype} of shape {masks.shape}."
            )
        if masks.min(initial=0) < 0 or masks.max(initial=0) >= self.num_classes:
            raise ValueError(
                f"The classes of a mask are 0 (background) to {self.num_classes - 1}, "
                f"but got {masks.min()} to {masks.max()}."
            )
        return masks.astype("int32")

    def check(self, model, images, encoded, targets):
        """Refuse masks of another size than the images."""
        check_map_size("masks", encoded, images)

    def decode(self, outputs):
        """Return the most likely class of each pixel ``(images, height, width)``."""
        return np.argmax(outputs, axis=-1)

    def answer(self, outputs):
        """Return the mask, and the mean probability of what it says."""
        sure = np.max(outputs, axis=-1).mean(axis=(1, 2))
        return list(zip(self.decode(outputs), sure.tolist(), strict=True))

    def per_image(self, targets, outputs):
        """Score the mean intersection over union of the classes in each image."""
        targets = self.encode(targets)
        return iou_per_image(targets, self.decode(outputs), self.num_classes)


def build_segmenter(
    input_shape,
    num_classes=None,
    *,
    filters=(16, 32, 64),
    units=32,
    recurrence="lstm",
    dropout=0.0,
    learning_rate=3e-3,
):
    """Build a CRNN that gives each pixel a class.

    Convolutions make the map smaller, the recurrence lets each of its places depend on
    all others, and further convolutions enlarge it again, with the help of the maps on
    the way down.

    Parameters
    ----------
    input_shape : tuple of int, or Dataset
        ``(height, width, channels)``; height and width may be None: any size. A dataset
        says this, and its classes; class 0 is then what is none of them.
    num_classes : int
        At least 2, with the background (class 0); None for a dataset.
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
        Images -> probabilities ``(batch, height, width, num_classes)``.

    Raises
    ------
    ValueError
        If an argument makes no sense, or the image is too small for the blocks.

    References
    ----------
    Visin et al., 2016, "ReSeg", arXiv:1511.07053; Ronneberger, Fischer and Brox, 2015,
    arXiv:1505.04597.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.build_segmenter((None, None, 1), num_classes=11).output_shape
    (None, None, None, 11)
    """
    image, features, count, names = begin_with_patches(
        input_shape, num_classes, filters, units, recurrence
    )
    if names is not None:
        names = ("background", *names)
        count = len(names)
    head = Segment(check_count("num_classes", count, least=2), names)
    return assemble(image, features, head, dropout, learning_rate)
