"""Boxes around things: the head, its loss, and what turns a map into boxes."""

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from crnn_tutorial.checks import check_count, check_images
from crnn_tutorial.metrics.boxes import average_precision, box_f_score, box_iou
from crnn_tutorial.network import backbones, heads
from crnn_tutorial.network.assemble import assemble, begin_with_patches
from crnn_tutorial.network.masks import CHANNELS_LAST, register

OVERLAP = 0.5  # of two boxes of one class: more is the same thing found twice
LEAST = 0.05  # probability of a box that counts for the average precision
REACH = 1.5  # places to each side of its middle where a thing is looked for


class Detection(NamedTuple):
    """What was found in one image.

    Parameters
    ----------
    boxes : array of floats
        ``(things, 4)``: ``y0, x0, y1, x1`` in pixels.
    classes : array of int or str
        ``(things,)``; from `predict` their names, where the model knows them.
    scores : array of floats
        ``(things,)`` in [0, 1], the highest first.
    """

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray


@register
class PlaceBoxes(layers.Layer):
    """Ask each place of a map whether a thing is there, and where its sides are.

    Parameters
    ----------
    stride : int
        Pixels from one place to the next.
    class_names : sequence of str, optional
        What the classes are called.

    Returns
    -------
    tensor
        ``(batch, rows, columns, classes + 4)`` from scores of the same shape: the
        probability of each class, then the way to the upper, left, lower and right side
        in pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.detection import PlaceBoxes
    >>> np.ravel(PlaceBoxes(stride=4)(np.zeros((1, 1, 1, 5)))).tolist()
    [0.5, 8.0, 8.0, 8.0, 8.0]
    """

    def __init__(self, stride, class_names=None, **kwargs):
        super().__init__(**kwargs)
        self.stride = stride
        self.class_names = class_names and tuple(class_names)

    def call(self, scores):
        sides = 2 * self.stride * ops.exp(ops.clip(scores[..., -4:], -6.0, 6.0))
        return ops.concatenate([ops.sigmoid(scores[..., :-4]), sides], axis=-1)

    def get_config(self):
        own = {"stride": self.stride, "class_names": self.class_names}
        return {**super().get_config(), **own}


@register
class BoxLoss(keras.losses.Loss):
    """How wrong classes and sides are, at the places that are near a thing's middle.

    A place belongs to the smallest thing whose middle is near and in whose box it lies.
    There the loss is that of its class, and minus the logarithm of the intersection
    over union; at all other places only that no class is there.

    Parameters
    ----------
    stride : int
        Pixels from one place to the next.

    Notes
    -----
    ``call(targets, outputs)`` takes boxes ``(batch, boxes, 5)``: ``y0, x0, y1, x1,
    class``, with rows of -1 for none, and the output of `PlaceBoxes`. Returns
    ``(batch,)``.

    References
    ----------
    Tian et al., 2019, "FCOS", arXiv:1904.01355; Lin et al., 2017, "Focal loss for dense
    object detection", arXiv:1708.02002.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.detection import BoxLoss
    >>> box = np.array([[[0.0, 0.0, 4.0, 4.0, 0.0]]])  # around the only place
    >>> exact = np.array([[[[1.0, 2.0, 2.0, 2.0, 2.0]]]], "float32")
    >>> round(float(BoxLoss(stride=4)(box, exact)), 3)
    0.0
    """

    def __init__(self, stride, name="box_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.stride = stride

    def call(self, targets, outputs):
        targets = ops.cast(targets, outputs.dtype)
        belongs, sides, classes = self._assign(targets, outputs)
        wanted = ops.one_hot(classes, outputs.shape[-1] - 4, dtype=outputs.dtype)
        wanted = wanted * belongs[..., None]
        found = ops.clip(outputs[..., :-4], 1e-6, 1 - 1e-6)
        # The focal factor: what is right already counts little.
        right = ops.where(wanted > 0, found, 1 - found)
        crossed = -((1 - right) ** 2) * ops.log(right)
        overlap = _overlap(sides, outputs[..., -4:])
        things = ops.maximum(ops.sum(belongs, axis=(1, 2)), 1.0)
        apart = ops.sum(-belongs * ops.log(overlap), axis=(1, 2))
        return (ops.sum(crossed, axis=(1, 2, 3)) + apart) / things

    def _assign(self, targets, outputs):
        """Say which places belong to a thing, and how far its sides are."""
        rows, columns = ops.shape(outputs)[1:3]
        y = (ops.arange(rows, dtype=outputs.dtype) + 0.5) * self.stride
        x = (ops.arange(columns, dtype=outputs.dtype) + 0.5) * self.stride
        y, x = y[None, :, None, None], x[None, None, :, None]
        y0, x0, y1, x1, kind = (targets[:, None, None, :, i] for i in range(5))
        grid = ops.zeros_like(y + x + y0)  # (batch, rows, columns, boxes)
        sides = [y - y0, x - x0, y1 - y, x1 - x]
        sides = ops.stack([side + grid for side in sides], axis=-1)
        near = REACH * self.stride
        inside = (
            (ops.min(sides, axis=-1) > 0)
            & (ops.abs(y - (y0 + y1) / 2) < near)
            & (ops.abs(x - (x0 + x1) / 2) < near)
            & (kind >= 0)
        )
        area = ops.where(inside, (y1 - y0) * (x1 - x0) + grid, 1e9)
        chosen = ops.argmin(area, axis=-1)[..., None]  # (batch, rows, columns, 1)
        sides = ops.take_along_axis(sides, chosen[..., None], axis=-2)[..., 0, :]
        classes = ops.take_along_axis(kind + grid, chosen, axis=-1)[..., 0]
        belongs = ops.cast(ops.any(inside, axis=-1), outputs.dtype)
        return belongs, sides, ops.cast(ops.maximum(classes, 0), "int32")

    def get_config(self):
        return {**super().get_config(), "stride": self.stride}


def _overlap(sides, others):
    """Return the intersection over union of boxes around the same places."""
    sides = ops.maximum(sides, 1e-3)
    least = ops.minimum(sides, others)
    both = (least[..., 0] + least[..., 2]) * (least[..., 1] + least[..., 3])
    areas = [(s[..., 0] + s[..., 2]) * (s[..., 1] + s[..., 3]) for s in (sides, others)]
    return both / (areas[0] + areas[1] - both)


@heads.register(PlaceBoxes)
@dataclass(frozen=True)
class Detect(heads.Head):
    """Boxes: at each place of a map a sigmoid for each class, and the way to the sides.

    Parameters
    ----------
    num_classes : int
        How many kinds of things there are.
    stride : int
        Pixels from one place of the map to the next.
    class_names : tuple of str, optional
        What they are called.

    Examples
    --------
    >>> from crnn_tutorial.tasks.detection import Detect
    >>> head = Detect(10)
    >>> head.encode([([[2, 3, 9, 8]], [7]), ([], [])]).tolist()
    [[[2.0, 3.0, 9.0, 8.0, 7.0]], [[-1.0, -1.0, -1.0, -1.0, -1.0]]]
    """

    num_classes: int
    stride: int = 4
    class_names: tuple | None = field(default=None, repr=False)
    metrics: ClassVar[tuple[str, ...]] = ()
    metric_name: ClassVar[str] = "F-score"
    takes: ClassVar[str] = "boxes"
    moves: ClassVar[str] = "boxes"

    @property
    def loss(self):
        """A new loss for ``compile``."""
        return BoxLoss(self.stride)

    @classmethod
    def from_layer(cls, layer, shape):
        """Return the head with what the layer knows."""
        return cls(shape[-1] - 4, layer.stride, layer.class_names)

    def __call__(self, features, dropout=0.0):
        """Decode to a map of this stride, and score each place."""
        levels = len(features.skips) - int(np.log2(self.stride))
        x = backbones.decode(features, "box", levels) if levels else features.map
        x = backbones.convolve(x, x.shape[-1], "box_score")
        if dropout:
            x = layers.Dropout(dropout, name="box_dropout")(x)
        # At first every place says "nothing here": most are right.
        rare = np.full(self.num_classes + 4, -4.0, "float32")
        rare[-4:] = 0
        start = keras.initializers.Constant(rare)
        score = layers.Conv2D(
            self.num_classes + 4, 1, bias_initializer=start, **CHANNELS_LAST
        )
        return PlaceBoxes(self.stride, self.class_names, name="boxes")(score(x))

    def encode(self, targets):
        """Turn ``(boxes, classes)`` of each image into rows ``(images, boxes, 5)``."""
        if isinstance(targets, np.ndarray) and targets.ndim == 3:
            rows = targets.astype("float32")
        else:
            rows = _as_rows(targets)
        self._check(rows)
        return rows

    def _check(self, rows):
        real = rows[rows[..., -1] >= 0] if rows.shape[-1] == 5 else None
        if real is None:
            raise ValueError(
                "A box is y0, x0, y1, x1 and its class, but got rows of "
                f"{rows.shape[-1]} numbers."
            )
        flat = ~(real[:, 2:4] > real[:, :2]).all(axis=1)  # also where one is NaN
        if flat.any():
            raise ValueError(
                f"{flat.sum()} boxes have no area: y0, x0, y1, x1 = "
                f"{real[flat][0, :4].tolist()}. Expected y0 < y1 and x0 < x1."
            )
        if len(real) and real[:, 4].max() >= self.num_classes:
            raise ValueError(
                f"The classes of boxes are 0 to {self.num_classes - 1}, but got "
                f"{real[:, 4].max():.0f}."
            )

    def check(self, model, images, encoded, targets):
        """Refuse boxes that reach beyond their image."""
        height, width = images.shape[1:3]
        real = encoded[encoded[..., 4] >= 0]
        limits = [height, width, height, width]
        beyond = (real[:, :4] < 0) | (real[:, :4] > limits)
        if beyond.any():
            raise ValueError(
                f"{beyond.any(axis=1).sum()} boxes reach beyond their image of "
                f"{height} x {width} pixels (height x width), such as y0, x0, y1, x1 = "
                f"{real[beyond.any(axis=1)][0, :4].tolist()}. Cut them off at its edge."
            )

    def decode(self, outputs, threshold=0.5, size=None):
        """Return a `Detection` for each image, of what is at least so likely.

        Boxes end where the image ends: at its ``(height, width)``, or, where that is
        not said, at the last whole place of the map.
        """
        outputs = np.asarray(outputs)
        if size is None:
            size = np.array(outputs.shape[1:3]) * self.stride
        return [self._decode(one, threshold, size) for one in outputs]

    def _decode(self, output, threshold, size):
        rows, columns, classes = np.nonzero(output[..., :-4] >= threshold)
        scores = output[rows, columns, classes]
        middle = (np.stack([rows, columns], axis=1) + 0.5) * self.stride
        sides = output[rows, columns, -4:]
        boxes = np.hstack([middle - sides[:, :2], middle + sides[:, 2:]])
        boxes = np.clip(boxes, 0, np.tile(size, 2))
        kept = suppress(boxes, classes, scores)
        return Detection(boxes[kept], classes[kept], scores[kept])

    def answer(self, outputs):
        """Return what was found, by name, and how sure the least certain of it is."""
        names = np.array(self.class_names or range(self.num_classes))
        return [
            (one._replace(classes=names[one.classes]), float(one.scores.min(initial=1)))
            for one in self.decode(outputs)
        ]

    def per_image(self, targets, outputs):
        """Score the boxes of each image: the F-score at an overlap of one half."""
        return box_f_score(as_pairs(self.encode(targets)), self.decode(outputs))

    def also(self, targets, outputs):
        """Return the average precision: AP50 and AP75, and AP50 of each class."""
        truth = as_pairs(self.encode(targets))
        if not any(len(classes) for _, classes in truth):
            return {}
        found = self.decode(outputs, LEAST)
        names = self.class_names or range(self.num_classes)
        half, tight = (average_precision(truth, found, t) for t in (0.5, 0.75))
        means = {
            "AP50": float(np.mean([*half.values()])),
            "AP75": float(np.mean([*tight.values()])),
        }
        return means | {f"AP50 of {names[kind]}": ap for kind, ap in half.items()}


def _as_rows(targets):
    most = max([len(classes) for _, classes in targets] + [1])
    rows = np.full((len(targets), most, 5), -1, "float32")
    for row, (boxes, classes) in zip(rows, targets, strict=True):
        if len(boxes) != len(classes):
            raise ValueError(
                f"Each box has a class, but got {len(boxes)} boxes and {len(classes)} "
                "classes."
            )
        if len(boxes):
            row[: len(boxes), :4], row[: len(boxes), 4] = boxes, classes
    return rows


def as_pairs(rows):
    """Turn rows ``(images, boxes, 5)`` into ``(boxes, classes)`` for each image.

    Parameters
    ----------
    rows : array of floats
        ``y0, x0, y1, x1, class``; rows of -1 are none.

    Returns
    -------
    list of tuples
        As ``ct.average_precision`` takes them.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.detection import as_pairs
    >>> boxes, classes = as_pairs(np.array([[[0, 0, 9, 9, 7], [-1] * 5]]))[0]
    >>> boxes.tolist(), classes.tolist()
    ([[0, 0, 9, 9]], [7])
    """
    real = [row[row[:, 4] >= 0] for row in np.asarray(rows)]
    return [(row[:, :4], row[:, 4].astype(int)) for row in real]


def suppress(boxes, classes, scores, overlap=OVERLAP):
    """Keep the best of several boxes around the same thing.

    Parameters
    ----------
    boxes, classes, scores : array
        ``(things, 4)``, ``(things,)`` and ``(things,)``.
    overlap : float
        Two boxes of one class that overlap by more are one thing.

    Returns
    -------
    array of int
        The indices of those that are kept, the highest score first.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.detection import suppress
    >>> boxes = np.array([[0, 0, 9, 9], [0, 1, 9, 9], [20, 20, 29, 29]])
    >>> suppress(boxes, np.array([7, 7, 7]), np.array([0.8, 0.9, 0.5])).tolist()
    [1, 2]
    """
    order, kept = np.argsort(-scores, kind="stable"), []
    same = (box_iou(boxes, boxes) > overlap) & (classes[:, None] == classes)
    while len(order):
        kept.append(order[0])
        order = order[~same[order[0], order]]
    return np.array(kept, int)


def build_detector(
    input_shape,
    num_classes=None,
    *,
    filters=(16, 32, 64),
    units=32,
    recurrence="lstm",
    dropout=0.0,
    learning_rate=3e-3,
):
    """Build a CRNN that draws boxes around things.

    Parameters
    ----------
    input_shape : tuple of int, or Dataset
        ``(height, width, channels)``; height and width may be None: any size. A dataset
        says this, the number of classes, and what they are called.
    num_classes : int
        At least 1; None for a dataset.
    filters : sequence of int
        One block of convolution and pooling for each number, at least two.
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
        Images -> a map of classes and sides; `detect` turns it into boxes.

    Raises
    ------
    ValueError
        If an argument makes no sense, or the image is too small for the blocks.

    References
    ----------
    Tian et al., 2019, "FCOS", arXiv:1904.01355, without its pyramid and centerness.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.build_detector((64, 64, 1), num_classes=10).output_shape
    (None, 16, 16, 14)
    """
    if len(filters) < 2:
        raise ValueError(f"A detector has two blocks at least, but got {filters!r}.")
    image, features, count, names = begin_with_patches(
        input_shape, num_classes, filters, units, recurrence
    )
    head = Detect(check_count("num_classes", count), class_names=names)
    return assemble(image, features, head, dropout, learning_rate)


def detect(model, images, threshold=0.5):
    """Find things in images.

    Parameters
    ----------
    model : keras.Model
        From `build_detector`, trained.
    images : array of floats
        ``(images, height, width, channels)`` in [0, 1].
    threshold : float
        The least probability of what is returned, in [0, 1). For
        ``ct.average_precision`` take a low one, such as 0.05.

    Returns
    -------
    list of Detection
        One for each image: ``boxes, classes, scores``, the highest score first.

    Raises
    ------
    ValueError
        If the model finds no boxes, or there are no images.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> model = ct.build_detector((64, 64, 1), num_classes=10)  # not trained
    >>> len(ct.detect(model, np.zeros((2, 64, 64, 1)))[0].boxes)
    0
    """
    head = heads.of(model)
    if not isinstance(head, Detect):
        raise ValueError("The model finds no boxes: build it with ct.build_detector.")
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold lies in [0, 1), but got {threshold}.")
    images = check_images(images)
    outputs = model.predict(images, verbose=0)
    return head.decode(outputs, threshold, images.shape[1:3])
