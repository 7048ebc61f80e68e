"""What to beat first: methods that need no training loop."""

import math

import numpy as np
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from crnn_tutorial.network.assemble import check_shape
from crnn_tutorial.tasks.video import CLIP, FEATURES


def nearest_class_mean(input_shape):
    """Make a classifier that averages a clip over time and finds the nearest class.

    Each clip becomes the mean of its real frames, each class the mean of its clips. It
    cannot know any order, and with good features it is hard to beat: try it first.

    Parameters
    ----------
    input_shape : tuple of int or None
        ``(frames, features)``, or ``(frames, height, width, channels)`` for the pixels
        themselves; the number of frames may be None. Frames of -1 are padding.

    Returns
    -------
    sklearn.pipeline.Pipeline
        For ``fit`` with clips flattened to ``(clips, numbers)``, as
        `train_and_evaluate` and `evaluate` hand them over.

    Raises
    ------
    ValueError
        If the shape is no clip's. When used: if the numbers do not make whole frames,
        or a clip has no real frame.

    References
    ----------
    T. Mensink et al., "Distance-based image classification", 2013 (nearest class mean).
    scikit-learn's ``NearestCentroid`` does the work.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> rng = np.random.default_rng(0)
    >>> targets = np.arange(40) % 2
    >>> features = rng.normal(size=(40, 8, 5)) + targets[:, None, None]
    >>> split = ct.Split(features.astype("float32"), targets)
    >>> baseline = ct.nearest_class_mean((8, 5)).fit(features.reshape(40, -1), targets)
    >>> ct.evaluate(baseline, split).score > 0.9
    True
    """
    computed = isinstance(input_shape, (tuple, list)) and len(input_shape) == 2
    shape = check_shape(input_shape, FEATURES if computed else CLIP, free=("frames",))
    average = FunctionTransformer(_time_average, kw_args={"numbers": shape[1:]})
    return make_pipeline(average, NearestCentroid())


def _time_average(clips, numbers):
    """Mean over the real frames: ``(clips, frames * n)`` -> ``(clips, n)``."""
    clips, size = np.asarray(clips, float), math.prod(numbers)
    if clips.ndim != 2 or clips.shape[1] % size:
        raise ValueError(
            f"Expected clips flattened to whole frames of {size:,} numbers, but got an "
            f"array of shape {clips.shape}."
        )
    frames = clips.reshape(len(clips), -1, size)
    real = (frames != -1).any(axis=2, keepdims=True)
    if not real.any(axis=1).all():
        empty = np.flatnonzero(~real.any(axis=(1, 2)))
        raise ValueError(f"Clip {empty[0]} has no real frame: all are padding, -1.")
    return frames.mean(axis=1, where=real)
