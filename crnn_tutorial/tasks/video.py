"""Builders of compiled models for clips: one frame after the other, or all at once."""

import numbers

import keras
from keras import layers

from crnn_tutorial.network import backbones
from crnn_tutorial.network.assemble import assemble, begin, check_filters
from crnn_tutorial.network.heads import Features
from crnn_tutorial.network.masks import CHANNELS_LAST, FrameMask
from crnn_tutorial.tasks.classification import Classify, convolve

CLIP = {"frames": 8, "height": 16, "width": 32, "channels": 1}

FEATURES = {"frames": 8, "features": 64}


def build_video_classifier(
    input_shape,
    num_classes=None,
    *,
    filters=None,
    units=32,
    recurrence="lstm",
    dropout=0.0,
    learning_rate=1e-3,
):
    """Build a CRNN that classifies clips: convolutions in each frame, LSTM over frames.

    Clips of different lengths go into one array when the short ones are padded with
    frames of -1 at the end: these change neither the loss nor the answer.
    ``keras.utils.pad_sequences(clips, padding="post", value=-1, dtype="float32")`` does
    it with a list of arrays.

    Parameters
    ----------
    input_shape : tuple of int or None
        ``(frames, height, width, channels)``; None frames take clips of any length. Or
        ``(frames, features)``: what another network has computed of each frame, and no
        convolutions here.
    num_classes : int
        At least 2; None for a dataset, which is given in place of the shape.
    filters : sequence of int, optional
        One block of convolution and pooling for each number. By default as in
        `build_crnn_model`.
    units : int
        Size of the recurrent state in each direction.
    recurrence : str
        As in `build_crnn_model`; ``"order_blind"`` is the average over the frames. Or
        ``"conv_lstm"``: an LSTM whose products are convolutions, before the map of each
        frame is averaged (not on JAX, where Keras has no mask for it).
    dropout, learning_rate : float
        As in `build_crnn_model`.

    Returns
    -------
    keras.Model
        Compiled; clips ``(batch, frames, height, width, channels)`` in [0, 1], or
        features ``(batch, frames, features)``, to probabilities ``(batch,
        num_classes)``.

    Raises
    ------
    ValueError
        If the shape is no clip's, the frames are too small for the pooling layers, or
        features come with filters or ``"conv_lstm"``, or that is asked for on JAX.

    References
    ----------
    Donahue et al., 2014, arXiv:1411.4389; X. Shi et al., 2015, arXiv:1506.04214.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.build_video_classifier((8, 16, 32, 1), num_classes=2).output_shape
    (None, 2)
    >>> any_length = ct.build_video_classifier((None, 64), num_classes=2)  # features
    >>> any_length.input_shape
    (None, None, 64)
    """
    examples = CLIP, FEATURES
    inputs, *classes = begin(input_shape, num_classes, *examples, free=("frames",))
    head = Classify(*classes)
    mask = FrameMask(name="real_frames")(inputs)
    if len(inputs.shape) == 3:
        _check_computed(filters, recurrence)
        steps = backbones.connect_steps(inputs, recurrence, units, mask)
        features = Features(steps, mask)
    else:
        _check_backend(recurrence)
        filters = check_filters(filters, *inputs.shape[2:4])
        features = backbones.frames(inputs, filters, units, recurrence, mask)
    return assemble(inputs, features, head, dropout, learning_rate)


def build_video_cnn(
    input_shape,
    num_classes=None,
    *,
    frame=None,
    filters=None,
    units=64,
    dropout=0.0,
    learning_rate=1e-3,
):
    """Build a plain CNN for clips, which takes all frames as channels of one picture.

    Two controls of the CRNN in one: all frames at once, or a single one. Nothing
    recurs. It is `build_cnn_model` behind two layers that only move numbers.

    Parameters
    ----------
    input_shape : tuple of int
        ``(frames, height, width, channels)``.
    num_classes : int
        At least 2; None for a dataset, which is given in place of the shape.
    frame : int, optional
        See this frame only, from 0 to ``frames - 1``.
    filters, units, dropout, learning_rate
        As in `build_cnn_model`.

    Returns
    -------
    keras.Model
        Compiled; clips in [0, 1] to probabilities ``(batch, num_classes)``.

    Raises
    ------
    ValueError
        If the shape is no clip's, it has no such frame, or the frames are too small for
        the pooling layers.

    References
    ----------
    Karpathy et al., 2014, "Large-scale video classification with convolutional neural
    networks" (early fusion; single frame).

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> stacked = ct.build_video_cnn((8, 16, 32, 1), num_classes=2)
    >>> stacked.input_shape
    (None, 8, 16, 32, 1)
    >>> tuple(int(n) for n in stacked.get_layer("conv_1").kernel.shape)  # 8 channels
    (3, 3, 8, 32)
    """
    inputs, *classes = begin(input_shape, num_classes, CLIP)
    head = Classify(*classes)
    _, frames, height, width, _ = inputs.shape
    filters = check_filters(filters, height, width)
    x = inputs
    if frame is not None:
        _check_frame(frame, frames)
        cut = (frame, frames - 1 - frame), (0, 0), (0, 0)
        x = layers.Cropping3D(cut, name="one_frame", **CHANNELS_LAST)(x)
    x = layers.Permute((2, 3, 1, 4), name="frames_to_channels")(x)
    x = layers.Reshape((height, width, -1), name="picture")(x)
    return assemble(inputs, convolve(x, filters, units), head, dropout, learning_rate)


def _check_backend(recurrence):
    if recurrence == "conv_lstm" and keras.backend.backend() == "jax":
        raise ValueError(
            'On JAX, Keras has no mask for recurrence="conv_lstm": set KERAS_BACKEND '
            "to tensorflow or torch before Keras is imported, or take another one."
        )


def _check_computed(filters, recurrence):
    if filters is not None or recurrence == "conv_lstm":
        what = 'recurrence="conv_lstm"' if filters is None else f"filters={filters!r}"
        raise ValueError(
            f"{what} is for clips of pictures, (frames, height, width, channels), but "
            "input_shape is (frames, features). Leave it out."
        )


def _check_frame(frame, frames):
    if not isinstance(frame, numbers.Integral) or not 0 <= frame < frames:
        raise ValueError(
            f"frame is a whole number from 0 to {frames - 1}, as the clips have "
            f"{frames} frames, but got {frame!r}."
        )
