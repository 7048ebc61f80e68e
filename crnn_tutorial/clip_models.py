"""Builders of compiled models for clips: one frame after the other."""

import keras

from crnn_tutorial import backbones, heads
from crnn_tutorial.models import _assemble, _check_filters, _check_shape

CLIP = {"frames": 8, "height": 16, "width": 32, "channels": 1}


def build_video_classifier(
    input_shape,
    num_classes,
    *,
    filters=(16, 32),
    units=32,
    recurrence="lstm",
    dropout=0.0,
    learning_rate=1e-3,
):
    """Build a CRNN that classifies clips: convolutions in each frame, LSTM over frames.

    Parameters
    ----------
    input_shape : tuple of int or None
        ``(frames, height, width, channels)``; None frames take clips of any length.
    num_classes : int
        At least 2.
    filters : sequence of int
        One block of convolution and pooling for each number.
    units : int
        Size of the recurrent state in each direction.
    recurrence : str
        As in `build_crnn_model`.
    dropout, learning_rate : float
        As in `build_crnn_model`.

    Returns
    -------
    keras.Model
        Compiled; clips ``(batch, frames, height, width, channels)`` in [0, 1] to
        probabilities ``(batch, num_classes)``.

    Raises
    ------
    ValueError
        If the shape is no clip's, or the frames are too small for the pooling layers.

    References
    ----------
    Donahue et al., 2014, arXiv:1411.4389.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.build_video_classifier((8, 16, 32, 1), num_classes=2).output_shape
    (None, 2)
    """
    shape = _check_shape(input_shape, CLIP, free="frames")
    filters = _check_filters(filters, *shape[1:3])
    inputs = keras.Input(shape, name="clip")
    features = backbones.frames(inputs, filters, units, recurrence)
    return _assemble(
        inputs, features, heads.Classify(num_classes), dropout, learning_rate
    )
