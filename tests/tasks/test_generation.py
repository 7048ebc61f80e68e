"""The reversed CRNN and its discriminator: shapes, names, and what they refuse."""

import keras
import numpy as np
import pytest

import crnn_tutorial as ct
from crnn_tutorial.network import heads
from crnn_tutorial.network.layers import MapToSequence
from crnn_tutorial.tasks.classification import Classify
from crnn_tutorial.tasks.generation import LimitStretch, RealOrGenerated, SequenceToMap
from crnn_tutorial.tasks.segmentation import Segment

SMALL = {"filters": (4,), "units": 3}
RECURRENCES = ("lstm", "gru", "order_blind", "attention", "convolution", None)


# ------------------------------------------------------------ the two layers


@pytest.mark.parametrize("along", ["width", "height"])
def test_a_sequence_of_columns_becomes_the_map_again(along):
    features = np.random.default_rng(0).random((2, 3, 5, 4), dtype="float32")
    steps = MapToSequence(along)(features)
    layer = SequenceToMap(3 if along == "width" else 5, along)
    again = layer(steps)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(again), features)
    assert layer.compute_output_shape(steps.shape) == (2, 3, 5, 4)


def test_a_kernel_stretches_by_its_largest_singular_value():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 8)).astype("float32")
    for most in (0.5, 1.0):
        limited = keras.ops.convert_to_numpy(LimitStretch(most)(kernel))
        largest = np.linalg.svd(limited.reshape(-1, 8), compute_uv=False)[0]
        assert 0.97 * most < largest <= most * (1 + 1e-5)
        ratio = limited / kernel
        np.testing.assert_allclose(ratio, ratio[0, 0, 0, 0], rtol=1e-4)


def test_a_gentle_kernel_stays_as_it_is():
    kernel = 0.01 * np.random.default_rng(0).normal(size=(3, 3, 4, 8))
    found = keras.ops.convert_to_numpy(LimitStretch()(kernel.astype("float32")))
    np.testing.assert_allclose(found, kernel, rtol=1e-5)
    assert np.isfinite(LimitStretch()(np.zeros((2, 2), "float32"))).all()


# ------------------------------------------------------------ the generator


@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_every_recurrence_draws_an_image(recurrence):
    model = ct.build_generator((16, 8, 3), 5, recurrence=recurrence, **SMALL)
    images = model.predict(np.ones((2, 5)), verbose=0)
    assert images.shape == (2, 16, 8, 3)
    assert images.min() >= 0 and images.max() <= 1


def test_the_lstm_goes_over_columns_or_rows():
    for along, steps in (("width", 4), ("height", 8)):
        model = ct.build_generator((16, 8, 1), 5, along=along, **SMALL)
        assert model.get_layer("lstm").output.shape == (None, steps, 6)
        assert model.output_shape == (None, 16, 8, 1)


def test_larger_images_have_more_blocks_by_default():
    model = ct.build_generator((28, 28, 1), 5, num_classes=10)
    assert model.get_layer("sequence_to_map").output.shape == (None, 7, 7, 64)
    assert model.get_layer("enlarge_2").output.shape == (None, 28, 28, 32)


def test_without_recurrence_there_is_no_sequence():
    model = ct.build_generator((8, 8, 1), 5, recurrence=None, **SMALL)
    assert all(len(layer.output.shape) != 3 for layer in model.layers)


def test_in_the_order_blind_twin_no_column_sees_another():
    """Its columns come from the noise alone, each by the same weights."""
    blind = ct.build_generator((8, 8, 1), 5, recurrence="order_blind", **SMALL)
    steps = keras.Model(
        blind.get_layer("as_sequence").output, blind.get_layer("each_step").output
    )
    sequence = np.random.default_rng(0).normal(size=(1, 4, 3)).astype("float32")
    answers = steps.predict(sequence, verbose=0)
    swapped = steps.predict(sequence[:, ::-1], verbose=0)
    np.testing.assert_allclose(answers, swapped[:, ::-1], atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((9, 8, 1), 5), r"multiples of 2 for 1 blocks, but got 9 x 8"),
        (((8, 8), 5), r"input_shape is \(height, width, channels\)"),
        (((8, 8, 1), 0), "noise_size is a whole number of at least 1, but got 0"),
        (((8, 8, 1), 5, 0), "num_classes is a whole number of at least 1"),
    ],
)
def test_generators_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        ct.build_generator(*arguments, filters=(4,))
    with pytest.raises(ValueError, match="recurrence is one of"):
        ct.build_generator((8, 8, 1), 5, recurrence="none")


# ------------------------------------------------------------ the discriminator


@pytest.mark.parametrize("recurrence", ["lstm", "order_blind", None])
def test_a_discriminator_alone_tells_digits_from_noise(recurrence):
    """Trained as a classifier: what it must be able to learn."""
    ct.set_seed(0)
    digits = ct.load_digits().train.images[:100]
    noise = np.random.default_rng(0).random(digits.shape, dtype="float32")
    images = np.concatenate([digits, noise])
    split = ct.Split(images, np.repeat([1, 0], 100))
    model = ct.build_discriminator(
        (8, 8, 1), recurrence=recurrence, filters=(8,), units=4, learning_rate=0.01
    )
    ct.train_crnn_model(model, split, batch_size=20, epochs=4, verbose=0)
    assert isinstance(heads.of(model), RealOrGenerated)
    assert ct.evaluate(model, split).score > 0.95
    assert model.layers[-1].name == "logits"


@pytest.mark.parametrize(
    ("head", "shape"), [(Classify(10), (2, 10)), (Segment(3), (2, 16, 16, 3))]
)
def test_other_heads_stand_beside_real_or_generated(head, shape):
    model = ct.build_discriminator((16, 16, 1), {"other": head}, **SMALL)
    said = model.predict(np.zeros((2, 16, 16, 1)), verbose=0)
    assert {name: one.shape for name, one in said.items()} == {
        "real": (2, 1),
        "other": shape,
    }
    found = heads.of(model)
    assert isinstance(found["real"], RealOrGenerated)
    assert repr(found["other"]) == repr(head)


def test_what_an_image_should_show_changes_its_score():
    ct.set_seed(0)
    model = ct.build_discriminator((8, 8, 1), num_classes=10, **SMALL)
    image = ct.load_digits().test.images[:1]
    feed = {"image": np.repeat(image, 10, axis=0), "condition": np.arange(10)}
    assert len(np.unique(model.predict(feed, verbose=0))) == 10


def test_kernels_are_limited_after_each_step():
    model = ct.build_discriminator((8, 8, 1), limit=0.5, **SMALL)
    images, real = np.ones((8, 8, 8, 1), "float32"), np.ones((8, 1))
    model.fit(images, real, verbose=0)
    kernel = model.get_layer("see_1").get_weights()[0]
    largest = np.linalg.svd(kernel.reshape(-1, 4), compute_uv=False)[0]
    assert largest <= 0.5 * (1 + 1e-5)
