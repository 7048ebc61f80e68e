"""The exercises of "Boundary detection": the solutions pass, wrong answers fail."""

import numpy as np
import pytest
from scipy import ndimage

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "faq/edges"

# ------------------------------------------------------------ predict: a thick stripe


def check_stripe(score_of_stripe):
    for width in (1, 3, 5, 9):
        for tolerance in (0, 1, 2):
            truth, found = np.zeros((2, 1, 12, 31))
            truth[..., 15] = 1
            found[..., 15 - width // 2 : 16 + width // 2] = 1
            (score,) = ct.edge_f_score(truth, found, tolerance)
            told = score_of_stripe(width, tolerance)
            assert told <= 1, "a score is at most 1: a thin stripe is right throughout"
            assert told == pytest.approx(score), (
                f"a stripe of {width} pixels with a tolerance of {tolerance} has the "
                f"F-score {score:.3f}, not {told:.3f}: did you count the columns on "
                "both sides of the line, and combine precision and recall?"
            )


def test_the_score_of_a_stripe():
    check_stripe(solution(PAGE, "ex-edges-stripe")["score_of_stripe"])


def precision_alone(width, tolerance):
    return min(1, (2 * tolerance + 1) / width)


def no_upper_bound(width, tolerance):
    precision = (2 * tolerance + 1) / width
    return 2 * precision / (precision + 1)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(precision_alone, "combine precision"), (no_upper_bound, "at most 1")],
)
def test_a_wrong_score_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_stripe(wrong)


# ------------------------------------------------------------ build: outlines of a mask


def check_outlines(outline):
    scenes = ct.load_digit_scenes((1, 1, 20), size=(32, 32), digit_sizes=(10, 16))
    targets = scenes.test.targets
    for mask, edges in zip(targets["masks"], targets["edges"], strict=True):
        found = np.asarray(outline(mask)).astype(int)
        assert found.shape == mask.shape
        assert not found[mask == 0].any(), (
            "a pixel of the outline lies outside the thing: does the mask grow where "
            "it should shrink?"
        )
        assert np.array_equal(found, edges), (
            "some pixels are missing or too many: a pixel whose neighbour to the left, "
            "right, top or bottom is background belongs to the outline, and what lies "
            "beyond the border of the image is background, too"
        )


def test_the_outlines_of_a_mask():
    check_outlines(solution(PAGE, "ex-edges-mask")["outline"])


def grown(mask):
    return ndimage.binary_dilation(mask > 0) & (mask == 0)


def with_corners(mask):
    return (mask > 0) & ~ndimage.binary_erosion(mask > 0, np.ones((3, 3)))


@pytest.mark.parametrize(
    ("wrong", "words"), [(grown, "should shrink"), (with_corners, "too many")]
)
def test_wrong_outlines_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_outlines(wrong)
