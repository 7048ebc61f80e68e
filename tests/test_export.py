"""Each cell of the table in book/appendix/export.md, with other programs' numbers."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

import crnn_tutorial as ct

PAGE = Path(__file__).parent.parent / "book/appendix/export.md"
SMALL = {"filters": (3, 4), "units": 3}
FIXED = (1, 8, 24, 1)  # where a file takes one size

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the table is TensorFlow's"
)


def read_table():
    """Return what the page claims: model, format, claim."""
    rows = re.findall(r"^\| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    (_, *formats), *models = [row.split(" | ") for row in rows]
    return [
        (name, form, claim)
        for name, *claims in models
        for form, claim in zip(formats, claims, strict=True)
    ]


def reader(recurrence):
    return ct.build_text_recognizer((8, None, 1), "abc", recurrence=recurrence, **SMALL)


MODELS = {
    "classifier with an LSTM": lambda: ct.build_crnn_model((8, 24, 1), 3, **SMALL),
    "text reader with an LSTM": lambda: reader("lstm"),
    "text reader with attention": lambda: reader("attention"),
    "text reader with convolution": lambda: reader("convolution"),
}


@pytest.fixture(scope="module")
def models():
    """Untrained, but with weights that are far from their start."""
    ct.set_seed(0)
    built = {name: build() for name, build in MODELS.items()}
    rng = np.random.default_rng(0)
    for model in built.values():
        for weight in model.trainable_weights:
            weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    return built


def run_savedmodel(model, path, signature):
    import tensorflow as tf

    model.export(path, verbose=False)
    loaded = tf.saved_model.load(path)
    return lambda images: np.asarray(loaded.serve(images))


def run_onnx(model, path, signature):
    pytest.importorskip("onnx")
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    model.export(path, format="onnx", verbose=False)
    session = runtime.InferenceSession(path)
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def run_litert(model, path, signature):
    import tensorflow as tf

    model.export(path, format="litert", verbose=False, input_signature=signature)
    interpreter = tf.lite.Interpreter(path)
    (taken,) = interpreter.get_input_details()

    def run(images):
        if tuple(taken["shape"]) != images.shape:
            interpreter.resize_tensor_input(taken["index"], images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(taken["index"], images)
        interpreter.invoke()
        (given,) = interpreter.get_output_details()
        return interpreter.get_tensor(given["index"])

    return run


FORMATS = {
    "SavedModel": (run_savedmodel, "model"),
    "ONNX": (run_onnx, "model.onnx"),
    "LiteRT": (run_litert, "model.tflite"),
}
SHAPES = {
    "any batch": [(1, 8, 24, 1), (3, 8, 24, 1)],
    "any width": [(1, 8, 24, 1), (3, 8, 40, 1)],
    "one size": [FIXED],
}


def make_images(shape, padded):
    images = np.random.default_rng(1).random(shape, dtype="float32")
    if padded:
        images[-1, :, -10:] = -1
    return images


def test_the_page_has_a_cell_for_each_model_and_format():
    pairs = [(name, form) for name, form, _ in read_table()]
    assert pairs == [(name, form) for name in MODELS for form in FORMATS]


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
@pytest.mark.filterwarnings("ignore:In the future `np:FutureWarning")  # tf2onnx
@pytest.mark.parametrize(("name", "form", "claim"), read_table())
def test_a_cell(models, tmp_path, name, form, claim):
    model, (run, file) = models[name], FORMATS[form]
    fixed = [keras.InputSpec(shape=FIXED, dtype="float32")]
    run = run(model, str(tmp_path / file), fixed if claim == "one size" else None)
    for shape in SHAPES[claim]:
        images = make_images(shape, padded="reader" in name)
        expected = model.predict(images, verbose=0)
        assert np.ptp(expected[..., :3]) > 0.1  # else anything would agree
        np.testing.assert_allclose(run(images), expected, atol=1e-4, err_msg=claim)
