"""What book/appendix/export.md says: each cell of its table, and its program."""

import re
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import crnn_tutorial as ct
from crnn_tutorial.network import export

PAGE = Path(__file__).parents[2] / "book/appendix/export.md"
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
    for package in ("onnx", "tf2onnx", "onnxruntime"):
        pytest.importorskip(package)
    session = open_onnx(ct.export_model(model, path))
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def open_onnx(path):
    return pytest.importorskip("onnxruntime").InferenceSession(path)


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


# ------------------------------------------------------------ ct.export_model


def count_operations(path):
    names = [node.op_type for node in pytest.importorskip("onnx").load(path).graph.node]
    return {name: names.count(name) for name in ("LSTM", "GRU", "RNN", "Loop")}


def page_program():
    """Return the page's program that reads without Keras."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (program,) = [block for block in blocks if "InferenceSession" in block]
    return program


@pytest.mark.parametrize("recurrence", ["lstm", "gru", "attention", "convolution"])
def test_the_pages_program_reads_what_the_package_reads(
    recurrence, tmp_path, monkeypatch, capsys
):
    pytest.importorskip("tf2onnx")
    ct.set_seed(0)
    shape, letters = (8, None, 1), "abcdefghijklmnopqrstuvwxyz"
    model = ct.build_text_recognizer(shape, letters, recurrence=recurrence, **SMALL)
    model.save(tmp_path / "reader.keras")
    model = ct.load_model(tmp_path / "reader.keras")
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + rng.normal(0, 1, weight.shape))
    logits = np.asarray(model(rng.random((9, 8, 24, 1), dtype="float32")))
    model.layers[-1].dense.bias.assign_sub(logits.mean(axis=(0, 1)))  # none wins always
    monkeypatch.chdir(tmp_path)
    ct.export_model(model, "reader.onnx")
    for width in (24, 52):
        blocks = rng.integers(0, 2, (40, 2, width // 4, 1)).astype("float32")
        lines = blocks.repeat(4, axis=1).repeat(4, axis=2)
        lines[20:, :, -13:] = -1
        lines[-1, :, 2:] = -1  # narrower than a step
        exec(page_program(), {"lines": lines})
        expected = ct.read_text(model, lines)
        assert len(set(expected)) > 5  # else anything would agree
        assert capsys.readouterr().out == f"{expected}\n"


@pytest.mark.parametrize(
    ("build", "operations"),
    [
        (lambda: reader("lstm"), {"LSTM": 1}),
        (lambda: reader("gru"), {"GRU": 1}),
        (lambda: reader("simple_rnn"), {"RNN": 1}),
        (
            lambda: ct.build_crnn_model((8, 8, 1), 3, sequence="patches", **SMALL),
            {"LSTM": 2},
        ),
    ],
)
def test_a_recurrence_is_one_operation(build, operations, tmp_path):
    pytest.importorskip("tf2onnx")
    path = ct.export_model(build(), tmp_path / "model.onnx")
    assert count_operations(path) == dict.fromkeys(
        ("LSTM", "GRU", "RNN", "Loop"), 0
    ) | (operations)


@pytest.mark.parametrize(
    ("cell", "merge_mode"), [({"activation": "relu"}, "concat"), ({}, "sum")]
)
def test_another_recurrence_stays_as_keras_writes_it(cell, merge_mode, tmp_path):
    """As one operation it would answer otherwise, which is an error."""
    pytest.importorskip("tf2onnx")
    cell = keras.layers.LSTM(3, return_sequences=True, **cell)
    model = keras.Sequential(
        [
            keras.Input((5, 2)),
            keras.layers.Bidirectional(cell, merge_mode=merge_mode),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    assert ct.export_model(model, tmp_path / "model.onnx").exists()


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: reader("lstm"), {"alphabet": "abc", "merge_repeats": "true"}),
        (
            lambda: ct.build_fixed_length_reader((8, 8, 1), "é字", 2, filters=(2,)),
            {"alphabet": "é字", "merge_repeats": "false"},
        ),
        (MODELS["classifier with an LSTM"], {}),
    ],
)
def test_the_file_knows_the_alphabet(build, expected, tmp_path):
    pytest.importorskip("tf2onnx")
    session = open_onnx(ct.export_model(build(), tmp_path / "model.onnx"))
    assert session.get_modelmeta().custom_metadata_map == expected


def test_the_model_is_not_changed(models, tmp_path):
    pytest.importorskip("tf2onnx")
    model = models["text reader with an LSTM"]
    images = make_images((2, 8, 24, 1), padded=True)
    before = np.asarray(model(images))
    ct.export_model(model, tmp_path / "model.onnx")
    np.testing.assert_array_equal(model(images), before)
    assert not any("call" in vars(layer) for layer in model.layers)


def test_a_file_with_other_answers_is_not_kept(models, tmp_path, monkeypatch):
    """The check sees gates in another order, and the file before stays."""
    pytest.importorskip("tf2onnx")
    path = tmp_path / "model.onnx"
    path.write_text("before")
    names = export._CELLS[keras.layers.LSTM][:2]
    monkeypatch.setitem(export._CELLS, keras.layers.LSTM, (*names, [0, 1, 2, 3]))
    model = models["text reader with an LSTM"]
    with pytest.raises(RuntimeError, match="answers otherwise than the model, by up"):
        ct.export_model(model, path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    assert not any("call" in vars(layer) for layer in model.layers)


@pytest.mark.parametrize("path", ["reader", "reader.keras", "reader.onnx.zip"])
def test_other_endings_are_refused(path):
    with pytest.raises(ValueError, match=r"end in \.onnx, but got 'reader.*'"):
        ct.export_model(reader("lstm"), path)


def test_what_is_no_model_is_refused():
    with pytest.raises(ValueError, match="Expected a Keras model, but got a str"):
        ct.export_model("reader.keras", "reader.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "tf2onnx"])
def test_a_missing_package_is_named(package, monkeypatch):
    for other in ("onnx", "onnxruntime", "tf2onnx"):
        if other != package:
            pytest.importorskip(other)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"package {package}, .*tutorial\[export\]"):
        ct.export_model(reader("lstm"), "reader.onnx")


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match="on TensorFlow, but it runs on jax"):
        ct.export_model(reader("lstm"), "reader.onnx")
