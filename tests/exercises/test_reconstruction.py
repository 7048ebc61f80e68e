"""The exercises of "Reconstruction": the solutions pass, wrong answers fail."""

import numpy as np
import pytest

from crnn_tutorial.metrics.pictures import psnr_per_image
from exercises.reading import solution

PAGE = "faq/reconstruction"
RANDOM = np.random.default_rng(0)

# ------------------------------------------------------------ predict: the hole alone


def check_hole(hole_psnr):
    image = RANDOM.random((1, 8, 8, 1))
    for side in (2, 4, 8):
        answer, hole = image.copy(), (slice(None), slice(side), slice(side))
        answer[hole] = RANDOM.random((1, side, side, 1))
        (whole,) = psnr_per_image(image, answer)
        (inside,) = psnr_per_image(image[hole], answer[hole])
        told = hole_psnr(whole, side**2 / 64)
        assert told <= whole + 1e-9, (
            f"the hole has all of the error, so its PSNR is lower than the "
            f"{whole:.1f} dB of the image, but you say {told:.1f} dB"
        )
        assert told == pytest.approx(inside, abs=0.01), (
            f"the hole has {inside:.1f} dB, but you say {told:.1f} dB: decibels are a "
            "logarithm, and what is divided in an error is subtracted in them"
        )


def test_the_hole_alone():
    check_hole(solution(PAGE, "ex-reconstruction-hole")["hole_psnr"])


def upside_down(psnr, share):
    return psnr - 10 * np.log10(share)


def multiplied(psnr, share):
    return psnr * share


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(upside_down, "all of the error"), (multiplied, "a logarithm")],
)
def test_a_wrong_psnr_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_hole(wrong)


# ------------------------------------------------------------ predict: the price


def check_price(expected_errors):
    for p in (0.1, 0.5, 0.8):
        true, drawn = RANDOM.random((2, 200_000)) < p
        wanted = ((true - p) ** 2).mean(), (true != drawn).mean()
        told = expected_errors(p)
        assert told[0] == pytest.approx(wanted[0], abs=0.01), (
            f"for p = {p} the mean has an error of {wanted[0]:.2f}, but you say "
            f"{told[0]:.2f}: it is the variance of a pixel"
        )
        assert told[1] == pytest.approx(wanted[1], abs=0.01), (
            f"for p = {p} the drawn answer has an error of {wanted[1]:.2f}, but you "
            f"say {told[1]:.2f}: it is wrong in two ways, white for black and black "
            "for white"
        )


def test_the_price_of_looking_real():
    check_price(solution(PAGE, "ex-reconstruction-price")["expected_errors"])


def one_way(p):
    return p * (1 - p), p * (1 - p)


def the_likelier(p):
    return min(p, 1 - p), 2 * p * (1 - p)


@pytest.mark.parametrize(
    ("wrong", "words"), [(one_way, "in two ways"), (the_likelier, "the variance")]
)
def test_a_wrong_price_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_price(wrong)
