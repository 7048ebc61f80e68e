"""Images that belong together stay in one split, and copies of one file with them."""

import io
import zipfile
from collections import Counter

import numpy as np
import pytest
from PIL import Image

import crnn_tutorial as ct
from crnn_tutorial.data import groups


def png(shade):
    file = io.BytesIO()
    Image.new("L", (6, 4), shade).save(file, "PNG")
    return file.getvalue()


def patients(count, of_each=2, names=("ill", "well"), prefix="", first=0):
    """The names of files: each patient has so many pictures in each class."""
    return [
        f"{prefix}{name}/{first + patient:03}_{i}.png"
        for name in names
        for patient in range(count)
        for i in range(of_each)
    ]


def different(files):
    """Return the bytes of each file, no two alike, and its shade."""
    shades = {name: i for i, name in enumerate(files)}
    return {name: png(shade) for name, shade in shades.items()}, shades


def folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def packed(path, files):
    with zipfile.ZipFile(path / "photos.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path / "photos.zip"


def patient(name):
    return name.split("/")[-1].split("_")[0]


def load(path, **options):
    return ct.load_image_folder(path, (4, 6), channels=1, **options)


def split_of_each(data, shades):
    """Return the split of each file, by its shade."""
    names = {shade: name for name, shade in shades.items()}
    found = {}
    for split in ("train", "validation", "test"):
        for image in getattr(data, split).images[:]:
            found[names[round(255 * float(image.mean()))]] = split
    assert len(found) == len(shades)
    return found


def splits_of_groups(found, group):
    splits = {}
    for name, split in found.items():
        splits.setdefault(group(name), set()).add(split)
    return splits


@pytest.mark.parametrize("pack", [folder, packed])
@pytest.mark.parametrize("prefix", ["", "photos/"])
def test_a_group_is_in_one_split(tmp_path, pack, prefix):
    files, shades = different(patients(20, prefix=prefix))
    path = pack(tmp_path, files)
    for seed in range(3):
        found = split_of_each(load(path, groups=patient, seed=seed), shades)
        splits = splits_of_groups(found, patient)
        assert all(len(each) == 1 for each in splits.values())
        counts = Counter(next(iter(each)) for each in splits.values())
        assert counts == {"train": 14, "validation": 3, "test": 3}


def test_a_dict_says_the_same_as_a_function_and_lazily(tmp_path):
    files, _ = different(patients(10))
    path = folder(tmp_path, files)
    table = {name: patient(name) for name in files}
    expected = load(path, groups=patient)
    for data in (load(path, groups=table), load(path, groups=table, in_memory=False)):
        for split in ("train", "validation", "test"):
            one, other = getattr(expected, split), getattr(data, split)
            assert np.array_equal(one.images, other.images)
            assert np.array_equal(one.targets, other.targets)


def test_the_seed_decides(tmp_path):
    files, shades = different(patients(12))
    path = folder(tmp_path, files)
    found = [
        split_of_each(load(path, groups=patient, seed=i), shades) for i in (0, 0, 1)
    ]
    assert found[0] == found[1] != found[2]


def test_copies_bring_their_groups_together(tmp_path):
    files, shades = different(patients(9))
    first, second = (f"ill/00{i}_0.png" for i in (3, 7))
    files[second] = files[first]
    shades.pop(second)
    path = folder(tmp_path, files)
    for seed in range(5):
        found = split_of_each(load(path, groups=patient, seed=seed), shades)
        splits = splits_of_groups(found, patient)
        assert len(splits["003"] | splits["007"]) == 1


def test_shares_are_met_as_far_as_groups_of_all_sizes_can(tmp_path):
    names = [
        f"{name}/{number}_{i}.png"
        for number in range(24)
        for name, count in (("ill", number % 5), ("well", 7 - number % 7))
        for i in range(count)
    ]
    files, shades = different(names)
    data = load(folder(tmp_path, files), groups=patient, validation=0.2, test=0.2)
    counts = np.array(
        [
            np.bincount(split.targets, minlength=2)
            for split in (data.train, data.validation, data.test)
        ]
    )
    shares = counts / counts.sum(axis=0)
    assert np.abs(shares - np.array([[0.6], [0.2], [0.2]])).max() < 0.06
    found = split_of_each(data, shades)
    assert all(len(each) == 1 for each in splits_of_groups(found, patient).values())


def test_three_groups_of_a_class_are_in_three_splits(tmp_path):
    names = [f"{kind}/{kind}{i // 4}_{i}.png" for kind in "abc" for i in range(12)]
    files, _ = different(names)
    data = load(folder(tmp_path, files), groups=patient)
    for split in (data.train, data.validation, data.test):
        assert np.bincount(split.targets).tolist() == [4, 4, 4]


def test_three_patients_with_all_classes_are_enough(tmp_path):
    files, _ = different(patients(3, of_each=1))
    data = load(folder(tmp_path, files), groups=patient)
    for split in (data.train, data.validation, data.test):
        assert sorted(split.targets) == [0, 1]


def test_the_only_group_of_a_class_is_trained_on(tmp_path):
    files, _ = different(
        patients(8, names=("well",)) + [f"ill/003_{i}.png" for i in range(5)]
    )
    path = folder(tmp_path, files)
    for seed in range(5):
        data = load(path, groups=patient, seed=seed)
        assert (data.train.targets == 0).sum() == 5


def test_a_picture_in_two_classes_takes_its_group_to_training(tmp_path):
    files, shades = different(patients(8))
    files["ill/002_1.png"] = files["well/002_0.png"]
    shades.pop("ill/002_1.png")
    path = folder(tmp_path, files)
    for seed in range(4):
        with pytest.warns(UserWarning, match="1 pictures stand in more than one class"):
            data = load(path, groups=patient, seed=seed)
        found = split_of_each(data, shades)
        assert splits_of_groups(found, patient)["002"] == {"train"}


def test_splits_on_disk_are_kept_and_a_group_in_two_is_named(tmp_path, capsys):
    files = patients(8, prefix="train/") + patients(2, prefix="test/", first=20)
    files, shades = different(files)
    path = folder(tmp_path, files)
    data = load(path, groups=patient)  # a warning would be an error
    found = split_of_each(data, shades)
    assert all(len(each) == 1 for each in splits_of_groups(found, patient).values())
    assert {n for n, split in found.items() if split == "test"} == {
        name for name in files if name.startswith("test/")
    }
    assert "validation is cut from train" in capsys.readouterr().out

    def every_tenth(name):
        return int(patient(name)) % 10

    with pytest.warns(UserWarning, match="2 groups stand in more than one split") as w:
        data = load(path, groups=every_tenth)
    assert w[0].filename == __file__ and "easy: 0; 1." in str(w[0].message)
    found = split_of_each(data, shades)
    both = {n for n in files if every_tenth(n) in (0, 1)}
    assert {n for n in both if found[n] == "test"} == {
        name for name in files if name.startswith("test/")
    }
    assert not any(found[name] == "validation" for name in both)
    capsys.readouterr()


def test_files_that_cannot_be_read_need_no_group(tmp_path):
    files, _ = different(patients(6))
    table = {name: patient(name) for name in files}
    files["ill/broken.png"] = b"?"
    with pytest.warns(UserWarning, match="Went on without 1"):
        data = load(folder(tmp_path, files), groups=table, skip_unreadable=True)
    parts = data.train, data.validation, data.test
    assert sum(len(part) for part in parts) == len(files) - 1


@pytest.mark.parametrize(
    "wrong, message",
    [
        (
            lambda files: {name: 1 for name in list(files)[2:]},
            "no group for 2 of 24 files: ill/000_0.png; ill/000_1.png. Names are rel",
        ),
        (lambda files: lambda name: None, "no group for 24 of 24 files"),
        (lambda files: dict.fromkeys(files, float("nan")), "no group for 24 of 24"),
        (
            lambda files: lambda name: name.split("_")[7],
            "no group of 'ill/000_0.png': IndexError: list index out of range",
        ),
        (lambda files: lambda name: [name], "no group of 'ill/000_0.png': TypeError"),
        (
            lambda files: list(files),
            "a function of a file's name, or a dict .* got list",
        ),
        (lambda files: "patient", "got str"),
        (
            lambda files: lambda name: int(patient(name)) % 2,
            "validation split would be empty: there are 2 different groups, too few",
        ),
    ],
)
def test_groups_that_make_no_sense(tmp_path, wrong, message):
    files, _ = different(patients(6))
    with pytest.raises(ValueError, match=message):
        load(folder(tmp_path, files), groups=wrong(files))


def test_a_class_without_a_group_to_train_on_is_refused():
    table = np.array([[5, 0, 0], [0, 5, 0], [0, 0, 5]])
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="nothing would be left to train the class"):
        groups.deal_groups(table, np.arange(3), 0.2, 0.2, rng, ("a", "b", "c"))


def test_join_is_transitive():
    found = groups.join("abcdea", [0, 1, 1, 2, 3, 2], "uvwxyv")
    assert found.tolist() == [0, 0, 0, 0, 1, 0]
    rng = np.random.default_rng(0)
    for _ in range(20):
        one, other = rng.integers(0, 12, (2, 30))
        units = groups.join(one, other)
        same = (one[:, None] == one) | (other[:, None] == other)
        for _ in range(30):  # what is connected, by brute force
            same = same @ same
        assert np.array_equal(same, units[:, None] == units)
