"""Images: what goes in comes out, at the right size, in the right range."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

import crnn_tutorial as ct
from crnn_tutorial import checks
from crnn_tutorial.checks import check_images
from crnn_tutorial.data.images import stack_images
from crnn_tutorial.data.lazy_images import LazyImages
from crnn_tutorial.data.text.stacking import stack_text_images


def random_image(*shape, seed=0, dtype="uint8"):
    values = np.random.default_rng(seed).random(shape)
    if dtype == "uint8":
        return np.round(255 * values).astype(dtype)
    return values.astype(dtype)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


# resize_image


def test_every_other_size_is_height_then_width(tmp_path):
    path = save(tmp_path / "a.png", random_image(5, 7, 3))
    for image in (path, Image.open(path), np.zeros((5, 7))):
        assert ct.load_image(image, (10, 20)).shape == (10, 20, 3)
        assert ct.load_image(image, (10, 20), pad=1).shape == (10, 20, 3)
        assert stack_images([image], (10, 20), 3).shape == (1, 10, 20, 3)
    assert LazyImages([path], (10, 20))[0].shape == (10, 20, 3)
    photos = ct.load_photos((16, 24), crops=1)
    assert photos.input_shape == (16, 24, 3)


def test_the_size_of_resize_image_is_width_then_height():
    assert ct.resize_image(random_image(5, 7, 3), (20, 10)).shape == (10, 20, 3)
    assert ct.resize_image(Image.new("L", (7, 5)), (20, 10)).size == (20, 10)


@pytest.mark.parametrize("shape", [(6, 9), (6, 9, 1), (6, 9, 3)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int64", "bool", "float32"])
def test_array_keeps_its_axes_and_type(shape, dtype):
    image = random_image(*shape, dtype="float32").round().astype(dtype)
    resized = ct.resize_image(image, (4, 3))
    assert resized.shape == (3, 4) + shape[2:]
    assert resized.dtype == dtype


def test_float64_becomes_float32():
    assert (
        ct.resize_image(random_image(4, 4, dtype="float64"), (2, 2)).dtype == "float32"
    )


def test_a_resize_to_the_same_size_changes_nothing():
    image = random_image(9, 6, 3)
    assert np.array_equal(ct.resize_image(image, (6, 9)), image)


def test_it_is_the_lanczos_filter_of_pillow():
    image = 64 + random_image(40, 30, 3) // 2  # far from 0 and 255: no clipping
    ours = ct.resize_image(image, (13, 50)).astype(int)
    pillow = Image.fromarray(image).resize((13, 50), Image.Resampling.LANCZOS)
    assert abs(ours - np.asarray(pillow, int)).max() <= 1  # Pillow rounds twice
    bicubic = Image.fromarray(image).resize((13, 50), Image.Resampling.BICUBIC)
    assert abs(ours - np.asarray(bicubic, int)).max() > 1


def test_channels_do_not_mix():
    image = random_image(8, 8, 3, dtype="float32")
    whole = ct.resize_image(image, (5, 11))
    for i in range(3):
        assert np.array_equal(whole[:, :, i], ct.resize_image(image[:, :, i], (5, 11)))


def edge(dtype, white):
    """A sharp edge: Lanczos overshoots beside it."""
    image = np.zeros((8, 8), dtype)
    image[:, 4:] = white
    return image


def test_overshoot_is_clipped_for_floats():
    resized = ct.resize_image(edge("float32", 1), (64, 64))
    assert resized.min() == 0 and resized.max() == 1


def test_overshoot_is_clipped_for_integers_and_does_not_wrap_around():
    for dtype, white in (("uint8", 255), ("uint16", 65535)):
        resized = ct.resize_image(edge(dtype, white), (64, 64)).astype(int)
        assert (resized[:, :16] < white / 8).all()
        assert (resized[:, 48:] > white * 7 / 8).all()


def test_integers_are_rounded_not_cut():
    image = np.array([[10, 11]], "uint8")  # the mean is 10.5, cutting would give 10
    image = np.tile(image, (1, 50))
    exact = ct.resize_image(image / np.float32(255), (7, 1)) * 255
    assert np.array_equal(ct.resize_image(image, (7, 1)), np.rint(exact))
    assert not np.array_equal(np.rint(exact), np.floor(exact))


def test_path_and_picture_give_a_picture(tmp_path):
    array = random_image(6, 8, 3)
    path = save(tmp_path / "a.png", array)
    for image in (path, str(path), Image.fromarray(array), Image.open(path)):
        resized = ct.resize_image(image, (4, 3))
        assert isinstance(resized, Image.Image) and resized.mode == "RGB"
        assert np.array_equal(resized, ct.resize_image(path, (4, 3)))


def test_sixteen_bit_picture_stays_sixteen_bit():
    array = np.array([[0, 40000], [40000, 65535]], "uint16")
    resized = ct.resize_image(Image.fromarray(array), (2, 2))
    assert resized.mode == "I;16"
    assert np.array_equal(resized, array)


def test_pad_keeps_the_proportions_and_centres():
    image = np.full((2, 8, 3), 200, "uint8")
    resized = ct.resize_image(image, (16, 8), pad=1)
    assert (resized[2:6] == 200).all()
    assert (resized[:2] == 255).all() and (resized[6:] == 255).all()
    upright = ct.resize_image(image.swapaxes(0, 1), (16, 8), pad=0)
    assert (upright[:, 7:9] == 200).all() and upright.astype(int).sum() == 200 * 48


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK", "1", "I;16"])
def test_pad_means_the_same_for_pictures(mode):
    picture = Image.new("L", (8, 2), 255).convert("RGB" if mode == "P" else "L")
    picture = picture.convert(mode) if mode != "CMYK" else picture.convert("RGB")
    picture = picture.convert(mode)
    array = np.asarray(ct.resize_image(picture, (8, 4), pad=0.5), float)
    peak = 65535 if mode == "I;16" else 255
    middle = array[0, 0] if array.ndim == 2 else array[0, 0, :3]
    assert np.allclose(middle / peak, 0.5, atol=0.01)


def test_pad_of_a_very_thin_image_keeps_one_pixel():
    assert ct.resize_image(np.ones((1, 1000)), (10, 10), pad=0).sum() == 10


# load_image


def test_pixels_of_a_file_are_exact(tmp_path):
    array = random_image(5, 7, 3)
    image = ct.load_image(save(tmp_path / "a.png", array))
    assert image.dtype == np.float32 and image.shape == (5, 7, 3)
    assert np.array_equal(np.rint(image * 255), array)


def test_grey_is_repeated_and_colour_is_weighted(tmp_path):
    grey = save(tmp_path / "grey.png", random_image(5, 7))
    image = ct.load_image(grey)
    assert image.shape == (5, 7, 3)
    assert (image == ct.load_image(grey, channels=1)).all()
    green = save(tmp_path / "green.png", np.full((2, 2, 3), (0, 255, 0), "uint8"))
    assert ct.load_image(green, channels=1).shape == (2, 2, 1)
    assert np.allclose(ct.load_image(green, channels=1), 0.587, atol=0.002)


def test_loading_at_a_size_is_resizing(tmp_path):
    path = save(tmp_path / "a.png", random_image(40, 30, 3))
    resized = ct.load_image(path, size=(8, 16))
    assert np.array_equal(
        resized, ct.normalize(np.asarray(ct.resize_image(path, (16, 8))))
    )
    assert ct.load_image(path, size=(8, 16), pad=0)[:, 0].max() == 0


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, suffix):
    array = np.array([[0, 256, 13107], [26214, 52428, 65535]], "uint16")
    image = ct.load_image(save(tmp_path / f"a{suffix}", array))
    assert np.allclose(image[:, :, 0], array / 65535)
    assert (image[:, :, :1] == image).all()
    assert np.allclose(
        ct.load_image(tmp_path / f"a{suffix}", size=(2, 3), channels=1)[..., 0],
        array / 65535,
    )


def test_big_endian_and_32_bit_files_of_16_bit_pixels(tmp_path):
    array = np.array([[0, 13107], [26214, 65535]], "uint16")
    Image.frombytes("I;16B", (2, 2), array.astype(">u2").tobytes()).save(
        tmp_path / "big.tif"
    )
    save(tmp_path / "int.tif", array.astype("int32"))
    for name in ("big.tif", "int.tif"):
        image = ct.load_image(tmp_path / name, channels=1)
        assert np.allclose(image[:, :, 0], array / 65535)


def test_float_file(tmp_path):
    array = random_image(3, 4, dtype="float32")
    path = save(tmp_path / "a.tif", array)
    assert np.array_equal(ct.load_image(path, channels=1)[..., 0], array)


def test_palette_is_looked_up(tmp_path):
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putpixel((1, 0), 1)
    picture.save(tmp_path / "a.png")
    assert ct.load_image(tmp_path / "a.png").tolist() == [[[1, 0, 0], [0, 0, 1]]]


def test_cmyk(tmp_path):
    red = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    for name in ("a.tif", "a.jpg"):
        red.save(tmp_path / name)
        image = ct.load_image(tmp_path / name)
        assert np.allclose(image, (1, 0, 0), atol=0.03)


def test_one_bit(tmp_path):
    path = save(tmp_path / "a.png", np.array([[True, False]]))
    assert ct.load_image(path, channels=1).ravel().tolist() == [1, 0]


def test_what_is_transparent_is_white(tmp_path):
    rgba = np.zeros((1, 2, 4), "uint8")  # black: transparent on the left, solid beside
    rgba[0, 1, 3] = 255
    path = save(tmp_path / "rgba.png", rgba)
    assert ct.load_image(path, channels=1).ravel().tolist() == [1, 0]
    Image.fromarray(rgba).convert("LA").save(tmp_path / "la.png")
    assert ct.load_image(tmp_path / "la.png", channels=1).ravel().tolist() == [1, 0]
    palette = Image.new("P", (2, 1), 1)
    palette.putpalette([0, 0, 0, 0, 0, 0])
    palette.putpixel((0, 0), 0)
    palette.save(tmp_path / "p.png", transparency=0)
    assert ct.load_image(tmp_path / "p.png", channels=1).ravel().tolist() == [1, 0]


UPRIGHT = {  # EXIF orientation: what turns the stored picture upright
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation(tmp_path, orientation):
    array = random_image(3, 5, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.png", array, exif=exif)
    upright = UPRIGHT[orientation](array)
    assert np.array_equal(np.rint(ct.load_image(path) * 255), upright)
    size = upright.shape[1::-1]
    for image in (path, Image.open(path)):
        assert np.array_equal(ct.resize_image(image, size), upright)


def test_the_first_picture_of_several(tmp_path):
    frames = [Image.new("L", (4, 4), brightness) for brightness in (255, 0)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert ct.load_image(tmp_path / "a.gif").min() == 1


# normalize


@pytest.mark.parametrize(
    ("dtype", "peak"),
    [("uint8", 255), ("int32", 255), ("uint16", 65535), ("bool", 1), ("float64", 1)],
)
def test_normalize_by_type(dtype, peak):
    scaled = ct.normalize(np.array([0, peak], dtype))
    assert scaled.dtype == np.float32 and scaled.tolist() == [0, 1]


def test_normalize_forgives_rounding_and_clips_it():
    assert ct.normalize(np.array([-1e-6, 1 + 1e-6])).tolist() == [0, 1]


def test_normalize_takes_no_image_at_all():
    assert ct.normalize(np.zeros((0, 8, 8, 3), "uint8")).shape == (0, 8, 8, 3)


def test_normalize_twice_is_once():
    once = ct.normalize(random_image(3, 4))
    assert np.array_equal(ct.normalize(once), once)


def test_normalize_does_not_change_its_argument():
    image = random_image(3, 4, dtype="float32")
    before = image.copy()
    ct.normalize(image)[:] = 0
    assert np.array_equal(image, before)


# patches


@st.composite
def images_and_patch_size(draw):
    shape = draw(st.tuples(*[st.integers(1, n) for n in (3, 13, 13, 3)]))
    dtype = draw(st.sampled_from([np.uint8, np.int64, np.float32]))
    images = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    return images, draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(images_and_patch_size())
def test_patches_come_back_exactly(given_):
    images, size = given_
    patches = ct.to_patches(images, size)
    back = ct.from_patches(patches, images.shape[1:3])
    assert back.dtype == images.dtype and np.array_equal(back, images)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(images_and_patch_size())
def test_each_patch_is_its_part_of_the_image_repeated_at_the_edge(given_):
    images, (height, width) = given_
    patches = ct.to_patches(images, (height, width))
    rows = np.minimum(np.arange(patches.shape[1] * height), images.shape[1] - 1)
    columns = np.minimum(np.arange(patches.shape[2] * width), images.shape[2] - 1)
    for row in range(patches.shape[1]):
        for column in range(patches.shape[2]):
            ys = rows[row * height : (row + 1) * height]
            xs = columns[column * width : (column + 1) * width]
            assert np.array_equal(patches[:, row, column], images[:, ys][:, :, xs])


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(*[st.integers(1, n) for n in (2, 9, 9)], st.sampled_from([1, 3])),
        elements=st.floats(0, 1, width=32),
    ),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
def test_resizing_stays_in_range_for_any_image(images, size):
    for image in images:
        resized = ct.resize_image(image, size)
        assert resized.shape == (size[1], size[0], image.shape[2])
        assert 0 <= resized.min() and resized.max() <= 1


def test_one_number_is_a_square_patch():
    images = random_image(2, 7, 9, 3)
    assert np.array_equal(ct.to_patches(images, 4), ct.to_patches(images, (4, 4)))


# check_images


def test_good_images_pass_unchanged():
    images = random_image(2, 8, 8, 3, dtype="float32")
    assert check_images(images, [0, 1]) is images
    assert check_images(images[np.newaxis], rank=5).shape == (1, 2, 8, 8, 3)
    assert check_images(images.astype("float64")).dtype == np.float32


def test_padding_passes_only_where_it_is_expected():
    images = np.zeros((1, 2, 4, 1), "float32")
    images[:, :, 2:] = -1
    assert check_images(images, padded=True) is images
    with pytest.raises(ValueError, match="between 0 and 1, but got -1 to 0"):
        check_images(images)
    images[0, 0, 0] = -0.5
    with pytest.raises(ValueError, match=r"\(or -1 for padding\), but got -1 to 0"):
        check_images(images, padded=True)


def test_an_open_file_is_read_like_a_path(tmp_path):
    path = save(tmp_path / "a.png", random_image(9, 12, 3))
    with path.open("rb") as file:
        file.read(3)  # wherever it stands
        assert np.array_equal(ct.load_image(file), ct.load_image(path))
    assert np.array_equal(
        ct.load_image(io.BytesIO(path.read_bytes()), size=(4, 3)),
        ct.load_image(path, size=(4, 3)),
    )


@pytest.mark.parametrize(
    "content, words", [(b"", "is empty"), (b"text", "is no image")]
)
def test_an_open_file_is_called_by_its_name(content, words):
    file = io.BytesIO(content)
    with pytest.raises(ValueError, match=f"The file {words}"):
        ct.load_image(file)
    file.name = "words.zip/a.png"
    with pytest.raises(ValueError, match=f"words.zip/a.png {words}"):
        ct.load_image(file)


# Every way a picture arrives


def pictures():
    """A picture of each mode that Pillow saves, and the ending that keeps it."""
    base = Image.fromarray(random_image(8, 10, 3))
    found = {m: (base.convert(m), ".png") for m in ("1", "L", "LA", "P", "RGB", "RGBA")}
    found["CMYK"] = base.convert("CMYK"), ".tif"
    clear = base.convert("P")
    clear.info["transparency"] = 3
    found["P with transparency"] = clear, ".png"
    grey = random_image(8, 10, dtype="float32")
    found["I;16"] = Image.fromarray((65535 * grey).astype("uint16")), ".png"
    found["I"] = Image.fromarray((65535 * grey).astype("int32")), ".tif"
    found["F"] = Image.fromarray(grey), ".tif"
    return found


COLOUR = ("P", "RGB", "RGBA", "CMYK", "P with transparency")


@pytest.mark.parametrize("mode", pictures())
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_the_same_however_it_arrives(tmp_path, mode, channels):
    picture, ending = pictures()[mode]
    path = tmp_path / f"a{ending}"
    picture.save(path)
    expected = ct.load_image(path, channels=channels)
    small = ct.load_image(path, (5, 4), channels)
    content = path.read_bytes()
    with path.open("rb") as opened:
        ways = [picture, str(path), path, content, bytearray(content), opened]
        ways += [io.BytesIO(content), Image.open(io.BytesIO(content))]
        for way in ways:
            assert np.array_equal(ct.load_image(way, channels=channels), expected)
            assert np.array_equal(ct.load_image(way, (5, 4), channels), small)
            for batch in (
                stack_text_images([way], channels=channels),
                stack_images([way], channels=channels),
                stack_images(way, channels=channels),
            ):
                assert np.array_equal(batch, expected[np.newaxis])


@pytest.mark.parametrize("mode", pictures())
def test_normalize_and_stack_take_pictures_with_their_own_channels(tmp_path, mode):
    picture, ending = pictures()[mode]
    path = tmp_path / f"a{ending}"
    picture.save(path)
    expected = ct.load_image(path, channels=3 if mode in COLOUR else 1)
    for found in (ct.normalize(picture), ct.normalize(path)):
        assert found.dtype == np.float32 and np.array_equal(found, expected)
    for found in (
        ct.normalize([picture, str(path)]),
        stack_text_images([picture, str(path)]),
    ):
        assert np.array_equal(found, np.stack([expected, expected]))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [None, (5, 4)])
def test_an_array_is_what_its_picture_is(channels, size):
    colour, grey = random_image(8, 10, 3), random_image(8, 10)
    sixteen = (257 * grey.astype(int)).astype("uint16")
    for array, picture in (
        (colour, Image.fromarray(colour)),
        (colour.astype("int64"), Image.fromarray(colour)),
        (grey, Image.fromarray(grey)),
        (grey[..., np.newaxis], Image.fromarray(grey)),
        (grey.tolist(), Image.fromarray(grey)),
        (grey > 127, Image.fromarray(grey > 127)),
        (sixteen, Image.fromarray(sixteen)),
        (sixteen[..., np.newaxis], Image.fromarray(sixteen)),
    ):
        found = ct.load_image(array, size, channels)
        assert np.array_equal(found, ct.load_image(picture, size, channels))
    floats = ct.load_image((colour / 255).astype("float32"), size, channels)
    assert np.allclose(floats, ct.load_image(colour, size, channels), atol=0.01)
    wide = ct.load_image(257 * colour.astype("uint16"), size, channels)
    assert np.allclose(wide, floats, atol=0.01)


def test_white_of_a_palette_is_white():
    white = Image.new("P", (40, 32))
    white.putpalette([255] * 3 + [0] * 765)
    for found in (stack_text_images([white]), ct.normalize(white)):
        assert found.min() == found.max() == 1


@pytest.mark.parametrize(
    "images, words",
    [
        ([np.zeros((4, 4)), np.zeros((4, 5))], r"images\[0\] has \(4, 4, 1\).*\[1\]"),
        ([np.zeros((4, 4)), np.zeros((4, 4, 3))], r"images\[1\] has \(4, 4, 3\)"),
        ([np.zeros((4, 4)), np.full((4, 4), 2.0)], r"images\[1\].*between 0 and 1"),
        ([], "There is no image to stack"),
        ([np.zeros((4, 4, 4))], "4 channels, pass the PIL image or its file"),
        (np.zeros((4, 4, 4, 4, 4)), "One array is one image"),
        ([b"no image"], r"images\[0\]: The file is no image"),
        ([[[0, 1], [1]]], "inhomogeneous"),
    ],
)
def test_pictures_that_do_not_stack(images, words):
    with pytest.raises(ValueError, match=words):
        stack_images(images)


def test_pictures_of_several_sizes_stack_at_one():
    images = [Image.new("L", (9, 7), 255), np.ones((3, 4, 3)), random_image(5, 5)]
    stacked = stack_images(images, size=(5, 6), channels=1)
    assert stacked.shape == (3, 5, 6, 1) and (stacked[:2] == 1).all()
    assert np.array_equal(stacked[2], ct.load_image(images[2], (5, 6), 1))


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "I", "F", "1"])
def test_a_picture_without_a_pixel_is_refused(mode):
    with pytest.raises(
        ValueError, match="The image has no pixel: .* 5 pixels high and 0 wide"
    ):
        ct.load_image(Image.new(mode, (0, 5)))


def test_a_file_that_is_open_as_text_is_refused(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("text")
    with path.open() as file, pytest.raises(ValueError, match="Open it with mode 'rb'"):
        ct.load_image(file)


# -1 stands only for whole columns at the right end


def padded(*ends, width=6):
    images = np.zeros((len(ends), 4, width, 1), "float32")
    for image, end in zip(images, ends, strict=True):
        image[:, end:] = -1
    return images


def spoilt(index, ends=(3, 6), value=-1):
    images = padded(*ends)
    images[index] = value
    return images


NO_PADDING = {
    "one pixel": spoilt((1, 2, 3)),
    "one pixel of many channels": np.where(
        np.arange(3) == 1, -1.0, np.zeros((1, 4, 6, 3))
    ),
    "on the left": spoilt((1, slice(None), 0)),
    "a column inside": spoilt((1, slice(None), 3)),
    "a row": spoilt((1, 2)),
    "a hole in the padding": spoilt((0, slice(None), 4), value=0),
    "a pixel in the padding": spoilt((0, 2, 5), value=0.5),
    "nothing else": padded(6, 0),
    "from -1 to 1": 2
    * np.tile([0.0, 1, 0], 2).reshape(1, 1, 6, 1)
    * np.ones((1, 4, 1, 1))
    - 1,
}


@pytest.mark.parametrize("kind", NO_PADDING)
def test_minus_one_elsewhere_is_refused(kind):
    images = NO_PADDING[kind].astype("float32")
    words = "-1 stands where no padding is|One array|with pixels, but images"
    with pytest.raises(ValueError, match="-1 stands where no padding is.*right end"):
        check_images(images, padded=True)
    with pytest.raises(ValueError, match=words):
        stack_text_images(images)
    with pytest.raises(ValueError, match=words):
        stack_text_images(list(images))


def test_padding_at_the_right_end_passes():
    images = padded(3, 6, 1)
    assert check_images(images, padded=True) is images
    assert checks.check_padding(images).tolist() == [3, 6, 1]
    assert np.array_equal(stack_text_images(images), images)
    assert np.array_equal(stack_text_images(list(images)), images)
    assert stack_text_images(images[0]).shape == (1, 4, 3, 1)


def test_frames_of_clips_are_padding_as_a_whole():
    clips = np.zeros((2, 3, 4, 4, 1), "float32")
    clips[1, 2] = -1
    assert check_images(clips, rank=5, padded=True) is clips
    clips[0, 1, 2] = -1
    with pytest.raises(ValueError, match="only for whole frames"):
        check_images(clips, rank=5, padded=True)
