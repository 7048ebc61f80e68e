"""The exercises of "Denoising": the solutions pass, wrong answers fail."""

import numpy as np
import pytest

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "faq/denoising"
RANDOM = np.random.default_rng(0)

# ------------------------------------------------------------ predict: the blind limit


def check_limit(blind_limit):
    images = RANDOM.random((50, 6, 6, 1)) * np.linspace(0.2, 1, 6)[:, None]
    told = blind_limit(images)
    mean = -10 * np.log10(((images - images.mean(axis=0)) ** 2).mean())
    for guess in (*images[:10], np.full((6, 6, 1), images.mean())):
        reached = -10 * np.log10(((images - guess) ** 2).mean())
        assert told > reached, (
            f"a single picture reaches {reached:.2f} dB, more than your limit of "
            f"{told:.2f} dB: along which axis is the variance of the mean image?"
        )
    assert told == pytest.approx(mean, abs=0.01), (
        f"the mean image reaches {mean:.2f} dB, and nobody can do better, but you say "
        f"{told:.2f} dB: first average the errors, then take the logarithm"
    )


def test_the_limit_of_the_blind():
    check_limit(solution(PAGE, "ex-denoising-blind")["blind_limit"])


def one_grey(images):
    return -10 * np.log10(np.var(images))


def mean_of_logarithms(images):
    errors = ((images - images.mean(axis=0)) ** 2).mean(axis=(1, 2, 3))
    return (-10 * np.log10(errors)).mean()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (one_grey, "along which axis"),
        (mean_of_logarithms, "average the errors"),
    ],
)
def test_a_wrong_limit_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_limit(wrong)


# ------------------------------------------------------------ change: all strengths


def check_all_strengths(draw_all):
    grey = np.full((400, 16, 16, 1), 0.5, "float32")
    split = draw_all(grey, 3)
    assert np.array_equal(split.targets, grey), "the targets are the clean images"
    found = 255 * (split.images - grey).std(axis=(1, 2, 3))
    assert found.max() < 70, (
        f"one image has a sigma of {found.max():.0f}: ct.degrade takes a share of the "
        "range from black to white, so divide by 255"
    )
    assert found.std() > 10, "each image has a sigma of its own: pass one for each"
    assert found.min() < 8 and found.max() > 50, "sigma is drawn evenly from 5 to 55"


def test_noise_of_all_strengths():
    check_all_strengths(solution(PAGE, "ex-denoising-all")["draw_all"])


def in_grey_levels(images, seed):
    sigmas = np.random.default_rng(seed).uniform(5, 55, len(images))
    return ct.Split(ct.degrade(images, "noise", sigmas / 100, seed), images)


def one_for_all(images, seed):
    sigma = np.random.default_rng(seed).uniform(5, 55)
    return ct.Split(ct.degrade(images, "noise", sigma / 255, seed), images)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(in_grey_levels, "divide by 255"), (one_for_all, "one for each")],
)
def test_a_wrong_strength_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_all_strengths(wrong)


# ------------------------------------------------------------ build: fences


def check_fences(make_fences):
    fences = np.asarray(make_fences(12, 4))
    assert fences.shape == (12, 32, 32, 1), (
        f"12 fences have the shape (12, 32, 32, 1), but got {fences.shape}"
    )
    assert 0 <= fences.min() and fences.max() <= 1, "grey values lie in [0, 1]"
    assert np.ptp(fences, axis=1).max() == 0, (
        "the stripes are not upright: every row of an image equals every other"
    )
    assert np.ptp(fences, axis=2).min() > 0, "one grey is no fence"
    assert np.ptp(fences, axis=0).max() > 0, "each image has stripes of its own"
    assert np.array_equal(fences, make_fences(12, 4)), "one seed gives the same fences"


def test_fences():
    check_fences(solution(PAGE, "ex-denoising-fence")["make_fences"])


def lying(count, seed):
    rows = np.random.default_rng(seed).random((count, 32, 1, 1))
    return np.repeat(rows, 32, axis=2)


def all_alike(count, seed):
    row = np.random.default_rng(seed).random((1, 1, 32, 1))
    return np.broadcast_to(row, (count, 32, 32, 1))


@pytest.mark.parametrize(
    ("wrong", "words"), [(lying, "not upright"), (all_alike, "of its own")]
)
def test_wrong_fences_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_fences(wrong)
