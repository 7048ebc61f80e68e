"""Scenes of digits: labels, boxes, masks and edges say the same of each image."""

import numpy as np
import pytest
from scipy import ndimage

import crnn_tutorial as ct
from crnn_tutorial.data import digit_scenes


@pytest.fixture(scope="module")
def scenes():
    return ct.load_digit_scenes(sizes=(300, 40, 60), seed=2)


def each_box(split):
    """Yield scene, y0, x0, y1, x1, digit for each real box."""
    for scene, rows in enumerate(split.targets["boxes"]):
        for row in rows[rows[:, 4] >= 0].astype(int).tolist():
            yield scene, *row


class TestTargetsAgree:
    def test_shapes_and_types(self, scenes):
        train = scenes.train
        assert train.images.shape == (300, 64, 64, 1)
        assert train.images.dtype == np.float32
        assert 0 <= train.images.min() < train.images.max() <= 1
        assert list(train.targets) == ["labels", "boxes", "masks", "edges"]
        shapes = {name: values.shape[1:] for name, values in train.targets.items()}
        assert shapes == {
            "labels": (10,),
            "boxes": (4, 5),
            "masks": (64, 64),
            "edges": (64, 64),
        }
        assert [len(s.images) for s in (scenes.validation, scenes.test)] == [40, 60]

    def test_a_label_says_whether_there_is_a_box_of_the_digit(self, scenes):
        for split in (scenes.train, scenes.test):
            expected = np.zeros((len(split), 10), int)
            for scene, *_, digit in each_box(split):
                expected[scene, digit] = 1
            assert np.array_equal(split.targets["labels"], expected)
            assert expected.sum(axis=1).min() >= 1  # no empty scene

    def test_the_mask_of_a_box_is_its_digit_and_fills_it_to_its_sides(self, scenes):
        for split in (scenes.train, scenes.test):
            outside = split.targets["masks"].copy()
            for scene, y0, x0, y1, x1, digit in each_box(split):
                inside = split.targets["masks"][scene, y0:y1, x0:x1]
                assert set(np.unique(inside)) <= {0, digit + 1}
                for side in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
                    assert side.any()
                outside[scene, y0:y1, x0:x1] = 0
            assert not outside.any()

    def test_rows_without_a_box_are_minus_one(self, scenes):
        boxes = scenes.train.targets["boxes"]
        assert (boxes[boxes[..., 4] < 0] == -1).all()
        real = boxes[boxes[..., 4] >= 0]
        assert (real[:, :4] >= 0).all() and (real[:, :4] <= 64).all()
        assert (real[:, 2:4] > real[:, :2]).all()
        assert np.array_equal(real, real.round())

    def test_no_two_digits_touch(self, scenes):
        """Not even at a corner: as many islands of boxes as boxes."""
        for split in (scenes.train, scenes.test):
            islands = np.zeros(split.targets["masks"].shape, int)
            counts = np.zeros(len(split), int)
            for scene, y0, x0, y1, x1, _ in each_box(split):
                islands[scene, y0:y1, x0:x1] = 1
                counts[scene] += 1
            for one, count in zip(islands, counts, strict=True):
                assert ndimage.label(one, np.ones((3, 3)))[1] == count

    def test_edges_are_what_an_erosion_takes_away(self, scenes):
        for mask, edges in zip(
            scenes.test.targets["masks"], scenes.test.targets["edges"], strict=True
        ):
            inside = ndimage.binary_erosion(mask > 0)
            assert np.array_equal(edges, (mask > 0) & ~inside)

    def test_the_image_is_bright_where_the_mask_is_a_digit(self, scenes):
        train = scenes.train
        ink = train.targets["masks"] > 0
        # Ink of 0.4 at least, with a tone of 0.7 at least, over any photograph.
        assert train.images[ink].min() > 0.4 * 0.7 - 1e-6
        assert train.images[ink].mean() > 0.6 > 0.4 > train.images[~ink].mean()

    def test_there_are_scenes_of_every_number_and_digits_of_every_size(self, scenes):
        boxes = scenes.train.targets["boxes"]
        counts = (boxes[..., 4] >= 0).sum(axis=1)
        assert set(counts.tolist()) == {1, 2, 3, 4}
        assert set(boxes[boxes[..., 4] >= 0][:, 4]) == set(range(10))
        heights = (boxes[..., 2] - boxes[..., 0])[boxes[..., 4] >= 0]
        assert heights.min() <= 12 and heights.max() >= 24
        assert heights.max() <= 28


class TestSplits:
    def test_they_share_neither_a_digit_nor_a_photograph(self, monkeypatch):
        digits, photographs = [], []
        compose, backgrounds = digit_scenes._compose, digit_scenes.cut_backgrounds
        monkeypatch.setattr(
            digit_scenes,
            "_compose",
            lambda split, *rest: digits.append(split) or compose(split, *rest),
        )
        monkeypatch.setattr(
            digit_scenes,
            "cut_backgrounds",
            lambda names, *rest: (
                photographs.append(set(names.tolist())) or backgrounds(names, *rest)
            ),
        )
        ct.load_digit_scenes(sizes=(4, 4, 4), seed=7)
        known = ct.load_digits(7)
        for used, split in zip(
            digits, (known.train, known.validation, known.test), strict=True
        ):
            assert np.array_equal(used.images, split.images)
        assert [len(one) for one in photographs] == [10, 2, 5]
        assert len(set.union(*photographs)) == 17

    def test_the_seed_decides(self):
        one, same, other = (
            ct.load_digit_scenes(sizes=(6, 2, 2), seed=seed) for seed in (3, 3, 4)
        )
        assert np.array_equal(one.train.images, same.train.images)
        for name, values in one.test.targets.items():
            assert np.array_equal(values, same.test.targets[name])
        assert not np.array_equal(one.train.images, other.train.images)

    def test_source_and_licence_name_both(self, scenes):
        assert "Alpaydin" in scenes.source and "skimage" in scenes.source
        assert "CC BY 4.0" in scenes.licence and "CC0" in scenes.licence
        assert scenes.class_names == tuple("0123456789")


class TestSizes:
    @pytest.mark.parametrize("size", [(32, 48), (28, 28), (80, 40), (300, 384)])
    def test_any_size(self, size):
        scenes = ct.load_digit_scenes(sizes=(5, 2, 2), size=size)
        assert scenes.train.images.shape[1:] == (*size, 1)
        assert scenes.train.targets["masks"].shape[1:] == size
        assert scenes.train.targets["labels"].any(axis=1).all()

    def test_digits_as_large_as_the_scene(self):
        scenes = ct.load_digit_scenes((9, 2, 2), (20, 20), (1, 1), (20, 20)).train
        heights = scenes.targets["boxes"][:, 0, 2] - scenes.targets["boxes"][:, 0, 0]
        assert heights.min() >= 15

    def test_a_crowd_has_fewer_than_were_drawn_but_always_one(self):
        scenes = ct.load_digit_scenes((40, 2, 2), (28, 28), (6, 6), (14, 20)).train
        counts = (scenes.targets["boxes"][..., 4] >= 0).sum(axis=1)
        assert scenes.targets["boxes"].shape == (40, 6, 5)
        assert 1 <= counts.min() and counts.max() < 6

    def test_the_number_of_digits(self):
        scenes = ct.load_digit_scenes((30, 2, 2), (96, 96), (2, 3), (10, 14)).train
        counts = (scenes.targets["boxes"][..., 4] >= 0).sum(axis=1)
        assert set(counts.tolist()) == {2, 3}

    def test_scenes_may_be_empty(self):
        some = ct.load_digit_scenes((30, 2, 2), (32, 32), (0, 2), (8, 12)).train
        counts = (some.targets["boxes"][..., 4] >= 0).sum(axis=1)
        assert set(counts.tolist()) == {0, 1, 2}
        none = ct.load_digit_scenes((5, 2, 2), (32, 32), (0, 0), (8, 12)).train
        assert none.images.std() > 0 and none.images.max() <= 0.5
        assert none.targets["boxes"].shape == (5, 0, 5)
        assert not any(
            none.targets[name].any() for name in ("labels", "masks", "edges")
        )

    def test_no_loop_over_scenes(self, monkeypatch):
        """As many calls for a hundred times the scenes: one for each digit of a scene.

        Crops of photographs are cut one by one, which is quick; here they are black.
        """

        def count_calls(train):
            calls = []

            def counted(name):
                original = getattr(digit_scenes, name)

                def called(*args):
                    calls.append(name)
                    return original(*args)

                return called

            with monkeypatch.context() as patch:
                for name in ("_enlarge", "_boxes_around", "_free_places", "_lay_out"):
                    patch.setattr(digit_scenes, name, counted(name))
                for name in ("_compose", "_outermost", "sample"):
                    patch.setattr(digit_scenes, name, counted(name))
                patch.setattr(
                    digit_scenes,
                    "cut_backgrounds",
                    lambda _, count, size, rng: np.zeros((count, *size, 1), "float32"),
                )
                scenes = ct.load_digit_scenes((train, 2, 2), (32, 32))
            assert scenes.train.images.shape[0] == train
            return len(calls)

        assert count_calls(10_000) == count_calls(100) < 100

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"sizes": (10, 10)}, "three numbers above 0"),
            ({"sizes": (10, 0, 10)}, "three numbers above 0"),
            ({"size": (0, 64)}, r"size is \(height, width\): two whole numbers"),
            ({"size": 64}, r"size is \(height, width\): two whole numbers"),
            ({"size": (64.0, 64)}, "two whole numbers"),
            ({"size": (400, 64)}, "does not fit into the photograph"),
            ({"digits": (-1, 2)}, "the fewest digits of a scene"),
            ({"digits": (1, 2.5)}, "the most digits of a scene"),
            ({"digits": (3, 2)}, r"but got digits=\(3, 2\)"),
            ({"digits": 3}, "digits are the fewest and the most: two whole numbers"),
            ({"digit_sizes": (7, 20)}, "digit_sizes from 8 to the smaller side"),
            ({"digit_sizes": (20, 12)}, r"digit_sizes=\(20, 12\)"),
            ({"digit_sizes": (12, 65)}, "smaller side of the scene, 64"),
            ({"size": (20, 64)}, "smaller side of the scene, 20"),
            ({"digit_sizes": 12}, "the smallest and the largest: two whole numbers"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            ct.load_digit_scenes(**{"sizes": (4, 2, 2)} | arguments)
