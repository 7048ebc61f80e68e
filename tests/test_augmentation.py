"""Augmentation moves what is there and invents nothing."""

import time

import numpy as np
import pytest

import crnn_tutorial as ct


def spots(count, height=9, width=11):
    """Black images with one white pixel in the middle."""
    images = np.zeros((count, height, width, 1), dtype="float32")
    images[:, height // 2, width // 2] = 1
    return images


def rng(seed=0):
    return np.random.default_rng(seed)


def test_shift_moves_every_spot_by_at_most_the_given_pixels_and_uses_them_all():
    shifted = ct.augment_shift(spots(500), rng(), pixels=2)
    image, row, column, _ = np.nonzero(shifted)
    assert image.tolist() == list(range(500))  # nothing lost, nothing doubled
    assert set(row - 4) == set(column - 5) == {-2, -1, 0, 1, 2}
    assert np.corrcoef(row, column)[0, 1] < 0.2  # both directions by themselves


def test_shift_fills_with_zero_and_does_not_wrap_around():
    images = np.ones((50, 4, 4, 3), dtype="float32")
    shifted = ct.augment_shift(images, rng(), pixels=1)
    rows_left = shifted.max(axis=(2, 3)).sum(axis=1)
    assert set(rows_left) == {3, 4}
    assert (images == 1).all()


def test_affine_without_strength_returns_the_image():
    images = rng().random((3, 7, 10, 3), dtype="float32")
    same = ct.augment_affine(images, rng(), degrees=0, scale=0, pixels=0)
    np.testing.assert_allclose(same, images, atol=1e-6)


def test_affine_by_a_quarter_turn_is_numpy_rot90():
    class QuarterTurn:
        def uniform(self, low, high, size):
            return np.full(size, high)

    image = rng().random((1, 6, 6, 2), dtype="float32")
    turned = ct.augment_affine(image, QuarterTurn(), degrees=90, scale=0, pixels=0)
    np.testing.assert_allclose(turned[0], np.rot90(image[0]), atol=1e-5)


def test_affine_shift_between_pixels_is_their_mean():
    class Always:
        def uniform(self, low, high, size):
            return np.full(size, high)

    moved = ct.augment_affine(spots(1), Always(), degrees=0, scale=0, pixels=0.5)
    np.testing.assert_allclose(moved[0, 4:6, 5:7, 0], 0.25, atol=1e-6)


def test_affine_lets_zero_move_in():
    white = np.ones((20, 6, 6, 1), dtype="float32")
    moved = ct.augment_affine(white, rng(), degrees=0, scale=0, pixels=3)
    edges = moved[:, [0, -1, 2, 2], [2, 2, 0, -1]].min(axis=(1, 2))
    assert np.median(edges) == 0 and moved.max() == 1


def test_affine_scale_enlarges_and_shrinks():
    disc = np.zeros((200, 21, 21, 1), dtype="float32")
    disc[:, 6:15, 6:15] = 1
    area = ct.augment_affine(disc, rng(), degrees=0, scale=0.2, pixels=0).sum((1, 2, 3))
    assert area.min() < 81 * 0.75 and area.max() > 81 * 1.3


@pytest.mark.parametrize("augment", [ct.augment_shift, ct.augment_affine])
def test_the_generator_decides_and_the_range_stays(augment):
    images = rng().random((20, 8, 8, 1), dtype="float32")
    before = images.copy()
    first, again, other = (augment(images, rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()
    assert first.dtype == np.float32 and first.min() >= 0 and first.max() <= 1
    assert (images == before).all()
    assert (first[0] != first[1]).any()


def test_affine_is_fast_enough_for_an_epoch_of_mnist():
    images = rng().random((1280, 28, 28, 1), dtype="float32")
    start = time.perf_counter()
    for i in range(0, 1280, 128):
        ct.augment_affine(images[i : i + 128], rng())
    assert time.perf_counter() - start < 10 * 1280 / 60_000 * 5  # five times for CI


@pytest.mark.parametrize("pixels", [-1, 8])
def test_shift_refuses_more_than_the_image(pixels):
    with pytest.raises(ValueError, match="between 0 and 7 for images of 8 x 9"):
        ct.augment_shift(np.zeros((1, 8, 9, 1)), rng(), pixels=pixels)


@pytest.mark.parametrize("wrong", [{"degrees": -1}, {"scale": 1}, {"pixels": -1}])
def test_affine_refuses_a_strength_out_of_range(wrong):
    with pytest.raises(ValueError, match=r"scale lies in \[0, 1\)"):
        ct.augment_affine(np.zeros((1, 8, 9, 1)), rng(), **wrong)
