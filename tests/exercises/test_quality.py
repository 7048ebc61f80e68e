"""The exercises of "Quality": the solutions pass, wrong answers fail."""

import numpy as np
import pytest
from scipy.stats import spearmanr

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "faq/quality"
RANDOM = np.random.default_rng(0)

# ------------------------------------------------------------ predict: sharpness alone


def check_sharpness(sharpness_correlation):
    damage = RANDOM.random(4000)
    for share in (0, 0.25, 0.5, 0.8, 1):
        noisy = np.arange(4000) < 4000 * share
        sharpness = np.where(noisy, 1 + damage, 1 - damage)
        found = spearmanr(damage, sharpness).statistic
        told = sharpness_correlation(share)
        assert told == pytest.approx(found, abs=0.05), (
            f"with a share of {share} noisy crops, 4,000 of them have {found:.2f}, but "
            f"you say {told:.2f}: each kind counts with the square of its share, and "
            "blur counts against the order"
        )


def test_sharpness_alone():
    check_sharpness(solution(PAGE, "ex-quality-sharpness")["sharpness_correlation"])


@pytest.mark.parametrize(
    "wrong",
    [lambda share: share, lambda share: share**2 + (1 - share) ** 2],
    ids=["blur is nothing", "no sign"],
)
def test_a_wrong_correlation_is_told_why(wrong):
    with pytest.raises(AssertionError, match="blur counts against the order"):
        check_sharpness(wrong)


# ------------------------------------------------------------ change: yes or no


def harm(images, seed):
    damage = np.random.default_rng(seed).uniform(0.1, 1, len(images))
    return ct.Split(ct.degrade(images, "noise", damage / 5, seed), damage)


def check_yes_or_no(yes_or_no):
    images = np.full((200, 8, 8, 1), 0.5, "float32")
    split = yes_or_no(images, 3)
    assert (images == 0.5).all(), "the images that came have been changed: copy them"
    assert set(np.unique(split.targets)) == {0, 1}, "the targets are 0 and 1 alone"
    hurt = (split.images != 0.5).any(axis=(1, 2, 3))
    assert 60 < hurt.sum() < 140, (
        f"{hurt.sum()} of 200 images are damaged: about half of them should be"
    )
    assert (hurt == (split.targets == 1)).all(), (
        "the target is 1 where an image is damaged, and 0 where it is not"
    )
    other = yes_or_no(images, 4).targets
    assert (other != split.targets).any(), "another seed draws other images"


def test_yes_or_no():
    names = solution(PAGE, "ex-quality-yes-or-no")
    names["harm"] = harm  # as the page defines it
    check_yes_or_no(names["yes_or_no"])


def all_damaged(images, seed):
    split = harm(images, seed)
    return ct.Split(split.images, (split.targets > 0.5).astype("float32"))


def quality(images, seed):
    hurt = np.random.default_rng(seed).random(len(images)) < 0.5
    mixed = images.copy()
    mixed[hurt] = harm(images[hurt], seed).images
    return ct.Split(mixed, (~hurt).astype("float32"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(all_damaged, "about half of them"), (quality, "1 where an image is damaged")],
)
def test_a_wrong_yes_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_yes_or_no(wrong)


# ------------------------------------------------------------ build: a map


class Mean:
    """Scores a tile by its mean, as a model would."""

    def predict(self, images, verbose=0):
        return np.asarray(images).mean(axis=(1, 2, 3))[:, np.newaxis]


def check_map(damage_map):
    image = RANDOM.random((20, 33, 1))
    found = np.asarray(damage_map(Mean(), image, 8))
    assert found.shape == (2, 4), (
        f"20 x 33 pixels hold 2 rows and 4 columns of whole tiles, but the map has "
        f"the shape {found.shape}"
    )
    for row, column in np.ndindex(2, 4):
        tile = image[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        assert found[row, column] == pytest.approx(tile.mean()), (
            f"the score in row {row} and column {column} is not that of its tile: go "
            "through the tiles row by row"
        )


def test_a_map():
    check_map(solution(PAGE, "ex-quality-map")["damage_map"])


def column_by_column(model, image, side):
    rows, columns = (n // side for n in image.shape[:2])
    tiles = [
        image[r * side : (r + 1) * side, c * side : (c + 1) * side]
        for c in range(columns)
        for r in range(rows)
    ]
    return model.predict(np.array(tiles)).reshape(rows, columns)


def with_the_rest(model, image, side):
    return np.array(
        [
            [
                model.predict(image[None, r : r + side, c : c + side])[0, 0]
                for c in range(0, image.shape[1], side)
            ]
            for r in range(0, image.shape[0], side)
        ]
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(column_by_column, "row by row"), (with_the_rest, "2 rows and 4 columns")],
)
def test_a_wrong_map_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_map(wrong)
