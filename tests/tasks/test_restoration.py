"""Restoring: what is added to an image, twice the size, any size, no seams."""

import numpy as np
import pytest
from keras.ops import convert_to_numpy
from PIL import Image

import crnn_tutorial as ct
from crnn_tutorial.data.degrade import resample
from crnn_tutorial.network import heads
from crnn_tutorial.network.layers import ScanRows
from crnn_tutorial.tasks.restoration import (
    Corrected,
    Restore,
    enlarge_twice,
    interleave,
)

SMALL = {"filters": (4, 6), "units": 3}
RANDOM = np.random.default_rng(0).random((3, 9, 14, 1), dtype="float32")


class TestEnlarge:
    @pytest.mark.parametrize("size", [(6, 8), (5, 7), (1, 3), (2, 2)])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_it_is_the_bicubic_of_pillow_also_at_the_edge(self, size, channels):
        rng = np.random.default_rng(1)
        # Without what lies beyond 0 and 1, which Pillow keeps and `resample` cuts.
        images = 0.4 + 0.2 * rng.random((2, *size, channels), dtype="float32")
        twice = (2 * side for side in size)
        expected = resample(images, *twice, Image.Resampling.BICUBIC)
        found = convert_to_numpy(enlarge_twice(images))
        np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_blocks_are_laid_out_row_by_row_for_each_channel(self):
        blocks = np.arange(2 * 3 * 8, dtype="float32").reshape(1, 2, 3, 8)
        image = convert_to_numpy(interleave(blocks, 2))
        for row, column in np.ndindex(4, 6):
            block = blocks[0, row // 2, column // 2].reshape(2, 2, 2)
            assert (image[0, row, column] == block[row % 2, column % 2]).all()

    def test_what_is_cut_off_is_cut_off_after_training_only(self):
        image, much = np.full((1, 2, 2, 1), 0.5), np.full((1, 1, 1, 4), 2.0)
        layer = Corrected()
        assert convert_to_numpy(layer(image, much, training=True)).max() == 2.5
        assert convert_to_numpy(layer(image, much)).max() == 1


class TestModel:
    @pytest.mark.parametrize("size", [(9, 14), (8, 8), (1, 5), (2, 1), (33, 4)])
    def test_at_first_it_gives_the_image_as_it_came(self, size):
        images = np.random.default_rng(0).random((1, *size, 3), dtype="float32")
        model = ct.build_restorer((None, None, 3), **SMALL)
        assert np.array_equal(model.predict(images, verbose=0), images)

    def test_enlarged_it_is_bicubic_at_first(self):
        model = ct.build_restorer((None, None, 1), enlarge=2, **SMALL)
        expected = resample(RANDOM, 18, 28, Image.Resampling.BICUBIC)
        found = model.predict(RANDOM, verbose=0)
        np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_what_is_only_told_is_no_part_of_the_answer(self):
        model = ct.build_restorer((None, None, 3), channels=2, **SMALL)
        told = np.repeat(RANDOM, 3, axis=-1)
        assert model.predict(told, verbose=0).shape == (3, 9, 14, 2)
        split = ct.Split(told, told[..., :2])
        ct.train_crnn_model(model, split, None, 2, 1, verbose=0)

    def test_one_image_alone_and_a_file(self, tmp_path):
        model = ct.build_restorer((None, None, 1), enlarge=2, **SMALL)
        assert ct.predict(model, RANDOM[0]).answer.shape == (18, 28, 1)
        file = tmp_path / "photo.png"
        Image.fromarray((255 * RANDOM[0, ..., 0]).astype("uint8")).save(file)
        assert ct.predict(model, file).answer.shape == (18, 28, 1)

    def test_its_controls_are_equally_large(self):
        builders = ct.rivals(ct.build_restorer, (None, None, 1), **SMALL)
        assert list(builders) == ["CRNN", "CNN", "order-blind", "attention"]
        sizes = [build().count_params() for build in builders.values()]
        assert max(sizes) / min(sizes) < 1.04

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"enlarge": 3}, "enlarge is 1 or 2, but got 3"),
            (
                {"channels": 2},
                "at most the channels of the image, 1, but channels is 2",
            ),
            ({"channels": 0}, "channels is a whole number of at least 1"),
            ({"memory": -1}, "memory is a whole number of at least 1"),
            ({"filters": ()}, r"whole numbers above 0.*but got \(\)"),
            ({"filters": (8, 2.5)}, "whole numbers above 0"),
            ({"recurrence": "memory"}, "but got 'memory'"),
        ],
    )
    def test_arguments_that_make_no_sense(self, options, message):
        with pytest.raises(ValueError, match=message):
            ct.build_restorer((8, 8, 1), **options)


class TestTargets:
    def train(self, images, targets, enlarge=1, **options):
        model = ct.build_restorer((None, None, 1), enlarge, **SMALL)
        return ct.train_crnn_model(
            model, ct.Split(images, targets), None, 2, 1, verbose=0, **options
        )

    def test_grey_levels_up_to_255_are_refused_on_both_sides(self):
        with pytest.raises(ValueError, match="targets of type float32 lie between 0"):
            self.train(RANDOM, 255 * RANDOM)
        with pytest.raises(ValueError, match="train images of type float32 lie betw"):
            self.train(255 * RANDOM, RANDOM)
        with pytest.raises(ValueError, match="lie between 0 and 1"):
            ct.predict(ct.build_restorer((9, 14, 1), **SMALL), 255 * RANDOM)

    def test_targets_of_another_size(self):
        with pytest.raises(ValueError, match=r"enlarge=1.*\(9, 14, 1\).*\(9, 13, 1\)"):
            self.train(RANDOM, RANDOM[:, :, 1:])

    def test_an_odd_side_is_twice_nothing(self):
        small = RANDOM[:, :4, :7]
        with pytest.raises(ValueError, match="odd side is not twice as large"):
            self.train(small, RANDOM, enlarge=2)
        self.train(small, RANDOM[:, :8], enlarge=2)  # cut, it is

    def test_images_and_targets_are_turned_alike(self):
        def flip(images, rng):
            return images[:, ::-1] if rng.random() < 0.5 else images[:, :, ::-1]

        head, rng = Restore(), np.random.default_rng(0)
        changed, targets = head.augment(flip, RANDOM, 1 - RANDOM, rng)
        np.testing.assert_allclose(changed, 1 - targets, atol=1e-6)
        assert (changed != RANDOM).any()
        with pytest.raises(ValueError, match="two sizes"):
            self.train(RANDOM[:, :4, :7], RANDOM[:, :8], enlarge=2, augment=flip)

    def test_a_loss_that_is_no_number_stops_the_training(self):
        with pytest.raises(FloatingPointError, match="loss became"):
            many = np.tile(RANDOM, (4, 1, 1, 1))
            self.train(many, many[:, :, ::-1], learning_rate=1e30)


@pytest.fixture(scope="module")
def denoiser():
    """A few seconds on crops of 32 pixels."""
    images = ct.load_photos(size=(32, 32), crops=24, channels=1).train.images
    noisy = ct.degrade(images, "noise", 50 / 255)
    ct.set_seed(0)
    model = ct.build_restorer((None, None, 1), filters=(12, 16), units=8)
    split = ct.Split(noisy, images)
    ct.train_crnn_model(model, split, None, 4, 6, verbose=0)
    return model


@pytest.fixture(scope="module")
def large():
    images = ct.load_photos(size=(160, 256), crops=1, channels=1).test.images
    return images, ct.degrade(images, "noise", 50 / 255, seed=1)


class TestMemory:
    """Of one line of a map: each place by itself, as `ScanRows` would have it."""

    @pytest.mark.parametrize("along", ["width", "height"])
    @pytest.mark.parametrize("memory", [1, 3, 9, 20])
    def test_each_place_hears_of_its_window_only(self, along, memory):
        features = np.random.default_rng(0).random((2, 9, 9, 4), dtype="float32")
        layer = ScanRows(3, along, memory)
        limited = convert_to_numpy(layer(features))
        for place in range(9):
            near = slice(max(0, place - memory + 1), place + memory)
            cut = features[:, near] if along == "height" else features[:, :, near]
            whole = convert_to_numpy(layer(cut, training=True))
            at = place - near.start
            lines = (whole[:, at], limited[:, place])
            if along == "width":
                lines = (whole[:, :, at], limited[:, :, place])
            np.testing.assert_allclose(*lines, atol=1e-6)

    def test_what_is_trained_is_the_whole_line(self):
        features = np.random.default_rng(0).random((2, 5, 9, 4), dtype="float32")
        layer, endless = ScanRows(3, memory=2), ScanRows(3)
        endless.build(features.shape)
        layer.build(features.shape)
        layer.set_weights(endless.get_weights())
        trained = convert_to_numpy(layer(features, training=True))
        assert np.array_equal(trained, convert_to_numpy(endless(features)))


class TestTraining:
    def test_noise_is_taken_out_of_photographs_never_seen(self, denoiser, large):
        images, noisy = large
        before = heads.of(denoiser).per_image(images, noisy).mean()
        score = ct.evaluate(denoiser, ct.Split(noisy, images)).score
        assert score > before + 6

    def test_whole_and_in_tiles_agree_far_from_the_cut(self, denoiser, large):
        """The field of a recurrence has no end; its memory gives it one."""
        _, noisy = large
        whole = denoiser.predict(noisy, verbose=0)
        left = denoiser.predict(noisy[:, :, :128], verbose=0)
        right = denoiser.predict(noisy[:, :, 128:], verbose=0)
        apart = np.abs(np.concatenate([left, right], axis=2) - whole)
        assert apart[:, :, 120:136].max() > 1 / 255  # it does look across the cut
        # 8 places of 4 pixels of memory, and what the convolutions see beside them.
        assert apart[:, :, :64].max() < 1e-5
        assert apart[:, :, 192:].max() < 1e-5

    def test_without_a_limit_what_is_remembered_has_no_end(self, denoiser, large):
        _, noisy = large
        options = {"filters": (12, 16), "units": 8, "memory": None}
        endless = ct.build_restorer((None, None, 1), **options)
        endless.set_weights(denoiser.get_weights())
        other = noisy.copy()
        other[:, :, 192:] = 0
        for model, near in ((denoiser, True), (endless, False)):
            apart = model.predict(noisy, verbose=0) - model.predict(other, verbose=0)
            assert (np.abs(apart[:, :, :128]).max() < 1e-6) == near

    def test_a_size_that_never_came_is_no_worse(self, denoiser, large):
        images, noisy = large
        head = heads.of(denoiser)
        whole = head.per_image(images, denoiser.predict(noisy, verbose=0))
        tiles = [
            head.per_image(
                images[:, y : y + 32, x : x + 32],
                denoiser.predict(noisy[:, y : y + 32, x : x + 32], verbose=0),
            )
            for y in range(0, 160, 32)
            for x in range(0, 256, 32)
        ]
        error = (10 ** (-np.array(tiles) / 10)).mean(axis=0)
        assert (whole > -10 * np.log10(error) - 0.1).all()
