"""The exercises of "Preprocessing": wrong answers fail."""

import numpy as np
import pytest
from PIL import Image, ImageOps

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "code/preprocessing"

# ------------------------------------------------------------ predict: which shape?


def check_shapes(shapes, folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = folder / "phone.jpg"
    Image.new("RGB", (400, 300)).save(path, exif=exif)
    viewer, loaded, patches = shapes()
    image = ct.load_image(path, size=(90, 60), channels=1)
    upright = ct.load_image(path)
    assert viewer == upright.shape[:2], "a quarter turn swaps the sides"
    assert loaded == image.shape, "size is (height, width), as in a shape"
    expected = ct.to_patches(image[np.newaxis], 32).shape
    assert patches == expected, "a part of a tile is filled up to a whole one"


RIGHT = ((400, 300), (90, 60, 1), (1, 3, 2, 32, 32, 1))


def test_the_shapes_agree_with_the_package(tmp_path):
    check_shapes(solution(PAGE, "ex-preprocessing-shape")["shapes"], tmp_path)


@pytest.mark.parametrize(
    "position, wrong, words",
    [
        (0, (300, 400), "quarter turn"),
        (1, (60, 90, 1), "as in a shape"),
        (2, (1, 2, 1, 32, 32, 1), "filled up"),
    ],
)
def test_a_wrong_shape_is_told_why(tmp_path, position, wrong, words):
    answer = [*RIGHT[:position], wrong, *RIGHT[position + 1 :]]
    with pytest.raises(AssertionError, match=words):
        check_shapes(lambda: answer, tmp_path)


# ------------------------------------------------------------ change: the box


def check_box(move_box):
    for old, new in [
        ((200, 100), (64, 64)),
        ((30, 90), (60, 60)),
        ((50, 50), (80, 40)),
    ]:
        left, top, right, bottom = box = (10, 20, 24, 44)
        image = np.zeros((old[1], old[0]), "uint8")
        image[top:bottom, left:right] = 255
        moved = move_box(box, old, new)
        bright = ct.resize_image(image, new, pad=0) > 127
        rows, columns = np.nonzero(bright.any(1))[0], np.nonzero(bright.any(0))[0]
        seen = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        size = (moved[2] - moved[0]) / (moved[3] - moved[1])
        assert size == pytest.approx(14 / 24), (
            "the proportions change: is it one scale for both axes?"
        )
        assert np.abs(np.subtract(moved, seen)).max() < 1.5, (
            "the size is right, the place is not: the picture is centred"
        )


def test_the_box_moves_with_the_picture():
    check_box(solution(PAGE, "ex-preprocessing-box")["move_box"])


def squashed(box, old, new):
    x, y = new[0] / old[0], new[1] / old[1]
    return box[0] * x, box[1] * y, box[2] * x, box[3] * y


def in_the_corner(box, old, new):
    scale = min(new[0] / old[0], new[1] / old[1])
    return tuple(scale * side for side in box)


@pytest.mark.parametrize(
    "wrong, words", [(squashed, "one scale"), (in_the_corner, "centred")]
)
def test_a_wrong_box_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_box(wrong)


# ------------------------------------------------------------ build: upright


def check_upright(upright):
    pixels = np.arange(6, dtype="uint8").reshape(2, 3)
    for orientation in (1, 3, 6, 8):
        picture = Image.fromarray(pixels)
        picture.getexif()[0x0112] = orientation
        expected = np.asarray(ImageOps.exif_transpose(picture))
        turned = np.asarray(upright(pixels, orientation))
        assert turned.shape == expected.shape, "a quarter turn swaps the sides"
        assert np.array_equal(turned, expected), (
            f"orientation {orientation} is turned the wrong way: rot90 turns left"
        )
    try:
        upright(pixels, 9)
    except ValueError:
        return
    raise AssertionError("orientation 9 does not exist, and nobody is told")


def test_upright_does_as_pillow_does():
    check_upright(solution(PAGE, "ex-preprocessing-upright")["upright"])


def the_wrong_way(pixels, orientation):
    return np.rot90(pixels, {1: 0, 3: 2, 6: 1, 8: -1}[orientation])


def never_an_error(pixels, orientation):
    return np.rot90(pixels, {3: 2, 6: -1, 8: 1}.get(orientation, 0))


@pytest.mark.parametrize(
    "wrong, words",
    [(the_wrong_way, "rot90 turns left"), (never_an_error, "nobody is told")],
)
def test_a_wrong_turn_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_upright(wrong)
