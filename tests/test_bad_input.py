"""Bad images and folders: a clear error that says what came and what to do."""

import re
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import crnn_tutorial as ct
from crnn_tutorial.checks import check_images


def refuses(*parts, error=ValueError):
    """Expect an error whose message has all these parts, in this order."""
    return pytest.raises(error, match="(?s)" + ".*".join(map(re.escape, parts)))


def noise(height=40, width=40, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    return Image.fromarray(values.astype("uint8"))


# Files


def test_a_text_is_no_image(tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("shopping list")
    with refuses(str(path), "is no image", "PNG or JPEG"):
        ct.load_image(path)
    with refuses(str(path), "is no image"):
        ct.resize_image(path, (8, 8))


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "tif", "webp"])
def test_a_truncated_file(tmp_path, suffix):
    path = tmp_path / f"half.{suffix}"
    noise().save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with refuses(str(path), "truncated or damaged", "Copy or download it again"):
        ct.load_image(path)


def test_a_file_cut_in_its_header(tmp_path):
    path = tmp_path / "head.png"
    noise().save(path)
    path.write_bytes(path.read_bytes()[:20])
    with refuses(str(path)):
        ct.load_image(path)


def test_an_empty_file(tmp_path):
    path = tmp_path / "empty.png"
    path.touch()
    with refuses(str(path), "is empty (0 bytes)"):
        ct.load_image(path)


def test_a_missing_file_and_a_folder(tmp_path):
    with refuses("There is no file", "none.png", error=FileNotFoundError):
        ct.load_image(tmp_path / "none.png")
    with refuses(str(tmp_path), "is a folder", "load_image_folder"):
        ct.load_image(tmp_path)


def bomb(path, width, height):
    """Save a picture of one bit for each pixel: small on disk, huge in memory."""
    Image.new("1", (width, height)).save(path)
    return path


@pytest.mark.parametrize(
    "size",
    [(10_000, 10_000), (7_072, 7_072), (20_000, 10_000)],
    ids=["100 megapixels", "just above 50", "200, which Pillow itself refuses"],
)
def test_a_decompression_bomb(tmp_path, size):
    path = bomb(tmp_path / "bomb.png", *size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no warning of Pillow's reaches the user
        with refuses(str(path), "too large", "50 megapixels"):
            ct.load_image(path)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    path = bomb(tmp_path / "bomb.png", 10_000, 10_000)

    def load(self):
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load)
    with refuses("too large"):
        ct.load_image(path)


def test_fifty_megapixels_are_not_too_large(tmp_path):
    path = bomb(tmp_path / "large.png", 10_000, 5_000)
    assert ct.load_image(path, size=(4, 4), channels=1).shape == (4, 4, 1)


def test_pillow_is_left_as_it_was(tmp_path, monkeypatch):
    path = bomb(tmp_path / "bomb.png", 10_000, 10_000)
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    pillow_open = Image.open

    def open_slowly(file, **options):  # so that the threads overlap
        time.sleep(0.005)
        return pillow_open(file, **options)

    monkeypatch.setattr(Image, "open", open_slowly)
    with ThreadPoolExecutor(8) as threads:
        for task in [threads.submit(ct.load_image, path) for _ in range(32)]:
            assert isinstance(task.exception(), ValueError)
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(path).close()


def test_too_little_memory_is_not_called_a_damaged_file(tmp_path, monkeypatch):
    noise().save(tmp_path / "a.png")

    def load(self):
        raise MemoryError

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load)
    with pytest.raises(MemoryError):
        ct.load_image(tmp_path / "a.png")


def test_files_are_closed(tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    noise().save(good)
    bad.write_bytes(good.read_bytes()[:500])
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        ct.load_image(good)
        with refuses("truncated"):
            ct.load_image(bad)


def test_float_file_out_of_range(tmp_path):
    path = tmp_path / "heights.tif"
    Image.fromarray(np.full((4, 4), 300, "float32")).save(path)
    for size in (None, (2, 2)):
        with refuses(str(path), "between 0 and 1, but got 300 to 300"):
            ct.load_image(path, size=size)


def test_integer_file_out_of_range(tmp_path):
    path = tmp_path / "counts.tif"
    Image.fromarray(np.full((4, 4), 10**6, "int32")).save(path)
    with refuses(str(path), "1000000", "0 to 65535"):
        ct.load_image(path)


def test_a_mode_that_pillow_cannot_convert():
    with refuses("The image has the mode La", "Save it as RGB"):
        ct.resize_image(Image.new("La", (4, 4)), (2, 2))


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"channels": 4}, ("channels is 3 (colour) or 1 (grey)", "4")),
        ({"pad": 0}, ("pad fills up to a size",)),
        ({"size": (8, 8), "pad": 255}, ("pad", "from 0 (black) to 1 (white)", "255")),
        ({"size": 8}, ("size is (height, width)", "8")),
    ],
)
def test_arguments_of_load_image(tmp_path, arguments, parts):
    noise().save(tmp_path / "a.png")
    with refuses(*parts):
        ct.load_image(tmp_path / "a.png", **arguments)


@pytest.mark.parametrize("size", [8, (8,), (8, 8, 3), (0, 8), (8.5, 8), "ab", (8, -1)])
def test_size_is_two_whole_numbers(size):
    with refuses("size is (width, height): two whole numbers", repr(size)):
        ct.resize_image(np.zeros((4, 4)), size)


# Arrays


@pytest.mark.parametrize("shape", [(4,), (4, 4, 2), (4, 4, 4), (1, 4, 4, 3)])
def test_resize_wants_one_image(shape):
    with refuses("One image has the shape (height, width)", str(shape)):
        ct.resize_image(np.zeros(shape), (2, 2))


def test_resize_wants_pixels():
    with refuses("no pixel", "(0, 4)"):
        ct.resize_image(np.zeros((0, 4)), (2, 2))
    with refuses("a path, a PIL image or a NumPy array, but got list"):
        ct.resize_image([[0, 1]], (2, 2))


@pytest.mark.parametrize(
    ("images", "parts"),
    [
        (np.array([0.5, np.nan]), ("NaN", "1 of 2", "index 1")),
        (np.array([0.5, 0.1, -np.inf]), ("infinite", "index 2")),
        (np.array([0.0, 255.0]), ("between 0 and 1, but got 0 to 255", "Divide")),
        (np.array([-0.2, 1.0]), ("between 0 and 1, but got -0.2 to 1",)),
        (np.array([0, 256]), ("between 0 and 255, but got 0 to 256", "uint16")),
        (np.array([-1, 5]), ("between 0 and 255, but got -1 to 5",)),
        (np.array(["a"]), ("numbers, but got <U1",)),
        (np.nan, ("NaN",)),
    ],
)
def test_normalize_refuses(images, parts):
    with refuses(*parts):
        ct.normalize(images)


@pytest.mark.parametrize(
    ("images", "parts"),
    [
        (np.zeros((8, 8)), ("(images, height, width, channels), but got (8, 8)",)),
        (np.zeros((5, 8, 8)), ("but got (5, 8, 8)", "images[..., np.newaxis]")),
        (np.zeros((8, 8, 3)), ("but got (8, 8, 3)", "images[np.newaxis]")),
        (np.zeros((0, 8, 8, 3)), ("empty", "(0, 8, 8, 3)")),
        (np.zeros((2, 8, 8, 3), "uint8"), ("floats", "uint8", "ct.normalize")),
        (np.full((2, 8, 8, 3), 2.0), ("between 0 and 1, but got 2 to 2",)),
        (np.full((2, 8, 8, 3), np.nan), ("NaN", "2 of 2", "index 0")),
    ],
)
def test_check_images_refuses(images, parts):
    with refuses(*parts):
        check_images(images)


def test_check_images_names_what_it_checks():
    with refuses("train_images have the shape"):
        check_images(np.zeros(3), name="train_images")
    with refuses("(clips, frames, height, width, channels)"):
        check_images(np.zeros((2, 8, 8, 1)), rank=5)


def test_images_and_targets_of_different_lengths():
    images = np.zeros((3, 8, 8, 1))
    with refuses("one target for each image", "3 images", "2 targets"):
        check_images(images, [0, 1])
    with refuses("one target for each image", "3 images", "2 targets"):
        ct.Split(images, np.array([0, 1]))


def test_patches_refuse():
    with refuses("(images, height, width, channels)", "(4, 4, 3)"):
        ct.to_patches(np.zeros((4, 4, 3)), 2)
    for size in (0, (2, 0), 1.5, (2, 2, 2)):
        with refuses("patch_size is one side or (height, width)"):
            ct.to_patches(np.zeros((1, 4, 4, 3)), size)
    with refuses("Patches have the shape", "(1, 2, 2)"):
        ct.from_patches(np.zeros((1, 2, 2)), (4, 4))
    patches = ct.to_patches(np.zeros((1, 5, 9, 3)), 4)
    for size in ((9, 5), (4, 9), (5, 8), (5, 13)):
        with refuses("2 x 3 patches of 4 x 4", "(height, width)"):
            ct.from_patches(patches, size)


# Folders


@pytest.fixture
def folder(tmp_path):
    """Two classes of six pictures, no two alike."""
    for number, name in enumerate(("cats", "dogs")):
        (tmp_path / name).mkdir()
        for i in range(6):
            noise(seed=10 * number + i).save(tmp_path / name / f"{i}.png")
    return tmp_path


def load_lazily(*args, **options):
    return ct.load_image_folder(*args, **options, in_memory=False)


LOADERS = [ct.load_image_folder, load_lazily]


@pytest.mark.parametrize("load", LOADERS)
def test_a_missing_folder_and_a_file(load, tmp_path):
    with refuses("There is no folder", "nowhere", error=FileNotFoundError):
        load(tmp_path / "nowhere", (8, 8))
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is neither a folder nor a zip|is no folder"):
        load(tmp_path / "file", (8, 8))


@pytest.mark.parametrize("load", LOADERS)
def test_an_empty_folder(load, tmp_path):
    with refuses(str(tmp_path), "has no sub-folder", "two classes", "cats"):
        load(tmp_path, (8, 8))


@pytest.mark.parametrize("load", LOADERS)
def test_images_without_sub_folders(load, tmp_path):
    noise().save(tmp_path / "a.png")
    with refuses("has no sub-folder", "a sub-folder of its own"):
        load(tmp_path, (8, 8))


@pytest.mark.parametrize("load", LOADERS)
def test_one_class(load, folder):
    (folder / "dogs").rename(folder / ".dogs")  # hidden folders are no classes
    with refuses("has only the class 'cats'", "at least two classes"):
        load(folder, (8, 8))


def spoil(folder, *names):
    for name in names:
        (folder / name).write_bytes((folder / name).read_bytes()[:500])


@pytest.mark.parametrize("load", LOADERS)
def test_unreadable_files_are_named(load, folder):
    spoil(folder, "cats/1.png", "dogs/4.png")
    (folder / "cats" / "readme.txt").write_text("my cats")
    with refuses(
        "3 of 13 files cannot be read",
        str(Path("cats", "1.png")),
        str(Path("cats", "readme.txt")),
        str(Path("dogs", "4.png")),
        "skip_unreadable=True",
    ):
        load(folder, (8, 8))


@pytest.mark.parametrize("load", LOADERS)
def test_unreadable_files_are_left_out_when_asked(load, folder):
    spoil(folder, "cats/1.png", "dogs/4.png")
    with pytest.warns(UserWarning, match="Went on without 2 of 12 files") as record:
        data = load(folder, (8, 8), skip_unreadable=True)
    message = str(record[0].message)
    assert str(Path("cats", "1.png")) in message and "4.png" in message
    assert record[0].filename == __file__  # points at the caller
    splits = (data.train, data.validation, data.test)
    assert sum(len(split.images) for split in splits) == 10
    assert sum((split.targets == 0).sum() for split in splits) == 5


def test_many_unreadable_files_are_counted(folder):
    spoil(folder, *(f"cats/{i}.png" for i in range(6)), "dogs/1.png")
    (folder / "cats" / "good.png").write_bytes((folder / "dogs/5.png").read_bytes())
    with refuses("7 of 13 files", "0.png", "4.png", "; and 2 more."):
        ct.load_image_folder(folder, (8, 8))


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("skip", [False, True])
def test_a_class_without_a_readable_image(load, folder, skip):
    for file in (folder / "dogs").iterdir():
        file.unlink()
    with refuses("The class 'dogs' has no readable image", "it is empty"):
        load(folder, (8, 8), skip_unreadable=skip)
    (folder / "dogs" / "a.png").write_text("no image")
    with refuses("The class 'dogs' has no readable image", "a.png", "is no image"):
        load(folder, (8, 8), skip_unreadable=skip)


def test_a_file_without_permission(folder, monkeypatch):
    path = folder / "cats" / "1.png"
    pillow_open = Image.open

    def open_others(file, **options):
        if file == path:
            raise PermissionError(13, "Permission denied", str(path))
        return pillow_open(file, **options)

    monkeypatch.setattr(Image, "open", open_others)
    with refuses("Permission denied", "1.png", error=PermissionError):
        ct.load_image(path)
    with refuses("1 of 12 files cannot be read", "1.png", "Permission denied"):
        ct.load_image_folder(folder, (8, 8))


def test_a_file_that_vanishes_is_named(folder):
    data = load_lazily(folder, (8, 8))
    (folder / "cats" / "1.png").unlink()
    (folder / "cats" / "2.png").unlink()
    (folder / "cats" / "3.png").unlink()
    with refuses("There is no file", "cats", error=FileNotFoundError):
        for split in (data.train, data.validation, data.test):
            split.images[:]


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"validation": 0.5, "test": 0.5}, ("less than 1 in sum", "0.5 and 0.5")),
        ({"test": -0.1}, ("shares from 0", "-0.1")),
        ({"channels": 2}, ("channels is 3", "2")),
        ({"size": (8, 0)}, ("size is (height, width)",)),
        ({"pad": -1}, ("pad is a brightness",)),
    ],
)
def test_arguments_of_the_folder_loaders(load, folder, arguments, parts):
    with refuses(*parts):
        load(folder, **{"size": (8, 8), **arguments})


def test_too_few_images_for_three_splits(folder):
    for name in ("cats", "dogs"):
        for i in range(1, 6):
            (folder / name / f"{i}.png").unlink()
    with refuses("validation split would be empty", "pass validation=0"):
        ct.load_image_folder(folder, (8, 8))
    with refuses("test split would be empty", "pass test=0"):
        ct.load_image_folder(folder, (8, 8), validation=0)
    data = ct.load_image_folder(folder, (8, 8), validation=0, test=0)
    assert len(data.train) == 2 and data.test.images.shape == (0, 8, 8, 3)


@pytest.mark.parametrize("load", LOADERS)
def test_one_picture_in_two_classes_is_reported_and_trained_on(load, folder):
    (folder / "dogs" / "cat.png").write_bytes((folder / "cats/0.png").read_bytes())
    twice = ct.load_image(folder / "cats" / "0.png")
    for seed in range(4):
        with pytest.warns(UserWarning, match="more than one class") as record:
            data = load(folder, (40, 40), validation=0.3, test=0.3, seed=seed)
        assert "cat.png" in str(record[0].message)
        assert record[0].filename == __file__
        copies = (data.train.images[:] == twice).all(axis=(1, 2, 3))
        assert sorted(data.train.targets[copies]) == [0, 1]


# Known datasets


ARRAYS = {
    "x_train": np.zeros((12, 28, 28), "uint8"),
    "y_train": np.arange(12) % 10,
    "x_test": np.zeros((6, 28, 28), "uint8"),
    "y_test": np.arange(6),
}


def npz(path, **changes):
    np.savez(path, **{k: v for k, v in {**ARRAYS, **changes}.items() if v is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (
            {"y_test": None},
            ("needs the keys x_train, y_train, x_test, y_test", "y_train"),
        ),
        (
            {"y_train": np.arange(11) % 10},
            ("x_train has 12 images", "y_train 11 labels"),
        ),
        ({"y_test": np.full(6, 10)}, ("from 0 to 9", "y_test has 10 to 10")),
        ({"y_test": np.full(6, -1)}, ("from 0 to 9", "y_test has -1 to -1")),
        ({"y_test": np.zeros(6)}, ("y_test holds whole numbers", "float64")),
        ({"y_test": np.zeros((6, 10), int)}, ("y_test holds whole numbers", "(6, 10)")),
        ({"x_test": np.zeros((6, 32, 32, 3), "uint8")}, ("x_test", "(6, 32, 32, 3)")),
        ({"x_train": np.full((12, 28, 28), 300)}, ("between 0 and 255", "300")),
        ({"x_train": np.full((12, 28, 28), np.nan)}, ("NaN",)),
        ({"x_train": np.full((12, 28, 28), None)}, ("no readable npz",)),
    ],
)
def test_a_wrong_npz(tmp_path, changes, parts):
    with refuses(*parts):
        ct.load_mnist(npz(tmp_path / "mnist.npz", **changes))


def test_no_npz(tmp_path):
    (tmp_path / "a.npz").write_text("no archive")
    with refuses("a.npz", "no readable npz", "x_train"):
        ct.load_mnist(tmp_path / "a.npz")
    whole = npz(tmp_path / "b.npz").read_bytes()
    (tmp_path / "b.npz").write_bytes(whole[: len(whole) // 2])
    with refuses("b.npz", "no readable npz"):
        ct.load_mnist(tmp_path / "b.npz")
    np.save(tmp_path / "c.npy", np.zeros(3))
    with refuses("c.npy", "needs the keys", "has none"):
        ct.load_mnist(tmp_path / "c.npy")
    with refuses("There is no file", "d.npz", error=FileNotFoundError):
        ct.load_mnist(tmp_path / "d.npz")


@pytest.mark.parametrize(
    ("load", "title", "file"),
    [
        (ct.load_mnist, "MNIST", "mnist.npz"),
        (ct.load_fashion_mnist, "Fashion-MNIST", "fashion-mnist/"),
        (ct.load_cifar10, "CIFAR-10", "cifar-10-batches-py-target_archive"),
    ],
)
def test_no_network(load, title, file, monkeypatch):
    module = {"MNIST": "mnist", "Fashion-MNIST": "fashion_mnist", "CIFAR-10": "cifar10"}

    def load_data():
        raise Exception("URL fetch failure on somewhere: None -- no route")

    monkeypatch.setattr(f"keras.datasets.{module[title]}.load_data", load_data)
    monkeypatch.setenv("KERAS_HOME", "/data/keras")
    with refuses(
        title,
        "could not be downloaded",
        "no route",
        f"/data/keras/datasets/{file}",
        "KERAS_HOME",
        f'path="{module[title]}.npz"',
        "x_train, y_train, x_test, y_test",
        error=ConnectionError,
    ):
        load()


def test_no_network_for_real(tmp_path, monkeypatch):
    """The download itself fails, not a stand-in for it: nobody can be reached."""

    def refuse(*args, **kwargs):
        raise OSError("nobody answers")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))  # for the message
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    with pytest.raises(ConnectionError, match="nobody answers") as caught:
        ct.load_mnist()
    assert f"{tmp_path}/datasets/mnist.npz" in str(caught.value)


def test_the_cache_is_used_without_a_network(tmp_path, monkeypatch):
    """The place that the message names is the one where Keras looks."""
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    (tmp_path / "datasets").mkdir()
    npz(tmp_path / "datasets" / "mnist.npz")
    monkeypatch.setattr(
        "keras.src.utils.file_utils.validate_file", lambda *args, **kwargs: True
    )
    assert len(ct.load_mnist().train) == 10


# What the other loaders refuse


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (lambda: ct.load_digits(split="writer"), ('"random" or "index"', "'writer'")),
        (lambda: ct.load_photos(crops=0), ("crops", "0")),
        (lambda: ct.load_photos(size=(301, 64)), ("301 x 64", "(height, width)")),
        (lambda: ct.load_photos(size=(0, 64)), ("0 x 64",)),
        (lambda: ct.load_photos(channels=2), ("channels",)),
        (lambda: ct.load_digit_strings(length=0), ("length", "0")),
        (lambda: ct.load_digit_strings(length=(3, 2)), ("length", "(3, 2)")),
        (lambda: ct.load_digit_strings(length=(1, 2, 3)), ("length", "(1, 2, 3)")),
        (lambda: ct.load_digit_strings(characters="01a"), ("characters", "'01a'")),
        (lambda: ct.load_digit_strings(characters="011"), ("once each", "'011'")),
        (lambda: ct.load_digit_strings(characters=""), ("characters", "''")),
        (lambda: ct.load_digit_strings(sizes=(5, 5)), ("sizes", "(5, 5)")),
        (lambda: ct.load_digit_strings(sizes=(5, 5, 0)), ("sizes", "(5, 5, 0)")),
        (lambda: ct.load_digit_strings(width=20), ("width is 20", "widest text needs")),
        (lambda: ct.digit_string(""), ("text", "''")),
        (lambda: ct.digit_string("20 15"), ("digits 0 to 9", "'20 15'")),
        (lambda: ct.load_direction_clips(frames=2), ("frames is from 3", "2")),
        (lambda: ct.load_direction_clips(frames=33), ("to the width, 32", "33")),
        (lambda: ct.load_direction_clips(size=(7, 32)), ("(8, 16)", "(7, 32)")),
        (
            lambda: ct.load_direction_clips(sizes=(30, 16, 16)),
            ("multiples of 16", "(30, 16, 16)", "nearest are (32, 16, 16)"),
        ),
        (lambda: ct.load_digit_pairs(pair="00"), ("two different digits", "'00'")),
        (lambda: ct.load_digit_pairs(pair="012"), ("two different digits", "'012'")),
        (lambda: ct.load_digit_pairs(pair="010"), ("two different digits", "'010'")),
        (lambda: ct.load_digit_pairs(pair="ab"), ("digits 0 to 9", "'ab'")),
        (lambda: ct.load_digit_pairs(distance=7), ("at least 8", "7")),
        (lambda: ct.load_digit_pairs(distance=40), ("(8, 112)", "(16, 96)")),
        (lambda: ct.load_digit_pairs(sizes=(3, 2, 2)), ("multiples of 2", "(3, 2, 2)")),
    ],
)
def test_arguments_of_the_loaders(call, parts):
    with refuses(*parts):
        call()


def test_a_split_is_not_indexed_by_one_number():
    with refuses("slice, a mask or an array", "split.images[3]", error=TypeError):
        ct.load_digits().test[3]


def test_a_photograph_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with refuses("skimage is not installed", error=FileNotFoundError):
        ct.load_photos()
