"""The exercises of the page on detection: solutions pass, wrong answers fail."""

import numpy as np
import pytest

from crnn_tutorial.metrics.boxes import box_iou
from exercises.reading import solution

PAGE = "faq/detection"

# ------------------------------------------------------------ predict: how far off?


def largest(side, iou):
    square = np.array([[0, 0, side, side]])
    shifts = range(side)
    right = [box_iou(square, square + [0, d, 0, d])[0, 0] >= iou for d in shifts]
    return max(d for d in shifts if right[d])


def check_shift(largest_shift):
    for side, iou in ((12, 0.5), (12, 0.75), (28, 0.5), (28, 0.75), (41, 0.3)):
        found, right = largest_shift(side, iou), largest(side, iou)
        assert found != right + 1, (
            f"{side} pixels, IoU {iou}: {found} is one pixel too far, or is it still "
            "right there?"
        )
        assert found <= right, (
            f"{side} pixels, IoU {iou}: {found} is too far: divide by what both boxes "
            "cover together, not by one of them"
        )
        assert found == right, f"{side} pixels, IoU {iou}: it may be farther off"


def test_the_largest_shift():
    check_shift(solution(PAGE, "ex-detect-shift")["largest_shift"])


def share_of_one_box(side, iou):
    return int(side * (1 - iou))


def first_that_is_wrong(side, iou):
    return largest(side, iou) + 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(share_of_one_box, "cover together"), (first_that_is_wrong, "one pixel too far")],
)
def test_a_wrong_shift_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_shift(wrong)


# ------------------------------------------------------------ build: two shares


def check_precision(precision_and_recall):
    right, scores = [True, True, False, True, False], [0.9, 0.8, 0.7, 0.5, 0.3]
    found = precision_and_recall(right, scores, 8, 0.5)
    assert found[1] != pytest.approx(3 / 5), (
        "recall divides by all true boxes, also those that nothing found"
    )
    assert found == pytest.approx((3 / 4, 3 / 8)), (
        "at the threshold itself a box is accepted: three of four are right"
    )
    assert precision_and_recall(right, scores, 8, 0.95) == (1, 0), (
        "where no box is accepted, the precision is 1 and the recall 0"
    )


def test_precision_and_recall():
    check_precision(solution(PAGE, "ex-detect-precision")["precision_and_recall"])


def forgets_the_missed(right, scores, true_boxes, threshold):
    hits = sum(ok for ok, s in zip(right, scores, strict=True) if s >= threshold)
    return hits / sum(s >= threshold for s in scores), hits / len(right)


def above_only(right, scores, true_boxes, threshold):
    accepted = [ok for ok, s in zip(right, scores, strict=True) if s > threshold]
    return sum(accepted) / len(accepted), sum(accepted) / true_boxes


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(forgets_the_missed, "nothing found"), (above_only, "threshold itself")],
)
def test_wrong_shares_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_precision(wrong)


# ------------------------------------------------------------ change: mirrored cells


def cells():
    """Bright boxes of different sizes, and rows of -1."""
    rng = np.random.default_rng(0)
    images = np.zeros((40, 12, 20, 3), "float32")
    boxes = np.full((40, 2, 5), -1, "float32")
    for image, row in zip(images, boxes, strict=True):
        y0, x0 = rng.integers(0, 6, 2)
        y1, x1 = y0 + rng.integers(2, 6), x0 + rng.integers(2, 12)
        image[y0:y1, x0:x1] = 1
        row[0] = y0, x0, y1, x1, 1
    return images, boxes


def check_mirror(mirror):
    images, boxes = cells()
    before = images.copy(), boxes.copy()
    moved, rows = mirror(images, np.random.default_rng(1), boxes)
    assert np.array_equal(images, before[0]) and np.array_equal(boxes, before[1]), (
        "the images and boxes that came must not change: copy them first"
    )
    assert (rows[:, 1] == -1).all(), "rows of -1 stand for no box: leave them alone"
    y0, x0, y1, x1, _ = rows[:, 0].astype(int).T
    assert (x0 < x1).all(), "the left side must stay left: x0 and x1 change places"
    changed = (moved != images).any(axis=(1, 2, 3))
    assert 8 < changed.sum() < 32, "about half of the images, each by itself"
    for i, image in enumerate(moved):
        inside = image[y0[i] : y1[i], x0[i] : x1[i]]
        assert inside.all() and inside.sum() == image.sum(), "the box misses its cell"


def test_mirrored_cells():
    check_mirror(solution(PAGE, "ex-detect-mirror")["mirror"])


def sides_in_their_places(images, rng, boxes):
    images, boxes = images.copy(), boxes.copy()
    turned = rng.random(len(images)) < 0.5
    images[turned] = images[turned, :, ::-1]
    real = turned[:, None] & (boxes[..., 4] >= 0)
    for side in (1, 3):
        boxes[real, side] = images.shape[2] - boxes[real, side]
    return images, boxes


def every_row(images, rng, boxes):
    images, boxes = images.copy(), boxes.copy()
    turned = rng.random(len(images)) < 0.5
    images[turned] = images[turned, :, ::-1]
    boxes[turned, :, 1], boxes[turned, :, 3] = (
        images.shape[2] - boxes[turned, :, 3],
        images.shape[2] - boxes[turned, :, 1],
    )
    return images, boxes


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(sides_in_their_places, "change places"), (every_row, "stand for no box")],
)
def test_a_wrong_mirror_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_mirror(wrong)
