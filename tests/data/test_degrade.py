"""Damage has the amount that was asked for, and chance comes from the seed alone."""

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

import crnn_tutorial as ct
from crnn_tutorial.data.degrade import resample

GREY = np.full((2, 24, 32, 3), 0.5, "float32")
PHOTOS = ct.load_photos(size=(24, 32), crops=1).test.images


@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_noise_has_the_standard_deviation_asked_for(sigma):
    many = np.full((8, 64, 64, 1), 0.5, "float32")
    noise = ct.degrade(many, "noise", sigma / 255, seed=3) - many
    assert noise.std() == pytest.approx(sigma / 255, rel=0.02)
    assert abs(noise.mean()) < 0.002


def test_noise_has_the_psnr_of_its_standard_deviation():
    noisy = ct.degrade(np.full((1, 256, 256, 1), 0.5), "noise", 0.1)
    psnr = peak_signal_noise_ratio(np.full_like(noisy, 0.5), noisy, data_range=1)
    assert psnr == pytest.approx(20, abs=0.1)


def test_blur_turns_a_point_into_a_gaussian_of_that_width():
    point = np.zeros((1, 41, 41, 1), "float32")
    point[0, 20, 20] = 1
    spot = ct.degrade(point, "blur", 3)[0, ..., 0]
    rows = np.arange(41) - 20
    assert spot.sum() == pytest.approx(1, abs=1e-4)
    variance = (spot.sum(axis=1) * rows**2).sum()
    assert np.sqrt(variance) == pytest.approx(3, rel=0.01)


def test_colours_are_blurred_apart():
    red = np.zeros((1, 9, 9, 3), "float32")
    red[..., 0] = 1
    np.testing.assert_allclose(ct.degrade(red, "blur", 2), red, atol=1e-6)


def test_contrast_shrinks_about_the_mean_of_each_image():
    faint = ct.degrade(PHOTOS, "contrast", 0.75)
    axes = (1, 2, 3)
    np.testing.assert_allclose(faint.std(axes), PHOTOS.std(axes) / 4, rtol=0.02)
    np.testing.assert_allclose(faint.mean(axes), PHOTOS.mean(axes), atol=0.002)


def test_darkness_takes_away_its_share_of_the_light_and_levels_with_it():
    dark = ct.degrade(PHOTOS, "darkness", 0.8)
    np.testing.assert_allclose(dark, 0.2 * PHOTOS, atol=0.5 / 255 + 1e-6)
    assert len(np.unique(dark)) <= 52  # a fifth of 256: the rest is gone


def test_a_hole_is_one_grey_square_and_the_rest_is_untouched():
    damaged = ct.degrade(PHOTOS, "holes", 8, seed=5)
    where = ct.degrade(np.zeros_like(PHOTOS), "holes", 8, seed=5) > 0
    assert (damaged[where] == 0.5).all()
    assert (damaged[~where] == PHOTOS[~where]).all()
    for hole in where[..., 0]:
        rows, columns = np.nonzero(hole)
        assert len(rows) == 64
        assert np.ptp(rows) == np.ptp(columns) == 7


def test_holes_lie_anywhere_also_at_the_edge():
    where = ct.degrade(np.zeros((400, 6, 6, 1)), "holes", 3) > 0
    share = where.mean(axis=0)[..., 0]
    assert share.min() > 0.02  # each corner is missing at times


def test_downsampling_is_that_of_pillow():
    small = ct.degrade(PHOTOS, "downsampling", 2)
    assert small.shape == (5, 12, 16, 3)
    one = Image.fromarray(PHOTOS[1, ..., 2]).resize((16, 12), Image.BICUBIC)
    np.testing.assert_allclose(small[1, ..., 2], np.clip(one, 0, 1), atol=1e-6)


def test_a_ramp_stays_one_when_it_is_enlarged():
    ramp = np.linspace(0, 1, 16, dtype="float32")[None, None, :, None]
    large = resample(np.repeat(ramp, 8, axis=1), 16, 32, Image.Resampling.BICUBIC)
    middle = np.interp((np.arange(32) + 0.5) / 2 - 0.5, np.arange(16), ramp.ravel())
    np.testing.assert_allclose(large[0, 5, 4:-4, 0], middle[4:-4], atol=1e-3)


def test_jpeg_of_lower_quality_is_further_off():
    errors = [np.abs(ct.degrade(PHOTOS, "jpeg", q) - PHOTOS).mean() for q in (95, 5)]
    assert 0 < errors[0] < errors[1] / 3


def test_each_image_may_have_an_amount_of_its_own():
    noisy = ct.degrade(GREY, "noise", [0, 0.2], seed=0)
    assert noisy[0].std() == 0
    assert noisy[1].std() == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize("kind", ["noise", "holes"])
def test_the_seed_decides_and_nothing_else(kind):
    amount = {"noise": 0.1, "holes": 8}[kind]
    once, again, other = (ct.degrade(PHOTOS, kind, amount, s) for s in (1, 1, 2))
    assert (once == again).all()
    assert (once != other).any()


@pytest.mark.parametrize(
    "kind", ["noise", "blur", "contrast", "darkness", "holes", "jpeg"]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_what_comes_back_is_an_image_again(kind, channels):
    images = PHOTOS[..., :channels]
    damaged = ct.degrade(images, kind, {"jpeg": 50, "holes": 3}.get(kind, 0.5))
    assert damaged.dtype == "float32"
    assert damaged.shape == images.shape
    assert 0 <= damaged.min()
    assert damaged.max() <= 1


@pytest.mark.parametrize(
    ("kind", "amount", "message"),
    [
        ("grain", 1, "kind is one of noise, blur"),
        ("noise", 25, "from 0 to 1, such as 25 / 255, but got 25"),
        ("noise", [0.1] * 3, "one for each of the 2 images"),
        ("noise", "much", "amount is one number"),
        ("noise", np.nan, "but got nan"),
        ("blur", -1, "at least 0, but got -1"),
        ("contrast", 1, "a share from 0 to below 1, but got 1"),
        ("darkness", -0.1, "a share from 0 to below 1"),
        ("holes", 25, "0 to 24, but got 25"),
        ("holes", 2.5, "whole pixels"),
        ("downsampling", 1, "a whole number of at least 2"),
        ("downsampling", 5, r"multiples of 5.*images\[:, :20, :30\]"),
        ("downsampling", [2, 4], "one amount for all images"),
        ("jpeg", 0, "from 1 to 100, but got 0"),
    ],
)
def test_an_amount_that_makes_no_sense_is_refused(kind, amount, message):
    with pytest.raises(ValueError, match=message):
        ct.degrade(GREY, kind, amount)


def test_images_of_another_range_or_kind_are_refused():
    with pytest.raises(ValueError, match="lie between 0 and 1"):
        ct.degrade(255 * GREY, "noise", 0.1)
    with pytest.raises(ValueError, match="1 or 3 channels, but got 2"):
        ct.degrade(GREY[..., :2], "jpeg", 50)
