"""Where things end: the probability of an edge at each pixel."""

from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
from keras import layers, ops
from skimage.morphology import skeletonize

from crnn_tutorial.metrics.masks import edge_f_score
from crnn_tutorial.network import backbones, heads
from crnn_tutorial.network.assemble import assemble, begin_with_patches
from crnn_tutorial.network.masks import CHANNELS_LAST, register
from crnn_tutorial.tasks.segmentation import check_map_size


@register
class EdgeProbabilities(layers.Conv2D):
    """One probability for each pixel: that an edge is there.

    Returns
    -------
    tensor
        ``(batch, height, width, 1)``.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.edges import EdgeProbabilities
    >>> tuple(EdgeProbabilities(name="probabilities")(np.zeros((1, 8, 8, 4))).shape)
    (1, 8, 8, 1)
    """

    def __init__(self, **kwargs):
        own = {"filters": 1, "kernel_size": 1, "activation": "sigmoid", **CHANNELS_LAST}
        super().__init__(**{**kwargs, **own})


@register
class EdgeLoss(keras.losses.Loss):
    """Cross-entropy of each pixel, and how little edges overlap (Dice).

    Edges are few: cross-entropy alone is content to say "nowhere".

    Notes
    -----
    ``call(targets, probabilities)`` takes 0 and 1 ``(batch, height, width)`` and
    returns ``(batch,)``.

    References
    ----------
    Milletari, Navab and Ahmadi, 2016, "V-Net", arXiv:1606.04797, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.edges import EdgeLoss
    >>> edges = np.eye(4, dtype="float32")[None]
    >>> round(float(EdgeLoss()(edges, edges[..., None])), 3)
    0.0
    """

    def __init__(self, name="edge_loss", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, targets, probabilities):
        found = probabilities[..., 0]
        targets = ops.cast(targets, found.dtype)
        crossed = ops.mean(ops.binary_crossentropy(targets, found), axis=(1, 2))
        both = 2 * ops.sum(targets * found, axis=(1, 2)) + 1
        either = ops.sum(targets, axis=(1, 2)) + ops.sum(found, axis=(1, 2)) + 1
        return crossed + 1 - both / either


@heads.register(EdgeProbabilities)
@dataclass(frozen=True)
class FindEdges(heads.Head):
    """Thin edges: a sigmoid at each pixel, and a skeleton of what is likely.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.edges import FindEdges
    >>> thick = np.zeros((1, 5, 7, 1))
    >>> thick[0, 1:4, 1:6] = 0.9
    >>> FindEdges().decode(thick)[0].sum(axis=0).tolist()  # three pixels thin to one
    [0, 1, 1, 1, 1, 0, 0]
    """

    metrics: ClassVar[tuple[str, ...]] = ()
    metric_name: ClassVar[str] = "F-score"
    takes: ClassVar[str] = "edges"
    moves: ClassVar[str] = "masks"

    @property
    def loss(self):
        """A new loss for ``compile``."""
        return EdgeLoss()

    @classmethod
    def from_layer(cls, layer, shape):
        """Return the head."""
        return cls()

    def __call__(self, features, dropout=0.0):
        """Decode to the size of the image, and ask each pixel."""
        x = backbones.decode(features, "edge")
        if dropout:
            x = layers.Dropout(dropout, name="edge_dropout")(x)
        return EdgeProbabilities(name="probabilities")(x)

    def encode(self, targets):
        """Take maps ``(images, height, width)`` of 0 and 1."""
        edges = np.asarray(targets)
        if edges.ndim != 3 or not np.isin(edges, (0, 1)).all():
            raise ValueError(
                "Edges are 0 or 1 at each pixel (images, height, width), but got "
                f"{edges.dtype} of shape {edges.shape}."
            )
        return edges.astype("int32")

    def check(self, model, images, encoded, targets):
        """Refuse edges of another size than the images."""
        check_map_size("edges", encoded, images)

    def decode(self, outputs):
        """Thin what is more likely an edge than not: ``(images, height, width)``."""
        likely = np.asarray(outputs)[..., 0] > 0.5
        return np.stack([skeletonize(one) for one in likely]).astype(int)

    def per_image(self, targets, outputs):
        """Score each image by the F-score at a tolerance of one pixel."""
        return edge_f_score(self.encode(targets), self.decode(outputs), tolerance=1)


def build_edge_detector(
    input_shape,
    *,
    filters=(16, 32, 64),
    units=32,
    recurrence="lstm",
    dropout=0.0,
    learning_rate=3e-3,
):
    """Build a CRNN that finds the outlines of things.

    Parameters
    ----------
    input_shape : tuple of int, or Dataset
        ``(height, width, channels)``; height and width may be None: any size.
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
        Images -> probabilities ``(batch, height, width, 1)``.

    Raises
    ------
    ValueError
        If an argument makes no sense, or the image is too small for the blocks.

    References
    ----------
    Xie and Tu, 2015, "Holistically-nested edge detection", arXiv:1504.06375, for the
    use of all scales.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.build_edge_detector((None, None, 1)).output_shape
    (None, None, None, 1)
    """
    image, features, *_ = begin_with_patches(
        input_shape, None, filters, units, recurrence
    )
    return assemble(image, features, FindEdges(), dropout, learning_rate)
