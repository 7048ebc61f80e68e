"""Every registered Keras layer of the package.

All of them work on any backend and for any image size. They are registered under
the package name ``crnn_tutorial``; importing this module is enough for
``keras.models.load_model`` to find them and the metrics of the readers again.
"""

import math

import keras
from keras import layers, ops

from crnn_tutorial.metrics import keras_text  # noqa: F401 (registers the metrics)
from crnn_tutorial.network.masks import _require_rank, register


def _checked_direction(along):
    if along not in ("width", "height"):
        raise ValueError(f'along is "width" or "height", not {along!r}.')
    return along


@register
class MapToSequence(layers.Layer):
    """Cut a feature map into a sequence: one step for each column (or row).

    A convolution returns a *map* with four axes, a recurrent layer wants a
    *sequence* with three. At each column, this layer stacks the features of all
    rows into one vector. No number is changed, and it has no weights.

    Parameters
    ----------
    along : {"width", "height"}
        The axis of the image that becomes time. ``"width"`` reads columns from left
        to right, ``"height"`` reads rows from top to bottom.

    Returns
    -------
    tensor
        ``(batch, width, height * channels)`` for ``along="width"``,
        ``(batch, height, width * channels)`` for ``along="height"``.

    Raises
    ------
    ValueError
        If ``along`` is another word, or the input has no four axes.

    References
    ----------
    Shi, Bai and Yao, 2015, section 2.2 ("Map-to-Sequence").

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.network.layers import MapToSequence
    >>> features = np.zeros((1, 4, 16, 32))  # (batch, height, width, channels)
    >>> tuple(MapToSequence()(features).shape)
    (1, 16, 128)
    """

    def __init__(self, along="width", **kwargs):
        super().__init__(**kwargs)
        self.along = _checked_direction(along)

    def call(self, features):
        _require_rank(
            "MapToSequence", features.shape, 4, "(batch, height, width, channels)"
        )
        if self.along == "width":
            # The step has to become the second axis *before* the reshape:
            # a reshape alone would mix the columns.
            features = ops.transpose(features, (0, 2, 1, 3))
        batch, steps = ops.shape(features)[:2]  # (batch, steps, other axis, channels)
        size = features.shape[2] * features.shape[3]
        return ops.reshape(features, (batch, steps, size))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        if self.along == "width":
            return batch, width, None if height is None else height * channels
        return batch, height, None if width is None else width * channels

    def get_config(self):
        return {**super().get_config(), "along": self.along}


@register
class ScanRows(layers.Layer):
    """Run a bidirectional recurrence along one axis of a map, at each line alone.

    Two of them, one along the width and one along the height, let each place of a
    map depend on every other place.

    Parameters
    ----------
    units : int
        Size of the recurrent state in each direction, at least 1.
    along : {"width", "height"}
        The direction in which the recurrence moves.
    memory : int, optional
        After training each place hears of so many places at most, itself among them, on
        each side. Trained on lines no longer than that, the layer then meets what it
        was trained on in a map of any size, and what lies farther has no effect at all.
        By default there is no end to it.

    Returns
    -------
    tensor
        ``(batch, height, width, 2 * units)``.

    Raises
    ------
    ValueError
        If ``along`` is another word, or the input has no four axes.

    References
    ----------
    Visin et al., 2015, "ReNet", arXiv:1505.00393.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.network.layers import ScanRows
    >>> features = np.zeros((1, 4, 6, 8))  # (batch, height, width, channels)
    >>> tuple(ScanRows(units=5)(features).shape)
    (1, 4, 6, 10)
    """

    def __init__(self, units, along="width", memory=None, **kwargs):
        super().__init__(**kwargs)
        self.units, self.along = units, _checked_direction(along)
        self.memory = memory
        cell = layers.LSTM(units, return_sequences=True)
        self.recurrence = layers.Bidirectional(cell)
        # While Keras loads a model, it tells layers apart by their address. This cell's
        # must not be given to that of the next ScanRows, or the two share weights.
        self._keep_alive = lambda: cell

    def build(self, input_shape):
        _require_rank("ScanRows", input_shape, 4, "(batch, height, width, channels)")
        self.recurrence.build((None, None, input_shape[-1]))

    def call(self, features, training=None):
        if self.along == "height":
            features = ops.swapaxes(features, 1, 2)
        batch, lines, steps, channels = ops.shape(features)
        lines_as_batch = ops.reshape(features, (batch * lines, steps, channels))
        if self.memory is None or training:
            states = self.recurrence(lines_as_batch)
        else:
            both = self.recurrence.forward_layer, self.recurrence.backward_layer
            states = [self._scan_windows(lines_as_batch, one) for one in both]
            states = ops.concatenate(states, axis=-1)
        # (batch * lines, steps, 2 * units)
        states = ops.reshape(states, (batch, lines, steps, 2 * self.units))
        return ops.swapaxes(states, 1, 2) if self.along == "height" else states

    def _scan_windows(self, lines, layer):
        """Let one direction run over the window that ends at each place by itself."""
        count, steps, channels = ops.shape(lines)
        window = ops.arange(self.memory)
        if not layer.go_backwards:
            window = window - (self.memory - 1)
        places = ops.arange(steps)[:, None] + window  # (steps, memory)
        there = (places >= 0) & (places < steps)
        near = ops.take(lines, ops.clip(places, 0, steps - 1), axis=1)
        near = ops.reshape(near, (count * steps, self.memory, channels))
        mask = ops.tile(there, (count, 1))
        states = layer(near, mask=mask)[:, -1]  # in the order in which it moves
        return ops.reshape(states, (count, steps, self.units))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2 * self.units)

    def get_config(self):
        own = {"units": self.units, "along": self.along, "memory": self.memory}
        return {**super().get_config(), **own}


@register
class PerFrame(layers.Wrapper):
    """Apply a layer to each frame of a clip, with the same weights.

    All frames go through the layer as one large batch, which is many times faster
    than one frame after the other.

    Parameters
    ----------
    layer : keras.Layer
        A layer for pictures: ``(batch, height, width, channels)`` -> anything.

    Returns
    -------
    tensor
        ``(batch, frames, ...)``, where ``...`` is what ``layer`` returns.

    Raises
    ------
    ValueError
        If the input has fewer than three axes.

    Examples
    --------
    >>> import keras, numpy as np
    >>> from crnn_tutorial.network.layers import PerFrame
    >>> clip = np.zeros((2, 8, 16, 32, 1))  # (batch, frames, height, width, channels)
    >>> pool = PerFrame(keras.layers.MaxPooling2D(2))
    >>> tuple(pool(clip).shape)
    (2, 8, 8, 16, 1)
    """

    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        self.supports_masking = True  # a padded frame stays one

    def build(self, input_shape):
        _require_rank("PerFrame", input_shape, 3, "(batch, frames, ...)")
        if not self.layer.built:
            self.layer.build((None, *input_shape[2:]))
            self.layer.built = True
        self.built = True

    def call(self, clip, training=None):
        batch, frames = ops.shape(clip)[:2]
        pictures = ops.reshape(clip, (batch * frames, *ops.shape(clip)[2:]))
        features = self.layer(pictures)  # Keras hands on whether this is training
        return ops.reshape(features, (batch, frames, *ops.shape(features)[1:]))

    def compute_output_shape(self, input_shape):
        inner = self.layer.compute_output_shape((None, *input_shape[2:]))
        return (*input_shape[:2], *inner[1:])


@register
class OverPlaces(layers.Wrapper):
    """Apply a layer for sequences to the places of a map, row by row.

    Parameters
    ----------
    layer : keras.Layer
        A layer for sequences: ``(batch, steps, channels)`` -> the same with other
        channels.

    Returns
    -------
    tensor
        ``(batch, rows, columns, ...)``, where ``...`` is what ``layer`` returns.

    Examples
    --------
    >>> import keras, numpy as np
    >>> from crnn_tutorial.network.layers import OverPlaces
    >>> scan = OverPlaces(keras.layers.LSTM(5, return_sequences=True))
    >>> tuple(scan(np.zeros((1, 4, 6, 8))).shape)
    (1, 4, 6, 5)
    """

    def build(self, input_shape):
        _require_rank("OverPlaces", input_shape, 4, "(batch, rows, columns, channels)")
        if not self.layer.built:
            self.layer.build((None, None, input_shape[-1]))
            self.layer.built = True
        self.built = True

    def call(self, features):
        batch, rows, columns, channels = ops.shape(features)
        steps = ops.reshape(features, (batch, rows * columns, channels))
        x = self.layer(steps)
        return ops.reshape(x, (batch, rows, columns, x.shape[-1]))

    def compute_output_shape(self, input_shape):
        inner = self.layer.compute_output_shape((None, None, input_shape[-1]))
        return (*input_shape[:3], inner[-1])


@register
class ResizeLike(layers.Layer):
    """Enlarge or shrink a map to the size of another one, linearly between its places.

    ``keras.ops.image.resize`` does the same, but not on TensorFlow for sizes that are
    known only when an image comes.

    Returns
    -------
    tensor
        ``(batch, height, width, channels)``: the size of the second input, the channels
        of the first.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.network.layers import ResizeLike
    >>> small, large = np.reshape([0.0, 1.0], (1, 1, 2, 1)), np.zeros((1, 1, 4, 3))
    >>> np.ravel(ResizeLike()(small, large)).tolist()
    [0.0, 0.25, 0.75, 1.0]
    """

    def call(self, features, like):
        return resize_like(features, like)

    def compute_output_shape(self, features_shape, like_shape):
        return (*like_shape[:3], features_shape[-1])


def resize_like(features, like):
    """Return a map at the height and width of another, linearly between its places."""
    for axis, product in ((1, "ij,bjwc->biwc"), (2, "ij,bhjc->bhic")):
        old, new = ops.shape(features)[axis], ops.shape(like)[axis]
        ratio = ops.cast(old, "float32") / ops.cast(new, "float32")
        # The middle of each new place, in old ones: it shares the two nearest.
        where = (ops.arange(new, dtype="float32") + 0.5) * ratio - 0.5
        where = ops.clip(where, 0.0, ops.cast(old - 1, "float32"))
        apart = ops.abs(where[:, None] - ops.arange(old, dtype="float32"))
        shares = ops.cast(ops.relu(1.0 - apart), features.dtype)  # (new, old)
        features = ops.einsum(product, shares, features)
    return features


@register
class AttentionOverSteps(layers.Layer):
    """One transformer block over a sequence: each step looks at all others.

    It is the twin of a bidirectional LSTM with the same output size: what a reader
    would put in its place today. Positions enter as sines, so that any length works.

    Parameters
    ----------
    units : int
        Size of each step's output, a multiple of ``heads``.
    heads : int
        Number of attention heads.

    Returns
    -------
    tensor
        ``(batch, steps, units)``.

    Raises
    ------
    ValueError
        If ``units`` is no multiple of ``heads``.

    References
    ----------
    Vaswani et al., 2017, "Attention is all you need", arXiv:1706.03762.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.network.layers import AttentionOverSteps
    >>> sequence = np.zeros((1, 16, 128))  # (batch, steps, features)
    >>> tuple(AttentionOverSteps(units=64)(sequence).shape)
    (1, 16, 64)
    """

    def __init__(self, units, heads=2, **kwargs):
        super().__init__(**kwargs)
        if units % heads:
            raise ValueError(
                f"units must be a multiple of heads ({heads}), but units is {units}."
            )
        self.supports_masking = True
        self.units, self.heads = units, heads
        self.project = layers.Dense(units)
        self.attention = layers.MultiHeadAttention(heads, units // heads)
        self.norm_1 = layers.LayerNormalization()
        self.expand = layers.Dense(2 * units, activation="relu")
        self.contract = layers.Dense(units)
        self.norm_2 = layers.LayerNormalization()

    def build(self, input_shape):
        inner = (None, None, self.units)
        self.project.build(input_shape)
        self.attention.build(inner, inner)
        for layer in (self.norm_1, self.expand, self.norm_2):
            layer.build(inner)
        self.contract.build((None, None, 2 * self.units))

    def _positions(self, steps):
        half = self.units // 2 + self.units % 2
        rates = ops.exp(-math.log(10_000) * ops.arange(half, dtype="float32") / half)
        angles = ops.arange(steps, dtype="float32")[:, None] * rates  # (steps, half)
        waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
        waves = ops.cast(waves, self.compute_dtype)
        return waves[None, :, : self.units]  # (1, steps, units)

    def call(self, sequence, mask=None):
        x = self.project(sequence)  # (batch, steps, units)
        x = x + self._positions(ops.shape(x)[1])
        if mask is not None:
            mask = ops.expand_dims(mask, 1)  # (batch, 1, steps): keys to see
        x = self.norm_1(x + self.attention(x, x, attention_mask=mask))
        return self.norm_2(x + self.contract(self.expand(x)))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "heads": self.heads}


@register
class ClassProbabilities(layers.Dense):
    """A softmax that knows what its classes are called.

    The names travel inside the layer, so a saved classifier answers with words.

    Parameters
    ----------
    class_names : sequence of str
        One for each class.

    Returns
    -------
    tensor
        Probabilities ``(batch, classes)``.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.network.layers import ClassProbabilities
    >>> layer = ClassProbabilities(["cat", "dog"])
    >>> tuple(layer(np.ones((3, 8))).shape), layer.class_names
    ((3, 2), ('cat', 'dog'))
    """

    def __init__(self, class_names, **kwargs):
        own = {"units": len(class_names), "activation": "softmax"}
        super().__init__(**{**kwargs, **own})
        self.class_names = tuple(map(str, class_names))

    def get_config(self):
        return {**super().get_config(), "class_names": list(self.class_names)}


@register
class CharacterLogits(layers.Layer):
    """Score each character at each step; padded steps can only say "blank".

    The alphabet travels inside the layer, so a saved reader knows its letters.

    Parameters
    ----------
    characters : str
        The alphabet, each character once. Class 0 is CTC's blank, class ``k`` is
        ``characters[k - 1]``. ``call(sequence, steps)`` takes the mask of real steps.

    Returns
    -------
    tensor
        Logits ``(batch, steps, len(characters) + 1)``.

    References
    ----------
    Graves et al., 2006, "Connectionist temporal classification".

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.network.layers import CharacterLogits
    >>> steps, mask = np.ones((1, 3, 8)), np.array([[True, True, False]])
    >>> logits = CharacterLogits("0123456789")(steps, mask)
    >>> tuple(logits.shape), int(np.argmax(logits[0, 2]))
    ((1, 3, 11), 0)
    """

    def __init__(self, characters, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.characters = characters
        self.dense = layers.Dense(len(characters) + 1)

    def compute_mask(self, inputs, previous_mask=None):
        return None  # padded steps say "blank": from here on nothing is masked

    def build(self, sequence_shape, steps_shape):
        self.dense.build(sequence_shape)

    def call(self, sequence, steps):
        logits = self.dense(sequence)  # (batch, steps, classes)
        # Half precision has no number as low as that of a padded step.
        dtype = keras.backend.result_type(logits.dtype, "float32")
        logits = ops.cast(logits, dtype)
        # log softmax of this row is 0 for blank and hugely negative for the rest:
        # a padded step adds nothing to the loss.
        classes = ops.arange(len(self.characters) + 1)
        only_blank = ops.cast(ops.where(classes == 0, 0.0, -1e9), dtype)
        return ops.where(ops.expand_dims(steps, -1), logits, only_blank)

    def compute_output_shape(self, sequence_shape, steps_shape):
        return (*sequence_shape[:-1], len(self.characters) + 1)

    def get_config(self):
        return {**super().get_config(), "characters": self.characters}


@register
class PositionProbabilities(layers.Layer):
    """A fixed number of answers from one vector: one softmax for each position.

    The control of the text chapters: a reader without CTC has to decide beforehand
    how many characters there can be.

    Parameters
    ----------
    characters : str
        The alphabet. Class 0 means "no character here".
    positions : int
        The number of characters that can be read, at least 1.

    Returns
    -------
    tensor
        Probabilities ``(batch, positions, len(characters) + 1)``.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.network.layers import PositionProbabilities
    >>> layer = PositionProbabilities("0123456789", positions=4)
    >>> tuple(layer(np.ones((1, 20))).shape)
    (1, 4, 11)
    """

    def __init__(self, characters, positions, **kwargs):
        super().__init__(**kwargs)
        self.characters, self.positions = characters, positions
        self.dense = layers.Dense(positions * (len(characters) + 1))

    def build(self, input_shape):
        self.dense.build(input_shape)

    def call(self, vectors):
        scores = self.dense(vectors)  # (batch, positions * classes)
        shape = (ops.shape(vectors)[0], self.positions, len(self.characters) + 1)
        return ops.softmax(ops.reshape(scores, shape), axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape[0], self.positions, len(self.characters) + 1

    def get_config(self):
        own = {"characters": self.characters, "positions": self.positions}
        return {**super().get_config(), **own}
