"""A class for each pixel: the loss by hand, masks there and back, bad masks."""

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy

import crnn_tutorial as ct
from crnn_tutorial.network import heads
from crnn_tutorial.tasks.segmentation import PixelLoss, PixelProbabilities, Segment

SMALL = {"filters": (2, 3), "units": 2}


def one_hot(masks, classes):
    return np.eye(classes, dtype="float32")[masks]


class TestLoss:
    def test_it_is_the_weighted_mean_of_the_cross_entropies(self):
        target = np.array([[[0, 1]], [[0, 0]]])
        chances = np.array([[[[0.8, 0.2], [0.4, 0.6]]], [[[0.5, 0.5], [0.9, 0.1]]]])
        first = -(np.log(0.8) + 3 * np.log(0.6)) / 4
        second = -(np.log(0.5) + np.log(0.9)) / 2
        losses = PixelLoss().call(target, chances.astype("float32"))
        np.testing.assert_allclose(convert_to_numpy(losses), [first, second], rtol=1e-5)
        mean = float(PixelLoss()(target, chances.astype("float32")))
        assert mean == pytest.approx((first + second) / 2, rel=1e-5)

    def test_perfect_is_nearly_nothing(self):
        mask = np.random.default_rng(0).integers(0, 3, (2, 4, 4))
        assert float(PixelLoss()(mask, one_hot(mask, 3))) < 1e-5

    def test_the_weight_is_saved(self):
        loss = PixelLoss(foreground=7.0)
        assert PixelLoss.from_config(loss.get_config()).foreground == 7.0


class TestEnlarging:
    def test_equal_logits_are_equal_chances_at_any_size(self):
        layer = PixelProbabilities()
        out = convert_to_numpy(layer(np.zeros((1, 3, 4, 5)), np.zeros((1, 7, 9, 2))))
        assert out.shape == (1, 7, 9, 5)
        np.testing.assert_allclose(out, 0.2, rtol=1e-6)

    def test_where_the_size_is_the_same_nothing_moves(self):
        logits = np.random.default_rng(0).normal(size=(1, 3, 4, 5)).astype("float32")
        out = convert_to_numpy(PixelProbabilities()(logits, np.zeros((1, 3, 4, 1))))
        expected = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(out, expected, rtol=1e-5)


class TestHead:
    def test_there_and_back(self):
        masks = np.random.default_rng(0).integers(0, 4, (3, 5, 6))
        head = Segment(4)
        assert np.array_equal(head.decode(one_hot(head.encode(masks), 4)), masks)
        assert np.array_equal(head.encode(masks[..., None]), masks)
        assert np.array_equal(Segment(2).encode(masks > 1), masks > 1)

    def test_scores(self):
        target = np.array([[[0, 1, 1]], [[0, 0, 0]]])
        answer = np.array([[[0, 0, 1]], [[0, 0, 0]]])
        scores = Segment(3).per_image(target, one_hot(answer, 3))
        assert scores.tolist() == [0.5, 1]

    @pytest.mark.parametrize(
        ("masks", "message"),
        [
            (np.full((1, 4, 4), 3), r"0 \(background\) to 2, but got 3 to 3"),
            (np.full((1, 4, 4), -1), "but got -1 to -1"),
            (np.zeros((1, 4, 4)), "whole numbers.*but got float64"),
            (np.zeros((4, 4), int), r"of shape \(4, 4\)"),
            (np.zeros((1, 4, 4, 3), int), r"of shape \(1, 4, 4, 3\)"),
        ],
    )
    def test_bad_masks(self, masks, message):
        with pytest.raises(ValueError, match=message):
            Segment(3).encode(masks)

    def test_no_mask_at_all(self):
        assert Segment(3).encode(np.zeros((0, 4, 4), int)).shape == (0, 4, 4)


class TestModel:
    def test_a_mask_of_another_size_than_its_image(self):
        model = ct.build_segmenter((8, 8, 1), 2, **SMALL)
        split = ct.Split(np.zeros((2, 8, 8, 1), "float32"), np.zeros((2, 8, 9), int))
        with pytest.raises(ValueError, match=r"masks of \(8, 9\) for images of"):
            ct.train_crnn_model(model, split, None, 2, 1, verbose=0)

    def test_unknown_classes_are_refused_by_the_training_and_by_the_judge(self):
        model = ct.build_segmenter((8, 8, 1), 2, **SMALL)
        split = ct.Split(np.zeros((2, 8, 8, 1), "float32"), np.full((2, 8, 8), 2))
        for refuse in (
            lambda: ct.train_crnn_model(model, split, None, 2, 1, verbose=0),
            lambda: ct.evaluate(model, split),
        ):
            with pytest.raises(ValueError, match="to 1, but got 2 to 2"):
                refuse()

    def test_the_background_is_a_class_more_than_the_dataset_has(self):
        scenes = ct.load_digit_scenes((4, 2, 2), (32, 32))
        model = ct.build_segmenter(scenes, **SMALL)
        assert model.output_shape == (None, 32, 32, 11)
        assert heads.of(model).class_names == ("background", *"0123456789")
        mask, confidence = ct.predict(model, scenes.test)[0]
        assert mask.shape == (32, 32)
        assert 1 / 11 <= confidence <= 1

    def test_an_augmentation_moves_images_and_masks_together(self):
        scenes = ct.load_digit_scenes((6, 2, 2), (32, 32), digit_sizes=(8, 12)).train
        head, rng = Segment(11), np.random.default_rng(0)
        masks = head.encode(scenes.targets["masks"])
        # What the images show is their mask, so that one can be told from the other.
        images, moved = head.augment(
            ct.augment_shift, masks[..., None] / 16.0, masks, rng
        )
        assert not np.array_equal(moved, masks)
        assert np.array_equal((16 * images[..., 0]).round(), moved)

    def test_sizes_that_are_no_multiple_of_the_stride(self):
        model = ct.build_segmenter((None, None, 1), 3, **SMALL)
        for size in ((8, 8), (9, 13), (4, 31)):
            out = model.predict(np.zeros((1, *size, 1)), verbose=0)
            assert out.shape == (1, *size, 3)
            np.testing.assert_allclose(out.sum(axis=-1), 1, rtol=1e-5)

    def test_one_block(self):
        model = ct.build_segmenter((8, 8, 1), 2, filters=(2,), units=2)
        assert model.output_shape == (None, 8, 8, 2)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"num_classes": 1}, "num_classes is a whole number of at least 2"),
            ({"recurrence": "gru"}, "With patches, recurrence is one of"),
            ({"filters": (2, 2, 2, 2)}, "is too small for 4 pooling layers"),
            ({"input_shape": (8, 8)}, "input_shape is"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            ct.build_segmenter(
                **{"input_shape": (8, 8, 1), "num_classes": 2, "filters": (2,)}
                | arguments
            )

    def test_the_loss_that_is_compiled(self):
        model = ct.build_segmenter((8, 8, 1), 3, **SMALL)
        mask = np.random.default_rng(0).integers(0, 3, (2, 8, 8))
        even = keras.ops.ones((2, 8, 8, 3)) / 3
        loss = model.compute_loss(y=mask, y_pred=even)
        assert float(loss) == pytest.approx(np.log(3), rel=1e-5)
