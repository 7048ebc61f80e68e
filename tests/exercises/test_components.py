"""The exercises of "One picture, four stations": solutions pass, wrong answers fail.

A checker says what is wrong in a way that leads on, as it would to a learner.
"""

import keras
import numpy as np
import pytest
from keras import layers

import crnn_tutorial as ct
from crnn_tutorial.network import backbones
from crnn_tutorial.network.layers import MapToSequence
from exercises.reading import solution

PAGE = "concepts/components"

# ------------------------------------------------------------ predict: one pool less


def reader_of_32_by_128(last_pool):
    image = keras.Input((32, 128, 1))
    pools = [2, 2, last_pool]
    steps = backbones.columns(image, (32, 64, 128), units=64, pools=pools).map
    return keras.Model(image, layers.Dense(11)(steps))


def lstm_work(model):
    """Multiplications of the LSTM alone."""
    joint, lstm = (model.get_layer(name).output for name in ("map_to_sequence", "lstm"))
    parts = [keras.Model(model.input, end) for end in (lstm, joint)]
    return ct.count_multiplications(parts[0]) - ct.count_multiplications(parts[1])


def check_predict(predict):
    before, after = reader_of_32_by_128(2), reader_of_32_by_128((2, 1))
    said = predict()
    steps, features = after.get_layer("map_to_sequence").output.shape[1:]
    assert said["steps"] == steps, "the width is halved by two of the three pools only"
    assert said["features"] == features, (
        "a step's length is rows x kernels: which pool changes the number of rows?"
    )
    assert said["parameters"] == after.count_params() / before.count_params(), (
        "a weight is used at more places; is it another weight?"
    )
    assert said["lstm_work"] == lstm_work(after) / lstm_work(before), (
        "the LSTM multiplies with all its weights once for each step"
    )


def test_the_prediction_agrees_with_the_model():
    check_predict(solution(PAGE, "ex-components-predict")["predict"])


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"steps": 16}, "two of the three"),
        ({"features": 1024}, "number of rows"),
        ({"parameters": 2}, "another weight"),
        ({"lstm_work": 1}, "once for each step"),
    ],
)
def test_a_wrong_prediction_is_told_why(wrong, words):
    answer = {"steps": 32, "features": 512, "parameters": 1, "lstm_work": 2}
    with pytest.raises(AssertionError, match=words):
        check_predict(lambda: answer | wrong)


# ------------------------------------------------------------ change: no pooling


def stem(pool, stride, kernel=3):
    """Build the network of the exercise, with pooling or strides of any size."""

    def build(input_shape):
        x = image = keras.Input(input_shape)
        for filters in (16, 32):
            x = layers.Conv2D(filters, kernel, strides=stride, padding="same")(x)
            x = layers.MaxPooling2D(pool)(x) if pool else x
        x = MapToSequence()(x)
        x = layers.Bidirectional(layers.LSTM(32, return_sequences=True))(x)
        return keras.Model(image, layers.Dense(11)(x))

    return build


def check_without_pooling(build):
    model = build((16, 64, 1))
    kinds = [type(layer).__name__ for layer in model.layers]
    assert not any("Pool" in kind for kind in kinds), "there is still a pooling layer"
    assert model.output_shape == (None, 16, 11), (
        f"expected 16 steps of 11 scores, got {model.output_shape[1:]}: "
        "let each convolution jump by 2"
    )
    wanted = stem(pool=2, stride=1)((16, 64, 1)).count_params()
    assert model.count_params() == wanted, (
        f"{model.count_params():,} parameters instead of {wanted:,}: keep the kernels "
        "3 x 3, and let the stride work on the height too"
    )


def test_strides_do_what_pooling_did():
    found = solution(PAGE, "ex-components-stride")
    check_without_pooling(found["build_without_pooling"])


@pytest.mark.parametrize(
    "build, words",
    [
        (stem(pool=2, stride=1), "still a pooling layer"),
        (stem(pool=None, stride=1), "jump by 2"),
        (stem(pool=None, stride=(1, 2)), "height too"),
        (stem(pool=None, stride=2, kernel=2), "3 x 3"),
    ],
)
def test_a_stem_that_is_not_the_same_is_told_why(build, words):
    with pytest.raises(AssertionError, match=words):
        check_without_pooling(build)


# ------------------------------------------------------------ build: what a step sees


def columns_that_matter(blocks, width):
    """Change one column after the other and see which steps notice: the truth."""
    image = keras.Input((2**blocks, width, 1))
    x = image
    for _ in range(blocks):
        x = layers.Conv2D(1, 3, padding="same", kernel_initializer="ones")(x)
        x = layers.MaxPooling2D(2)(x)
    model = keras.Model(image, MapToSequence()(x))
    columns = np.arange(width)
    pictures = np.zeros((width, 2**blocks, width, 1), "float32")
    pictures[columns, :, columns] = 1
    noticed = np.array(model(pictures))[..., 0] > 0  # (columns, steps)
    return [tuple(np.flatnonzero(step)[[0, -1]].tolist()) for step in noticed.T]


def check_columns_seen(columns_seen):
    for blocks, width in [(1, 16), (2, 64), (3, 64)]:
        truth = columns_that_matter(blocks, width)
        for step in [len(truth) // 2, 0, len(truth) - 1]:
            said = tuple(columns_seen(step, blocks, width))
            inside = 0 <= said[0] and said[1] < width
            assert inside, f"step {step} sees {said}: there is no such column"
            assert said == truth[step], (
                f"step {step} after {blocks} blocks sees {truth[step]}, not {said}: "
                "undo the last layer first"
            )


def test_a_step_sees_the_columns_that_change_it():
    check_columns_seen(solution(PAGE, "ex-components-sight")["columns_seen"])


def without_the_convolutions(step, blocks, width):
    return step * 2**blocks, (step + 1) * 2**blocks - 1


def convolutions_before_pools(step, blocks, width):
    """Undo the layers in the order in which the picture met them."""
    first = last = step
    for _ in range(blocks):
        first, last = 2 * (first - 1), 2 * (last + 1) + 1
    return max(first, 0), min(last, width - 1)


def beyond_the_border(step, blocks, width):
    first = last = step
    for _ in range(blocks):
        first, last = 2 * first - 1, 2 * last + 2
    return first, last


@pytest.mark.parametrize(
    "wrong, words",
    [
        (without_the_convolutions, "undo the last layer first"),
        (convolutions_before_pools, "undo the last layer first"),
        (beyond_the_border, "no such column"),
    ],
)
def test_a_wrong_sight_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_columns_seen(wrong)
