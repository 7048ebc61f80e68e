"""The exercises of "How far can a CNN see?": the solutions pass, wrong answers fail."""

import functools

import keras
import numpy as np
import pytest
from keras import layers

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "concepts/crnn_vs_cnn"

# ------------------------------------------------------------ predict: how many blocks?


@functools.cache
def fields():
    """The receptive field after 1, 2, ... blocks, as the package counts it."""
    image = (128, 128, 1)
    models = [
        ct.build_cnn_model(image, 2, filters=(1,) * blocks, whole_image=False)
        for blocks in range(1, 8)
    ]
    return [ct.receptive_field(model)[1] for model in models]


def check_blocks(blocks_to_see):
    for blocks, field in enumerate(fields(), start=1):
        assert blocks_to_see(field) == blocks, (
            f"{blocks} blocks see {field} pixels, and just enough is enough: did you "
            "count the neighbour that pooling adds?"
        )
        assert blocks_to_see(field + 1) == blocks + 1, (
            f"{blocks} blocks see {field} pixels, one less than asked for"
        )


def test_the_number_of_blocks():
    check_blocks(solution(PAGE, "ex-cnn-blocks")["blocks_to_see"])


def without_pooling(pixels):
    blocks, field = 0, 1
    while field < pixels:
        field, blocks = field + 2 * 2**blocks, blocks + 1
    return blocks


def one_more_than_needed(pixels):
    return next(b for b in range(1, 20) if 3 * 2**b - 2 > pixels)


@pytest.mark.parametrize("wrong", [without_pooling, one_more_than_needed])
def test_a_wrong_number_of_blocks_is_told_why(wrong):
    with pytest.raises(AssertionError, match="pooling adds"):
        check_blocks(wrong)


# ------------------------------------------------------------ build: two pictures


def answers(model, pictures):
    return keras.ops.convert_to_numpy(model(np.stack(pictures)))


def check_pictures(two_pictures):
    one, other = two_pictures()
    assert np.shape(one) == np.shape(other) == (16, 128, 1)
    assert not np.array_equal(one, other), "the two pictures are equal"
    for seed in range(3):
        ct.set_seed(seed)
        cnn = ct.build_cnn_model((16, 128, 1), 2, filters=(8, 8, 8), whole_image=False)
        first, second = answers(cnn, (one, other))
        assert np.allclose(first, second, atol=1e-6), (
            "this CNN tells them apart: is the gap at least as wide as the field, the "
            "margin too, and the distance a multiple of the step of 8 pixels?"
        )
        crnn = ct.build_crnn_model((16, 128, 1), 2, filters=(8, 8, 8), units=8)
        first, second = answers(crnn, (one, other))
        assert np.abs(first - second).max() > 1e-6, "not even a CRNN tells them apart"


def test_two_pictures_no_three_blocks_can_tell_apart():
    check_pictures(solution(PAGE, "ex-cnn-bag")["two_pictures"])


def pictures_at(left, right):
    """Two blocks of noise, at two places and exchanged."""
    noise = np.random.default_rng(0).random((2, 16, 8, 1))
    pictures = np.zeros((2, 16, 128, 1))
    for picture, pair in zip(pictures, (noise, noise[::-1]), strict=True):
        picture[:, left : left + 8], picture[:, right : right + 8] = pair
    return pictures


@pytest.mark.parametrize(
    "left, right", [(48, 64), (24, 69), (0, 64)], ids=["near", "off the grid", "border"]
)
def test_other_pictures_are_told_apart(left, right):
    with pytest.raises(AssertionError, match="tells them apart: is the gap"):
        check_pictures(lambda: pictures_at(left, right))


# ------------------------------------------------------------ change: see farther


def check_far(build_far):
    model = build_far((8, 72, 1), 2)
    keyhole = ct.build_cnn_model((8, 72, 1), 2, filters=(8, 16), whole_image=False)
    assert model.output_shape == (None, 2)
    assert model.count_params() == keyhole.count_params(), (
        f"{keyhole.count_params():,} parameters were allowed: a larger kernel or one "
        "more layer costs weights, holes in the kernel do not"
    )
    field = ct.receptive_field(model)[1]
    assert field >= 40, f"it sees {field} pixels: the holes are too small"


def test_farther_with_as_many_parameters():
    check_far(solution(PAGE, "ex-cnn-holes")["build_far"])


def two_blocks(kernel, dilation):
    def build(input_shape, num_classes):
        image = x = keras.Input(input_shape)
        for filters, options in (
            (8, {"kernel_size": 3}),
            (16, {"kernel_size": kernel, "dilation_rate": dilation}),
        ):
            x = layers.Conv2D(filters, **options, padding="same", use_bias=False)(x)
            x = layers.BatchNormalization()(x)
            x = layers.MaxPooling2D(2)(layers.ReLU()(x))
        x = layers.GlobalAveragePooling2D()(x)
        return keras.Model(image, layers.Dense(num_classes, "softmax")(x))

    return build


@pytest.mark.parametrize(
    "wrong, words",
    [(two_blocks((3, 19), 1), "costs weights"), (two_blocks(3, (1, 2)), "too small")],
)
def test_a_dear_or_a_short_sighted_one_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_far(wrong)
