"""What every layer of a model makes of one image, in numbers and in words."""

from typing import NamedTuple

import keras
import numpy as np
from scipy import special

from crnn_tutorial.network.layers import MapToSequence, ScanRows

# Layers that change numbers but neither shape nor meaning share a row of the table.
SMALL = ("Normalization", "Activation", "ReLU", "Dropout", "KeepColumns", "Rescaling")

RECURRENT = (keras.layers.RNN, keras.layers.Bidirectional)


class Station(NamedTuple):
    """One row of the table: the layers, the shape they leave, what it means."""

    layer: str
    shape: tuple
    meaning: str


class Values:
    """What every layer makes of the image, and where time runs."""

    def __init__(self, model, image):
        self.image, self.inputs = image, model.inputs
        self.layers = [layer for layer in model.layers if _is_followed(layer)]
        outputs = [layer.output for layer in self.layers]
        arrays = keras.Model(model.inputs[0], outputs)(image[None], training=False)
        arrays = arrays if isinstance(arrays, list | tuple) else [arrays]
        self.arrays = [keras.ops.convert_to_numpy(a)[0] for a in arrays]
        ranks = [a.ndim for a in self.arrays]
        # The first sequence, if no vector came before it.
        self.joint = next((i for i, rank in enumerate(ranks) if rank <= 2), None)
        if self.joint is not None and ranks[self.joint] == 1:
            self.joint = None
        self.time = None if self.joint is None else self._find_time()

    @property
    def name(self):
        """What the input is called; Keras' own names count on and on."""
        return "clip" if self.image.ndim == 4 else "image"

    @property
    def steps(self):
        """Number of steps of the sequence, 0 if there is none."""
        return 0 if self.joint is None else len(self.arrays[self.joint])

    @property
    def aligned(self):
        """Whether the last output still has the steps of the sequence."""
        return self.steps > 0 and all(array.ndim > 1 for array in self.arrays)

    def _find_time(self):
        """Tell which axis of the map became the steps, by sending numbers through."""
        joint = self.layers[self.joint]
        if isinstance(joint, MapToSequence):
            return joint.along
        before = [
            layer.output
            for layer, array in zip(
                self.layers, self.arrays[: self.joint], strict=False
            )
            if array.ndim >= 3 and not only_rearranges(layer)
        ]
        source = before[-1] if before else self.inputs[0]
        steps = self.steps
        shape = self._shape_of(source)
        axes = {"frames": 0} if len(shape) == 4 else {"width": 1, "height": 0}
        for name, axis in axes.items():
            if steps == shape[axis] > 1:
                counted = np.expand_dims(
                    np.arange(steps), [k for k in range(len(shape)) if k != axis]
                )
                probe = np.broadcast_to(counted, shape).astype("float32")[None]
                try:
                    found = keras.Model(source, joint.output)(probe, training=False)
                except (ValueError, KeyError):  # the joint needs more than the map
                    continue
                found = keras.ops.convert_to_numpy(found)[0]
                if np.allclose(found, np.indices(found.shape)[0]):
                    return name
        return "one step" if steps == 1 else "mixed"

    def _shape_of(self, tensor):
        outputs = [layer.output for layer in self.layers]
        found = [a for t, a in zip(outputs, self.arrays, strict=True) if t is tensor]
        return found[0].shape if found else self.image.shape

    def table(self):
        """List every layer with its shape and meaning, small ones in one row."""
        first = "rows x columns x channels, pixels in [0, 1]"
        if self.image.ndim == 4:
            first = "frames x " + first
        rows = [Station(self.name, self.image.shape, first)]
        for k, (layer, array) in enumerate(zip(self.layers, self.arrays, strict=True)):
            small = is_small(layer)
            last = k == len(self.layers) - 1
            if small and k and not last and rows[-1].shape == array.shape:
                names = f"{rows[-1].layer}, {layer.name}"
                rows[-1] = rows[-1]._replace(layer=names)
            else:
                meaning = answer_of(array, self.aligned)[2] if last else self.meaning(k)
                rows.append(Station(layer.name, array.shape, meaning))
        return rows

    def meaning(self, k):
        """Say what the numbers after layer ``k`` are."""
        layer, shape = self.layers[k], self.arrays[k].shape
        inner = layer.layer if isinstance(layer, keras.layers.Wrapper) else layer
        kind = type(inner).__name__
        each = "in each frame, " if len(shape) == 4 else ""
        if k == self.joint:
            return _TIME[self.time]
        if isinstance(layer, ScanRows):
            return f"at each place, states of a scan along the {layer.along}"
        if isinstance(layer, RECURRENT):
            return _states(layer, shape)
        for word, meaning in _MEANINGS.items():
            if word in kind:
                return each + meaning
        return each + {1: "a vector", 2: "one vector for each step"}.get(
            len(shape), "a map: rows x columns x channels"
        )


_TIME = {
    "width": "each column is one step, from left to right",
    "height": "each row is one step, from top to bottom",
    "frames": "each frame is one step",
    "one step": "everything in one step: no sequence, nothing to remember",
    "mixed": "steps that are neither columns nor rows",
}

_MEANINGS = {
    "Conv2D": "at each place, how well each kernel fits",
    "Conv1D": "each step with its neighbours",
    "GlobalAveragePooling2D": "the mean over all places",
    "GlobalAverage": "the mean over all steps",
    "GlobalMaxPooling2D": "the largest over all places",
    "GlobalMax": "the largest over all steps",
    "MaxPooling": "the strongest answer of each window",
    "AveragePooling": "the mean of each window",
    "Flatten": "all numbers in one row",
    "Reshape": "the same numbers in another shape",
    "Permute": "the same numbers, axes in another order",
    "Attention": "each step after a look at all others",
    "KeepColumns": "padded columns set to 0",
    "Normalization": "shifted and scaled",
}


def _is_followed(layer):
    """Tell layers on the image's way from inputs, masks and what was never called."""
    try:
        output = layer.output
    except (AttributeError, ValueError):
        return False
    ordinary = hasattr(output, "dtype") and len(output.shape) in (2, 3, 4, 5)
    if isinstance(layer, keras.layers.InputLayer) or not ordinary:
        return False
    return output.dtype != "bool"


def is_small(layer):
    """Whether a layer shares the row of the one before."""
    return any(word in type(layer).__name__ for word in SMALL)


def only_rearranges(layer):
    """Whether a layer moves numbers and changes none."""
    return type(layer).__name__ in ("Permute", "Reshape", "Flatten")


def two_ways(layer):
    """Whether half of a layer's states read forward, half backward."""
    is_two = isinstance(layer, keras.layers.Bidirectional)
    return is_two and layer.merge_mode == "concat"


def _states(layer, shape):
    number = f"{shape[-1]} states"
    if two_ways(layer):
        half = shape[-1] // 2
        number = f"{half} states forward, {half} backward"
    when = "at each step" if len(shape) == 2 else "after the last step"
    return f"{when}, {number}"


def answer_of(array, aligned):
    """Return the last output (softmax of logits), what its numbers are, in words."""
    if array.ndim > 2:
        return array, "activation", "a map: rows x columns x channels"
    what = "class"
    if array.ndim == 2:
        what = f"character at each {'step' if aligned else 'position'}"
    ones = np.allclose(array.sum(axis=-1), 1, atol=1e-3)
    if array.min() >= 0 and (ones or (array.shape[-1] == 1 and array.max() <= 1)):
        return array, "probability", f"one probability for each {what}"
    if array.ndim == 1:
        return array, "score", "one score for each class"
    chances = special.softmax(array, axis=-1)
    return chances, "probability (softmax)", f"one score (logit) for each {what}"
