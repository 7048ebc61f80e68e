"""Every model trains under every mode that Keras can be put into, or says why not.

One step of each, run eagerly: the types and axes are what could fail.
"""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import crnn_tutorial as ct
from crnn_tutorial.network.backbones import RECURRENCES

SMALL = {"filters": (2, 2), "units": 2}
BACKEND = keras.backend.backend()
MODES = {
    "mixed_float16": lambda: keras.config.set_dtype_policy("mixed_float16"),
    "mixed_bfloat16": lambda: keras.config.set_dtype_policy("mixed_bfloat16"),
    "float64": lambda: keras.config.set_floatx("float64"),
    "channels_first": lambda: keras.config.set_image_data_format("channels_first"),
}
CLASSIFIERS = {
    **{f"columns-{r}": {"recurrence": r} for r in RECURRENCES},
    **{f"patches-{r}": {"recurrence": r, "sequence": "patches"} for r in ("lstm",)},
}


@pytest.fixture(params=MODES)
def mode(request):
    if request.param == "float64" and BACKEND == "jax":
        pytest.skip("JAX computes in float32 unless it is told before it starts")
    floatx, axes = keras.config.floatx(), keras.config.image_data_format()
    policy = keras.config.dtype_policy()
    MODES[request.param]()
    yield request.param
    keras.config.set_floatx(floatx)
    keras.config.set_image_data_format(axes)
    keras.config.set_dtype_policy(policy)


def train(model, images, targets):
    """One step, and the loss and the outputs are numbers."""
    model.run_eagerly = BACKEND != "jax"
    reads = isinstance(targets[0], str)
    function = ct.train_text_recognizer if reads else ct.train_crnn_model
    options = {"guess_steps": 1} if reads else {}
    history = function(
        model, images, targets, batch_size=2, epochs=1, verbose=0, **options
    )
    assert np.isfinite(history.history["loss"]).all()
    outputs = model.predict_on_batch(images)
    assert np.isfinite(np.asarray(outputs, "float32")).all()
    return outputs


def skip_what_jax_cannot(mode, recurrence):
    if (BACKEND, mode, recurrence) == ("jax", "mixed_float16", "attention"):
        pytest.skip("JAX has no attention in float16 on a CPU")


def make_images(*shape):
    return np.random.default_rng(0).random((2, *shape), dtype="float32")


@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_readers(mode, recurrence):
    skip_what_jax_cannot(mode, recurrence)
    ct.set_seed(0)
    model = ct.build_text_recognizer((8, None, 1), "ab", recurrence=recurrence, **SMALL)
    lines = make_images(8, 24, 1)
    lines[0, :, 12:] = -1
    outputs = train(model, lines, ["ab", "b"])
    assert np.asarray(outputs, "float32")[0, 3:].argmax(-1).max() == 0  # padding
    read = ct.read_text(model, lines, return_confidence=True)
    assert all(0 <= reading.confidence <= 1 for reading in read)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers(mode, name):
    skip_what_jax_cannot(mode, CLASSIFIERS[name]["recurrence"])
    ct.set_seed(0)
    model = ct.build_crnn_model((8, 12, 1), 3, **SMALL, **CLASSIFIERS[name])
    outputs = train(model, make_images(8, 12, 1), np.array([0, 2]))
    np.testing.assert_allclose(np.asarray(outputs, "float32").sum(-1), 1, atol=1e-2)


@pytest.mark.parametrize("recurrence", [*RECURRENCES, "conv_lstm"])
def test_clips(mode, recurrence):
    if recurrence == "conv_lstm" and BACKEND == "jax":
        pytest.skip("Keras has no mask for it on JAX")
    skip_what_jax_cannot(mode, recurrence)
    ct.set_seed(0)
    shape = (3, 8, 8, 1)
    model = ct.build_video_classifier(shape, 3, recurrence=recurrence, **SMALL)
    clips = make_images(*shape)
    clips[0, 2] = -1
    train(model, clips, np.array([0, 2]))


def test_models_without_recurrence(mode):
    ct.set_seed(0)
    images, labels = make_images(8, 12, 1), np.array([0, 2])
    train(ct.build_cnn_model((8, 12, 1), 3, **SMALL), images, labels)
    fixed = ct.build_fixed_length_reader((8, 12, 1), "ab", 2, filters=(2,))
    train(fixed, images, ["ab", "b"])
    one_frame = ct.build_video_cnn((3, 8, 8, 1), 3, frame=1, **SMALL)
    train(one_frame, make_images(3, 8, 8, 1), labels)


def test_images_keep_their_channels_last(mode):
    """The same numbers, whatever Keras is configured to."""
    ct.set_seed(0)
    model = ct.build_cnn_model((8, 12, 1), 3, **SMALL)
    assert model.get_layer("pool_1").output.shape[1:] == (4, 6, 2)


MIRRORED = """
import numpy as np, tensorflow as tf, crnn_tutorial as ct
(cpu,) = tf.config.list_physical_devices("CPU")
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
small = {"filters": (2, 2), "units": 2}
with strategy.scope():
    alone = {**small, "recurrence": "order_blind"}  # quickly compiled
    reader = ct.build_text_recognizer((8, None, 1), "ab", **alone)
    classifier = ct.build_crnn_model((8, 12, 1), 3, **small)
images = np.random.default_rng(0).random((5, 8, 12, 1), dtype="float32")
options = {"batch_size": 2, "epochs": 1, "verbose": 0}
even = images[:4], list("abab")
first = ct.train_text_recognizer(reader, *even, guess_steps=1, **options)
try:  # one image is left over
    ct.train_text_recognizer(reader, images, ["a"] * 5, **options)
except ValueError as error:
    print(error)
second = ct.train_crnn_model(classifier, images, [0, 1, 2, 0, 1], **options)
print("losses", *first.history["loss"], *second.history["loss"])
"""


@pytest.mark.skipif(BACKEND != "tensorflow", reason="it is TensorFlow's")
def test_two_devices():
    # On some processors oneDNN's max pooling aborts where one CPU plays two devices.
    plain = os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0"}
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED], capture_output=True, text=True, env=plain
    )
    assert done.returncode == 0, done.stderr[-2000:]
    refusal, losses = done.stdout.splitlines()[-2:]
    assert "make a batch of 1 for 2 devices" in refusal
    _, *losses = losses.split()
    assert len(losses) == 2 and np.isfinite(np.array(losses, float)).all()
