"""What of an image or a clip is real, and how the padding is kept out of it."""

import math

import keras
from keras import layers, ops

# Images are (height, width, channels) here, whatever Keras is configured to.
CHANNELS_LAST = {"data_format": "channels_last"}

register = keras.saving.register_keras_serializable(package="crnn_tutorial")


def _require_rank(name, shape, rank, what):
    exact = "..." not in what
    if len(shape) < rank or (exact and len(shape) > rank):
        raise ValueError(
            f"{name} expects {what}, that is {'' if exact else 'at least '}{rank} axes,"
            f" but the input has {len(shape)}: {tuple(shape)}."
        )


class _Mask:
    """What layers share that return a mask: its type is bool, whatever came in."""

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="bool")


class _PaddingMask(_Mask):
    """Along one axis, what is -1 throughout is padding."""

    def call(self, inputs):
        _require_rank(type(self).__name__, inputs.shape, *self.takes)
        others = set(range(1, len(inputs.shape))) - {self.axis}
        return ops.any(inputs != -1, axis=tuple(others))

    def compute_output_shape(self, input_shape):
        return input_shape[0], input_shape[self.axis]


@register
class ColumnMask(_PaddingMask, layers.Layer):
    """Tell the real columns of an image from the padded ones.

    A column is padding when each of its pixels is -1: the mark that
    ``ct.load_digit_strings`` and the text recogniser use for "no picture here".

    Returns
    -------
    tensor of bool
        ``(batch, width)``, True where the column is real.

    Raises
    ------
    ValueError
        If the input has no four axes.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.network.masks import ColumnMask
    >>> image = np.zeros((1, 16, 3, 1))
    >>> image[:, :, 2] = -1
    >>> np.array(ColumnMask()(image)).tolist()
    [[True, True, False]]
    """

    axis, takes = 2, (4, "(batch, height, width, channels)")


@register
class FrameMask(_PaddingMask, layers.Layer):
    """Tell the real frames of a clip from the padded ones.

    A frame is padding when each of its numbers is -1. So clips of different lengths fit
    into one array, and a frame of features may hold negative numbers.

    Returns
    -------
    tensor of bool
        ``(batch, frames)``, True where the frame is real.

    Raises
    ------
    ValueError
        If the input has fewer than three axes.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.network.masks import FrameMask
    >>> clip = np.zeros((1, 3, 16, 32, 1))  # (batch, frames, height, width, channels)
    >>> clip[:, 2] = -1
    >>> np.array(FrameMask()(clip)).tolist()
    [[True, True, False]]
    """

    axis, takes = 1, (3, "(batch, frames, ...)")


@register
class PoolMask(_Mask, layers.Layer):
    """Shrink a column mask as a pooling layer shrinks the picture.

    A pooled column is real only when all columns it was made from are real; so a
    padded picture keeps just the columns that the bare picture would have.

    Parameters
    ----------
    pool : int
        Number of columns that the pooling layer joins.

    Returns
    -------
    tensor of bool
        ``(batch, width // pool)``.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.network.masks import PoolMask
    >>> mask = np.array([[True, True, True, False]])
    >>> np.array(PoolMask(2)(mask)).tolist()
    [[True, False]]
    """

    def __init__(self, pool, **kwargs):
        super().__init__(**kwargs)
        self.pool = pool

    def call(self, mask):
        padding = ops.expand_dims(1.0 - ops.cast(mask, "float32"), -1)
        pooled = ops.max_pool(padding, self.pool, self.pool, "valid", **CHANNELS_LAST)
        return ops.squeeze(pooled, -1) < 0.5

    def compute_output_shape(self, input_shape):
        width = input_shape[1]
        return input_shape[0], None if width is None else width // self.pool

    def get_config(self):
        return {**super().get_config(), "pool": self.pool}


@register
class KeepColumns(layers.Layer):
    """Set padded columns to zero, as if the picture ended there.

    ``call(features, columns)``: maps ``(batch, height, width, channels)`` or sequences
    ``(batch, width, channels)``, with the mask of real columns ``(batch, width)``.

    Returns
    -------
    tensor
        The features, zero where the mask is False.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.network.masks import KeepColumns
    >>> sequence, mask = np.ones((1, 3, 1)), np.array([[True, True, False]])
    >>> np.array(KeepColumns()(sequence, mask))[0, :, 0].tolist()
    [1.0, 1.0, 0.0]
    """

    def call(self, features, columns):
        mask = ops.expand_dims(ops.cast(columns, features.dtype), -1)
        if len(features.shape) == 4:
            mask = ops.expand_dims(mask, 1)  # (batch, 1, width, 1)
        return features * mask

    def compute_output_shape(self, features_shape, columns_shape):
        return features_shape


@register
class MaskedNormalization(layers.BatchNormalization):
    """Batch normalisation whose mean and variance leave out the padding.

    ``call(features, real)`` with a map ``(batch, height, width, channels)`` and the
    mask ``(batch, width)`` of its real columns, or a clip ``(batch, frames, height,
    width, channels)`` and the mask ``(batch, frames)`` of its real frames; parameters
    are those of ``keras.layers.BatchNormalization``.

    Returns
    -------
    tensor
        The normalised map or clip, same shape.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.network.masks import MaskedNormalization
    >>> features, columns = np.ones((1, 2, 3, 1)), np.array([[True, True, False]])
    >>> tuple(MaskedNormalization()(features, columns).shape)
    (1, 2, 3, 1)
    """

    def build(self, features_shape, real_shape):
        super().build(features_shape)

    def call(self, features, real, training=None):
        # Keras wants the mask of each position: (batch, height, width) of a map.
        ones = ops.ones_like(features[..., 0], dtype="bool")
        clips = len(features.shape) == 5
        real = ops.expand_dims(real, (2, 3) if clips else 1)
        mask = ops.logical_and(real, ones)
        return super().call(features, training=training, mask=mask)

    def compute_output_shape(self, features_shape, real_shape):
        return features_shape


def pixels_of_a_step(model):
    """Return how many pixel columns the pooling of a reader joins into one step.

    Parameters
    ----------
    model : keras.Model
        From ``ct.build_text_recognizer``; any other has steps of one column.

    Returns
    -------
    int

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.network.masks import pixels_of_a_step
    >>> pixels_of_a_step(ct.build_text_recognizer((16, None, 1), "abc"))
    4
    """
    pools = [layer.pool for layer in model.layers if isinstance(layer, PoolMask)]
    return math.prod(pools)
