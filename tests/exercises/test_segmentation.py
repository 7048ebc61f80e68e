"""The exercises of "A class for every pixel": solutions pass, wrong answers fail."""

import functools

import numpy as np
import pytest
from skimage.measure import label

import crnn_tutorial as ct
from crnn_tutorial.metrics.masks import iou_per_image
from exercises.reading import solution

PAGE = "faq/segmentation"

# ------------------------------------------------------------ predict: one stray pixel


@functools.cache
def scenes():
    """Return the masks of a few scenes."""
    return ct.load_digit_scenes(sizes=(1, 1, 12)).test.targets["masks"]


def check_stray(score_with_stray):
    for truth in scenes():
        absent = next(k for k in range(1, 11) if k not in truth)
        found = truth.copy()
        found[tuple(np.argwhere(truth == 0)[0])] = absent
        expected = iou_per_image(truth[None], found[None], 11)[0]
        score = score_with_stray(truth)
        classes = len(np.unique(truth))
        assert score < 0.95, (
            f"{score:.3f} for a scene of {classes} classes: does the class of the "
            "stray pixel, with its IoU of 0, count in your mean?"
        )
        assert score == pytest.approx(expected, abs=1e-9), (
            f"{score:.6f}, but it is {expected:.6f}: the background has lost a pixel, "
            "too, so its IoU is not quite 1"
        )


def test_one_stray_pixel():
    check_stray(solution(PAGE, "ex-segment-stray")["score_with_stray"])


def without_the_new_class(mask):
    return 1 - 1 / (mask == 0).sum() / len(np.unique(mask))


def with_a_whole_background(mask):
    classes = len(np.unique(mask))
    return classes / (classes + 1)


@pytest.mark.parametrize(
    "wrong, words",
    [
        (without_the_new_class, "with its IoU of 0"),
        (with_a_whole_background, "lost a pixel"),
    ],
)
def test_a_wrong_score_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_stray(wrong)


# ------------------------------------------------------------ build: classes to things


def small_mask():
    """Two threes, the second touched by a five; a one that hangs by a corner."""
    mask = np.zeros((9, 9), int)
    mask[1:3, 1:3] = 4  # a three: 4 pixels
    mask[6:8, 1:3] = 4  # another: 4 pixels
    mask[6:8, 3:6] = 6  # a five beside it: 6 pixels
    mask[1, 7] = mask[2, 8] = 2  # a one, of two pixels that meet at a corner
    return mask


def check_things(things):
    found = sorted((int(k), int(n)) for k, n in things(small_mask()))
    classes = [k for k, _ in found]
    assert classes.count(4) == 2, (
        f"there are two threes in the mask, but you found {classes.count(4)}: a class "
        "is not a thing"
    )
    assert 6 in classes and (6, 6) in found, (
        "the five touches a three and is a thing of its own: label the classes, not "
        "only what is no background"
    )
    assert found == [(2, 2), (4, 4), (4, 4), (6, 6)], (
        f"{found}: pixels that meet at a corner belong together (connectivity=2)"
    )
    assert list(things(np.zeros((4, 4), int))) == [], "no thing in an empty mask"


def test_from_classes_to_things():
    check_things(solution(PAGE, "ex-segment-things")["things"])


def classes_only(mask):
    return [(k, (mask == k).sum()) for k in np.unique(mask) if k]


def regions(mask, **options):
    found = label(mask, **options)
    return [
        (mask[found == k][0], (found == k).sum()) for k in range(1, 1 + found.max())
    ]


def no_corners(mask):
    return regions(mask, connectivity=1)


def all_that_touches(mask):
    found = label(mask > 0, connectivity=2)
    return [
        (mask[found == k][0], (found == k).sum()) for k in range(1, 1 + found.max())
    ]


@pytest.mark.parametrize(
    "wrong, words",
    [
        (classes_only, "a class is not a thing"),
        (all_that_touches, "label the classes"),
        (no_corners, "meet at a corner"),
    ],
)
def test_wrong_things_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_things(wrong)


# ------------------------------------------------------------ change: one long row


def check_row(steps_below, build_in_one_row):
    for size, patch in ((64, 8), (64, 16), (384, 8)):
        assert steps_below(size, patch) == size // patch, (
            f"an image {size} pixels wide has {size // patch} patches in a row, and "
            "the patch below is so many steps further on"
        )
    shape = (32, 32, 1), 3
    model = build_in_one_row(*shape, filters=(4, 8), units=6)
    original = ct.build_segmenter(*shape, filters=(4, 8), units=6)
    names = {layer.name for layer in model.layers}
    assert "raster" in names, "the patches are not read in one row: recurrence='raster'"
    ratio = model.count_params() / original.count_params()
    assert abs(ratio - 1) < 0.03, (
        f"it has {ratio:.0%} of the parameters: two LSTMs have become one, so widen it "
        "(ct.twin does)"
    )


def test_one_long_row():
    found = solution(PAGE, "ex-segment-row")
    check_row(found["steps_below"], found["build_in_one_row"])


def test_a_wrong_row_is_told_why():
    found = solution(PAGE, "ex-segment-row")
    steps, build = found["steps_below"], found["build_in_one_row"]
    with pytest.raises(AssertionError, match="steps further on"):
        check_row(lambda width, patch: width, build)
    with pytest.raises(AssertionError, match="not read in one row"):
        check_row(steps, ct.build_segmenter)
    narrow = functools.partial(ct.build_segmenter, recurrence="raster")
    with pytest.raises(AssertionError, match="two LSTMs have become one"):
        check_row(steps, narrow)
