"""A whole CRNN: every gradient and every loss, by us and by Keras."""

import keras
import numpy as np
import pytest
from equations_helpers import close, keras_gradients, quick, random_arrays, seeds
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

import crnn_tutorial as ct
from crnn_tutorial.equations import (
    CRNN,
    adam_step,
    map_to_sequence,
    map_to_sequence_backward,
    sgd_step,
    softmax,
)
from crnn_tutorial.network.layers import MapToSequence


def chain(*middle):
    """Build a Keras CRNN on 8 x 10 pixels, with biases that are not zero."""
    ct.set_seed(0)
    head = layers.Dense(4, activation="softmax")
    model = keras.Sequential([keras.Input((8, 10, 2)), *middle, head])
    rng = np.random.default_rng(0)
    model.set_weights([w + rng.normal(0, 0.1, w.shape) for w in model.get_weights()])
    return model


def conv(filters, **settings):
    return layers.Conv2D(filters, 3, activation="relu", **settings)


MODELS = {
    "the article's six steps": lambda: chain(
        conv(4, padding="same"),
        layers.MaxPooling2D(2),
        MapToSequence(),
        layers.LSTM(5),
    ),
    "two blocks, average pooling, two LSTMs": lambda: chain(
        conv(3, padding="same", strides=2),
        layers.AveragePooling2D(2, strides=1, padding="same"),
        conv(4),
        layers.MaxPooling2D((1, 2), padding="same"),
        MapToSequence(),
        layers.LSTM(5, return_sequences=True),
        layers.LSTM(3),
    ),
    "no convolution": lambda: chain(MapToSequence(), layers.LSTM(5)),
}
every_model = pytest.mark.parametrize("name", MODELS)


def batch(seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((6, 8, 10, 2), "float32"), rng.integers(0, 4, 6)


class TestMapToSequence:
    @quick
    @given(st.tuples(*[st.integers(1, 4)] * 4), seeds)
    def test_it_is_the_layer_and_its_way_back(self, shape, seed):
        [features] = random_arrays(seed, shape)
        by_us = map_to_sequence(features)
        by_keras = MapToSequence()(features.astype("float32"))
        close(by_us.astype("float32"), by_keras, 1e-7)
        for b, w in np.ndindex(shape[0], shape[2]):
            assert by_us[b, w].tolist() == features[b, :, w].ravel().tolist()
        back = map_to_sequence_backward(by_us, height=shape[1])
        np.testing.assert_array_equal(back, features)

    def test_what_it_refuses(self):
        with pytest.raises(ValueError, match=r"features has 3 axes.*\(2, 3, 4\)"):
            map_to_sequence(np.ones((2, 3, 4)))
        with pytest.raises(
            ValueError, match=r"no multiple of 3.*gradient \(2, 4, 10\)"
        ):
            map_to_sequence_backward(np.ones((2, 4, 10)), height=3)


@every_model
def test_every_intermediate_is_keras(name):
    model, (images, _) = MODELS[name](), batch()
    passed = CRNN.from_keras(model).forward(images)
    names = [layer.name for layer in model.layers]
    assert list(passed) == ["images", *names[:-1], "logits", "probabilities"]
    x = images
    for layer in model.layers[:-1]:
        x = layer(x)
        close(passed[layer.name], x, 1e-5)
    close(passed["probabilities"], model(images), 1e-5)
    close(softmax(passed["logits"]), model(images), 1e-5)


@every_model
def test_every_gradient_is_keras(name):
    model, (images, labels) = MODELS[name](), batch()
    network = CRNN.from_keras(model)

    def loss(*weights):
        answers = model.stateless_call(weights, model.non_trainable_variables, images)
        losses = keras.losses.sparse_categorical_crossentropy(labels, answers[0])
        return keras.ops.mean(losses)

    by_us = network.gradients(images, labels)
    by_keras = keras_gradients(loss, np.float32(1), *model.get_weights())

    assert network.loss(images, labels) == pytest.approx(
        float(keras.ops.convert_to_numpy(loss(*model.get_weights()))), abs=1e-5
    )
    assert all(np.abs(gradient).max() > 1e-4 for gradient in by_keras)
    close(by_us, by_keras, 1e-4)
    for ours, theirs in zip(by_us, by_keras, strict=True):  # small ones, too
        assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


@every_model
def test_every_gradient_is_the_slope(name):
    model, (images, labels) = MODELS[name](), batch()
    network = CRNN.from_keras(model)
    network.weights = [weight.astype("float64") for weight in network.weights]
    images = images.astype("float64")
    rng = np.random.default_rng(0)
    for weight, gradient in zip(
        network.weights, network.gradients(images, labels), strict=True
    ):
        for _ in range(3):
            place = tuple(rng.integers(weight.shape))
            losses = []
            for nudge in (1e-6, -2e-6):
                weight[place] += nudge
                losses.append(network.loss(images, labels))
            weight[place] += 1e-6
            slope = (losses[0] - losses[1]) / 2e-6
            assert gradient[place] == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_training_side_by_side_gives_the_same_losses(optimiser):
    model = MODELS["the article's six steps"]()
    network, state = CRNN.from_keras(model), None
    theirs = {"sgd": keras.optimizers.SGD(0.1), "adam": keras.optimizers.Adam(0.01)}
    model.compile(theirs[optimiser], "sparse_categorical_crossentropy")
    losses = []
    images, labels = batch()
    for _ in range(10):
        by_us = network.loss(images, labels)
        gradients = network.gradients(images, labels)
        if optimiser == "sgd":
            network.weights = sgd_step(network.weights, gradients, 0.1)
        else:
            network.weights, state = adam_step(
                network.weights, gradients, state, learning_rate=0.01
            )
        model.reset_metrics()  # or Keras returns the mean over all steps so far
        by_keras = float(model.train_on_batch(images, labels))
        assert by_us == pytest.approx(by_keras, abs=1e-4)
        losses.append(by_us)
    assert losses[-1] < losses[0]
    close(network.weights, model.get_weights(), 1e-3)


def test_the_copy_does_not_move_with_the_model():
    model, (images, labels) = MODELS["no convolution"](), batch()
    network = CRNN.from_keras(model)
    before = network.loss(images, labels)
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    assert network.loss(images, labels) == before


@pytest.mark.parametrize(
    "middle, words",
    [
        ([layers.Flatten()], "flatten.* is a Flatten; it can copy"),
        ([layers.Conv2D(3, 3)], "activation='linear'; it can copy activation='relu'"),
        (
            [MapToSequence(along="height"), layers.LSTM(3)],
            "along='height'; it can copy along='width' only",
        ),
        (
            [MapToSequence(), layers.LSTM(3, go_backwards=True)],
            "go_backwards=True",
        ),
        (
            [MapToSequence(), layers.Dense(3, activation="softmax")],
            r"one Dense layer, with softmax, must stand at the end.*\['map_to_seq",
        ),
    ],
)
def test_a_model_that_it_cannot_copy_is_refused(middle, words):
    with pytest.raises(ValueError, match=words):
        CRNN.from_keras(chain(*middle))


def test_a_model_without_answers_is_refused():
    model = keras.Sequential([keras.Input((8, 10, 2)), conv(3)])
    with pytest.raises(ValueError, match="one Dense layer"):
        CRNN.from_keras(model)


def test_weights_that_do_not_fit_are_refused():
    network = CRNN.from_keras(MODELS["no convolution"]())
    with pytest.raises(ValueError, match="need 5 arrays of weights, but 4 came"):
        CRNN(network.layers, network.weights[:-1])
    images, labels = batch()
    with pytest.raises(ValueError, match=r"each of the 6 rows of logits \(6, 4\)"):
        network.loss(images, labels[:5])
    with pytest.raises(ValueError, match=r"features is 9 in x, but 16 in kernel"):
        network.forward(images[:, :, :, :1][:, :9].repeat(2, 1)[:, :9])
