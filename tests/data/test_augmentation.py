"""Augmentation moves what is there and invents nothing."""

import functools

import numpy as np
import pytest
from counted_work import count_calls

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


@pytest.mark.parametrize("augment", [ct.augment_affine, ct.augment_text_images])
def test_more_images_cost_no_more_calls(augment):
    """All images of a batch at once, never one after the other.

    The garbage collector may add calls of its own, but never one for each image.
    """
    images = rng().random((64, 16, 24, 1), dtype="float32")
    augment(images, rng())
    few, many = (count_calls(lambda n=n: augment(images[:n], rng())) for n in (16, 64))
    assert many - few < 64 - 16


@pytest.mark.parametrize("pixels", [-1, 8])
def test_shift_refuses_more_than_the_image(pixels):
    with pytest.raises(ValueError, match="between 0 and 7 for images of 8 x 9"):
        ct.augment_shift(np.zeros((1, 8, 9, 1)), rng(), pixels=pixels)


@pytest.mark.parametrize("wrong", [{"degrees": -1}, {"scale": 1}, {"pixels": -1}])
def test_affine_refuses_a_strength_out_of_range(wrong):
    with pytest.raises(ValueError, match=r"scale lies in \[0, 1\)"):
        ct.augment_affine(np.zeros((1, 8, 9, 1)), rng(), **wrong)


# Lines of text


def bars(count=40, height=20, width=60, left=20, real=60, paper=1.0, ink=0.0):
    """Paper with an upright bar of ink 4 pixels wide, 6 pixels from top and bottom."""
    images = np.full((count, height, width, 1), paper, dtype="float32")
    images[:, 6:-6, left : left + 4] = ink
    images[:, :, real:] = -1
    return images


STILL = dict.fromkeys(
    ("shift", "rise", "scale", "squeeze", "shear", "brightness", "contrast", "noise"),
    0.0,
)


def only(**strengths):
    """Everything switched off but what is named."""
    return {**STILL, **strengths}


def ink_of(images):
    """How much ink each column and each row holds, by image."""
    ink = np.where(images == -1, 0, 1 - images)[..., 0]
    return ink.sum(axis=1), ink.sum(axis=2)


def middles(profile):
    return (profile * np.arange(profile.shape[1])).sum(axis=1) / profile.sum(axis=1)


def test_text_without_strength_is_the_image():
    images = rng().random((3, 7, 10, 3), dtype="float32")
    images[1, :, 6:] = -1
    same = ct.augment_text_images(images, rng(), **STILL)
    np.testing.assert_allclose(same, images, atol=1e-6)


@pytest.mark.parametrize("real", [60, 45])
def test_text_is_shifted_by_shares_of_its_own_width_and_height(real):
    images = bars(2000, real=real)
    moved = ct.augment_text_images(images, rng(), **only(shift=0.2, rise=0.1))
    columns, rows = ink_of(moved)
    np.testing.assert_allclose(columns.sum(axis=1), 4 * 8, rtol=1e-3)  # nothing lost
    x, y = middles(columns) - 21.5, middles(rows) - 9.5
    for way, most in ((x, 0.2 * real), (y, 2)):
        assert -most - 1e-3 < way.min() < -0.98 * most
        assert most + 1e-3 > way.max() > 0.98 * most
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.1  # both directions by themselves


@pytest.mark.parametrize("paper, ink", [(1.0, 0.0), (0.2, 0.9), (0.5, 0.6)])
@pytest.mark.parametrize("left", [0, 1, 30, 41])
def test_text_never_leaves_the_real_part_of_the_picture(paper, ink, left):
    images = bars(300, left=left, real=45, paper=paper, ink=ink)
    strong = only(shift=3, rise=3, scale=0.3, squeeze=0.3, shear=0.3)
    moved = ct.augment_text_images(images, rng(), **strong)
    assert np.array_equal(moved == -1, images == -1)
    strength = (moved[..., :45, 0] - paper) / (ink - paper)
    assert (strength > -1e-5).all()
    mass = strength.sum(axis=(1, 2))
    # zoom changes the area; a bar that is cut off would lose more than that
    assert mass.min() > 32 * 0.7**3 * 0.85 and mass.max() < 32 * 1.3**2 * 1.1
    bright = strength.max(axis=(1, 2))
    assert bright.min() > 0.7


def full_to_the_edges(count):
    images = bars(count, left=0)
    images[:, 6:-6, -4:] = 0  # a second bar at the other end
    return images


@pytest.mark.parametrize(
    "strong, least",
    # 10 rows of ink and its soft edge, slanted by 1: 10 more columns than the 60
    [({"scale": 0.3}, 0.7**2), ({"shear": 1}, 60 / 70)],
)
def test_a_picture_full_to_its_edges_loses_nothing(strong, least):
    moved = ct.augment_text_images(full_to_the_edges(500), rng(), **only(**strong))
    columns, _ = ink_of(moved)
    for side in (columns[:, :30], columns[:, 30:]):
        assert side.sum(axis=1).min() > 4 * 8 * least * 0.95


def test_a_picture_full_to_its_edges_moves_only_as_far_as_it_was_squeezed():
    images = full_to_the_edges(500)
    still = ct.augment_text_images(images, rng(), **only(shift=0.5))
    np.testing.assert_allclose(still, images, atol=1e-5)
    moved = ct.augment_text_images(images, rng(), **only(shift=0.5, squeeze=0.3))
    columns, _ = ink_of(moved)
    first = (columns > 1).argmax(axis=1)
    last = 60 - (columns[:, ::-1] > 1).argmax(axis=1)
    assert first.max() > 9 and last.min() < 51  # up to 30 % of 60 pixels are free
    assert (columns.sum(axis=1) > 2 * 4 * 8 * 0.65).all()  # both bars are still there
    assert (last - first).min() > 0.68 * 60


def test_text_is_slanted_by_pixels_to_the_side_for_each_pixel_up():
    moved = ct.augment_text_images(bars(500), rng(), **only(shear=0.3))
    ink = np.where(moved == -1, 0, 1 - moved)[..., 0]
    upper, lower = (middles(ink[:, rows].sum(axis=1)) for rows in ([7, 8], [11, 12]))
    slant = (upper - lower) / 4  # rows 7.5 and 11.5
    assert -0.301 < slant.min() < -0.29 and 0.29 < slant.max() < 0.301


def test_width_and_height_change_by_themselves():
    moved = ct.augment_text_images(bars(800), rng(), **only(scale=0.25))
    columns, rows = ink_of(moved)
    high, wide = columns.max(axis=1), rows.max(axis=1)
    for length, whole in ((high, 8), (wide, 4)):
        assert 0.72 * whole < length.min() < 0.8 * whole
        assert 1.2 * whole < length.max() < 1.28 * whole
    assert abs(np.corrcoef(high, wide)[0, 1]) < 0.1


def test_what_comes_in_has_the_colour_of_the_border():
    images = np.empty((50, 12, 30, 3), dtype="float32")
    images[:] = np.array([0.9, 0.5, 0.2], "float32")
    images[:, 4:8, 10:20] = 0
    moved = ct.augment_text_images(images, rng(), **only(shift=0.3, rise=0.3))
    assert (moved[:, 4:8, 10:20] != images[:, 4:8, 10:20]).any()
    for channel, value in enumerate((0.9, 0.5, 0.2)):
        np.testing.assert_allclose(moved[:, 0, 0, channel], value, atol=1e-6)


def test_padding_has_no_part_in_the_colour_of_the_border():
    images = bars(50, width=200, left=3, real=12, paper=0.8)
    moved = ct.augment_text_images(images, rng(), **only(shift=0.3))
    assert (moved[:, 8, 3:7] != images[:, 8, 3:7]).any()
    np.testing.assert_allclose(moved[:, 0, :12], 0.8, atol=1e-6)


def test_brightness_is_added_and_contrast_moves_away_from_grey():
    images = bars(3000, paper=0.6, ink=0.4)
    bright = ct.augment_text_images(images, rng(), **only(brightness=0.2))
    added = bright - images
    assert np.ptp(added, axis=(1, 2, 3)).max() < 1e-5
    assert added.min() == pytest.approx(-0.2, abs=1e-3)
    assert added.max() == pytest.approx(0.2, abs=1e-3)
    hard = ct.augment_text_images(images, rng(), **only(contrast=0.5))
    np.testing.assert_allclose(hard.max((1, 2, 3)) + hard.min((1, 2, 3)), 1, atol=1e-5)
    spread = np.ptp(hard, axis=(1, 2, 3))
    assert spread.min() == pytest.approx(0.1, abs=1e-3)
    assert spread.max() == pytest.approx(0.3, abs=1e-3)


def test_noise_has_at_most_the_given_standard_deviation():
    images = np.full((200, 16, 64, 1), 0.5, dtype="float32")
    images[:, :, 40:] = -1
    noisy = ct.augment_text_images(images, rng(), **only(noise=0.1))
    deviation = noisy[:, :, :40].std(axis=(1, 2, 3))
    assert deviation.min() < 0.005 and 0.095 < deviation.max() < 0.105
    assert (noisy[:, :, 40:] == -1).all()
    neighbours = noisy[:, :, :39] - 0.5, noisy[:, :, 1:40] - 0.5
    assert abs(np.corrcoef(neighbours[0].ravel(), neighbours[1].ravel())[0, 1]) < 0.01


def test_text_augmentation_is_decided_by_the_generator_and_keeps_the_range():
    images = ct.load_digit_strings(sizes=(30, 1, 1)).train.images
    before = images.copy()
    first, again, other = (
        ct.augment_text_images(images, rng(seed)) for seed in (1, 1, 2)
    )
    assert (first == again).all() and (first != other).any()
    assert first.dtype == np.float32
    assert np.array_equal(first == -1, images == -1)
    assert first[first != -1].min() >= 0 and first.max() <= 1
    assert (images == before).all()


def test_an_empty_line_stays_empty():
    blank = np.full((4, 8, 20, 1), 0.7, dtype="float32")
    blank[2, :, 9:] = -1
    moved = ct.augment_text_images(blank, rng(), **only(shift=0.5, squeeze=0.5))
    np.testing.assert_allclose(moved, blank, atol=1e-6)


@pytest.mark.parametrize("name", STILL)
def test_text_strengths_out_of_their_range_are_named(name):
    top = 1.0 if name in ("scale", "squeeze", "contrast") else np.inf
    for wrong in (-0.1, top, np.nan):
        with pytest.raises(ValueError, match=f"{name} .*but got {wrong}"):
            ct.augment_text_images(bars(1), rng(), **{name: wrong})


FULL = np.ones((1, 9, 9, 1), "float32")


@pytest.mark.parametrize(
    "augment",
    [
        functools.partial(ct.augment_shift, pixels=3),
        functools.partial(ct.augment_affine, degrees=0, scale=0.3, pixels=2),
        functools.partial(ct.augment_affine, degrees=40, scale=0, pixels=1),
    ],
    ids=["shift", "zoom", "turn"],
)
def test_masks_and_boxes_move_with_the_image(augment):
    # A block of a photograph: image and mask are the same pixels, the box is around it.
    images = np.zeros((40, 32, 40, 1), "float32")
    images[:, 10:18, 12:24] = 1
    masks = images[..., 0].astype(int)
    boxes = np.tile([10.0, 12.0, 18.0, 24.0, 7.0], (40, 2, 1))
    boxes[:, 1] = -1  # no second box
    moved, found, around = augment(
        images, np.random.default_rng(0), masks=masks, boxes=boxes
    )
    alone = augment(images, np.random.default_rng(0))
    np.testing.assert_array_equal(moved, alone)
    assert found.dtype == masks.dtype and set(np.unique(found)) == {0, 1}
    # Pixels between 0 and 1 go to the side on which they are: some on the border.
    assert np.mean((moved[..., 0] > 0.5) != found) < 0.01
    assert (around[:, 1] == -1).all() and (around[:, 0, 4] == 7).all()
    for mask, box in zip(found, around[:, 0, :4], strict=True):
        rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
        tight = [rows[0], columns[0], rows[-1] + 1, columns[-1] + 1]
        assert np.abs(box - tight).max() < 1.5
    assert np.ptp(around[:, 0, 0]) > 1  # they moved


def test_a_box_that_has_left_the_image_is_none():
    boxes = np.array([[[0.0, 0.0, 9.0, 9.0], [0.0, 0.0, 2.0, 2.0]]])
    gone = set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        _, moved = ct.augment_shift(FULL, rng, pixels=4, boxes=boxes)
        assert moved.min() >= -1 and moved.max() <= 9
        assert (moved[0, 0] >= 0).all()  # at least 25 of its 81 pixels are left
        gone.add(bool((moved[0, 1] == -1).all()))
    assert gone == {True, False}
