"""Datasets: what they promise, proved on the arrays that they return."""

import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import sklearn.datasets
from counted_work import count_calls
from PIL import Image

import crnn_tutorial as ct
from crnn_tutorial.checks import check_images
from crnn_tutorial.data import lazy_images, photographs, splits
from crnn_tutorial.data.lazy_images import LazyImages

DATA = Path(
    os.environ.get(
        "CRNN_TUTORIAL_DATA",
        Path(ct.__file__).resolve().parents[2] / "shared" / "data",
    )
)


def splits_of(dataset):
    return dataset.train, dataset.validation, dataset.test


def as_bytes(images):
    return [np.ascontiguousarray(image).tobytes() for image in images]


def same(one, other):
    """Whether two datasets are equal, pixel by pixel and target by target."""
    return all(
        np.array_equal(a.images[:], b.images[:]) and list(a.targets) == list(b.targets)
        for a, b in zip(splits_of(one), splits_of(other), strict=True)
    )


# Split and Dataset


def test_split_is_cut_by_slice_mask_and_indices():
    images = np.arange(4.0).reshape(4, 1, 1, 1)
    for targets in (np.array([5, 6, 7, 8]), ["a", "b", "c", "d"]):
        split = ct.Split(images, targets)
        for index, expected in (
            (slice(1, 3), [1, 2]),
            (np.array([False, True, False, True]), [1, 3]),
            ([3, 0], [3, 0]),
            (np.array([-1]), [3]),
        ):
            part = split[index]
            assert isinstance(part, ct.Split) and type(part.targets) is type(targets)
            assert part.images.ravel().tolist() == expected
            assert list(part.targets) == [targets[i] for i in expected]


def test_split_and_dataset_cannot_be_changed():
    digits = ct.load_digits()
    with pytest.raises(AttributeError):
        digits.train = digits.test
    with pytest.raises(AttributeError):
        digits.train.targets = digits.test.targets


LOADERS = {
    "digits": lambda seed: ct.load_digits(seed),
    "photos": lambda seed: ct.load_photos(size=(16, 24), crops=2, seed=seed),
    "strings": lambda seed: ct.load_digit_strings(
        sizes=(20, 5, 5), seed=seed, width=160
    ),
    "clips": lambda seed: ct.load_direction_clips(sizes=(32, 16, 16), seed=seed),
    "pairs": lambda seed: ct.load_digit_pairs(sizes=(20, 4, 4), seed=seed),
}


@pytest.mark.parametrize("load", LOADERS.values(), ids=LOADERS)
def test_seed_decides_everything(load):
    assert same(load(3), load(3))
    assert not same(load(3), load(4))


@pytest.mark.parametrize("name", LOADERS)
def test_images_are_what_the_package_expects(name):
    dataset = LOADERS[name](0)
    for split in splits_of(dataset):
        assert split.images.dtype == np.float32
        rank = 5 if name == "clips" else 4
        check_images(split.images, split.targets, rank=rank, padded=name == "strings")
        free = 2 if name == "strings" else None  # the width, of texts
        shape = [None if i == free else n for i, n in enumerate(split.images.shape)]
        assert tuple(shape[1:]) == dataset.input_shape
        if name != "strings":
            assert split.targets.dtype.kind == "i"
            assert 0 <= split.targets.min()
            assert split.targets.max() < dataset.num_classes
    assert dataset.source and dataset.licence and dataset.class_names


# Digits


def test_digits_are_those_of_scikit_learn_each_once():
    original = sklearn.datasets.load_digits()
    pairs = zip(
        as_bytes(np.float32(original.images / 16)), original.target, strict=True
    )
    for split in ("random", "index"):
        digits = ct.load_digits(split=split)
        ours = Counter()
        for part in splits_of(digits):
            ours.update(zip(as_bytes(part.images), part.targets.tolist(), strict=True))
        pairs = Counter(
            zip(
                as_bytes(np.float32(original.images / 16)),
                original.target.tolist(),
                strict=True,
            )
        )
        assert ours == pairs and max(ours.values()) == 1  # so no split shares a digit


@pytest.mark.parametrize(
    ("split", "sizes"), [("random", (1257, 180, 360)), ("index", (1018, 180, 599))]
)
def test_sizes_of_the_digit_splits(split, sizes):
    digits = ct.load_digits(split=split)
    assert tuple(len(part) for part in splits_of(digits)) == sizes


def test_the_split_by_index_tests_on_the_end_of_the_file():
    original = np.float32(sklearn.datasets.load_digits().images[..., np.newaxis] / 16)
    for seed in (0, 1):
        digits = ct.load_digits(seed, split="index")
        assert np.array_equal(digits.test.images, original[1198:])
        assert np.array_equal(digits.validation.images, original[1018:1198])
        assert set(as_bytes(digits.train.images)) == set(as_bytes(original[:1018]))
        assert not np.array_equal(digits.train.images, original[:1018])  # shuffled


def test_the_random_split_is_shuffled():
    original = np.float32(sklearn.datasets.load_digits().images[..., np.newaxis] / 16)
    assert set(as_bytes(ct.load_digits().test.images)) != set(as_bytes(original[-360:]))
    first, second = ct.load_digits(0).test, ct.load_digits(1).test
    assert set(as_bytes(first.images)) != set(as_bytes(second.images))


# MNIST and others from files


def fake(shape, train=24, test=6):
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (train, *shape)).astype("uint8"),
        "y_train": rng.integers(0, 10, train).astype("uint8"),
        "x_test": rng.integers(0, 256, (test, *shape)).astype("uint8"),
        "y_test": rng.integers(0, 10, test).astype("uint8"),
    }


@pytest.mark.parametrize(
    ("load", "shape"),
    [
        (ct.load_mnist, (28, 28)),
        (ct.load_mnist, (28, 28, 1)),
        (ct.load_fashion_mnist, (28, 28)),
        (ct.load_cifar10, (32, 32, 3)),
    ],
)
def test_npz(tmp_path, load, shape):
    arrays = fake(shape)
    np.savez(tmp_path / "a.npz", **arrays)
    data = load(tmp_path / "a.npz")
    # the last sixth of the training images (5,000 of 60,000) validates
    assert np.array_equal(data.train.targets, arrays["y_train"][:20])
    assert np.array_equal(data.validation.targets, arrays["y_train"][20:])
    assert np.array_equal(data.test.targets, arrays["y_test"])
    assert data.input_shape == (*shape, 1)[:3] and data.num_classes == 10
    whole = np.concatenate([data.train.images, data.validation.images])
    assert np.array_equal(np.rint(whole.squeeze() * 255), arrays["x_train"].squeeze())


def test_labels_in_a_column_as_in_cifar10(tmp_path):
    arrays = fake((32, 32, 3))
    np.savez(
        tmp_path / "a.npz", **{**arrays, "y_test": arrays["y_test"][:, np.newaxis]}
    )
    assert np.array_equal(
        ct.load_cifar10(tmp_path / "a.npz").test.targets, arrays["y_test"]
    )


def test_keras_loads_where_no_path_is_given(monkeypatch):
    a = fake((32, 32, 3))
    monkeypatch.setattr(
        keras.datasets.cifar10,
        "load_data",
        lambda: ((a["x_train"], a["y_train"]), (a["x_test"], a["y_test"])),
    )
    data = ct.load_cifar10()
    assert np.array_equal(np.rint(data.test.images * 255), a["x_test"])
    assert data.class_names[3] == "cat"


@pytest.mark.skipif(
    not (DATA / "mnist.npz").exists(),
    reason="no mnist.npz in CRNN_TUTORIAL_DATA (default: ../shared/data)",
)
def test_mnist():
    mnist = ct.load_mnist(DATA / "mnist.npz")
    sizes = tuple(len(split) for split in splits_of(mnist))
    assert sizes == (55_000, 5_000, 10_000)
    assert mnist.test.targets[:5].tolist() == [7, 2, 1, 0, 4]
    assert mnist.train.images.dtype == np.float32 and mnist.train.images.max() == 1


# Photographs


def test_photographs_are_split_by_photograph_and_colour():
    photos = ct.load_photos(size=(32, 32), crops=2)
    parts = [set(split.targets.tolist()) for split in splits_of(photos)]
    assert [len(part) for part in parts] == [10, 2, 5]
    assert set.union(*parts) == set(range(17)) and photos.num_classes == 17
    colour = {i for i, p in enumerate(photographs._PHOTOGRAPHS) if p.colour}
    assert [len(part & colour) for part in parts] == [6, 1, 3]
    assert all(
        (split.targets == i).sum() in (0, 2)
        for split in splits_of(photos)
        for i in range(17)
    )


def test_one_seed_splits_the_photographs_alike_whatever_is_cut():
    """Crops of two sizes, to train on and to test: no photograph is in both."""

    def split(seed, **cut):
        parts = splits_of(ct.load_photos(seed=seed, **cut))
        return [sorted(set(part.targets.tolist())) for part in parts]

    small = {"size": (16, 16), "crops": 1}
    large = {"size": (64, 48), "crops": 3, "channels": 1}
    assert split(0, **small) == split(0, **large) != split(1, **small)


def test_crops_are_parts_of_their_photographs_at_several_places():
    photos = ct.load_photos(size=(16, 24), crops=3)
    places = []
    for split in splits_of(photos):
        for crop, target in zip(split.images, split.targets, strict=True):
            path = photographs._photograph_path(photographs._PHOTOGRAPHS[target])
            whole = ct.load_image(path)
            windows = np.lib.stride_tricks.sliding_window_view(
                whole[:, :, 1], crop.shape[:2]
            )
            corner = np.all(windows[:, :, 0] == crop[0, :, 1], axis=2)
            found = [
                (top, left)
                for top, left in np.argwhere(corner)
                if np.array_equal(whole[top : top + 16, left : left + 24], crop)
            ]
            assert found
            places.append(found[0])
    tops, lefts = np.array(places).T
    assert len(set(tops.tolist())) > 30 and len(set(lefts.tolist())) > 30
    assert tops.max() > 250 and lefts.max() > 250


def test_channels_of_photographs():
    colour = ct.load_photos(size=(16, 24), crops=1)
    grey = ct.load_photos(size=(16, 24), crops=1, channels=1)
    assert grey.input_shape == (16, 24, 1)
    is_grey = {
        colour.class_names[target]: bool((image == image[:, :, :1]).all())
        for split in splits_of(colour)
        for image, target in zip(split.images, split.targets, strict=True)
    }
    assert is_grey == {p.name: not p.colour for p in photographs._PHOTOGRAPHS}


def test_no_crop_is_flat():
    photos = ct.load_photos(size=(16, 16), crops=40, channels=1)
    for split in splits_of(photos):
        assert split.images.std(axis=(1, 2, 3)).min() >= 0.01


def test_a_flat_photograph_does_not_hang():
    flat = np.full((40, 40, 1), 0.5, "float32")
    crops = photographs._random_crops(flat, (8, 8), 2, np.random.default_rng(0), "sky")
    assert (crops == 0.5).all()


def test_photographs_need_no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("asked for a download")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("skimage.data._fetchers._fetch", refuse)
    assert len(ct.load_photos(size=(16, 16), crops=1).train) == 10


def test_every_photograph_has_a_source_and_a_licence():
    photos = ct.load_photos(size=(16, 16), crops=1)
    for text in (photos.source, photos.licence):
        named = [entry.split(":")[0] for entry in text.split("; ")]
        assert named == list(photos.class_names)
    assert "china: CC BY 2.0" in photos.licence
    assert "moon: none stated" in photos.licence


# Folders of images


def build_folder(path, counts, copies=0):
    """Pictures of one brightness each, so that a crop tells its file."""
    brightness = 0
    for name, count in counts.items():
        (path / name).mkdir(parents=True)
        for i in range(count):
            picture = Image.new("L", (6, 4), brightness)
            picture.save(path / name / f"{i}.png")
            for copy in range(copies):
                picture.save(path / name / f"{i} copy {copy}.png")
            brightness += 1
    return path


def load_lazily(*args, **options):
    return ct.load_image_folder(*args, **options, in_memory=False)


FOLDER_LOADERS = [ct.load_image_folder, load_lazily]


def brightness_of(split):
    return [round(255 * float(image.mean())) for image in split.images[:]]


@pytest.mark.parametrize("load", FOLDER_LOADERS)
def test_each_file_once_with_its_class(tmp_path, load):
    folder = build_folder(tmp_path, {"b": 10, "a": 20, "c": 3})
    (folder / ".ipynb_checkpoints").mkdir()  # systems leave such things
    (folder / "a" / ".DS_Store").write_text("?")
    (folder / "a" / "Thumbs.db").write_text("?")
    (folder / "readme.md").write_text("beside the classes")
    data = load(folder, (4, 6), channels=1)
    assert data.class_names == ("a", "b", "c") and data.input_shape == (4, 6, 1)
    found = Counter()
    for split in splits_of(data):
        found.update(zip(brightness_of(split), split.targets.tolist(), strict=True))
    expected = [1] * 10 + [0] * 20 + [2] * 3
    assert found == Counter(enumerate(expected))


@pytest.mark.parametrize("load", FOLDER_LOADERS)
def test_the_folder_split_is_stratified(tmp_path, load):
    folder = build_folder(tmp_path, {"a": 40, "b": 20, "c": 3, "d": 1})
    data = load(folder, (4, 6), validation=0.2, test=0.1)
    counts = [
        np.bincount(split.targets, minlength=4).tolist() for split in splits_of(data)
    ]
    assert counts == [[28, 14, 1, 1], [8, 4, 1, 0], [4, 2, 1, 0]]


@pytest.mark.parametrize(
    ("count", "shares", "expected"),
    [
        (1, (0.15, 0.15), [0, 0]),
        (2, (0.15, 0.15), [0, 0]),  # too few for three splits: all to train
        (2, (0.0, 0.15), [0, 1]),
        (3, (0.15, 0.15), [1, 1]),
        (100, (0.15, 0.2), [15, 20]),
        (10, (0.0, 0.6), [0, 6]),
        (10, (0.49, 0.49), [4, 5]),  # one is left to train on
        (3, (0.49, 0.49), [1, 1]),
        (5, (0.0, 0.0), [0, 0]),
    ],
)
def test_shares(count, shares, expected):
    assert splits.count_shares(count, *shares) == expected


@pytest.mark.parametrize("load", FOLDER_LOADERS)
def test_copies_stay_in_one_split(tmp_path, load):
    folder = build_folder(tmp_path, {"a": 12, "b": 12}, copies=2)
    data = load(folder, (4, 6), validation=0.25, test=0.25)
    parts = [Counter(brightness_of(split)) for split in splits_of(data)]
    assert all(set(part.values()) == {3} for part in parts)
    assert [len(part) for part in parts] == [12, 6, 6]
    assert sum(len(part) for part in parts) == len(set.union(*map(set, parts)))


def test_the_split_is_the_same_on_disk_and_follows_from_the_seed(tmp_path):
    folder = build_folder(tmp_path, {"a": 20, "b": 20})
    loaded, lazy = (load(folder, (4, 6), seed=5) for load in FOLDER_LOADERS)
    assert same(loaded, lazy)
    other = ct.load_image_folder(folder, (4, 6), seed=6)
    assert set(brightness_of(loaded.test)) != set(brightness_of(other.test))


def test_training_images_of_a_folder_are_shuffled(tmp_path):
    folder = build_folder(tmp_path, {"a": 20, "b": 20})
    targets = ct.load_image_folder(folder, (4, 6)).train.targets
    assert (np.diff(targets) < 0).any()


def test_pad_and_channels_reach_the_images(tmp_path):
    folder = build_folder(tmp_path, {"a": 5, "b": 5})
    for load in FOLDER_LOADERS:
        data = load(folder, (8, 6), channels=1, pad=1)
        image = data.train.images[0]
        assert image.shape == (8, 6, 1)
        assert (image[:2] == 1).all() and (image[2:6] < 1).all()


# Files that stay on disk


def test_lazy_images_load_only_what_is_asked_for(tmp_path, monkeypatch):
    folder = build_folder(tmp_path, {"a": 10, "b": 10})
    images = load_lazily(folder, (4, 6), channels=1).train.images
    opened = []
    load_image = lazy_images.load_image
    monkeypatch.setattr(
        lazy_images,
        "load_image",
        lambda file, *rest: opened.append(file) or load_image(file, *rest),
    )
    assert images.shape == (12, 4, 6, 1) and len(images) == 12 and not opened
    assert images[2:5].shape == (3, 4, 6, 1) and opened == images.files[2:5]
    opened.clear()
    assert images[3].shape == (4, 6, 1) and images[-1].shape == (4, 6, 1)
    assert opened == [images.files[3], images.files[-1]]
    whole = np.asarray(images)
    assert whole.dtype == np.float32
    assert np.array_equal(images[[5, 0]], whole[[5, 0]])
    assert np.array_equal(
        images[whole.mean(axis=(1, 2, 3)) > 0.04],
        whole[whole.mean(axis=(1, 2, 3)) > 0.04],
    )
    assert np.asarray(images, dtype="float64").dtype == np.float64
    with pytest.raises(IndexError):
        images[12]


def test_lazy_images_load_a_batch_at_a_time(tmp_path):
    images = load_lazily(
        build_folder(tmp_path, {"a": 10, "b": 10}), (4, 6)
    ).train.images
    seen = []

    def answer(batch):
        seen.append(len(batch))
        return {"first": batch[:, 0, 0], "mean": batch.mean(axis=(1, 2, 3))}

    outputs = images.predict(SimpleNamespace(predict_on_batch=answer), 5)
    assert seen == [5, 5, 2]
    assert np.array_equal(outputs["first"], np.asarray(images)[:, 0, 0])


def test_a_slice_of_a_lazy_split_is_loaded(tmp_path):
    data = load_lazily(build_folder(tmp_path, {"a": 9, "b": 9}), (4, 6))
    part = data.train[:3]
    assert isinstance(part.images, np.ndarray) and len(part) == 3
    assert np.array_equal(part.targets, data.train.targets[:3])
    assert np.array_equal(part.images, data.train.images[:3])
    assert repr(data.test) == "Split(2 images, shape (4, 6, 3), targets int64)"
    assert "train         14 images" in repr(data)


def test_the_identity_of_lazy_images_follows_the_bytes(tmp_path):
    build_folder(tmp_path, {"a": 2})
    files = [tmp_path / "a" / "0.png", tmp_path / "a" / "1.png"]
    identities = [LazyImages(files, (4, 6)).identity for _ in range(2)]
    assert identities[0] == identities[1]
    assert LazyImages(files, (4, 6), pad=0).identity != identities[0]
    assert LazyImages(files[::-1], (4, 6)).identity != identities[0]
    Image.new("L", (6, 4), 200).save(files[1])
    assert LazyImages(files, (4, 6)).identity != identities[0]


# Strings of digits


@pytest.fixture(scope="module")
def strings():
    return ct.load_digit_strings(sizes=(60, 20, 20), seed=2)


@pytest.fixture(scope="module")
def large_digits():
    """The enlarged digits of each split, with their labels."""
    digits = ct.load_digits(seed=2)
    return [
        (np.stack([ct.resize_image(i, (16, 16)) for i in split.images]), split.targets)
        for split in splits_of(digits)
    ]


def test_strings_have_their_form(strings):
    for split in splits_of(strings):
        assert split.images.shape[1:] == strings.train.images.shape[1:]
        assert split.images.shape[1] == 16 and split.images.shape[3] == 1
        assert {len(text) for text in split.targets} <= set(range(1, 9))
    assert {len(text) for text in strings.train.targets} == set(range(1, 9))
    assert set("".join(strings.train.targets)) == set("0123456789")
    assert isinstance(strings.train.targets, list)
    assert all(type(text) is str for text in strings.train.targets)
    assert strings.class_names == tuple("0123456789")


def real_width(image):
    return int((image[0, :, 0] != -1).sum())


def test_padding_is_on_the_right_and_nowhere_else(strings):
    widths = []
    for split in splits_of(strings):
        for image, text in zip(split.images, split.targets, strict=True):
            width = real_width(image)
            assert (image[:, width:] == -1).all() and image[:, :width].min() >= 0
            n = len(text)
            assert 13 * n + 3 <= width <= 19 * n + 3  # gaps of -3 to 3, margins 0 to 3
            widths.append(width)
    assert max(widths) == strings.train.images.shape[2]


def read(image, text, large, labels):
    """Which digits of a split stand where in the image: [(digit, left)], or None."""
    image, paths = image[:, : real_width(image), 0], [[]]
    for character in text:
        candidates = np.flatnonzero(labels == int(character))
        longer = []
        for path in paths:
            starts = range(path[-1][1] + 13, path[-1][1] + 20) if path else range(4)
            for left in starts:
                window = image[:, left + 3 : left + 13]  # no neighbour reaches these
                if window.shape[1] == 10:
                    match = (large[candidates, :, 3:13, 0] == window).all(axis=(1, 2))
                    longer += [path + [(int(i), left)] for i in candidates[match]]
        paths = longer
    return paths[0] if paths else None


def test_each_string_is_written_with_the_digits_of_its_own_split(strings, large_digits):
    for split, (large, labels) in zip(splits_of(strings), large_digits, strict=True):
        for image, text in zip(split.images, split.targets, strict=True):
            written = read(image, text, large, labels)
            assert written is not None
            again = np.full_like(image, -1)
            again[:, : real_width(image)] = 0
            for digit, left in written:  # where two overlap, the brighter pixel stays
                window = again[:, left : left + 16]
                window[:] = np.maximum(window, large[digit])
            assert np.array_equal(again, image)


def test_the_reader_above_can_fail(strings, large_digits):
    """Neither another text nor another split's digits would have passed."""
    image, text = strings.test.images[0], strings.test.targets[0]
    other = "".join(str((int(character) + 1) % 10) for character in text)
    assert read(image, other, *large_digits[2]) is None
    assert read(image, text, *large_digits[0]) is None


def test_gaps_and_overlaps_both_occur():
    strings = ct.load_digit_strings(length=2, sizes=(50, 1, 1))
    widths = {real_width(image) for image in strings.train.images}
    assert min(widths) < 32 < max(widths)


def test_length_characters_and_width():
    strings = ct.load_digit_strings(
        length=3, sizes=(20, 5, 5), characters="17", width=100
    )
    for split in splits_of(strings):
        assert split.images.shape[1:] == (16, 100, 1)
        assert {len(text) for text in split.targets} == {3}
        assert set("".join(split.targets)) == {"1", "7"}


def test_a_string_more_costs_a_few_calls_only():
    def calls(count):
        return count_calls(lambda: ct.load_digit_strings(sizes=(count, 5, 5)))

    few = calls(10)
    assert calls(110) - few < 100 * 40  # 18 each


def test_the_running_example(large_digits):
    image = ct.digit_string("2015", seed=2)
    assert image.shape == (16, 64, 1) and image.dtype == np.float32
    large, labels = large_digits[2]  # digits of the test split
    for i, character in enumerate("2015"):
        glyph = image[:, 16 * i : 16 * (i + 1)]
        found = (large == glyph).all(axis=(1, 2, 3))
        assert labels[found].tolist() == [int(character)]
    assert np.array_equal(image, ct.digit_string(seed=2))
    assert not np.array_equal(image, ct.digit_string(seed=3))


# Pairs


@pytest.fixture(scope="module")
def pairs():
    return ct.load_digit_pairs(sizes=(60, 20, 20), seed=4)


def by_class(split):
    return [split.images[split.targets == i] for i in (0, 1)]


def windows(images, height, width):
    """Every window of every image, counted."""
    views = np.lib.stride_tricks.sliding_window_view(
        images[..., 0], (height, width), axis=(1, 2)
    )
    return Counter(as_bytes(views.reshape(-1, height * width)))


def twin(picture, others, distance=24):
    """The picture of the other class in which the digits are exchanged."""
    left = int(np.flatnonzero(picture.any(axis=(0, 2)))[0])
    for shift in range(8):  # the digit's first columns may be empty
        place = left - shift
        if place < 0:
            continue
        swapped = np.zeros_like(picture)
        swapped[:, place : place + 8] = picture[
            :, place + distance : place + distance + 8
        ]
        swapped[:, place + distance : place + distance + 8] = picture[
            :, place : place + 8
        ]
        found = [i for i, other in enumerate(others) if np.array_equal(other, swapped)]
        if found and swapped.sum() == picture.sum():
            return found[0]
    return None


def test_each_picture_stands_in_both_classes_with_its_digits_exchanged(pairs):
    for split in splits_of(pairs):
        ordered, exchanged = by_class(split)
        partners = [twin(picture, exchanged) for picture in ordered]
        assert sorted(partners) == list(range(len(exchanged)))


@pytest.mark.parametrize("window", [(1, 1), (8, 8), (3, 17), (16, 17)])
def test_the_bag_of_windows_is_the_same_for_a_picture_and_its_twin(pairs, window):
    ordered, exchanged = by_class(pairs.test)
    for picture in ordered:
        other = exchanged[twin(picture, exchanged)]
        assert windows(picture[np.newaxis], *window) == windows(
            other[np.newaxis], *window
        )


def test_a_window_over_both_digits_tells_the_class(pairs):
    """The widest window of the promise is the widest that could be promised."""
    ordered, exchanged = by_class(pairs.train)
    assert windows(ordered, 16, 17) == windows(exchanged, 16, 17)
    assert windows(ordered, 16, 24) != windows(exchanged, 16, 24)


@pytest.mark.parametrize(
    ("distance", "size"), [(8, (8, 16)), (12, (10, 28)), (32, (16, 88)), (40, (9, 150))]
)
def test_other_distances_and_sizes(distance, size):
    pairs = ct.load_digit_pairs(distance, size, sizes=(20, 2, 2))
    ordered, exchanged = by_class(pairs.train)
    assert pairs.input_shape == (*size, 1)
    window = (size[0], distance - 7)
    assert windows(ordered, *window) == windows(exchanged, *window)
    margin = distance - 8
    if margin:
        assert pairs.train.images[:, :, :margin].max() == 0
        assert pairs.train.images[:, :, -margin:].max() == 0


def places(picture, left_digits, right_digits, distance=24):
    """Where in the picture one of these digits stands `distance` before another."""
    for top in range(picture.shape[0] - 7):
        for left in range(picture.shape[1] - distance - 7):
            row = picture[top : top + 8]
            if row[:, left : left + 8].tobytes() in left_digits and (
                row[:, left + distance : left + distance + 8].tobytes() in right_digits
            ):
                return top, left
    return None


def test_pairs_show_their_digits_in_order_from_their_own_split():
    pairs = ct.load_digit_pairs(pair="38", sizes=(20, 6, 6), seed=4)
    assert pairs.class_names == ("38", "83")
    digits = ct.load_digits(seed=4)
    found = []
    for split, own in zip(splits_of(pairs), splits_of(digits), strict=True):
        known = [set(as_bytes(own.images[own.targets == i])) for i in (3, 8)]
        for picture, target in zip(split.images, split.targets, strict=True):
            order = known if target == 0 else known[::-1]
            place = places(picture, *order)
            assert place is not None
            found.append(place)
    tops, lefts = zip(*found, strict=True)
    assert len(set(tops)) > 3 and len(set(lefts)) > 8


def test_pairs_are_shuffled(pairs):
    assert 10 < np.abs(np.diff(pairs.train.targets)).sum() < 50


# The main job, on real pictures


def test_a_folder_of_real_photographs_is_trained_on_in_five_lines(tmp_path):
    photos = ct.load_photos(size=(48, 48), crops=10)
    for i in (1, 2):  # cat and coffee, wherever they are
        for split in splits_of(photos):
            for number, image in enumerate(split.images[split.targets == i]):
                file = tmp_path / photos.class_names[i] / f"{number}.jpg"
                file.parent.mkdir(exist_ok=True)
                Image.fromarray(np.uint8(np.rint(image * 255))).save(file)
    for load in FOLDER_LOADERS:
        data = load(tmp_path, size=(8, 8))
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.Input(data.input_shape), keras.layers.Flatten()]
            + [keras.layers.Dense(data.num_classes, activation="softmax")]
        )
        adam = keras.optimizers.Adam(0.01)
        model.compile(adam, "sparse_categorical_crossentropy")
        options = {"validation_data": data.validation, "epochs": 20, "verbose": 0}
        ct.train_crnn_model(model, data.train, **options)
        answers = model.predict(data.test.images[:], verbose=0).argmax(axis=1)
        assert (answers == data.test.targets).mean() >= 0.75
