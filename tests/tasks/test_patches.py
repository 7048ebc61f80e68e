"""Images read patch by patch: which patch stands where, and what sees what."""

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy

import crnn_tutorial as ct
from crnn_tutorial.network import heads
from crnn_tutorial.tasks.patches import CutPatches

SMALL = {"filters": (3, 4), "units": 2}
RECURRENCES = ("lstm", "raster", "attention", "convolution", "order_blind")


def noise(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype="float32")


def cut(images, *options):
    return convert_to_numpy(CutPatches(*options)(images))


def scramble(model):
    """Weights with which answers depend on everything."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.dtype == "float32":
            value = rng.normal(scale=0.7, size=weight.shape)
            weight.assign(np.abs(value) + 0.5 if "variance" in weight.path else value)
    return model


class TestCutPatches:
    @pytest.mark.parametrize("size", [(2, 2), (3, 4), (6, 8), (1, 1)])
    def test_they_are_those_of_to_patches(self, size):
        images = noise(2, 6, 8, 3)
        grid = ct.to_patches(images, size)
        assert np.array_equal(cut(images, size), grid.reshape(2, -1, *size, 3))

    def test_an_order_moves_whole_patches(self):
        images, order = noise(2, 4, 6, 1), (5, 0, 3, 1, 4, 2)
        whole = cut(images, (2, 2))
        assert np.array_equal(cut(images, (2, 2), order), whole[:, list(order)])

    def test_shapes_are_known_beforehand(self):
        layer = CutPatches((2, 3))
        assert layer.compute_output_shape((None, 4, 9, 2)) == (None, 6, 2, 3, 2)
        assert layer(keras.Input((4, 9, 2))).shape == (None, 6, 2, 3, 2)


class TestBuilder:
    @pytest.mark.parametrize("recurrence", RECURRENCES)
    @pytest.mark.parametrize("order", ["rows", "shuffled"])
    def test_every_recurrence_and_order(self, recurrence, order):
        model = ct.build_patch_classifier(
            (8, 12, 1), 3, 4, order=order, recurrence=recurrence, **SMALL
        )
        outputs = model.predict(noise(2, 8, 12, 1), verbose=0)
        assert outputs.shape == (2, 3)
        np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-5)
        assert repr(heads.of(model)) == "Classify(num_classes=3)"

    def test_patches_do_not_see_each_other_before_the_recurrence(self):
        model = scramble(ct.build_patch_classifier((8, 12, 1), 3, 4, **SMALL))
        grid = keras.Model(model.input, model.get_layer("grid").output)
        images = noise(1, 8, 12, 1)
        before = grid.predict(images, verbose=0)
        images[:, 4:, 8:] = 0  # row 1, column 2
        changed = (grid.predict(images, verbose=0) != before).any(axis=-1)[0]
        assert changed.tolist() == [[False] * 3, [False, False, True]]

    def test_the_kernels_are_shared(self):
        """The same patch has the same features wherever it stands."""
        model = scramble(ct.build_patch_classifier((8, 12, 1), 3, 4, **SMALL))
        grid = keras.Model(model.input, model.get_layer("grid").output)
        tiled = np.tile(noise(1, 4, 4, 1), (1, 2, 3, 1))
        features = grid.predict(tiled, verbose=0).reshape(6, -1)
        np.testing.assert_allclose(features, features[:1].repeat(6, axis=0), rtol=1e-5)

    def test_a_shuffled_model_is_one_in_rows_for_shuffled_images(self):
        plain, shuffled = (
            ct.build_patch_classifier((8, 12, 1), 3, 4, order=order, seed=5, **SMALL)
            for order in ("rows", "shuffled")
        )
        scramble(plain), scramble(shuffled)
        order = list(shuffled.get_layer("cut_patches").order)
        assert sorted(order) == list(range(6)) and order != sorted(order)
        images = noise(3, 8, 12, 1)
        patches = ct.to_patches(images, 4)
        moved = patches.reshape(3, 6, 4, 4, 1)[:, order].reshape(patches.shape)
        np.testing.assert_allclose(
            shuffled.predict(images, verbose=0),
            plain.predict(ct.from_patches(moved, (8, 12)), verbose=0),
            rtol=1e-5,
        )

    def test_the_order_blind_twin_does_not_see_the_order(self):
        models = [
            scramble(
                ct.build_patch_classifier(
                    (8, 8, 1), 3, 4, order=order, recurrence="order_blind", **SMALL
                )
            )
            for order in ("rows", "shuffled")
        ]
        first, second = (m.predict(noise(3, 8, 8, 1), verbose=0) for m in models)
        np.testing.assert_allclose(first, second, rtol=1e-4)

    def test_the_seed_draws_the_order_and_the_file_keeps_it(self, tmp_path):
        def build(seed):
            return ct.build_patch_classifier(
                (16, 16, 1), 2, 4, order="shuffled", seed=seed, **SMALL
            )

        one, same, other = (build(seed) for seed in (1, 1, 2))
        orders = [m.get_layer("cut_patches").order for m in (one, same, other)]
        assert orders[0] == orders[1] != orders[2]
        one.save(tmp_path / "model.keras")
        loaded = ct.load_model(tmp_path / "model.keras")
        assert loaded.get_layer("cut_patches").order == orders[0]
        images = noise(2, 16, 16, 1)
        assert np.array_equal(
            loaded.predict(images, verbose=0), one.predict(images, verbose=0)
        )

    def test_the_largest_and_the_smallest_patch(self):
        for size in (8, 1, (8, 2), (1, 8)):
            model = ct.build_patch_classifier((8, 8, 3), 2, size, **SMALL)
            assert model.output_shape == (None, 2)

    def test_names_of_classes_come_from_a_dataset(self):
        blocks = ct.load_page_blocks(sizes=(8, 4, 4), size=(32, 32))
        model = ct.build_patch_classifier(blocks, **SMALL)
        assert ct.predict(model, blocks.test)[0].answer in blocks.class_names
        larger = np.repeat(blocks.test.images[0], 2, axis=0)
        assert ct.predict(model, larger).answer in blocks.class_names

    def test_it_learns_what_is_easy(self):
        """A bright patch in the upper or in the lower half."""
        rng = np.random.default_rng(0)
        images, labels = np.zeros((48, 8, 8, 1), "float32"), np.arange(48) % 2
        for image, label in zip(images, labels, strict=True):
            row, column = 4 * label + 2 * rng.integers(2), 2 * rng.integers(4)
            image[row : row + 2, column : column + 2] = 1
        ct.set_seed(0)
        model = ct.build_patch_classifier(
            (8, 8, 1), 2, 2, filters=(4,), units=8, learning_rate=0.02
        )
        split = ct.Split(images, labels)
        ct.train_crnn_model(model, split, None, 16, 15, verbose=0)
        assert ct.evaluate(model, split).score == 1

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"patch_size": 9}, "9 x 9 pixels.*is larger than the image, 8 x 12"),
            ({"patch_size": (2, 13)}, "2 x 13 pixels.*is larger than the image"),
            (
                {"patch_size": 8},
                r"8 x 8 pixels.*do not divide an image of 8 x 12\. For 12 pixels a "
                r"patch has 1, 2, 3, 4, 6, 12; or resize the images",
            ),
            ({"patch_size": 0}, "pixels above 0"),
            ({"patch_size": 2.5}, "patch_size is one side or"),
            ({"patch_size": (4, 4, 1)}, "patch_size is one side or"),
            ({"order": "random"}, 'order is "rows" or "shuffled", but got \'random\''),
            ({"recurrence": "gru"}, "With patches, recurrence is one of"),
            ({"filters": (0,)}, "filters are whole numbers above 0"),
            ({"filters": ()}, "filters are whole numbers above 0"),
            ({"num_classes": 1}, "num_classes is a whole number of at least 2"),
            ({"input_shape": (None, 8, 1)}, "input_shape is"),
            ({"input_shape": (8, 8)}, "input_shape is"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            ct.build_patch_classifier(
                **{"input_shape": (8, 12, 1), "num_classes": 3, "patch_size": 4}
                | arguments
            )
