"""The exercises of "Move the digit by three pixels": wrong answers fail."""

import keras
import numpy as np
import pytest
from keras import layers

import crnn_tutorial as ct
from crnn_tutorial.network.layers import MapToSequence
from exercises.reading import solution

PAGE = "concepts/crnn_vs_rnn"

# ------------------------------------------------------------ predict: which shifts?


def measured_shifts(blocks, largest):
    """Try every shift on a stem with random weights."""
    ct.set_seed(blocks)
    crnn = ct.build_crnn_model((8, 64, 1), 2, filters=(4,) * blocks, units=2)
    stem = keras.Model(crnn.input, crnn.get_layer(f"pool_{blocks}").output)
    canvas = np.zeros((1, 8, 64, 1), "float32")
    canvas[0, :, 24:32] = np.random.default_rng(0).random((8, 8, 1))

    def look(shift):
        return keras.ops.convert_to_numpy(stem(np.roll(canvas, shift, axis=2)))

    still = look(0)
    return [
        shift
        for shift in range(1, largest + 1)
        if any(
            np.allclose(np.roll(still, columns, axis=2), look(shift), atol=1e-6)
            for columns in range(still.shape[2])
        )
    ]


def check_shifts(harmless):
    for blocks in (1, 2, 3):
        assert list(harmless(blocks, 16)) == measured_shifts(blocks, 16), (
            f"{blocks} blocks: each pooling doubles the step, and every multiple of "
            "the step is harmless"
        )


def test_the_harmless_shifts():
    check_shifts(solution(PAGE, "ex-rnn-harmless")["harmless"])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda blocks, largest: list(range(2 * blocks, largest + 1, 2 * blocks)),
        lambda blocks, largest: [2**blocks, 2 ** (blocks + 1)],
    ],
    ids=["2 x blocks", "powers only"],
)
def test_wrong_shifts_are_told_why(wrong):
    with pytest.raises(AssertionError, match="doubles the step"):
        check_shifts(wrong)


# ------------------------------------------------------------ change: down-proof


def check_down_proof(build):
    ct.set_seed(0)
    model = build((32, 20, 1), 10)
    kinds = (layers.RNN, layers.Bidirectional)
    assert any(isinstance(layer, kinds) for layer in model.layers), (
        "there is no recurrent layer left"
    )
    canvas = np.zeros((2, 32, 20, 1), "float32")
    digit = ct.load_digits(seed=0).test.images[0]
    canvas[0, 8:16, 6:14] = canvas[1, 12:20, 6:14] = digit
    centred, moved = keras.ops.convert_to_numpy(model(canvas))
    assert np.allclose(centred, moved, atol=1e-5), (
        "4 pixels down is another answer: do the rows still have weights of their own?"
    )
    blank = keras.ops.convert_to_numpy(model(np.zeros((1, 32, 20, 1))))
    assert np.abs(centred - blank).max() > 1e-4, "it answers without looking"


def test_the_answer_does_not_depend_on_the_row():
    check_down_proof(solution(PAGE, "ex-rnn-down")["build_down_proof"])


def as_it_was(input_shape, num_classes):
    return ct.build_crnn_model(input_shape, num_classes, filters=(8, 16), units=8)


def wrong_axis(input_shape, num_classes):
    crnn = as_it_was(input_shape, num_classes)
    x = crnn.get_layer("pool_2").output
    x = layers.AveragePooling2D((1, x.shape[2]))(x)
    x = MapToSequence("height")(x)
    x = layers.LSTM(8, return_sequences=True)(x)
    x = layers.Flatten()(x)
    return keras.Model(crnn.input, layers.Dense(num_classes, "softmax")(x))


def no_recurrence(input_shape, num_classes):
    return ct.build_cnn_model(input_shape, num_classes, filters=(8, 16))


@pytest.mark.parametrize(
    "wrong, words",
    [
        (as_it_was, "weights of their own"),
        (wrong_axis, "weights of their own"),
        (no_recurrence, "no recurrent layer"),
    ],
)
def test_other_models_are_told_why_not(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_down_proof(wrong)


# ------------------------------------------------------------ build: a latch


def check_latch(latch):
    kernel, recurrent, bias = latch()
    reader = layers.SimpleRNN(1)
    reader.build((None, 50, 1))
    shapes = (1, 1), (1, 1), (1,)
    weights = (kernel, recurrent, bias)
    reader.set_weights(
        [np.reshape(w, shape) for w, shape in zip(weights, shapes, strict=True)]
    )
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.5, 0.5, (1000, 50, 1))
    noise[:, 0] = first = rng.choice([-1.0, 1.0], (1000, 1))
    last = keras.ops.convert_to_numpy(reader(noise.astype("float32")))
    assert np.abs(last).min() > 0.7, (
        "the memory fades: the recurrent weight must be so large that tanh gives back "
        "more than the noise takes"
    )
    assert (np.sign(last) == first).all(), (
        "some signs have flipped: the noise is too loud against the memory"
    )


def test_one_unit_remembers_the_first_sign():
    check_latch(solution(PAGE, "ex-rnn-latch")["latch"])


@pytest.mark.parametrize(
    "weights, words",
    [
        ((1.0, 0.9, 0.0), "fades"),
        ((3.0, 0.0, 0.0), "fades"),
        ((20.0, 3.0, 0.0), "fades|flipped"),
        ((1.0, 3.0, 5.0), "flipped"),
    ],
    ids=["leaks", "forgets", "too loud", "biased"],
)
def test_other_weights_are_told_why_not(weights, words):
    with pytest.raises(AssertionError, match=words):
        check_latch(lambda: weights)
