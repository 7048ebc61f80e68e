"""Boxes: overlaps by counting pixels, average precision as pycocotools has it."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crnn_tutorial as ct
from crnn_tutorial.metrics.boxes import box_f_score, box_iou, match_boxes

quick = settings(max_examples=25, deadline=None, derandomize=True)
EMPTY = np.zeros((0, 4)), np.zeros(0, int), np.zeros(0)


def random_boxes(rng, count, size=12):
    """Boxes with an area, whole pixels."""
    start = rng.integers(0, size - 1, (count, 2))
    return np.hstack([start, rng.integers(start + 1, size + 1)])


class TestOverlap:
    @quick
    @given(st.integers(0, 1000))
    def test_it_is_what_counting_pixels_says(self, seed):
        rng = np.random.default_rng(seed)
        boxes, others = random_boxes(rng, 4), random_boxes(rng, 3)

        def paint(box):
            canvas = np.zeros((12, 12), bool)
            canvas[box[0] : box[2], box[1] : box[3]] = True
            return canvas

        expected = [
            [(paint(a) & paint(b)).sum() / (paint(a) | paint(b)).sum() for b in others]
            for a in boxes
        ]
        np.testing.assert_allclose(box_iou(boxes, others), expected)

    def test_no_boxes(self):
        assert box_iou([], [[0, 0, 1, 1]]).shape == (0, 1)
        assert box_iou([[0, 0, 1, 1]], []).shape == (1, 0)

    def test_parts_of_pixels_and_neighbours(self):
        assert box_iou([[0, 0, 1, 1]], [[0.5, 0, 1.5, 1]])[0, 0] == pytest.approx(1 / 3)
        assert box_iou([[0, 0, 1, 1]], [[0, 1, 1, 2]])[0, 0] == 0
        assert box_iou([[0, 0, 0, 0]], [[0, 0, 0, 0]])[0, 0] == 0  # no area


class TestMatching:
    def test_the_highest_score_takes_the_box(self):
        found = [[0, 0, 9, 8], [0, 0, 9, 9]], [7, 7], [0.5, 0.8]
        truth = [[0, 0, 9, 9]], [7]
        assert match_boxes(truth, found).tolist() == [False, True]

    def test_only_boxes_of_the_class(self):
        truth = [[0, 0, 9, 9], [0, 0, 9, 9]], [7, 3]
        found = [[0, 0, 9, 9]] * 3, [3, 7, 5], [0.9, 0.8, 0.7]
        assert match_boxes(truth, found).tolist() == [True, True, False]

    def test_the_threshold_itself_is_enough(self):
        truth, found = ([[0, 0, 2, 2]], [0]), ([[0, 0, 2, 1]], [0], [0.9])
        assert match_boxes(truth, found, 0.5).tolist() == [True]
        assert match_boxes(truth, found, 0.51).tolist() == [False]

    def test_nothing_found_and_nothing_there(self):
        truth, found = ([[0, 0, 2, 2]], [0]), ([[0, 0, 2, 1]], [0], [0.9])
        assert match_boxes(truth, EMPTY).tolist() == []
        assert match_boxes(EMPTY[:2], found).tolist() == [False]


def by_pycocotools(targets, answers, threshold):
    """Class -> average precision, from the benchmark's own program."""
    coco = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    def rows(pairs):
        for image, (boxes, classes, *scores) in enumerate(pairs, start=1):
            for i, ((y0, x0, y1, x1), kind) in enumerate(
                zip(np.reshape(boxes, (-1, 4)).tolist(), classes, strict=True)
            ):
                box = [x0, y0, x1 - x0, y1 - y0]
                row = {"image_id": image, "category_id": int(kind) + 1, "bbox": box}
                row |= {"area": box[2] * box[3], "iscrowd": 0}
                yield row | ({"score": float(scores[0][i])} if scores else {})

    classes = sorted({int(k) for _, kinds in targets for k in kinds})
    truth = coco.COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": i} for i in range(1, len(targets) + 1)],
        "categories": [{"id": k + 1} for k in range(20)],
        "annotations": [
            {"id": i, **row} for i, row in enumerate(rows(targets), start=1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = list(rows(answers))
        if not found:
            return dict.fromkeys(classes, 0.0)
        judge = COCOeval(truth, truth.loadRes(found), "bbox")
        judge.params.iouThrs = np.array([threshold])
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"]  # (1, recalls, categories, areas, most)
    places = {k: judge.params.catIds.index(k + 1) for k in classes}
    return {k: precision[0, :, place, 0, -1].mean() for k, place in places.items()}


def disturbed(rng, targets, classes):
    """Answers near the truth: some moved, some of another class, some invented."""
    answers = []
    for boxes, kinds in targets:
        kept = rng.random(len(boxes)) < 0.8
        moved = boxes[kept] + rng.integers(-2, 3, (kept.sum(), 4))
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        more = random_boxes(rng, rng.integers(0, 3), 30)
        named = np.where(
            rng.random(kept.sum()) < 0.8,
            kinds[kept],
            rng.integers(0, classes, kept.sum()),
        )
        every = np.vstack([moved, more]).astype(float)
        named = np.concatenate([named, rng.integers(0, classes, len(more))])
        # Different scores: with equal ones, the order would be a matter of taste.
        answers.append((every, named, rng.permutation(1000)[: len(every)] / 1000))
    return answers


class TestAveragePrecision:
    @quick
    @given(st.integers(0, 10_000), st.sampled_from([0.3, 0.5, 0.75]))
    def test_it_is_that_of_pycocotools(self, seed, threshold):
        rng = np.random.default_rng(seed)
        targets = []
        for _ in range(8):
            count = rng.integers(0, 5)
            targets.append((random_boxes(rng, count, 30), rng.integers(0, 3, count)))
        targets.append((np.array([[1, 1, 9, 9]]), np.array([2])))
        answers = disturbed(rng, targets, 3)
        ours = ct.average_precision(targets, answers, threshold)
        theirs = by_pycocotools(targets, answers, threshold)
        assert ours.keys() == theirs.keys()
        for kind, value in ours.items():
            assert value == pytest.approx(theirs[kind], abs=1e-9)

    def test_perfect(self):
        boxes = [[0, 0, 9, 9], [10, 10, 19, 19]]
        found = [(boxes, [7, 3], [0.9, 0.2]), EMPTY]
        assert ct.average_precision([(boxes, [7, 3]), EMPTY[:2]], found) == {7: 1, 3: 1}

    def test_nothing_found_and_the_wrong_class(self):
        truth = [([[0, 0, 9, 9]], [7])]
        assert ct.average_precision(truth, [EMPTY]) == {7: 0}
        assert ct.average_precision(truth, [([[0, 0, 9, 9]], [3], [0.9])]) == {7: 0}

    def test_an_error_that_is_surer_than_what_is_right_costs_half(self):
        truth = [([[0, 0, 9, 9]], [7])]
        found = [([[0, 0, 9, 9], [20, 20, 29, 29]], [7, 7], [0.5, 0.9])]
        assert ct.average_precision(truth, found) == {7: pytest.approx(0.5)}
        surer = [(found[0][0], [7, 7], [0.9, 0.5])]
        assert ct.average_precision(truth, surer) == {7: 1}

    def test_one_pixel_off(self):
        """Of 10 x 10 pixels, moved by one: 90 in both, 110 in either, 0.82."""
        truth, found = [([[0, 0, 10, 10]], [7])], [([[0, 1, 10, 11]], [7], [0.9])]
        assert ct.average_precision(truth, found, 0.81) == {7: 1}
        assert ct.average_precision(truth, found, 0.82) == {7: 0}

    def test_no_boxes_at_all(self):
        with pytest.raises(ValueError, match="no box in any target"):
            ct.average_precision([EMPTY[:2]], [EMPTY])
        with pytest.raises(ValueError, match="no box in any target"):
            ct.average_precision([], [])

    def test_as_many_answers_as_targets(self):
        with pytest.raises(ValueError, match="1 targets and 2 answers"):
            ct.average_precision([([[0, 0, 9, 9]], [7])], [EMPTY, EMPTY])


class TestFScore:
    def test_known_answers(self):
        one, two = ([[0, 0, 9, 9]], [7]), ([[0, 0, 9, 9], [20, 20, 29, 29]], [7, 7])
        scores = box_f_score(
            [one, two, one, EMPTY[:2], EMPTY[:2], one],
            [
                (*one, [0.9]),
                (*one, [0.9]),
                (*two, [0.9, 0.8]),
                EMPTY,
                (*one, [1]),
                EMPTY,
            ],
        )
        assert scores == pytest.approx([1, 2 / 3, 2 / 3, 1, 0, 0])
