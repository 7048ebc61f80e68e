"""The exercises of "Contrast": the solutions pass, wrong answers fail."""

import numpy as np
import pytest

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "faq/contrast"
RANDOM = np.random.default_rng(0)

# ------------------------------------------------------------ predict: undo it by hand


def check_undo(undo):
    images = RANDOM.random((3, 8, 8, 1), dtype="float32")
    for contrast, light in ((0.5, 0), (0, 0.5), (0.4, 0.6)):
        faint = ct.degrade(images, "contrast", contrast)
        found = undo(ct.degrade(faint, "darkness", light), contrast, light)
        rounding = 2 / 255 / (1 - contrast) / (1 - light)
        assert np.abs(found - images).max() < rounding, (
            f"with contrast={contrast} and light={light} your answer is off by "
            f"{np.abs(found - images).max():.2f}, more than rounding can explain: "
            + ("divide by what is left" if light == 0 else "first undo the light")
        )


def test_undo():
    check_undo(solution(PAGE, "ex-contrast-undo")["undo"])


def contrast_first(dull, contrast, light):
    mean = dull.mean(axis=(1, 2, 3), keepdims=True)
    return mean + (dull - mean) / (1 - contrast) / (1 - light)


def multiplied(dull, contrast, light):
    faint = dull / (1 - light)
    mean = faint.mean(axis=(1, 2, 3), keepdims=True)
    return mean + (faint - mean) * (1 + contrast)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(contrast_first, "first undo the light"), (multiplied, "divide by what is left")],
)
def test_a_wrong_undo_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_undo(wrong)


# ------------------------------------------------------------ predict: levels of grey


def check_levels(levels_left):
    ramp = np.linspace(0, 1, 256, dtype="float32").reshape(1, 16, 16, 1)
    assert levels_left(0, 0) == 256, (
        f"nothing is lost, and 256 levels are left, but you say {levels_left(0, 0)}: "
        "there is one level more than steps"
    )
    for contrast, light in ((0.5, 0), (0, 0.6), (0.8, 0.8)):
        faint = contrast and ct.degrade(ramp, "contrast", contrast)
        dull = ct.degrade(faint if contrast else ramp, "darkness", light)
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
