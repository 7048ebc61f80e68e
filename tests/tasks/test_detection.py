"""Boxes: the loss by hand, there and back, one box for each thing, bad boxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.ops import convert_to_numpy

import crnn_tutorial as ct
from crnn_tutorial.metrics.boxes import box_iou
from crnn_tutorial.network.heads import Several
from crnn_tutorial.tasks.classification import Classify
from crnn_tutorial.tasks.detection import BoxLoss, Detect, as_pairs, suppress

SMALL = {"filters": (2, 3), "units": 2}
NONE = np.zeros((0, 4)), np.zeros(0, int)
quick = settings(max_examples=25, deadline=None, derandomize=True)


def perfect(rows, classes, size, stride=4):
    """Return the output that the loss asks for, of boxes ``(images, boxes, 5)``."""
    empty = np.zeros((len(rows), size[0] // stride, size[1] // stride, classes + 4))
    belongs, sides, kinds = map(
        convert_to_numpy, BoxLoss(stride)._assign(np.asarray(rows), empty + 1.0)
    )
    chances = np.eye(classes)[kinds] * belongs[..., None]
    sides = np.where(belongs[..., None] > 0, sides, 1.0)
    return np.concatenate([chances, sides], axis=-1).astype("float32")


def loss_of(box, output, stride=4):
    return float(BoxLoss(stride)(np.array([[box]], "float32"), np.float32(output)))


class TestLoss:
    """One place, whose middle is at (2, 2); the box around it is 4 x 4."""

    box = (0, 0, 4, 4, 0)

    def test_perfect_is_nothing(self):
        assert loss_of(self.box, [[[[1, 0, 2, 2, 2, 2]]]]) == pytest.approx(0, abs=1e-6)

    def test_the_class_has_the_focal_loss(self):
        expected = -(0.2**2) * np.log(0.8) - 0.4**2 * np.log(0.6)
        loss = loss_of(self.box, [[[[0.8, 0.4, 2, 2, 2, 2]]]])
        assert loss == pytest.approx(expected, rel=1e-4)

    def test_sides_have_minus_the_logarithm_of_the_overlap(self):
        loss = loss_of(self.box, [[[[1, 0, 2, 2, 2, 6]]]])  # twice as wide
        assert loss == pytest.approx(np.log(2), rel=1e-4)
        loss = loss_of(self.box, [[[[1, 0, 1, 1, 1, 1]]]])  # a quarter
        assert loss == pytest.approx(np.log(4), rel=1e-4)

    def test_without_a_box_only_what_was_seen_counts_and_sides_do_not(self):
        none = (-1, -1, -1, -1, -1)
        expected = -(0.3**2) * np.log(0.7)
        for sides in ([2, 2, 2, 2], [9, 9, 9, 9]):
            loss = loss_of(none, [[[[0.3, 0, *sides]]]])
            assert loss == pytest.approx(expected, rel=1e-3)

    def test_a_place_outside_the_box_does_not_belong_to_it(self):
        """Two places: the box is around the first, the second says nothing."""
        output = [[[[1, 2, 2, 2, 2], [0, 7, 7, 7, 7]]]]
        assert loss_of(self.box, output) == pytest.approx(0, abs=1e-5)

    def test_only_places_near_the_middle_belong_to_a_large_box(self):
        belongs, *_ = BoxLoss(4)._assign(
            np.array([[[0, 0, 40, 40, 0]]], "float32"), np.ones((1, 10, 10, 5), "f")
        )
        rows, columns = np.nonzero(convert_to_numpy(belongs)[0])
        assert {*rows, *columns} == {4, 5}  # middles at 18 and 22, less than 6 from 20

    def test_the_smallest_box_takes_the_place(self):
        boxes = [[[0, 0, 12, 12, 0], [3, 3, 9, 9, 1], [-1, -1, -1, -1, -1]]]
        belongs, sides, kinds = BoxLoss(4)._assign(
            np.array(boxes, "float32"), np.ones((1, 3, 3, 6), "float32")
        )
        assert convert_to_numpy(belongs).all()
        assert int(kinds[0, 1, 1]) == 1
        assert convert_to_numpy(sides)[0, 1, 1].tolist() == [3, 3, 3, 3]
        assert int(kinds[0, 0, 0]) == 0
        assert convert_to_numpy(sides)[0, 0, 0].tolist() == [2, 2, 10, 10]

    def test_an_image_alone_has_the_loss_it_has_among_others(self):
        rng = np.random.default_rng(0)
        boxes = np.array([[[0, 0, 8, 8, 0]], [[2, 1, 9, 12, 1]]], "float32")
        outputs = rng.uniform(0.1, 0.9, (2, 4, 4, 6)).astype("float32")
        both = convert_to_numpy(BoxLoss(4).call(boxes, outputs))
        for i in range(2):
            one = BoxLoss(4).call(boxes[[i]], outputs[[i]])
            np.testing.assert_allclose(convert_to_numpy(one), both[[i]], rtol=1e-5)


class TestThereAndBack:
    def test_a_perfect_output_decodes_to_the_boxes(self):
        scenes = ct.load_digit_scenes((40, 2, 2)).train
        rows = scenes.targets["boxes"]
        output = perfect(rows, 10, (64, 64))
        assert float(BoxLoss(4)(rows, output)) == pytest.approx(0, abs=1e-3)
        for (boxes, classes), found in zip(
            as_pairs(rows), Detect(10).decode(output), strict=True
        ):
            place = np.lexsort(boxes.T)
            again = np.lexsort(found.boxes.T)
            np.testing.assert_allclose(found.boxes[again], boxes[place], atol=1e-4)
            assert found.classes[again].tolist() == classes[place].tolist()
            assert (found.scores == 1).all()
        assert Detect(10).per_image(rows, output).tolist() == [1] * 40
        answers = Detect(10).decode(output, 0.05)
        assert set(ct.average_precision(as_pairs(rows), answers).values()) == {1}

    def test_the_average_precision_of_all_images_together(self):
        rows = np.array([[[0, 0, 8, 8, 0], [8, 8, 16, 16, 2]]], "float32")
        output = perfect(rows, 3, (16, 16))
        head = Detect(3, class_names=("ant", "bee", "cow"))
        assert head.also(rows, output) == {
            "AP50": 1,
            "AP75": 1,
            "AP50 of ant": 1,  # there is no bee
            "AP50 of cow": 1,
        }
        output[..., 2] *= 0.3  # unsure, but right: the F-score does not count it
        assert head.per_image(rows, output).tolist() == [pytest.approx(2 / 3)]
        assert head.also(rows, output)["AP50 of cow"] == 1
        output[..., :-4] = 0
        assert set(head.also(rows, output).values()) == {0}
        assert head.also([NONE], output) == {}
        several = Several({"things": Detect(3), "label": Classify(2)})
        also = several.also(
            {"things": rows, "label": [1]}, {"things": output, "label": []}
        )
        assert also["things"]["AP50 of 0"] == 0 and also["label"] == {}

    def test_evaluate_tells_it(self):
        scenes = ct.load_digit_scenes((4, 2, 2), (32, 32))
        found = ct.evaluate(ct.build_detector(scenes, **SMALL), scenes.test)
        assert found.also["AP50"] == 0
        kinds = {int(kind) for kind in scenes.test.targets["boxes"][..., 4].ravel()}
        assert {f"AP50 of {kind}" for kind in kinds - {-1}} < set(found.also)

    def test_pairs_and_rows(self):
        pairs = [(np.array([[2, 3, 9, 8], [0, 0, 4, 4]]), [7, 1]), NONE]
        rows = Detect(10).encode(pairs)
        assert rows.shape == (2, 2, 5)
        for (boxes, classes), (known, kinds) in zip(as_pairs(rows), pairs, strict=True):
            assert np.array_equal(boxes, known) and classes.tolist() == list(kinds)
        assert np.array_equal(Detect(10).encode(rows), rows)

    def test_no_box_anywhere_is_allowed(self):
        rows = Detect(3).encode([NONE, NONE])
        assert rows.tolist() == [[[-1] * 5]] * 2
        output = np.zeros((2, 4, 4, 7), "float32")
        assert [len(one.boxes) for one in Detect(3).decode(output)] == [0, 0]
        assert Detect(3).per_image(rows, output).tolist() == [1, 1]
        assert Detect(3).answer(output)[0][1] == 1

    def test_boxes_end_where_the_image_ends(self):
        output = np.zeros((1, 2, 2, 5), "float32")
        output[0, 1, 1] = [0.9, 50, 3, 50, 50]
        head = Detect(1)
        assert head.decode(output)[0].boxes.tolist() == [[0, 3, 8, 8]]
        assert head.decode(output, size=(9, 10))[0].boxes.tolist() == [[0, 3, 9, 10]]

    def test_the_threshold(self):
        output = np.zeros((1, 1, 2, 5), "float32")
        output[0, 0] = [0.9, 2, 2, 2, 2], [0.3, 2, 2, 2, 2]
        counts = [len(Detect(1).decode(output, t)[0].scores) for t in (0.95, 0.5, 0.1)]
        assert counts == [0, 1, 2]

    def test_the_answer_is_as_sure_as_the_least_certain_box(self):
        output = np.zeros((1, 1, 2, 5), "float32")
        output[0, 0] = [0.9, 2, 2, 2, 2], [0.6, 2, 2, 2, 2]
        (found, confidence), *_ = Detect(1).answer(output)
        assert found.scores.tolist() == pytest.approx([0.9, 0.6])
        assert confidence == pytest.approx(0.6)


class TestSuppression:
    @quick
    @given(st.integers(0, 1000), st.floats(0.1, 0.9))
    def test_it_is_the_slow_one(self, seed, overlap):
        rng = np.random.default_rng(seed)
        start = rng.integers(0, 8, (12, 2))
        boxes = np.hstack([start, start + rng.integers(1, 9, (12, 2))])
        classes, scores = rng.integers(0, 2, 12), rng.permutation(12) / 12
        kept = []
        for i in np.argsort(-scores):
            clash = any(
                classes[i] == classes[k]
                and box_iou(boxes[[i]], boxes[[k]])[0, 0] > overlap
                for k in kept
            )
            if not clash:
                kept.append(i)
        assert suppress(boxes, classes, scores, overlap).tolist() == kept

    def test_two_classes_at_one_place_both_stay(self):
        boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 9]])
        assert len(suppress(boxes, np.array([1, 2]), np.array([0.5, 0.6]))) == 2

    def test_nothing(self):
        assert suppress(np.zeros((0, 4)), *np.zeros((2, 0))).tolist() == []


class TestBadBoxes:
    @pytest.mark.parametrize(
        ("targets", "message"),
        [
            ([([[2, 3, 2, 8]], [0])], r"1 boxes have no area.*\[2.0, 3.0, 2.0, 8.0\]"),
            ([([[2, 8, 9, 3]], [0])], "have no area.*Expected y0 < y1 and x0 < x1"),
            ([([[2, np.nan, 9, 9]], [0])], "have no area"),
            ([([[0, 0, 4, 4]], [3])], "classes of boxes are 0 to 2, but got 3"),
            ([([[0, 0, 4, 4]], [0, 1])], "but got 1 boxes and 2 classes"),
            (np.zeros((1, 2, 4)), "rows of 4 numbers"),
        ],
    )
    def test_they_are_refused(self, targets, message):
        with pytest.raises(ValueError, match=message):
            Detect(3).encode(targets)

    @pytest.mark.parametrize(
        "box", [(-1, 0, 4, 4), (0, -0.5, 4, 4), (0, 0, 17, 4), (0, 0, 4, 13)]
    )
    def test_boxes_outside_their_image(self, box):
        model = ct.build_detector((16, 12, 1), 2, **SMALL)
        split = ct.Split(np.zeros((2, 16, 12, 1), "float32"), [([box], [0]), NONE])
        with pytest.raises(
            ValueError, match="1 boxes reach beyond their image of 16 x 12 pixels"
        ):
            ct.train_crnn_model(model, split, None, 2, 1, verbose=0)

    def test_the_edge_itself_is_inside(self):
        images, boxes = np.zeros((2, 16, 12, 1), "float32"), [([[0, 0, 16, 12]], [0])]
        model = ct.build_detector((16, 12, 1), 2, **SMALL)
        split = ct.Split(images, [*boxes, NONE])
        ct.train_crnn_model(model, split, None, 2, 1, verbose=0)
        assert np.isfinite(model.predict(images, verbose=0)).all()
        assert ct.evaluate(model, split).score <= 1


class TestModel:
    def test_detect_finds_what_predict_finds(self):
        scenes = ct.load_digit_scenes((4, 2, 2), (32, 32))
        model = ct.build_detector(scenes, **SMALL)
        bias = model.layers[-2]
        kernel, start = bias.get_weights()
        start[:3] = 2.0  # everything is a digit
        bias.set_weights([kernel, start])
        found = ct.detect(model, scenes.test.images)
        (answer, confidence), _ = ct.predict(model, scenes.test)
        assert len(answer.boxes) > 0
        assert np.array_equal(answer.boxes, found[0].boxes)
        named = [scenes.class_names[k] for k in found[0].classes]
        assert answer.classes.tolist() == named  # a person wants names
        assert confidence == pytest.approx(found[0].scores.min())
        assert (found[0].boxes >= 0).all() and (found[0].boxes <= 32).all()
        assert (np.diff(found[0].scores) <= 0).all()

    def test_sizes_that_are_no_multiple_of_the_stride(self):
        model = ct.build_detector((None, None, 1), 3, **SMALL)
        for height, width in ((8, 8), (9, 13), (4, 31)):
            out = model.predict(np.zeros((1, height, width, 1)), verbose=0)
            assert out.shape == (1, height // 4, width // 4, 7)
            assert (out > 0).all()

    def test_a_box_at_the_end_of_an_image_that_is_no_multiple_of_the_stride(self):
        model = ct.build_detector((11, 11, 1), 1, **SMALL)
        *_, score, _ = model.layers
        kernel, _ = score.get_weights()
        score.set_weights([0 * kernel, np.array([3, 6, 6, 6, 6], "float32")])
        found = ct.detect(model, np.zeros((1, 11, 11, 1), "float32"))[0]
        assert found.boxes.tolist() == [[0, 0, 11, 11]]

    @pytest.mark.parametrize("filters", [(2, 3), (2, 3, 4), (2, 3, 4, 5)])
    def test_the_stride_is_four_whatever_the_depth(self, filters):
        model = ct.build_detector((32, 32, 1), 2, filters=filters, units=2)
        assert model.output_shape == (None, 8, 8, 6)

    def test_an_augmentation_moves_images_and_boxes_together(self):
        scenes = ct.load_digit_scenes((6, 2, 2), (32, 32), digit_sizes=(8, 12)).train
        rows, rng = Detect(10).encode(scenes.targets["boxes"]), np.random.default_rng(0)
        ink = (scenes.targets["masks"] > 0)[..., None].astype("float32")
        images, moved = Detect(10).augment(ct.augment_shift, ink, rows, rng)
        assert not np.array_equal(moved, rows)
        for image, (boxes, _) in zip(images[..., 0], as_pairs(moved), strict=True):
            rest = image.copy()
            for y0, x0, y1, x1 in boxes.astype(int).tolist():
                assert image[y0:y1, x0:x1].any()
                rest[y0:y1, x0:x1] = 0
            assert not rest.any()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"num_classes": 0}, "num_classes is a whole number of at least 1"),
            ({"recurrence": "gru"}, "With patches, recurrence is one of"),
            ({"filters": (2,)}, "has two blocks at least"),
            ({"filters": (2, 2, 2, 2)}, "is too small for 4 pooling layers"),
            ({"input_shape": (8, 8)}, "input_shape is"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            ct.build_detector(
                **{"input_shape": (8, 8, 1), "num_classes": 2} | SMALL | arguments
            )

    def test_detect_refuses_other_models_and_thresholds(self):
        images = np.zeros((1, 8, 8, 1), "float32")
        with pytest.raises(ValueError, match="build it with ct.build_detector"):
            ct.detect(ct.build_crnn_model((8, 8, 1), 2, filters=(2,), units=2), images)
        model = ct.build_detector((8, 8, 1), 2, **SMALL)
        for threshold in (-0.1, 1):
            with pytest.raises(ValueError, match=r"threshold lies in \[0, 1\)"):
                ct.detect(model, images, threshold)
        with pytest.raises(ValueError, match="images have the shape"):
            ct.detect(model, images[0])
