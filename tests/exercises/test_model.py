"""The exercises of "Building the model": solutions pass, errors do not."""

import numpy as np
import pytest
from training_helpers import wants_new_keras

from crnn_tutorial import article
from exercises.reading import solution

PAGE = "code/model"


def check_smallest(smallest):
    """Against the article's stack itself: built at that side, refused one below."""
    side = smallest(3)
    article.build_crnn_model((side, side, 1), 2, joint="columns")
    with pytest.raises(ValueError):
        article.build_crnn_model((side - 1, side - 1, 1), 2, joint="columns")
    for blocks in range(1, 7):
        sides = range(1, 400)
        works = next(n for n in sides if left_after(n, blocks) >= 1)
        assert smallest(blocks) == works, f"{blocks} blocks need {works} pixels"


def left_after(side, blocks):
    for _ in range(blocks):
        side = (side - 2) // 2 if side > 2 else 0
    return side


@wants_new_keras
def test_the_smallest_picture():
    check_smallest(solution(PAGE, "ex-model-smallest")["smallest"])


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        pytest.param(lambda blocks: 2**blocks, "forgets the convolution", id="pooling"),
        pytest.param(lambda blocks: 2**blocks + 2 * blocks, "adds once", id="added"),
    ],
)
def test_the_smallest_picture_finds_errors(wrong, why):
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        check_smallest(wrong)


def check_shapes(shapes):
    assert tuple(shapes((2, 2))) == (16, 512), "three halvings leave 16 columns"
    assert tuple(shapes((2, 1))) == (32, 512), (
        "(2, 1) halves the height only: twice the steps, the same features"
    )


def test_halve_the_height_only():
    check_shapes(solution(PAGE, "ex-model-pool")["shapes"])


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda pool: (16, 512), id="pool ignored"),
        pytest.param(lambda pool: (128 // 4 // pool[0], 1024), id="axes swapped"),
    ],
)
def test_halve_the_height_only_finds_errors(wrong):
    with pytest.raises(AssertionError):
        check_shapes(wrong)


def check_join(join):
    features = np.random.default_rng(0).normal(size=(2, 3, 5, 4))
    joined = join(features)
    assert joined.shape == (2, 5, 12), "steps are the 5 columns, features 3 * 4"
    for column in range(5):
        card = features[1, :, column].flatten()
        assert np.array_equal(joined[1, column], card), (
            f"step {column} is not column {column}: turn the axes before the reshape"
        )


def test_the_joint_in_numpy():
    check_join(solution(PAGE, "ex-model-joint")["join"])


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda x: x.reshape(len(x), 5, 12), id="reshape alone"),
        pytest.param(
            lambda x: x.transpose(0, 2, 3, 1).reshape(len(x), 5, 12),
            id="channels before rows",
        ),
    ],
)
def test_the_joint_in_numpy_finds_errors(wrong):
    with pytest.raises(AssertionError, match="turn the axes"):
        check_join(wrong)
