"""Edges: the loss by hand, thin lines, bad maps."""

import numpy as np
import pytest
from keras.ops import convert_to_numpy

import crnn_tutorial as ct
from crnn_tutorial.tasks.edges import EdgeLoss, FindEdges

SMALL = {"filters": (2, 3), "units": 2}


class TestLoss:
    def test_it_is_the_cross_entropy_and_how_little_overlaps(self):
        target = np.array([[[1, 0]]])
        found = np.array([[[[0.8], [0.4]]]], "float32")
        crossed = -(np.log(0.8) + np.log(0.6)) / 2
        dice = 1 - (2 * 0.8 + 1) / (1 + 1.2 + 1)
        assert float(EdgeLoss()(target, found)) == pytest.approx(
            crossed + dice, rel=1e-5
        )

    def test_perfect_and_empty_are_nothing(self):
        for edges in (np.eye(5)[None], np.zeros((1, 5, 5))):
            loss = float(EdgeLoss()(edges, edges[..., None].astype("float32")))
            assert loss == pytest.approx(0, abs=1e-5)

    def test_one_number_for_each_image(self):
        edges = np.stack([np.eye(5), np.zeros((5, 5))])
        losses = EdgeLoss().call(edges, np.full((2, 5, 5, 1), 0.5, "float32"))
        assert convert_to_numpy(losses).shape == (2,)


class TestHead:
    def test_thin_edges_come_back(self):
        edges = np.zeros((2, 8, 8), int)
        edges[0, 3, 1:7] = 1  # the second image has none
        decoded = FindEdges().decode(FindEdges().encode(edges)[..., None])
        assert np.array_equal(decoded, edges)
        assert FindEdges().per_image(edges, edges[..., None]).tolist() == [1, 1]

    def test_what_is_thick_is_thinned(self):
        thick = np.zeros((1, 20, 20, 1))
        thick[0, 8:11, 2:18] = 0.9
        thin = FindEdges().decode(thick)[0]
        assert thin.sum(axis=0).max() == 1 and thin[9, 4:16].all()

    def test_half_is_not_likely(self):
        assert FindEdges().decode(np.full((1, 4, 4, 1), 0.5)).sum() == 0

    @pytest.mark.parametrize(
        ("edges", "message"),
        [
            (np.full((1, 4, 4), 2), r"Edges are 0 or 1.*int64 of shape \(1, 4, 4\)"),
            (np.full((1, 4, 4), 0.5), "float64"),
            (np.zeros((4, 4)), r"of shape \(4, 4\)"),
            (np.zeros((1, 4, 4, 1)), r"of shape \(1, 4, 4, 1\)"),
        ],
    )
    def test_bad_maps(self, edges, message):
        with pytest.raises(ValueError, match=message):
            FindEdges().encode(edges)

    def test_bool_is_fine(self):
        assert FindEdges().encode(np.eye(3, dtype=bool)[None]).dtype == np.int32


class TestModel:
    def test_edges_of_another_size_than_the_image(self):
        model = ct.build_edge_detector((8, 8, 1), **SMALL)
        split = ct.Split(np.zeros((2, 8, 8, 1), "float32"), np.zeros((2, 9, 8), int))
        with pytest.raises(ValueError, match=r"\(9, 8\) for images of \(8, 8\)"):
            ct.train_crnn_model(model, split, None, 2, 1, verbose=0)

    def test_sizes_that_are_no_multiple_of_the_stride(self):
        model = ct.build_edge_detector((None, None, 1), **SMALL)
        for size in ((8, 8), (9, 13), (4, 31)):
            out = model.predict(np.zeros((1, *size, 1)), verbose=0)
            assert out.shape == (1, *size, 1)
            assert ((out > 0) & (out < 1)).all()

    def test_the_answer_is_a_thin_map_of_the_size_of_the_image(self):
        scenes = ct.load_digit_scenes((4, 2, 2), (32, 32))
        answer, confidence = ct.predict(
            ct.build_edge_detector(scenes, **SMALL), scenes.test
        )[0]
        assert answer.shape == (32, 32)
        assert set(np.unique(answer)) <= {0, 1}
        assert confidence is None

    def test_an_augmentation_moves_images_and_edges_together(self):
        scenes = ct.load_digit_scenes((6, 2, 2), (32, 32), digit_sizes=(8, 12)).train
        edges = FindEdges().encode(scenes.targets["edges"])
        images, moved = FindEdges().augment(
            ct.augment_shift,
            edges[..., None].astype("float32"),
            edges,
            np.random.default_rng(0),
        )
        assert not np.array_equal(moved, edges)
        assert np.array_equal(images[..., 0], moved)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"recurrence": "gru"}, "With patches, recurrence is one of"),
            ({"filters": (2, 2, 2, 2)}, "is too small for 4 pooling layers"),
            ({"input_shape": (8, 8)}, "input_shape is"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            ct.build_edge_detector(
                **{"input_shape": (8, 8, 1), "filters": (2,)} | arguments
            )
