"""PSNR and SSIM: known answers, and the same numbers from scikit-image and by hand."""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter
from skimage.metrics import peak_signal_noise_ratio

from crnn_tutorial.metrics.pictures import psnr_per_image, ssim_per_image

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((3, 12, 15, 1))
OTHERS = np.clip(0.7 * IMAGES + RANDOM.normal(0.1, 0.1, IMAGES.shape), 0, 1)


def ssim_by_hand(x, y, window=7):
    """Compute the formula of Wang et al. over windows that lie inside the image."""

    def mean(z):
        edge = window // 2
        return uniform_filter(z, window)[edge:-edge, edge:-edge]

    few = window**2 / (window**2 - 1)  # variances of a sample
    mx, my = mean(x), mean(y)
    vx, vy = (few * (mean(z * z) - m**2) for z, m in ((x, mx), (y, my)))
    both = few * (mean(x * y) - mx * my)
    luminance = (2 * mx * my + 1e-4) / (mx**2 + my**2 + 1e-4)
    return (luminance * (2 * both + 9e-4) / (vx + vy + 9e-4)).mean()


def test_ssim_is_the_formula_of_its_paper():
    pairs = zip(IMAGES[..., 0], OTHERS[..., 0], strict=True)
    expected = [ssim_by_hand(*pair) for pair in pairs]
    np.testing.assert_allclose(ssim_per_image(IMAGES, OTHERS), expected, atol=1e-9)


def test_channels_count_alike():
    three = np.concatenate([IMAGES, OTHERS, IMAGES], axis=-1)
    found = ssim_per_image(three, np.repeat(IMAGES, 3, axis=-1))
    each = ssim_per_image(OTHERS, IMAGES)
    np.testing.assert_allclose(found, (2 + each) / 3, atol=1e-9)


def test_ssim_of_two_greys_is_known():
    black, grey = np.zeros((1, 9, 9, 1)), np.full((1, 9, 9, 1), 0.5)
    expected = 1e-4 / (0.25 + 1e-4)  # contrast and pattern are equal: none
    assert ssim_per_image(black, grey) == pytest.approx(expected)
    assert ssim_per_image(grey, grey) == pytest.approx(1)


def test_a_negative_is_below_zero():
    assert (ssim_per_image(IMAGES, 1 - IMAGES) < 0).all()


def test_psnr_is_that_of_scikit_image():
    pairs = zip(IMAGES, OTHERS, strict=True)
    expected = [peak_signal_noise_ratio(*pair, data_range=1) for pair in pairs]
    np.testing.assert_allclose(psnr_per_image(IMAGES, OTHERS), expected)
    assert (psnr_per_image(IMAGES, IMAGES) == 100).all()


@pytest.mark.parametrize("score", [psnr_per_image, ssim_per_image])
def test_images_of_two_shapes(score):
    with pytest.raises(ValueError, match=r"one shape.*\(3, 12, 15, 1\).*\(3, 12, 14"):
        score(IMAGES, OTHERS[:, :, 1:])


def test_an_image_smaller_than_a_window():
    with pytest.raises(ValueError, match="7 x 7 pixels, but the images are 12 x 6"):
        ssim_per_image(IMAGES[:, :, :6], OTHERS[:, :, :6])
