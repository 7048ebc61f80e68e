"""The exercises of "Draw and restore at once": solutions pass, wrong answers fail."""

import numpy as np
import pytest

from exercises.reading import solution

PAGE = "faq/joint_restoration"
RANDOM = np.random.default_rng(0)


# ------------------------------------------------------------ predict: two originals


def halve(images):
    count, height, width, channels = images.shape
    shape = count, height // 2, 2, width // 2, 2, channels
    return images.reshape(shape).mean(axis=(2, 4))


def check_twins(twins_of):
    images = RANDOM.integers(0, 17, (20, 6, 8, 1)) / 16
    images[0], images[1, :2, :2, 0] = 0.5, [[0.2, 0.7], [0.7, 0.2]]
    found = np.asarray(twins_of(images.copy()))
    assert found.shape == images.shape, "the twins have the shape of the images"
    np.testing.assert_allclose(
        halve(found), halve(images), atol=1e-6, err_msg="the small images differ"
    )
    assert found.min() >= -1e-6 and found.max() <= 1 + 1e-6, "grey lies in [0, 1]"
    same = np.isclose(found, images, atol=1e-6).reshape(20, 3, 2, 4, 2)
    flat = np.ptp(images.reshape(20, 3, 2, 4, 2), axis=(2, 4)) == 0
    assert (same.all(axis=(2, 4)) <= flat).all(), (
        "some block is as it was, although its pixels are not all equal"
    )


def test_two_originals():
    check_twins(solution(PAGE, "ex-restoration-twins")["twins_of"])


def mirrored(images):
    return images[:, :, ::-1]


def turned(images):
    shape = len(images), 3, 2, 4, 2, 1
    return images.reshape(shape)[:, :, ::-1, :, ::-1].reshape(images.shape)


def too_far(images):
    means = np.repeat(np.repeat(halve(images), 2, axis=1), 2, axis=2)
    return 2 * means - images


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (mirrored, "the small images differ"),
        (turned, "some block is as it was"),
        (too_far, "grey lies in"),
    ],
)
def test_wrong_twins_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_twins(wrong)


# ------------------------------------------------------------ change: the share found


def check_share(share_found):
    noise = RANDOM.standard_normal((500, 3)) * [1, 2, 3] + [0, 5, 0]
    assert np.allclose(share_found(noise, noise), 1), "all found: the share is 1"
    mean = np.broadcast_to(noise.mean(axis=0), noise.shape)
    found = share_found(noise, mean)
    assert np.shape(found) == (3,), "one share for each number, so axis=0"
    assert np.allclose(found, 0), "to say the mean finds nothing: the share is 0"
    twice = noise + (noise - mean)
    assert np.allclose(share_found(noise, twice), 0), (
        "a guess that is twice too large is off by as much as the mean is"
    )


def test_the_share_found():
    check_share(solution(PAGE, "ex-restoration-share")["share_found"])


def correlation(noise, guess):
    pairs = zip(noise.T, guess.T, strict=True)
    found = [np.corrcoef(*pair)[0, 1] ** 2 if np.ptp(pair[1]) else 0 for pair in pairs]
    return np.array(found)


def all_numbers(noise, guess):
    return 1 - ((guess - noise) ** 2).mean() / noise.var()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(correlation, "twice too large"), (all_numbers, "for each number")],
)
def test_a_wrong_share_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_share(wrong)


# ------------------------------------------------------------ build: bits of a code


def check_bits(bits_of_code):
    even = np.array([[0, 1 / 3], [1, 1 / 3], [1 / 3, 1 / 3], [2 / 3, 1 / 3]])
    found = bits_of_code(even)
    assert found != pytest.approx(4), (
        "a level that always occurs tells nothing: it costs 0 bits, not 2"
    )
    assert found != pytest.approx(2 * np.log(2)), "bits have the logarithm to base 2"
    assert found == pytest.approx(2), "four levels, equally often, are 2 bits"
    uneven = np.repeat([[0.0], [1.0]], [3, 1], axis=0)
    assert bits_of_code(uneven) == pytest.approx(0.8112781), "p = 3/4 and 1/4"


def test_bits_of_a_code():
    check_bits(solution(PAGE, "ex-restoration-bits")["bits_of_code"])


def at_most(codes):
    return 2.0 * codes.shape[1]


def natural(codes):
    bits = 0.0
    for column in codes.T:
        _, counts = np.unique(column, return_counts=True)
        share = counts / counts.sum()
        bits -= (share * np.log(share)).sum()
    return bits


@pytest.mark.parametrize(
    ("wrong", "words"), [(at_most, "tells nothing"), (natural, "base 2")]
)
def test_wrong_bits_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_bits(wrong)
