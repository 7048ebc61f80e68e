"""What every layer of a model makes of one image, in numbers and in words."""

from typing import NamedTuple

import keras
import numpy as np
from scipy import special

from crnn_tutorial.figures.images import output_of
from crnn_tutorial.network.layers import MapToSequence, ScanRows

# Layers that change numbers but neither shape nor meaning share a row of the table.
SMALL = ("Normalization", "Activation", "ReLU", "Dropout", "KeepColumns", "Rescaling")

RECURRENT = (keras.layers.RNN, keras.layers.Bidirectional)

_TIME = {
    "width": "each column is one step, from left to right",
    "height": "each row is one step, from top to bottom",
    "frames": "each frame is one step",
    "": "one vector for each step",
}

# Part of the name of a layer's class -> what it returns; the first that fits.
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

_BY_AXES = ["", "a vector", _TIME[""], *["a map: rows x columns x channels"] * 2]


class Station(NamedTuple):
    """One row of the table: the layers, the shape they leave, what it means."""

    layer: str
    shape: tuple
    meaning: str


class Values:
    """What every layer makes of the image, and where time runs."""

    def __init__(self, model, image):
        self.image = image
        self.layers = [layer for layer in model.layers if _is_followed(layer)]
        outputs = [layer.output for layer in self.layers]
        arrays = keras.Model(model.inputs[0], outputs)(image[None], training=False)
        self.arrays = [
            keras.ops.convert_to_numpy(array)[0] for array in keras.tree.flatten(arrays)
        ]
        ranks = [array.ndim for array in self.arrays]
        # The layer that makes the sequence, if no vector came before it.
        flat = next((k for k, rank in enumerate(ranks) if rank <= 2), None)
        self.joint = None if flat is None or ranks[flat] == 1 else flat
        self.time = self._find_time()
        self.steps = 0 if self.joint is None else len(self.arrays[self.joint])
        # Whether the last output still has the steps of the sequence.
        self.aligned = self.steps > 0 and min(ranks) > 1

    @property
    def name(self):
        """What the input is called; Keras' own names count on and on."""
        return "clip" if self.image.ndim == 4 else "image"

    def _find_time(self):
        """Tell which axis became the steps: the layer that made them knows."""
        joint = None if self.joint is None else self.layers[self.joint]
        if isinstance(joint, MapToSequence):
            return joint.along
        return "frames" if joint is not None and self.image.ndim == 4 else ""

    def table(self):
        """List every layer with its shape and meaning, small ones in one row."""
        first = "rows x columns x channels, pixels in [0, 1]"
        if self.image.ndim == 4:
            first = "frames x " + first
        rows = [Station(self.name, self.image.shape, first)]
        for k, (layer, array) in enumerate(zip(self.layers, self.arrays, strict=True)):
            last = k == len(self.layers) - 1
            if is_small(layer) and k and not last and rows[-1].shape == array.shape:
                names = f"{rows[-1].layer}, {layer.name}"
                rows[-1] = rows[-1]._replace(layer=names)
            else:
                meaning = answer_of(array, self.aligned)[2] if last else self.meaning(k)
                rows.append(Station(layer.name, array.shape, meaning))
        return rows

    def meaning(self, k):
        """Say what the numbers after layer ``k`` are."""
        layer, shape = self.layers[k], self.arrays[k].shape
        if k == self.joint:
            return _TIME[self.time]
        if isinstance(layer, ScanRows):
            return f"at each place, states of a scan along the {layer.along}"
        if isinstance(layer, RECURRENT):
            when = "at each step" if len(shape) == 2 else "after the last step"
            half = shape[-1] // 2
            both = f"{half} states forward, {half} backward"
            return f"{when}, {both if two_ways(layer) else f'{shape[-1]} states'}"
        inner = layer.layer if isinstance(layer, keras.layers.Wrapper) else layer
        kind, each = type(inner).__name__, "in each frame, " if len(shape) == 4 else ""
        found = [words for part, words in _MEANINGS.items() if part in kind]
        return each + [*found, _BY_AXES[len(shape)]][0]


def _is_followed(layer):
    """Tell layers on the image's way from inputs, masks and what was never called."""
    output = output_of(layer)
    if output is None or isinstance(layer, keras.layers.InputLayer):
        return False
    return len(output.shape) in (2, 3, 4, 5) and output.dtype != "bool"


def is_small(layer):
    """Whether a layer shares the row of the one before."""
    return any(word in type(layer).__name__ for word in SMALL)


def two_ways(layer):
    """Whether half of a layer's states read forward, half backward."""
    is_two = isinstance(layer, keras.layers.Bidirectional)
    return is_two and layer.merge_mode == "concat"


def answer_of(array, aligned):
    """Return the last output (softmax of logits), what its numbers are, in words."""
    if array.ndim > 2:
        return array, "activation", _BY_AXES[3]
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
