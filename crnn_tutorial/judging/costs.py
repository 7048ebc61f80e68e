"""What a model costs, and how much of an image one of its places sees."""

import math

import keras
from keras import layers

from crnn_tutorial.judging.controls import RECURRENT
from crnn_tutorial.network.layers import (
    AttentionOverSteps,
    CharacterLogits,
    MapToSequence,
    PerFrame,
    PositionProbabilities,
    ScanRows,
)


def count_multiplications(model, input_shape=None):
    """Count the multiplications that a model needs for one image.

    Weights times inputs are counted, and attention's products; additions, activations
    and normalisations (a few per cent) are not.

    Parameters
    ----------
    model : keras.Model
        A functional model of the layers that this package uses.
    input_shape : tuple of int, optional
        ``(height, width, channels)`` where the model takes any width.

    Returns
    -------
    int
        Multiplications for one image in the forward pass.

    Raises
    ------
    ValueError
        If a size is unknown, or a layer with weights is of an unknown kind.

    Examples
    --------
    >>> import keras
    >>> import crnn_tutorial as ct
    >>> layer = keras.layers.Conv2D(4, 3, padding="same")
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), layer])
    >>> ct.count_multiplications(model)  # 8 * 8 places, 3 * 3 weights, 4 kernels
    2304
    """
    shape = tuple(model.input_shape[1:] if input_shape is None else input_shape)
    if None in shape:
        raise ValueError(
            f"The model takes images of any size {shape}; pass "
            "input_shape=(height, width, channels) to count for one size."
        )
    # A Sequential model does not list its input layer, a functional one does.
    counted_layers = [x for x in model.layers if not isinstance(x, layers.InputLayer)]
    ends = [(_first(layer.input), layer.output) for layer in counted_layers]
    probe = keras.Model(model.inputs, ends)
    shapes = probe(keras.KerasTensor((1, *shape)))
    return sum(
        _multiplications(layer, before.shape, after.shape)
        for layer, (before, after) in zip(counted_layers, shapes, strict=True)
    )


def _first(tensors):
    return tensors[0] if isinstance(tensors, (list, tuple)) else tensors


def _multiplications(layer, before, after):
    """Of one layer; each rule is (number of places) x (weights used at each place)."""
    if isinstance(layer, PerFrame):
        inner_before, inner_after = (None, *before[2:]), (None, *after[2:])
        return before[1] * _multiplications(layer.layer, inner_before, inner_after)
    if isinstance(layer, ScanRows):
        steps = before[1] * before[2]
        # With a memory, each place begins anew, that many steps before.
        return steps * (layer.memory or 1) * _matrices(layer.recurrence)
    one_direction = getattr(layer, "forward_layer", layer)
    if isinstance(one_direction, RECURRENT):
        return before[1] * _matrices(layer)
    if isinstance(one_direction, layers.ConvLSTM2D) and len(after) == 5:
        return math.prod(after[1:-1]) * _matrices(layer)
    if isinstance(layer, AttentionOverSteps):
        steps, width = before[1], layer.units
        # the projections and the dense layers, then queries x keys, weights x values
        return steps * _matrices(layer) + 2 * steps * steps * width
    if isinstance(layer, (CharacterLogits, PositionProbabilities)):
        return math.prod(before[1:-1]) * _size(layer.dense.kernel)
    if isinstance(layer, (layers.Conv1D, layers.Conv2D, layers.Dense)):
        return math.prod(after[1:-1]) * _size(layer.kernel)
    if any(len(weight.shape) > 1 for weight in layer.weights):
        raise ValueError(
            f"Layer {layer.name!r} is a {type(layer).__name__}, which "
            "count_multiplications does not know. Add a rule for it in "
            "judging/costs.py."
        )
    return 0


def _matrices(layer):
    """Weights that are multiplied with an input: all but biases and vectors."""
    matrices = [weight for weight in layer.weights if len(weight.shape) > 1]
    return sum(_size(weight) for weight in matrices if "bias" not in weight.name)


def _size(weight):
    return math.prod(weight.shape)


def receptive_field(model):
    """Say how many pixels one place of the last feature map can see.

    Only convolution and pooling layers count; a recurrence, attention or a dense layer
    over the flattened map sees everything that reaches it. For clips, it is the field
    inside one frame; convolutions along the columns of an image count for its width.

    Parameters
    ----------
    model : keras.Model
        With Conv2D, Conv1D and MaxPooling2D or AveragePooling2D layers in one line.

    Returns
    -------
    tuple of int
        ``(height, width)`` in pixels; may be larger than the image.

    References
    ----------
    Araujo, Norris and Sim, 2019, "Computing receptive fields of convolutional neural
    networks".

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.receptive_field(ct.build_crnn_model((16, 64, 1), 10, filters=(32, 64)))
    (10, 10)
    """
    field, step = [1, 1], [1, 1]
    axes = ()  # of the image, along which the steps of a sequence move
    for layer in model.layers:
        layer = layer.layer if isinstance(layer, PerFrame) else layer
        if isinstance(layer, MapToSequence):
            axes = (("height", "width").index(layer.along),)
        for axis, window, stride in _windows(layer, axes):
            field[axis] += (window - 1) * step[axis]
            step[axis] *= stride
    return tuple(field)


def _windows(layer, axes):
    """Of one layer: the axes along which it looks around, its reach, its stride."""
    if isinstance(layer, layers.Conv1D):
        pass
    elif isinstance(layer, layers.Conv2D):
        axes = (0, 1)
    elif isinstance(layer, (layers.MaxPooling2D, layers.AveragePooling2D)):
        return list(zip((0, 1), layer.pool_size, layer.strides, strict=True))
    else:
        return []
    sizes = zip(layer.kernel_size, layer.dilation_rate, strict=True)
    reaches = [(size - 1) * dilation + 1 for size, dilation in sizes]
    # Along the frames of a clip there is no axis of the image: nothing to count.
    return list(zip(axes, reaches, layer.strides, strict=bool(axes)))
