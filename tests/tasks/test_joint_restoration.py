"""A network that damages and restores: known damage, known answers, real and made."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy

import crnn_tutorial as ct
from crnn_tutorial.network import heads
from crnn_tutorial.network.heads import Features
from crnn_tutorial.tasks.generation import RealOrGenerated
from crnn_tutorial.tasks.joint_restoration import (
    DamageAnew,
    Difference,
    NoDifference,
    Rounded,
)
from crnn_tutorial.tasks.restoration import Restore, enlarge_twice

ROOT = Path(__file__).parents[2]
IMAGES = np.random.default_rng(0).random((64, 8, 8, 1), dtype="float32")


def damaged(*arguments, images=IMAGES, **options):
    return convert_to_numpy(DamageAnew(*arguments, **options)(images))


class TestDamage:
    def test_noise_has_the_strength_and_the_ends_of_degrade(self):
        grey = np.full((64, 16, 16, 1), 0.5, "float32")
        layer = DamageAnew("noise", 0.1, seed=1)
        first, second = (convert_to_numpy(layer(grey)) for _ in range(2))
        assert (first - grey).std() == pytest.approx(0.1, rel=0.03)
        assert abs((first - grey).mean()) < 0.003
        assert (first != second).mean() > 0.99, "each call draws anew"
        ours = damaged("noise", 0.4, seed=1)
        theirs = ct.degrade(IMAGES, "noise", 0.4)
        for share in (ours == 0).mean() - (theirs == 0).mean(), ours.max() - 1:
            assert abs(share) < 0.03
        assert np.array_equal(damaged("noise", 0.1, seed=3), damaged("noise", 0.1, 3))

    @pytest.mark.parametrize("side", [1, 4, 8])
    def test_a_hole_is_one_grey_square_anywhere(self, side):
        black = np.zeros((2000, 8, 8, 1), "float32")
        found = damaged("holes", side, images=black, seed=0)[..., 0]
        assert set(np.unique(found)) <= {0.0, 0.5}
        holes = found > 0
        assert (holes.sum(axis=(1, 2)) == side**2).all()
        for axis in (1, 2):  # a square, so as many rows as columns
            assert (holes.any(axis=axis).sum(axis=1) == side).all()
        # Each place is as frequent as in ct.degrade, also in a corner.
        other = ct.degrade(black, "holes", side, 1)[..., 0] > 0
        assert np.abs(holes.mean(axis=0) - other.mean(axis=0)).max() < 0.06

    def test_what_is_outside_of_a_hole_stays(self):
        found = damaged("holes", 3)
        assert (found == IMAGES).mean() == pytest.approx(1 - 9 / 64)

    def test_halving_is_a_mean_and_bicubic(self):
        small = IMAGES.reshape(64, 4, 2, 4, 2, 1).mean(axis=(2, 4))
        expected = np.clip(convert_to_numpy(enlarge_twice(small)), 0, 1)
        np.testing.assert_allclose(damaged("halving"), expected, atol=1e-6)

    @pytest.mark.parametrize("arguments", [("noise", 0.2), ("holes", 3), ("halving",)])
    def test_a_gradient_passes_for_the_generator(self, arguments):
        """Judged through the damage, a generator still learns what to draw."""
        image = keras.layers.Input((8, 8, 1))
        scaled = keras.layers.Conv2D(
            1, 1, activation="sigmoid", data_format="channels_last"
        )(image)
        model = keras.Model(image, DamageAnew(*arguments)(scaled))
        model.compile("sgd", loss="mse", run_eagerly=True)
        before = [weight.copy() for weight in model.get_weights()]
        model.fit(IMAGES, IMAGES, 64, verbose=0)
        pairs = zip(before, model.get_weights(), strict=True)
        assert all((old != new).any() for old, new in pairs)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("rain", 1), "kind is one of noise, holes, halving, but got 'rain'"),
            (("noise",), "standard deviation from 0 to 1.*but got None"),
            (("noise", 25), "standard deviation from 0 to 1.*but got 25"),
            (("holes", 2.5), "side of a hole.*whole number of at least 1, but got 2.5"),
            (("halving", 2), "Halving has no amount, but got 2"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            DamageAnew(*arguments)

    def test_images_that_do_not_fit(self):
        with pytest.raises(ValueError, match="even sides can be halved"):
            DamageAnew("halving")(IMAGES[:, :7])
        with pytest.raises(ValueError, match="9 pixels is larger than an image"):
            DamageAnew("holes", 9)(IMAGES)


class TestRounded:
    @pytest.mark.parametrize("levels", [2, 4, 7])
    def test_there_are_so_many_levels(self, levels):
        numbers = np.linspace(-9, 9, 1001, dtype="float32")
        found = np.unique(convert_to_numpy(Rounded(levels)(numbers)).round(5))
        np.testing.assert_allclose(found, np.linspace(0, 1, levels), atol=1e-5)

    def test_a_gradient_passes_through_the_rounding(self):
        number = keras.Input((3,))
        model = keras.Model(number, Rounded(2)(keras.layers.Dense(3)(number)))
        model.compile("sgd", loss="mse", run_eagerly=True)
        before = model.get_weights()[0].copy()
        model.fit(np.ones((4, 3)), np.full((4, 3), 0.3), verbose=0)  # never met
        assert (model.get_weights()[0] != before).any()

    def test_one_level_tells_nothing(self):
        with pytest.raises(ValueError, match="levels is a whole number of at least 2"):
            Rounded(1)


class TestNoDifference:
    def test_the_difference_is_in_grey_levels(self):
        found = Difference(16)(IMAGES, 0.5 * IMAGES)
        np.testing.assert_allclose(found, 8 * IMAGES, rtol=1e-6)

    def test_its_score_is_the_psnr_of_the_image(self):
        restored = np.clip(IMAGES + 0.1, 0, 1)
        outputs = convert_to_numpy(Difference(16)(restored, IMAGES))
        found = NoDifference(16).per_image(np.zeros_like(IMAGES), outputs)
        expected = Restore().per_image(IMAGES, restored)
        np.testing.assert_allclose(found, expected, rtol=1e-4)

    def test_images_as_targets_are_refused(self):
        with pytest.raises(ValueError, match="pass np.zeros_like"):
            NoDifference().encode(IMAGES)


def build(damage=("noise", 0.2), recurrence="lstm"):
    """Build a discriminator that also restores, as the page does."""
    body = ct.build_discriminator(
        (8, 8, 1), filters=(4,), units=3, recurrence=recurrence
    )
    last = body.get_layer("average_for_real").input
    image = keras.Input((8, 8, 1), name="image")
    harmed = DamageAnew(*damage, name="damage")(image)
    features = Features(keras.Model(body.inputs, last)(harmed))
    restored = Restore(image=harmed)(features)
    difference = Difference(name="difference")(restored, image)
    real = RealOrGenerated()(features)
    return keras.Model(image, {"real": real, "difference": difference})


class TestTogether:
    def test_both_heads_are_found(self):
        found = heads.of(build()).heads
        assert found["difference"] == NoDifference(16)
        assert isinstance(found["real"], RealOrGenerated)

    @pytest.mark.filterwarnings("ignore:The generator has collapsed")
    def test_real_and_generated_images_teach(self):
        """The wanted difference is nothing for both, so that no answer is missing."""
        keras.utils.set_random_seed(0)
        fast = {"recurrence": None}
        generator = ct.build_generator((8, 8, 1), 4, filters=(4,), **fast)
        model = ct.AdversarialModel(
            generator, build(**fast), teach_weight=1.0, head_weight=0.0
        )
        wanted = {"images": IMAGES, "difference": np.zeros_like(IMAGES)}
        history = model.fit(IMAGES, wanted, batch_size=32, epochs=4, verbose=0).history
        assert history["difference_loss"][-1] < history["difference_loss"][0]
        assert np.isfinite(history["generator_loss"]).all()
        assert model.generate(3).shape == (3, 8, 8, 1)

    def test_the_restoring_half_works_alone(self):
        both = build()
        restorer = keras.Model(
            both.get_layer("damage").output, both.get_layer("difference").input[0]
        )
        assert isinstance(heads.of(restorer), Restore)
        restored = convert_to_numpy(restorer(IMAGES[:4]))
        assert np.array_equal(restored, IMAGES[:4])

    def test_it_is_loaded_in_a_fresh_process(self, tmp_path):
        # Another task may not register a layer of the same name.
        build(("halving",)).save(tmp_path / "both.keras")
        np.save(tmp_path / "images.npy", IMAGES)
        code = (
            "import keras, numpy as np, crnn_tutorial as ct\n"
            f"model = ct.load_model({str(tmp_path / 'both.keras')!r})\n"
            f"images = np.load({str(tmp_path / 'images.npy')!r})\n"
            "said = keras.ops.convert_to_numpy(model(images)['difference'])\n"
            f"np.save({str(tmp_path / 'said.npy')!r}, said)\n"
        )
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=True, env=os.environ
        )
        expected = 16 * (damaged("halving") - IMAGES)  # nothing is corrected yet
        found = np.load(tmp_path / "said.npy")
        np.testing.assert_allclose(found, expected, atol=1e-4)
