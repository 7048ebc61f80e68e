"""Folders and zips as they come: splits on disk, wrappers, names of other systems."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

import crnn_tutorial as ct


def png(shade):
    file = io.BytesIO()
    Image.new("L", (6, 4), shade).save(file, "PNG")
    return file.getvalue()


def classes(prefix="", count=6, first=0, names=("cat", "dog")):
    """Pictures of one shade each, so that a shade tells the file."""
    return {
        f"{prefix}{name}/{i}.png": png(first + 20 * number + i)
        for number, name in enumerate(names)
        for i in range(count)
    }


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


def from_windows(path, files):
    with zipfile.ZipFile(path / "photos.zip", "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.filename, entry.create_system = name.replace("/", "\\"), 0
            archive.writestr(entry, content)
    return path / "photos.zip"


def load(path, **options):
    return ct.load_image_folder(path, (4, 6), channels=1, **options)


def shades(split):
    return sorted(round(255 * float(image.mean())) for image in split.images)


PACKS = [folder, packed, from_windows]


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize(
    "names",
    [
        ("train", "valid", "test"),
        ("Train", "Val", "Test"),
        ("Training", "validation", "Testing"),
        ("TRAIN", "DEV", "TEST"),
        ("train_set", "val_set", "test_set"),
        ("train", "valid", "test", "photos/"),
    ],
)
def test_splits_on_disk_are_the_splits(tmp_path, pack, names, capsys):
    train, validation, test, *around = names
    prefix = "".join(around)
    files = {
        **classes(f"{prefix}{train}/"),
        **classes(f"{prefix}{validation}/", 2, 100),
        **classes(f"{prefix}{test}/", 3, 150),
    }
    data = load(pack(tmp_path, files), validation=0.4, test=0.4)
    assert data.class_names == ("cat", "dog")
    assert shades(data.train) == [*range(6), *range(20, 26)]
    assert shades(data.validation) == [100, 101, 120, 121]
    assert shades(data.test) == [150, 151, 152, 170, 171, 172]
    assert data.test.targets.tolist() == [0] * 3 + [1] * 3
    said = capsys.readouterr().out
    assert "are the splits: 12 images to train, 4 to validate, 6 to test." in said
    assert all(name in said for name in (train, validation, test))


@pytest.mark.parametrize("given, cut", [("test", "validation"), ("val", "test")])
def test_a_split_that_is_missing_is_cut_from_train_by_the_seed(
    tmp_path, given, cut, capsys
):
    files = {**classes("train/", 10), **classes(f"{given}/", 3, 100)}
    path = folder(tmp_path, files)
    seen = set()
    for seed in range(6):
        data = load(path, seed=seed, validation=0.2, test=0.2)
        fixed = data.test if given == "test" else data.validation
        drawn = data.validation if given == "test" else data.test
        assert shades(fixed) == [100, 101, 102, 120, 121, 122]
        assert np.bincount(drawn.targets).tolist() == [2, 2]
        whole = sorted(shades(data.train) + shades(drawn))
        assert whole == [*range(10), *range(20, 30)]
        seen.add(tuple(shades(drawn)))
        assert f"{cut} is cut from train" in capsys.readouterr().out
    assert len(seen) > 1
    data = load(path, validation=0, test=0)
    assert len(data.train) == 20 and "cut" not in capsys.readouterr().out


def test_files_on_disk_are_split_alike(tmp_path, capsys):
    files = {**classes("train/", 10), **classes("test/", 3, 100)}
    path = folder(tmp_path, files)
    loaded = load(path)
    lazy = load(path, in_memory=False)
    for one, other in zip(
        (loaded.train, loaded.validation, loaded.test),
        (lazy.train, lazy.validation, lazy.test),
        strict=True,
    ):
        assert np.array_equal(one.images, other.images[:])
    capsys.readouterr()


def bare(*names):
    pairs = ((k, name, i) for k, name in enumerate(names) for i in range(4))
    return {f"{name}/{i}.png": png(10 * k + i) for k, name, i in pairs}


REFUSED = {
    "the folder cat holds splits, test; train. Splits stand outside": {
        **classes("cat/", names=("train", "test")),
        **classes("dog/", 3, 100, names=("train", "test")),
    },
    "look like splits, but the images in test; train": bare("train", "test"),
    "look like splits, but the images in test stand": {
        **classes("train/"),
        **bare("test"),
    },
    "the classes cow have no folder in train": {
        **classes("train/"),
        **classes("test/", 3, 100, ("cat", "cow")),
    },
    "and beside them images in more": {
        **classes("train/"),
        **classes("test/", 3, 100),
        **classes("more/", 3, 150),
    },
    "two folders for one split": {
        **classes("train/"),
        **classes("Training/", 3, 100),
        **classes("test/", 3, 150),
    },
    "but none to train on": {**classes("val/"), **classes("test/", 3, 100)},
    "has only the class 'cat'": {
        **classes("train/", names=("cat",)),
        **classes("test/", 3, 100, ("cat",)),
    },
}


@pytest.mark.parametrize("words", REFUSED)
@pytest.mark.parametrize("pack", [folder, packed])
def test_splits_that_do_not_fit_together(tmp_path, words, pack):
    with pytest.raises(ValueError, match=words):
        load(pack(tmp_path, REFUSED[words]))


@pytest.mark.parametrize(
    "names", [("train", "plane", "bus"), ("test", "control"), ("Training", "game")]
)
def test_one_such_name_alone_is_a_class(tmp_path, names):
    data = load(folder(tmp_path, classes(names=names)))
    assert data.class_names == tuple(sorted(names))


def test_papers_beside_the_splits_do_no_harm(tmp_path, capsys):
    files = {**classes("train/"), **classes("test/", 3, 100)}
    papers = {"docs/a.txt": b"x", "README.md": b"x", "labels.csv": b"x"}
    assert len(load(folder(tmp_path, {**files, **papers})).test) == 6
    capsys.readouterr()


def test_a_picture_in_two_splits_is_named(tmp_path, capsys):
    path = folder(tmp_path, {**classes("train/"), **classes("test/", 2)})
    with pytest.warns(UserWarning, match="4 pictures stand in more than one split"):
        data = load(path)
    assert shades(data.test) == [0, 1, 20, 21]
    assert not set(shades(data.validation)) & set(shades(data.test))
    capsys.readouterr()


# Texts


def test_texts_have_splits_on_disk_too(tmp_path, capsys):
    files = {f"x/Training/a{i}.png": png(i) for i in range(10)}
    files |= {f"x/Testing/b{i}.png": png(50 + i) for i in range(4)}
    for pack in (folder, packed):
        data = ct.load_text_images(pack(tmp_path, files))
        assert sorted(data.test.targets) == [f"b{i}" for i in range(4)]
        assert sorted(data.train.targets + data.validation.targets) == [
            f"a{i}" for i in range(10)
        ]
        assert "1 to validate, 4 to test; validation is cut" in capsys.readouterr().out


def test_each_split_has_its_own_table(tmp_path, capsys):
    files = {}
    for first, split in ((0, "train"), (50, "val"), (100, "test")):
        rows = "".join(f"{i}.png,{split}{i}\n" for i in range(5))
        files |= {f"{split}/{i}.png": png(first + i) for i in range(5)}
        files[f"{split}/labels.csv"] = ("file,text\n" + rows).encode()
    data = ct.load_text_images(packed(tmp_path, files))
    for split, name in ((data.train, "train"), (data.validation, "val")):
        assert sorted(split.targets) == [f"{name}{i}" for i in range(5)]
    assert [round(255 * float(i[0, 0, 0])) for i in data.test.images] == [
        100 + int(text[4:]) for text in data.test.targets
    ]
    assert capsys.readouterr().out.count("\n") == 2


# Names and zips


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("prefix", ["", "photos/", "a/b/"])
def test_a_zip_is_read_like_a_folder(tmp_path, tmp_path_factory, pack, prefix):
    expected = load(folder(tmp_path_factory.mktemp("plain"), classes(count=10)))
    rubbish = dict.fromkeys(
        ("__MACOSX/photos/._0.png", f"{prefix}Icon\r", f"{prefix}cat/Icon\r")
        + (f"{prefix}cat/Thumbs.db", f"{prefix}cat/DESKTOP.INI", ".DS_Store")
        + (f"{prefix}README.txt", f"{prefix}@eaDir/x.png"),
        b"rubbish",
    )
    data = load(pack(tmp_path, {**classes(prefix, 10), **rubbish}))
    assert data.class_names == ("cat", "dog")
    for name in ("train", "validation", "test"):
        one, other = getattr(expected, name), getattr(data, name)
        assert np.array_equal(one.images, other.images)
        assert np.array_equal(one.targets, other.targets)


@pytest.mark.parametrize("pack", PACKS)
def test_classes_that_look_alike_are_one(tmp_path, pack):
    names = ("cafe\u0301", "caf\u00e9", "bar")
    data = load(pack(tmp_path, classes(count=4, names=names)))
    assert data.class_names == ("bar", "caf\u00e9")
    counts = [np.bincount(s.targets) for s in (data.train, data.validation, data.test)]
    assert sum(counts).tolist() == [4, 8]


def test_classes_that_look_alike_are_one_in_all_splits(tmp_path, capsys):
    files = {
        **classes("train/", names=("cafe\u0301", "bar")),
        **classes("test/", 3, 100, ("caf\u00e9", "bar")),
    }
    data = load(folder(tmp_path, files))
    assert data.class_names == ("bar", "caf\u00e9")
    assert data.test.targets.tolist() == [0] * 3 + [1] * 3
    capsys.readouterr()


def test_names_in_utf8_that_do_not_say_so_with_foreign_separators(tmp_path):
    path = from_windows(tmp_path, classes(count=4, names=("caf\u00e9", "bar")))
    path.write_bytes(path.read_bytes().replace(b"\x00\x08", b"\x00\x00"))
    with zipfile.ZipFile(path) as archive:
        assert not any(entry.flag_bits for entry in archive.infolist())
        assert any("\\" in entry.filename for entry in archive.infolist())
    assert load(path).class_names == ("bar", "caf\u00e9")


def test_errors_in_a_zip_are_as_those_in_a_folder(tmp_path):
    files = {**classes(), "cat/0.png": b"no image", "dog/1.png": png(1)[:40]}
    with pytest.raises(
        ValueError, match=r"2 of 12 files.*cat/0.png is no image.*dog/1"
    ):
        load(packed(tmp_path, files))
    with pytest.warns(UserWarning, match="Went on without 2 of 12 files"):
        data = load(packed(tmp_path, files), skip_unreadable=True)
    assert len(data.train) + len(data.validation) + len(data.test) == 10
    with pytest.raises(ValueError, match=r"photos.zip has only the class 'cat'"):
        load(packed(tmp_path, classes(names=("cat",))))
    with pytest.raises(ValueError, match=r"photos.zip is no folder.*in_memory=True"):
        load(packed(tmp_path, classes()), in_memory=False)
    with pytest.raises(ValueError, match="has paths that leave"):
        load(packed(tmp_path, {**classes(), "..\\x.png": png(1)}))
