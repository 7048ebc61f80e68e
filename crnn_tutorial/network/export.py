"""Write a trained model to a file that runs without Keras.

``model.export`` of Keras writes the LSTM of a reader, which leaves out padding, as a
loop of some thirty small operations, and each GRU likewise. ONNX has one operation for
all steps in both directions, and the functions here write that one.
"""

import contextlib
import functools
import importlib.util
import logging
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import layers

from crnn_tutorial.network.layers import CharacterLogits

TOLERANCE = 1e-4  # of the largest answer, between those of the file and of Keras

SIDE = 64  # what the check puts where the model takes any size
# Keras' cell: its name in TensorFlow, its name in ONNX, ONNX's order of Keras' gates.
_CELLS = {
    layers.LSTM: ("lstm", "LSTM", [0, 3, 1, 2]),
    layers.GRU: ("gru", "GRU", [0, 1, 2]),
    layers.SimpleRNN: ("rnn_tanh", "RNN", [0]),
}

# What such a cell, and the two of them, must be set to; not each cell has each.
_CELL_IN_ONNX = {
    "activation": keras.activations.tanh,
    "recurrent_activation": keras.activations.sigmoid,
    "use_bias": True,
    "reset_after": True,
    "compute_dtype": "float32",
}
_BOTH_WAYS_IN_ONNX = {
    "merge_mode": "concat",
    "return_sequences": True,
    "return_state": False,
    "stateful": False,
}


def export_model(model, path):
    """Write a model to an ONNX file, and check that the file gives the same answers.

    The file takes what the model takes, in batches of any number: of a reader also
    lines of any width, whose columns of -1 on the right stay padding. It needs ONNX
    Runtime and nothing else. A reader's file holds its alphabet as metadata:
    "alphabet", and "merge_repeats", which is "true" where a step's class counts once
    however often it is repeated (CTC), and "false" for a reader of fixed length.

    Parameters
    ----------
    model : keras.Model
        Any model of this package, trained; it is not changed.
    path : path
        Ends in ``.onnx``. A file that stands there is replaced once the new one has
        been checked.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    ValueError
        If this is no Keras model, or the path has another ending.
    ImportError
        If a package is missing that ``pip install "crnn-tutorial[export]"`` brings.
    RuntimeError
        If Keras does not run on TensorFlow, or the file answers otherwise than the
        model: on a random input by more than 1e-4, or 1e-4 of the largest answer.

    References
    ----------
    The operations LSTM, GRU and RNN of https://onnx.ai/onnx/operators/.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import pytest
    >>> import crnn_tutorial as ct
    >>> onnxruntime = pytest.importorskip("onnxruntime")  # or: import onnxruntime
    >>> model = ct.build_text_recognizer((16, None, 1), "0123456789")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = ct.export_model(model, folder + "/reader.onnx")
    ...     session = onnxruntime.InferenceSession(path)
    >>> session.get_modelmeta().custom_metadata_map["alphabet"]
    '0123456789'
    >>> lines = np.zeros((2, 16, 40, 1), "float32")  # (lines, height, width, channels)
    >>> logits, = session.run(None, {session.get_inputs()[0].name: lines})
    >>> logits.shape
    (2, 10, 11)
    """
    path = Path(path)
    if not isinstance(model, keras.Model):
        raise ValueError(f"Expected a Keras model, but got a {type(model).__name__}.")
    if path.suffix != ".onnx":
        raise ValueError(
            f"export_model writes files that end in .onnx, but got {str(path)!r}. "
            "Other formats are Keras' own: model.export(path, format=...)."
        )
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "export_model needs Keras on TensorFlow, but it runs on "
            f"{keras.backend.backend()}: save the model, set "
            "KERAS_BACKEND=tensorflow, and load it with ct.load_model."
        )
    _require_packages()
    images = _random_images(model)
    expected = keras.ops.convert_to_numpy(model(images, training=False))
    unfinished = path.with_suffix(".unfinished")
    try:
        with _as_operations(model), _quiet():
            model.export(str(unfinished), format="onnx", verbose=False)
        _describe(model, unfinished)
        _check(unfinished, images, expected)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _require_packages():
    for package in ("onnx", "onnxruntime", "tf2onnx"):
        if importlib.util.find_spec(package) is None:
            raise ImportError(
                f"ONNX needs the package {package}, which is not installed: "
                'pip install "crnn-tutorial[export]".'
            )


def _random_images(model):
    """Two images that fit; in the second one of a reader, the right is padding."""
    shape = [side or SIDE for side in model.input_shape[1:]]
    images = np.random.default_rng(0).random((2, *shape), dtype="float32")
    if isinstance(model.layers[-1], CharacterLogits):
        images[1, :, -(shape[1] // 3) :] = -1
    return images


@contextlib.contextmanager
def _quiet():
    """Keep what concerns tf2onnx's own code from a reader."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "In the future `np", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _as_operations(model):
    """While the model is exported, let each recurrence be one operation."""
    _register_operation()
    parts = [getattr(layer, "recurrence", layer) for layer in model.layers]  # ScanRows
    replaced = [part for part in parts if _is_one_operation(part)]
    try:
        for layer in replaced:
            layer.call = _operation(layer)
        yield
    finally:
        for layer in replaced:
            vars(layer).pop("call", None)  # that of its class is back


def _is_one_operation(layer):
    """Whether ONNX has an operation for it; another layer stays as Keras writes it."""
    cell = getattr(layer, "forward_layer", None)
    return type(cell) in _CELLS and all(
        getattr(thing, name, value) == value
        for thing, wanted in ((cell, _CELL_IN_ONNX), (layer, _BOTH_WAYS_IN_ONNX))
        for name, value in wanted.items()
    )


def _operation(layer):
    """Return what stands for ``layer.call``: TensorFlow's operation, never to be run.

    `_register_operation` says how it is written in ONNX.
    """
    import tensorflow as tf

    cells = layer.forward_layer, layer.backward_layer
    kernels, recurrent_kernels, biases = map(
        np.stack, zip(*map(_weights, cells), strict=True)
    )
    name, _, _ = _CELLS[type(cells[0])]

    def call(sequences, initial_state=None, mask=None, training=None):
        steps_first = tf.transpose(sequences, [1, 0, 2])
        steps, batch = tf.unstack(tf.shape(steps_first)[:2])
        if mask is None:
            lengths = tf.fill([batch], steps)
        else:  # padding is on the right
            lengths = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
        # The weights stand where the operation has its states: each in one piece.
        states, *_ = tf.raw_ops.CudnnRNNV3(
            input=steps_first,
            input_h=recurrent_kernels,
            input_c=kernels,
            params=biases.ravel(),
            sequence_lengths=lengths,
            rnn_mode=name,
            direction="bidirectional",
            is_training=False,
        )
        return tf.transpose(states, [1, 0, 2])  # (batch, steps, 2 * units)

    return call


def _weights(cell):
    """One direction's kernel, recurrent kernel and both biases, as ONNX has them."""
    _, _, order = _CELLS[type(cell)]
    kernel, recurrent, bias = (weight.numpy() for weight in cell.weights)

    def reorder(weight):
        gates = weight.reshape(len(weight), len(order), -1)  # (rows, gates, units)
        return gates[:, order].reshape(len(weight), -1)

    bias = reorder(np.atleast_2d(bias))  # a GRU has both, the others one
    both = np.concatenate([bias, np.zeros_like(bias)])[:2]
    return reorder(kernel).T, reorder(recurrent).T, both


@functools.cache
def _register_operation():
    """Tell tf2onnx how the operation of `_operation` is written in ONNX."""
    from tf2onnx.handler import tf_op

    @tf_op("CudnnRNNV3")
    class Recurrence:
        @classmethod
        def version_7(cls, graph, node, **_):
            name = node.get_attr_value("rnn_mode").decode()
            operation = {cell: onnx for cell, onnx, _ in _CELLS.values()}[name]
            sequence, recurrent_kernels, kernels, _, lengths = node.input
            biases = node.inputs[3].get_tensor_value(as_list=False).reshape(2, -1)
            biases = graph.make_const(f"{node.name}_biases", biases).output[0]
            answer, shape = node.output[0], graph.get_shape(node.output[0])
            dtype = graph.get_dtype(answer)
            options = {"direction": "bidirectional", "hidden_size": shape[2] // 2}
            if operation == "GRU":
                options["linear_before_reset"] = 1
            inputs = [sequence, kernels, recurrent_kernels, biases, lengths]
            graph.remove_node(node.name)
            states = graph.make_node(operation, inputs, attr=options)
            swapped = graph.make_node(  # from (steps, direction, batch, units)
                "Transpose", states.output, attr={"perm": [0, 2, 1, 3]}
            )
            joined = graph.make_const(f"{node.name}_shape", np.array([0, 0, shape[2]]))
            graph.make_node(
                "Reshape",
                [swapped.output[0], joined.output[0]],
                outputs=[answer],
                shapes=[shape],
                dtypes=[dtype],
            )


def _describe(model, path):
    """Write into the file what is needed to turn its numbers into texts."""
    import onnx

    last = model.layers[-1]
    if hasattr(last, "characters"):
        written = onnx.load(path)
        repeats = isinstance(last, CharacterLogits)
        about = {
            "alphabet": last.characters,
            "merge_repeats": "true" if repeats else "false",
        }
        onnx.helper.set_model_props(written, about)
        onnx.save(written, path)


def _check(path, images, expected):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (answers,) = session.run(None, {session.get_inputs()[0].name: images})
    real = expected[expected > -1e8]  # CharacterLogits gives padding -1e9
    largest = max(np.abs(real).max(initial=0.0), 1.0)
    if not np.allclose(answers, expected, atol=TOLERANCE * largest):
        off = float(np.abs(answers - expected).max())
        raise RuntimeError(
            f"The ONNX file answers otherwise than the model, by up to {off:.2g}, and "
            "was not kept. Please report this with the model's summary()."
        )
