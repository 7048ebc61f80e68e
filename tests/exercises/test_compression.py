"""The exercises of "A file you can weigh": the solutions pass, wrong answers fail."""

import math

import numpy as np
import pytest

from exercises.reading import solution

PAGE = "faq/compression"

# ------------------------------------------------------------ predict: the header


def check_side(smallest_side):
    for header, allowed in ((330, 0.01), (13, 0.01), (330, 0.1), (600, 0.05)):
        side = smallest_side(header, allowed)
        assert 8 * header / side**2 <= allowed, (
            f"{side} pixels are too few: did you count bits and not bytes?"
        )
        assert 8 * header / (side - 1) ** 2 > allowed, (
            f"{side - 1} pixels are enough: a square of side s has s * s pixels"
        )


def test_the_smallest_side():
    check_side(solution(PAGE, "ex-compression-header")["smallest_side"])


def counted_in_bytes(header_bytes, bits_per_pixel):
    return math.ceil(math.sqrt(header_bytes / bits_per_pixel))


def a_line_of_pixels(header_bytes, bits_per_pixel):
    return math.ceil(8 * header_bytes / bits_per_pixel)


@pytest.mark.parametrize(
    "wrong, words",
    [(counted_in_bytes, "bits and not bytes"), (a_line_of_pixels, "s \\* s pixels")],
)
def test_a_wrong_side_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_side(wrong)


# ------------------------------------------------------------ predict: rounding


def check_psnr(psnr_of_step):
    numbers = np.random.default_rng(0).uniform(-1, 1, 200_000)
    for step in (0.2, 0.05, 0.01):
        error = np.rint(numbers / step) * step - numbers
        measured = -10 * np.log10((error**2).mean())
        found = psnr_of_step(step)
        assert found > measured - 4, (
            f"{measured:.1f} dB were measured, and not {found:.1f}: most errors are "
            "smaller than the largest"
        )
        assert abs(found - measured) < 0.1, (
            f"{measured:.1f} dB were measured, and not {found:.1f}: square the errors "
            "before you average them"
        )


def test_the_psnr_of_a_step():
    check_psnr(solution(PAGE, "ex-compression-step")["psnr_of_step"])


def of_the_largest_error(step):
    return -10 * np.log10((step / 2) ** 2)


def of_the_mean_error(step):
    return -10 * np.log10((step / 4) ** 2)


@pytest.mark.parametrize(
    "wrong, words",
    [(of_the_largest_error, "smaller than the largest"), (of_the_mean_error, "square")],
)
def test_a_wrong_psnr_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_psnr(wrong)


# ------------------------------------------------------------ build: differences


def bits(numbers):
    _, counts = np.unique(numbers, return_counts=True)
    return -(counts * np.log2(counts / counts.sum())).sum()


def check_differences(to_whole, from_whole):
    rng = np.random.default_rng(0)
    for step in (0.1, 0.5):
        values = 4 + np.cumsum(rng.normal(0, step, 2000))
        numbers = np.asarray(to_whole(values, step))
        assert np.array_equal(numbers, np.rint(numbers)), "these are no whole numbers"
        worst = np.abs(from_whole(numbers, step) - values).max()
        assert worst <= step / 2 + 1e-9, (
            f"one value is wrong by {worst / step:.1f} steps: errors add up along the "
            "list"
        )
        assert bits(numbers) < 0.8 * bits(np.rint(values / step)), (
            "as many bits as without the trick: where are the differences?"
        )


def test_differences_take_fewer_bits_and_lose_no_more():
    found = solution(PAGE, "ex-compression-difference")
    check_differences(found["to_whole"], found["from_whole"])


def each_difference_rounded(values, step):
    return np.rint(np.diff(values, prepend=0) / step).astype(int)


def sums(numbers, step):
    return np.cumsum(numbers) * step


def no_differences(values, step):
    return np.rint(np.asarray(values) / step).astype(int)


def as_they_are(numbers, step):
    return numbers * step


@pytest.mark.parametrize(
    "to_whole, from_whole, words",
    [
        (each_difference_rounded, sums, "errors add up"),
        (no_differences, as_they_are, "where are the differences"),
    ],
)
def test_drift_and_no_differences_are_told_why(to_whole, from_whole, words):
    with pytest.raises(AssertionError, match=words):
        check_differences(to_whole, from_whole)
