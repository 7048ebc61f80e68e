"""The exercises of "Contrast": the solutions pass, wrong answers fail."""

import numpy as np
import pytest

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "faq/contrast"
RANDOM = np.random.default_rng(0)

# ------------------------------------------------------------ predict: levels of grey


def check_levels(levels_left):
    ramp = np.linspace(0, 1, 256, dtype="float32").reshape(1, 16, 16, 1)
    assert levels_left(0, 0) == 256, (
        f"nothing is lost, and 256 levels are left, but you say {levels_left(0, 0)}: "
        "there is one level more than steps"
    )
    for contrast, light in ((0.5, 0), (0, 0.6), (0.8, 0.8)):
        dull = ct.degrade(ct.degrade(ramp, "contrast", contrast), "darkness", light)
        found, told = len(np.unique(dull)), levels_left(contrast, light)
        assert abs(told - found) <= 1, (
            f"with contrast={contrast} and light={light} a ramp has {found} levels "
            f"left, but you say {told}: the two factors are multiplied"
        )


def test_levels():
    check_levels(solution(PAGE, "ex-contrast-levels")["levels_left"])


def steps_only(contrast, light):
    return round(255 * (1 - contrast) * (1 - light))


def added(contrast, light):
    return round(255 * max(0, 1 - contrast - light)) + 1


@pytest.mark.parametrize(
    ("wrong", "words"), [(steps_only, "one level more"), (added, "are multiplied")]
)
def test_wrong_levels_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_levels(wrong)


# ------------------------------------------------------------ change: dark and grainy


def check_grainy(make_grainy):
    grey = np.full((300, 16, 16, 1), 0.8, "float32")
    split = make_grainy(grey, 3)
    assert split.images.shape == (300, 16, 16, 2), (
        "the images have two channels: stretched, and as they came"
    )
    assert np.array_equal(split.targets, grey), "the targets are the images before"
    stretched, came = split.images[..., 0], split.images[..., 1]
    light = came.mean(axis=(1, 2)) / 0.8
    assert light.std() > 0.1, "each image loses a share of its own: pass one for each"
    assert 0.15 < light.min() < 0.25 and 0.75 < light.max() < 0.85, (
        "the share that is lost is drawn evenly from 0.2 to 0.8"
    )
    grain = 255 * came.std(axis=(1, 2))
    assert grain == pytest.approx(5, abs=1.2), (
        f"the grain has a sigma between {grain.min():.1f} and {grain.max():.1f} grey "
        "levels: add it after the light is lost, so that it is 5 everywhere"
    )
    ends = stretched.min(axis=(1, 2)), stretched.max(axis=(1, 2))
    assert np.allclose(ends[0], 0) and np.allclose(ends[1], 1), (
        "the first channel is the grainy image, stretched from black to white"
    )


def test_grainy():
    check_grainy(solution(PAGE, "ex-contrast-grain")["make_grainy"])


def two_channels(images, dark):
    low, high = (f(dark, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
    told = np.concatenate([(dark - low) / (high - low), dark], axis=-1)
    return ct.Split(told, images)


def grain_first(images, seed):
    light = np.random.default_rng(seed).uniform(0.2, 0.8, len(images))
    noisy = ct.degrade(images, "noise", 5 / 255, seed)
    return two_channels(images, ct.degrade(noisy, "darkness", light))


def one_for_all(images, seed):
    dark = ct.degrade(images, "darkness", 0.5)
    return two_channels(images, ct.degrade(dark, "noise", 5 / 255, seed))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(grain_first, "after the light is lost"), (one_for_all, "one for each")],
)
def test_wrong_grain_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_grainy(wrong)


# ------------------------------------------------------------ build: the best gain


def check_gain(best_gain):
    image = RANDOM.random((12, 12))
    dull = 0.3 * image + 0.1
    told = best_gain(dull, image)
    assert told == pytest.approx(1 / 0.3), (
        f"of an image with 0.3 of its contrast and no noise the best gain is 3.33, but "
        f"you say {told:.2f}: first take the mean from both"
    )
    grainy = dull + RANDOM.normal(0, 0.1, dull.shape)
    told = best_gain(grainy, image)
    best = np.polyfit(grainy.ravel(), image.ravel(), 1)[0]
    assert told == pytest.approx(best), (
        f"with noise the best gain is {best:.2f}, but you say {told:.2f}: the spread "
        "of the dull image is also noise, which does not belong to the image"
    )


def test_the_best_gain():
    check_gain(solution(PAGE, "ex-contrast-gain")["best_gain"])


def with_the_mean(dull, image):
    return (dull * image).sum() / (dull * dull).sum()


def ratio_of_spreads(dull, image):
    return image.std() / dull.std()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(with_the_mean, "take the mean from both"), (ratio_of_spreads, "is also noise")],
)
def test_a_wrong_gain_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_gain(wrong)
