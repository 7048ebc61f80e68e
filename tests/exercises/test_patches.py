"""The exercises of "A page in pieces": the solutions pass, wrong answers fail."""

import itertools

import numpy as np
import pytest

from crnn_tutorial.tasks.patches import CutPatches
from exercises.reading import solution

PAGE = "faq/patches"

# ------------------------------------------------------------ predict: adding up


def best_of_all(classes):
    """The best share of right answers, over all scores from -6 to 6 that are whole."""
    every = np.array([*itertools.product(range(-6, 7), repeat=classes)])
    alike = np.eye(classes, dtype=bool)
    above = every[:, :, None] + every[:, None, :] > 0
    return (above[:, alike].mean(1) + 1 - above[:, ~alike].mean(1)).max() / 2


def check_adding(best_by_adding):
    for classes in (2, 3, 4):
        answer, best = best_by_adding(classes), best_of_all(classes)
        assert answer < best + 1e-9, (
            f"{answer:.1%} with {classes} digits is more than any scores reach: two "
            "different digits of high score are above the threshold, too"
        )
        assert answer > best - 1e-9, (
            f"{answer:.1%} with {classes} digits, but some scores reach {best:.1%}: "
            "what if only one digit has a high score?"
        )
    assert abs(best_by_adding(10) - 23 / 36) < 1e-9


def test_the_best_sum():
    check_adding(solution(PAGE, "ex-patches-adding")["best_by_adding"])


@pytest.mark.parametrize(
    "wrong, words",
    [(lambda classes: 1.0, "two different digits"), (lambda classes: 0.5, "only one")],
)
def test_a_wrong_best_sum_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_adding(wrong)


# ------------------------------------------------------------ build: put them back


def check_join(join_patches):
    images = np.random.default_rng(0).random((2, 6, 8, 3)).astype("float32")
    patches = np.array(CutPatches((2, 4))(images))
    joined = np.asarray(join_patches(patches, rows=3))
    assert joined.shape == images.shape, (
        f"joined to {joined.shape} instead of {images.shape}: how many columns are "
        "there if the patches stand in 3 rows?"
    )
    assert np.array_equal(joined, images), (
        "the size is right, but the pixels stand elsewhere: an image begins with the "
        "first line of *all* patches of the first row"
    )


def test_the_patches_are_put_back():
    check_join(solution(PAGE, "ex-patches-join")["join_patches"])


def reshaped_only(patches, rows):
    count, number, height, width, channels = patches.shape
    return patches.reshape(count, rows * height, number // rows * width, channels)


def one_below_the_other(patches, rows):
    count, number, height, width, channels = patches.shape
    return patches.reshape(count, number * height, width, channels)


@pytest.mark.parametrize(
    "wrong, words",
    [(reshaped_only, "stand elsewhere"), (one_below_the_other, "how many columns")],
)
def test_patches_at_wrong_places_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_join(wrong)
