"""Scoring damage: differences, ranks, any size, and what is refused."""

import numpy as np
import pytest
from keras.ops import convert_to_numpy
from scipy.stats import spearmanr

import crnn_tutorial as ct
from crnn_tutorial.network import heads
from crnn_tutorial.tasks.quality import (
    Differences,
    ScoreDamage,
    rank_agreement,
)

SMALL = {"filters": (4, 6), "units": 3}
RANDOM = np.random.default_rng(0).random((6, 9, 14, 1), dtype="float32")
DAMAGE = np.linspace(0, 1, 6, dtype="float32")


class TestDifferences:
    @pytest.mark.parametrize("channels", [1, 3])
    def test_they_are_those_of_numpy(self, channels):
        images = np.random.default_rng(1).random((2, 5, 7, channels), dtype="float32")
        found = convert_to_numpy(Differences(gain=2.0)(images))
        assert found.shape == (2, 5, 7, 2 * channels)
        right, below = found[..., :channels], found[..., channels:]
        np.testing.assert_allclose(
            right[:, :, :-1], 2 * np.diff(images, axis=2), atol=1e-6
        )
        np.testing.assert_allclose(
            below[:, :-1], 2 * np.diff(images, axis=1), atol=1e-6
        )
        assert not right[:, :, -1].any() and not below[:, -1].any()

    def test_brightness_is_left_out(self):
        model = ct.build_quality_scorer((None, None, 1), **SMALL)
        dark = 0.5 * RANDOM
        found = [model.predict(one, verbose=0) for one in (dark, dark + 0.25)]
        np.testing.assert_allclose(*found, atol=1e-5)
        pixels = ct.build_quality_scorer((None, None, 1), differences=False, **SMALL)
        found = [pixels.predict(one, verbose=0) for one in (dark, dark + 0.25)]
        assert np.abs(found[0] - found[1]).max() > 1e-5


class TestRanks:
    @pytest.mark.parametrize("decimals", [0, 1, 6])  # with few, many are tied
    def test_the_mean_is_the_correlation_of_spearman(self, decimals):
        rng = np.random.default_rng(decimals)
        truth = (5 * rng.random(50)).round(decimals)
        scores = (truth + 3 * rng.random(50)).round(decimals)
        found = rank_agreement(truth, scores)
        expected = spearmanr(truth, scores).statistic
        assert found.max() <= 1
        assert found.mean() == pytest.approx(expected, abs=1e-12)

    def test_order_is_all_that_counts(self):
        truth = np.array([0.1, 0.4, 0.5, 0.8])
        assert rank_agreement(truth, truth**3 - 7) == pytest.approx(1)
        assert rank_agreement(truth, -truth).mean() == pytest.approx(-1)

    def test_one_answer_for_all_is_no_order(self):
        assert rank_agreement([0.1, 0.5, 0.9], [2, 2, 2]).tolist() == [0, 0, 0]

    @pytest.mark.parametrize(
        ("truth", "scores", "message"),
        [
            ([0.3], [0.2], "at least two different true values, but got 1 of 1"),
            ([0.3, 0.3], [0.2, 0.1], "but got 2 of 1"),
            ([0.3, 0.4], [0.2], r"shapes \(2,\) and \(1,\)"),
            ([0.3, 0.4], [0.2, np.nan], "NaN or infinite"),
        ],
    )
    def test_what_has_no_ranks(self, truth, scores, message):
        with pytest.raises(ValueError, match=message):
            rank_agreement(truth, scores)


class TestHead:
    def test_scores_and_what_else_it_says(self):
        head, outputs = ScoreDamage(), np.array([[0.2], [0.1], [0.9]])
        assert head.decode(outputs).tolist() == [0.2, 0.1, 0.9]
        assert head.answer(outputs)[2] == (0.9, None)
        truth = [0.1, 0.2, 0.6]
        correlation = spearmanr(truth, outputs[:, 0]).statistic
        assert head.per_image(truth, outputs).mean() == pytest.approx(correlation)
        assert head.also(truth, outputs)["mean error"] == pytest.approx(0.5 / 3)

    @pytest.mark.parametrize(
        ("targets", "message"),
        [
            ([0.2, 1.5], "lies from 0 .* to 1 .*, but got 0.2 to 1.5"),
            ([-0.1, 0.5], "but got -0.1 to 0.5"),
            ([0.1, np.nan], "but got nan to nan"),
            (np.zeros((3, 2)), "one number for each image"),
            (["good", "bad"], "one number for each image"),
            ([], "one number for each image"),
        ],
    )
    def test_what_is_no_damage(self, targets, message):
        with pytest.raises(ValueError, match=message):
            ScoreDamage().encode(targets)

    def test_it_is_a_second_head_of_a_discriminator(self):
        model = ct.build_discriminator((8, 8, 1), {"damage": ScoreDamage()})
        outputs = model.predict(RANDOM[:, :8, :8], verbose=0)
        assert outputs["damage"].shape == (6, 1)
        assert repr(heads.of(model)["damage"]) == "ScoreDamage()"


class TestModel:
    @pytest.mark.parametrize("size", [(9, 14), (4, 4), (33, 5)])
    def test_images_of_any_size(self, size):
        model = ct.build_quality_scorer((None, None, 3), **SMALL)
        images = np.random.default_rng(0).random((2, *size, 3), dtype="float32")
        scores = model.predict(images, verbose=0)
        assert scores.shape == (2, 1) and ((scores > 0) & (scores < 1)).all()

    def test_one_image_alone_has_a_score_but_no_rank(self):
        model = ct.build_quality_scorer((9, 14, 1), **SMALL)
        found = ct.predict(model, RANDOM[0])
        assert found.confidence is None
        assert found.answer == pytest.approx(model.predict(RANDOM[:1], verbose=0)[0, 0])
        with pytest.raises(ValueError, match="gives the score of a single image"):
            ct.evaluate(model, ct.Split(RANDOM[:1], DAMAGE[:1]))

    def test_its_controls_are_equally_large(self):
        builders = ct.rivals(ct.build_quality_scorer, (None, None, 1))
        assert list(builders) == ["CRNN", "CNN", "order-blind", "attention"]
        sizes = [build().count_params() for build in builders.values()]
        assert max(sizes) / min(sizes) < 1.04

    def test_arguments_that_make_no_sense(self):
        with pytest.raises(ValueError, match="whole numbers above 0"):
            ct.build_quality_scorer((8, 8, 1), filters=())
        with pytest.raises(ValueError, match="too small for 3 pooling layers"):
            ct.build_quality_scorer((6, 8, 1))
        with pytest.raises(ValueError, match="but got 'memory'"):
            ct.build_quality_scorer((8, 8, 1), recurrence="memory")

    def test_grey_levels_up_to_255_and_damage_of_another_number_are_refused(self):
        model = ct.build_quality_scorer((9, 14, 1), **SMALL)

        def train(images, damage):
            split = ct.Split(images, damage)
            return ct.train_crnn_model(model, split, None, 2, 1, verbose=0)

        with pytest.raises(ValueError, match="lie between 0 and 1"):
            train(255 * RANDOM, DAMAGE)
        with pytest.raises(ValueError, match="lies from 0"):
            train(RANDOM, 255 * DAMAGE)
        with pytest.raises(ValueError, match="one target for each image"):
            train(RANDOM, DAMAGE[:3])
        with pytest.raises(ValueError, match="lie between 0 and 1"):
            ct.predict(model, 255 * RANDOM)


def add_noise(images, seed):
    damage = np.random.default_rng(seed).random(len(images), dtype="float32")
    return ct.Split(ct.degrade(images, "noise", damage / 4, seed), damage)


def test_noise_is_put_in_order_on_photographs_never_seen():
    photos = ct.load_photos(size=(16, 16), crops=30, channels=1)
    ct.set_seed(0)
    model = ct.build_quality_scorer((16, 16, 1), filters=(8, 8), units=4)
    split = add_noise(photos.train.images, 0)
    ct.train_crnn_model(model, split, None, 16, 6, learning_rate=0.01, verbose=0)
    found = ct.evaluate(model, add_noise(photos.test.images, 1))
    assert found.metric == "rank correlation"
    assert found.score > 0.8  # not -0.8: more is more damage
    assert found.also["mean error"] < 0.25  # 0.25: always a half
