"""Several classes in one image: each by itself, and none at all is an answer."""

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy

import crnn_tutorial as ct
from crnn_tutorial.network import heads
from crnn_tutorial.tasks.multilabel import AnyPlace, LabelSet

SMALL = {"filters": (2, 3), "units": 2}


def any_place(logits):
    return convert_to_numpy(AnyPlace()(np.asarray(logits, "float32")))


class TestAnyPlace:
    def test_it_is_one_minus_the_product_of_what_is_missing(self):
        logits = np.random.default_rng(0).normal(size=(3, 2, 4, 5))
        missing = 1 - 1 / (1 + np.exp(-logits))
        expected = 1 - missing.prod(axis=(1, 2))
        np.testing.assert_allclose(any_place(logits), expected, rtol=1e-5)

    def test_one_place_is_enough_and_none_is_none(self):
        logits = np.full((2, 3, 3, 2), -20.0)
        logits[0, 1, 2, 1] = 20
        np.testing.assert_allclose(any_place(logits), [[0, 1], [0, 0]], atol=1e-6)

    def test_extreme_logits_stay_numbers(self):
        for value in (-1e4, 1e4):
            out = any_place(np.full((1, 8, 8, 2), value))
            assert np.isfinite(out).all()
            np.testing.assert_allclose(out, float(value > 0))


class TestHead:
    def test_sets_rows_and_back(self):
        head = LabelSet(4)
        rows = head.encode([frozenset({3, 1}), (), [0, 0]])
        assert rows.tolist() == [[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]]
        assert np.array_equal(head.encode(rows), rows)
        assert head.decode(rows) == [(1, 3), (), (0,)]
        assert head.encode(head.decode(rows)).tolist() == rows.tolist()

    @pytest.mark.parametrize(
        ("targets", "message"),
        [
            ([[4]], r"classes are 0 to 3, but got \[4\]"),
            ([1, 2], r"a set of classes, such as \{2, 7\}.*but got \[1, 2\]"),
            ([[0, -1]], r"classes are 0 to 3, but got \[0, -1\]"),
            (np.array([[0, 1, 2, 0]]), "rows of 0 and 1.*from 0 to 2"),
            (np.array([[0, 1, 1]]), r"\(images, 4\).*of shape \(1, 3\)"),
        ],
    )
    def test_bad_targets(self, targets, message):
        with pytest.raises(ValueError, match=message):
            LabelSet(4).encode(targets)

    def test_every_class_has_to_be_right(self):
        outputs = np.array([[0.9, 0.1, 0.8], [0.9, 0.6, 0.8], [0.1, 0.2, 0.3]])
        scores = LabelSet(3).per_image([[0, 2], [0, 2], []], outputs)
        assert scores.tolist() == [1, 0, 1]

    def test_the_answer_has_names_and_the_least_certain_yes_or_no(self):
        outputs = np.array([[0.9, 0.3, 0.8], [0.1, 0.2, 0.4]])
        answers = LabelSet(3, ("cat", "dog", "owl")).answer(outputs)
        assert answers == [
            (("cat", "owl"), pytest.approx(0.7)),
            ((), pytest.approx(0.6)),
        ]


class TestModel:
    def test_the_loss_is_the_binary_cross_entropy_of_each_class(self):
        model = ct.build_multilabel_classifier((8, 8, 1), 2, **SMALL)
        outputs, rows = np.array([[0.8, 0.4]], "float32"), np.array([[1, 0]])
        expected = -(np.log(0.8) + np.log(0.6)) / 2
        loss = model.compute_loss(y=rows, y_pred=keras.ops.convert_to_tensor(outputs))
        assert float(loss) == pytest.approx(expected, abs=1e-5)

    def test_probabilities_need_not_sum_to_one(self):
        model = ct.build_multilabel_classifier((8, 8, 1), 3, **SMALL)
        score = model.get_layer("score")
        kernel, bias = score.get_weights()
        score.set_weights([0 * kernel, np.array([9.0, 9.0, -9.0])])
        out = model.predict(np.zeros((1, 8, 8, 1)), verbose=0)
        np.testing.assert_allclose(out, [[1, 1, 0]], atol=1e-3)

    def test_one_class_is_enough(self):
        assert ct.build_multilabel_classifier((8, 8, 1), 1, **SMALL).output_shape == (
            None,
            1,
        )

    def test_at_first_most_classes_are_at_no_place(self):
        ct.set_seed(0)
        model = ct.build_multilabel_classifier((32, 32, 1), 10)
        chances = model.predict(np.zeros((1, 32, 32, 1)), verbose=0)
        assert chances.max() < 0.5

    def test_names_come_from_a_dataset_and_the_model_remembers_them(self):
        scenes = ct.load_digit_scenes((4, 2, 2), (32, 32))
        model = ct.build_multilabel_classifier(scenes, **SMALL)
        head = heads.of(model)
        assert head.class_names == tuple("0123456789")
        for answer, confidence in ct.predict(model, scenes.test):
            assert set(answer) <= set(scenes.class_names)
            assert 0.5 <= confidence <= 1

    def test_an_image_without_any_class_can_be_learnt(self):
        images = np.zeros((4, 8, 8, 1), "float32")
        model = ct.build_multilabel_classifier((8, 8, 1), 2, **SMALL)
        split = ct.Split(images, [[], [], [1], []])
        ct.train_crnn_model(model, split, None, 2, 1, verbose=0)
        assert np.isfinite(model.predict(images, verbose=0)).all()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"num_classes": 0}, "num_classes is a whole number of at least 1"),
            ({"num_classes": None}, "num_classes is a whole number of at least 1"),
            ({"recurrence": "gru"}, "With patches, recurrence is one of"),
            ({"filters": (2, 2, 2, 2)}, "is too small for 4 pooling layers"),
            ({"input_shape": (8, 8)}, "input_shape is"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            ct.build_multilabel_classifier(
                **{"input_shape": (8, 8, 1), "num_classes": 2, "filters": (2,)}
                | arguments
            )
