"""Masks and edges: known answers, Keras' MeanIoU, and a slow score of edges."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crnn_tutorial as ct
from crnn_tutorial.metrics.masks import intersections_and_unions, iou_per_image

quick = settings(max_examples=25, deadline=None, derandomize=True)


def random_masks(seed, classes, count=3):
    rng = np.random.default_rng(seed)
    return rng.integers(0, classes, (2, count, 5, 7))


class TestMeanIoU:
    @quick
    @given(st.integers(0, 1000), st.integers(1, 6))
    def test_it_is_that_of_keras(self, seed, classes):
        targets, answers = random_masks(seed, classes)
        metric = keras.metrics.MeanIoU(num_classes=classes)
        metric.update_state(targets, answers)
        ours = ct.mean_iou(targets, answers, classes)
        assert ours == pytest.approx(float(metric.result()), abs=1e-6)

    @quick
    @given(st.integers(0, 1000))
    def test_the_score_of_each_image_is_that_of_keras_for_it_alone(self, seed):
        targets, answers = random_masks(seed, 4)
        for target, answer, score in zip(
            targets, answers, iou_per_image(targets, answers, 4), strict=True
        ):
            metric = keras.metrics.MeanIoU(num_classes=4)
            metric.update_state(target, answer)
            assert score == pytest.approx(float(metric.result()), abs=1e-6)

    def test_perfect_is_one_also_where_classes_are_absent(self):
        masks = random_masks(0, 3)[0]
        assert ct.mean_iou(masks, masks, 11) == 1
        assert iou_per_image(masks, masks, 11).tolist() == [1, 1, 1]

    def test_an_empty_image_and_an_empty_answer(self):
        empty = np.zeros((2, 4, 4), int)
        assert ct.mean_iou(empty, empty, 3) == 1
        assert iou_per_image(empty, empty, 3).tolist() == [1, 1]

    def test_nothing_found(self):
        """Half of the background's union is right, nothing of class 1."""
        target = np.zeros((1, 4, 4), int)
        target[0, :2] = 1
        assert ct.mean_iou(target, 0 * target, 2) == pytest.approx((8 / 16 + 0) / 2)

    def test_one_pixel_off(self):
        """A square of 2 x 2, moved to the right by one: 2 in both, 6 in either."""
        target, answer = np.zeros((2, 1, 5, 5), int)
        target[0, 1:3, 1:3] = answer[0, 1:3, 2:4] = 1
        expected = (2 / 6 + 19 / 23) / 2
        assert ct.mean_iou(target, answer, 2) == pytest.approx(expected)

    def test_a_class_that_is_only_in_the_answer_counts_as_wrong(self):
        target, answer = np.zeros((2, 1, 1, 4), int)
        answer[0, 0, 3] = 5
        assert ct.mean_iou(target, answer, 6) == pytest.approx((3 / 4 + 0) / 2)

    def test_images_together_are_not_the_mean_of_images(self):
        target, answer = np.zeros((2, 2, 1, 4), int)
        target[0, 0, :3] = answer[0, 0, :3] = 1  # three right
        target[1, 0, 0] = 1  # one missed
        assert ct.mean_iou(target, answer, 2) == pytest.approx((3 / 4 + 4 / 5) / 2)
        each = iou_per_image(target, answer, 2)
        assert each == pytest.approx([1, (0 + 3 / 4) / 2])

    def test_counts(self):
        both, either = intersections_and_unions([[[0, 1, 2]]], [[[0, 2, 2]]], 4)
        assert both.tolist() == [[1, 0, 1, 0]]
        assert either.tolist() == [[1, 1, 2, 0]]

    @pytest.mark.parametrize(
        ("targets", "answers", "message"),
        [
            (np.zeros((1, 2, 2), int), np.zeros((1, 2, 3), int), "have one shape"),
            (np.zeros((1, 2, 2), int), np.zeros((2, 2, 2), int), "have one shape"),
            (np.zeros((1, 2, 2), int), np.full((1, 2, 2), 3), "0 to 2, but got 0 to 3"),
            (np.full((1, 2, 2), -1), np.zeros((1, 2, 2), int), "but got -1 to 0"),
            (np.zeros((1, 2, 2)), np.zeros((1, 2, 2), int), "targets are whole"),
            (np.zeros((1, 2, 2), int), np.zeros((2, 2), int), "answers are whole"),
        ],
    )
    def test_bad_input(self, targets, answers, message):
        with pytest.raises(ValueError, match=message):
            ct.mean_iou(targets, answers, 3)


def slow_score(target, answer, tolerance):
    """The definition, one pair of pixels after the other."""
    true, found = np.argwhere(target), np.argwhere(answer)

    def share(points, others):
        near = 0
        for y, x in points:
            for v, u in others:
                if (y - v) ** 2 + (x - u) ** 2 <= tolerance**2:
                    near += 1
                    break
        return near / len(points)

    if len(true) == 0 or len(found) == 0:
        return float(len(true) == len(found))
    precision, recall = share(found, true), share(true, found)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


class TestEdges:
    @quick
    @given(st.integers(0, 1000), st.sampled_from([0, 1, 1.5, 2, 3]))
    def test_it_is_the_slow_one(self, seed, tolerance):
        rng = np.random.default_rng(seed)
        shares = rng.choice([0, 0.02, 0.1, 0.5], (2, 4, 1, 1))
        targets, answers = rng.random((2, 4, 9, 7)) < shares
        expected = [
            slow_score(*pair, tolerance) for pair in zip(targets, answers, strict=True)
        ]
        found = ct.edge_f_score(targets, answers, tolerance)
        np.testing.assert_allclose(found, expected)

    def test_perfect_and_empty(self):
        line, empty = np.eye(6)[None], np.zeros((1, 6, 6))
        assert ct.edge_f_score(line, line, tolerance=0).tolist() == [1]
        assert ct.edge_f_score(empty, empty).tolist() == [1]
        assert ct.edge_f_score(line, empty).tolist() == [0]
        assert ct.edge_f_score(empty, line).tolist() == [0]
        assert ct.edge_f_score([], []).tolist() == []

    def test_one_pixel_off_counts_within_the_tolerance_only(self):
        target, answer = np.zeros((2, 1, 8, 8))
        target[0, :, 3] = answer[0, :, 4] = 1
        scores = [ct.edge_f_score(target, answer, t)[0] for t in (0, 0.9, 1, 2)]
        assert scores == [0, 0, 1, 1]

    def test_half_of_a_line(self):
        target, answer = np.zeros((2, 1, 8, 8))
        target[0, :, 3] = answer[0, :4, 3] = 1
        assert ct.edge_f_score(target, answer, 0)[0] == pytest.approx(2 * 0.5 / 1.5)
        # One more pixel lies within a pixel of the end.
        recall = 5 / 8
        assert ct.edge_f_score(target, answer)[0] == pytest.approx(
            2 * recall / (1 + recall)
        )

    def test_as_many_answers_as_targets(self):
        with pytest.raises(ValueError):
            ct.edge_f_score(np.zeros((2, 3, 3)), np.zeros((1, 3, 3)))
