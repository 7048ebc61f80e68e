"""How damaged an image is, judged without the image as it was."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from keras import layers, ops
from scipy.stats import rankdata

from crnn_tutorial.network import backbones, heads
from crnn_tutorial.network.assemble import assemble, begin, check_filters
from crnn_tutorial.network.masks import register


@register
class Differences(layers.Layer):
    """How much each pixel differs from the one to its right and the one below it.

    Damage shows in fine detail: noise adds such differences, and blur takes them away.
    What an image shows, and how bright it is, is left out. The layer has no weights.

    Parameters
    ----------
    gain : float
        What the differences are multiplied by: those of photographs are small.

    Returns
    -------
    tensor
        ``(batch, height, width, 2 * channels)`` from ``(batch, height, width,
        channels)``: first to the right, then below. The last column has no right
        neighbour and the last row none below: there it is 0.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.quality import Differences
    >>> image = np.array([[0.0, 0.5], [0.25, 0.25]]).reshape(1, 2, 2, 1)
    >>> found = np.array(Differences(gain=1.0)(image))
    >>> found[0, ..., 0].tolist(), found[0, ..., 1].tolist()
    ([[0.5, 0.0], [0.0, 0.0]], [[0.25, -0.25], [0.0, 0.0]])
    """

    def __init__(self, gain=8.0, **kwargs):
        super().__init__(**kwargs)
        self.gain = gain

    def call(self, images):
        right = images[:, :, 1:] - images[:, :, :-1]
        below = images[:, 1:] - images[:, :-1]
        right = ops.pad(right, [[0, 0], [0, 0], [0, 1], [0, 0]])
        below = ops.pad(below, [[0, 0], [0, 1], [0, 0], [0, 0]])
        return self.gain * ops.concatenate([right, below], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2 * input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "gain": self.gain}


@register
class Damage(layers.Dense):
    """A dense layer of one number from 0 (no damage) to 1 (all is lost).

    Returns
    -------
    tensor
        ``(batch, 1)`` in [0, 1], through a sigmoid.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.quality import Damage
    >>> np.array(Damage()(np.zeros((3, 8), "float32"))).ravel().tolist()
    [0.5, 0.5, 0.5]
    """

    def __init__(self, units=1, activation="sigmoid", **kwargs):
        super().__init__(units, activation=activation, **kwargs)


@heads.register(Damage)
@dataclass(frozen=True)
class ScoreDamage(heads.Head):
    """How damaged an image is, from 0 to 1: one number without the original.

    Its metric is Spearman's rank correlation with the true damage: whether images
    stand in the right order, on whatever scale. An image alone has no rank, so each
    image is scored among all that were given (see `rank_agreement`).

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.quality import ScoreDamage
    >>> head = ScoreDamage()
    >>> outputs = np.array([[0.5], [0.6], [0.9]])
    >>> float(head.per_image([0.1, 0.2, 0.8], outputs).mean())  # the same order
    1.0
    >>> {k: round(v, 3) for k, v in head.also([0.1, 0.2, 0.8], outputs).items()}
    {'mean error': 0.3}
    """

    loss: ClassVar[str] = "binary_crossentropy"  # smallest at the mean, as the square
    metrics: ClassVar[tuple[str, ...]] = ("mae",)
    metric_name: ClassVar[str] = "rank correlation"
    takes: ClassVar[str] = "damage"

    @classmethod
    def from_layer(cls, layer, shape):
        """Return the head."""
        return cls()

    def __call__(self, features, dropout=0.0):
        """Average over all places, then one number."""
        x = backbones.average(features)
        if dropout:
            x = layers.Dropout(dropout, name="damage_dropout")(x)
        return Damage(name="damage")(x)

    def encode(self, targets):
        """Take one number in [0, 1] for each image, as a column ``(images, 1)``."""
        try:
            damage = np.asarray(targets, "float32")
        except (TypeError, ValueError):
            damage = np.zeros(0)
        if damage.ndim != 1 or not len(damage):
            raise ValueError(
                "The damage is one number for each image, (images,), from 0 (none) to "
                f"1 (all is lost), but got {targets!r:.60}."
            )
        if not (damage.min() >= 0 and damage.max() <= 1):  # NaN is neither
            raise ValueError(
                "The damage lies from 0 (none) to 1 (all is lost), but got "
                f"{damage.min():g} to {damage.max():g}."
            )
        return damage[:, np.newaxis]

    def decode(self, outputs):
        """Return the score of each image ``(images,)``; more is more damage."""
        return np.asarray(outputs)[:, 0]

    def per_image(self, targets, outputs):
        """Score how near the rank of each image is to its true one."""
        return rank_agreement(self.encode(targets)[:, 0], self.decode(outputs))

    def also(self, targets, outputs):
        """Say how far the scores are from the true damage, on its own scale."""
        errors = np.abs(self.encode(targets)[:, 0] - self.decode(outputs))
        return {"mean error": float(errors.mean())}


def rank_agreement(truth, scores):
    """Return how near the rank of each score is to the true one: its share of Spearman.

    Parameters
    ----------
    truth, scores : array of floats
        ``(images,)``; the scale of the scores does not matter, only their order.

    Returns
    -------
    array of floats
        ``(images,)``; 1 where an image has its true rank, less the farther it is from
        it. The mean over all images is Spearman's rank correlation: 1 for the same
        order, 0 for none, -1 for the opposite one. Where all scores are equal it is 0.

    Raises
    ------
    ValueError
        If there are not as many scores as true values, fewer than two different true
        values (nothing can be put in order), or a value is NaN or infinite.

    References
    ----------
    Spearman, 1904, "The proof and measurement of association between two things". With
    ranks standardised to mean 0 and variance 1, the mean of one minus half of their
    squared difference is their correlation.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import spearmanr
    >>> from crnn_tutorial.tasks.quality import rank_agreement
    >>> truth, scores = [0.1, 0.2, 0.5, 0.9], [3, 7, 20, 8]
    >>> found = rank_agreement(truth, scores)
    >>> found.round(3).tolist()
    [1.0, 1.0, 0.6, 0.6]
    >>> bool(np.isclose(found.mean(), spearmanr(truth, scores).statistic))
    True
    """
    truth, scores = np.asarray(truth, float), np.asarray(scores, float)
    if truth.ndim != 1 or truth.shape != scores.shape:
        raise ValueError(
            "Truth and scores are one number for each image, but got the shapes "
            f"{truth.shape} and {scores.shape}."
        )
    if not (np.isfinite(truth).all() and np.isfinite(scores).all()):
        raise ValueError("Truth and scores are numbers, but some are NaN or infinite.")
    if len(np.unique(truth)) < 2:
        raise ValueError(
            "A rank correlation needs images of at least two different true values, "
            f"but got {len(truth)} of {len(np.unique(truth))}: there is no order to "
            "find. ct.predict gives the score of a single image."
        )
    if len(np.unique(scores)) < 2:
        return np.zeros(len(scores))
    apart = _standardised(rankdata(truth)) - _standardised(rankdata(scores))
    return 1 - apart**2 / 2


def _standardised(ranks):
    return (ranks - ranks.mean()) / ranks.std()


def build_quality_scorer(
    input_shape,
    *,
    filters=(16, 32),
    units=16,
    recurrence="lstm",
    differences=True,
    dropout=0.0,
    learning_rate=2e-3,
):
    """Build a CRNN that says how damaged an image is, without seeing the original.

    Parameters
    ----------
    input_shape : tuple of int, or Dataset
        ``(height, width, channels)``; height and width may be None: any size.
    filters : sequence of int
        One block of convolution and pooling for each number; each halves the map.
    units : int
        Size of the recurrent state in each direction; it runs over the smallest map.
    recurrence : str
        How the places of that map see each other: ``"lstm"``, or one of the controls
        that ``connect_places`` names.
    differences : bool
        Whether the network sees the differences of neighbouring pixels (`Differences`)
        instead of the pixels themselves.
    dropout : float
        Share of features dropped before the last layer, in [0, 1).
    learning_rate : float
        Of the Adam optimiser.

    Returns
    -------
    keras.Model
        Images -> damage ``(batch, 1)`` from 0 (none) to 1 (all is lost); one minus it
        is the quality. Train it on ``ct.Split(damaged, damage)``, made with
        ``ct.degrade``. It is scored by Spearman's rank correlation (`ScoreDamage`).

    Raises
    ------
    ValueError
        If an argument makes no sense.

    References
    ----------
    Kang et al., 2014, "Convolutional neural networks for no-reference image quality
    assessment", CVPR: a network that is trained on true quality, without the original.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> model = ct.build_quality_scorer((None, None, 1))
    >>> model.output_shape
    (None, 1)
    >>> photos = ct.load_photos((48, 64), crops=1, channels=1).test.images
    >>> len(ct.predict(model, photos))  # not trained: the scores say nothing yet
    5
    """
    image, *_ = begin(input_shape, None, free=("height", "width"))
    filters = check_filters(filters, *image.shape[1:3])
    seen = Differences(name="differences")(image) if differences else image
    features = backbones.patches(seen, filters, units, recurrence)
    return assemble(image, features, ScoreDamage(), dropout, learning_rate)
