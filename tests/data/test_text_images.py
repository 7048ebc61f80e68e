"""Images of text: one array of many sizes; folders and zips of your own words."""

import io
import re
import struct
import unicodedata
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import crnn_tutorial as ct
from crnn_tutorial.data import files as opened
from crnn_tutorial.data.text.stacking import stack_text_images


def refuses(*parts, error=ValueError):
    """Expect an error whose message has all these parts, in this order."""
    return pytest.raises(error, match="(?s)" + ".*".join(map(re.escape, parts)))


def line(height, width, channels=1, value=None):
    if value is not None:
        return np.full((height, width, channels), value, np.float32)
    return np.random.default_rng(width).random((height, width, channels), np.float32)


# stack_text_images


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.sampled_from((1, 3)))
def test_each_image_stands_on_the_left_and_the_rest_is_padding(widths, channels):
    images = [line(8, width, channels) for width in widths]
    stacked = stack_text_images(images)
    assert stacked.shape == (len(widths), 8, max(widths), channels)
    assert stacked.dtype == np.float32
    for row, image in zip(stacked, images, strict=True):
        width = image.shape[1]
        assert np.array_equal(row[:, :width], image)
        assert (row[:, width:] == -1).all()
    assert np.array_equal(stack_text_images(stacked), stacked)  # padded already


def test_one_image_and_one_without_a_channel_are_a_batch_of_one():
    image = line(8, 20)
    for one in (image, image[:, :, 0], [image], [image[:, :, 0]], image[np.newaxis]):
        assert np.array_equal(stack_text_images(one), image[np.newaxis])


def test_bytes_become_floats():
    stacked = stack_text_images([np.full((2, 3), 51, "uint8")])
    np.testing.assert_allclose(stacked, 0.2, atol=1e-7)


def test_a_white_image_is_no_padding():
    assert (stack_text_images([line(4, 6, value=1.0), line(4, 3)])[0] == 1).all()


def test_the_commonest_height_wins_and_proportions_are_kept():
    images = [line(20, 50), line(10, 30), line(10, 40), line(5, 10)]
    with pytest.warns(UserWarning) as said:
        stacked = stack_text_images(images)
    assert len(said) == 1 and said[0].filename == __file__
    assert str(said[0].message) == (
        "Resized 2 of 4 images from a height of 5, 20 to 10 pixels, with their "
        "proportions kept."
    )
    real = (stacked != -1).any(axis=(1, 3)).sum(axis=1)
    assert stacked.shape[1] == 10 and real.tolist() == [25, 30, 40, 20]
    expected = ct.resize_image(images[0], (25, 10))
    assert np.array_equal(stacked[0, :, :25], expected)


def test_of_two_heights_as_common_the_larger_one_is_taken():
    with pytest.warns(UserWarning, match="height of 8 to 16"):
        assert stack_text_images([line(16, 9), line(8, 9)]).shape[1] == 16


def test_a_given_height_and_a_narrow_image_that_keeps_a_column():
    with pytest.warns(UserWarning, match="Resized 2 of 2 images from a height of 100"):
        stacked = stack_text_images([line(100, 1), line(100, 400)], height=8)
    assert stacked.shape == (2, 8, 32, 1) and (stacked[0, :, 0] >= 0).all()


def test_equal_heights_are_not_spoken_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stacked = stack_text_images([line(8, 9), line(8, 4)], height=8)
    assert stacked.shape == (2, 8, 9, 1)


@pytest.mark.parametrize(
    "images, parts",
    [
        ([], ["There is no image to stack"]),
        (np.zeros((0, 8, 9, 1)), ["images are empty", "(0, 8, 9, 1)"]),
        (np.zeros((5, 8, 9)), ["One array is one image", "(5, 8, 9)", "newaxis"]),
        (
            [line(8, 4), np.zeros((8, 0))],
            ["images[1]: The image has no pixel", "(8, 0, 1)"],
        ),
        (np.full((2, 8, 9, 1), -1.0), ["images[0]: -1 stands where no padding is"]),
        ([line(8, 4), np.zeros((8, 4, 2))], ["images[1]", "(8, 4, 2)"]),
        ([line(8, 4), line(8, 4) * 255], ["images[1]", "between 0 and 1"]),
        ([line(8, 4) - 2], ["images[0]", "between 0 and 1"]),
        ([line(8, 4) * np.nan], ["images[0]", "NaN"]),
        ([np.array([["a"]])], ["images[0]", "are numbers"]),
        (
            [line(8, 4), line(8, 4, 3), line(8, 5)],
            ["2 images have 1 channel, 1 have 3", "images[0] and images[1]"],
        ),
    ],
)
def test_what_is_no_image_of_text_is_refused_and_named(images, parts):
    with refuses(*parts):
        stack_text_images(images)


@pytest.mark.parametrize("column", [1, 3])
def test_minus_one_outside_of_the_padding_is_no_pixel(column):
    image = line(8, 4)[np.newaxis].copy()
    image[0, 2, column] = -1  # a hole, not a whole column on the right
    with refuses("images[0]", "between 0 and 1"):
        stack_text_images(image)


@pytest.mark.parametrize("height", [0, -3, 1.5, "32"])
def test_a_height_is_a_whole_number_above_zero(height):
    with refuses("height is a whole number", repr(height)):
        stack_text_images([line(8, 4)], height=height)


# Folders and zips of ten words or so


def png(width=40, height=20, shade=0, mode="L"):
    file = io.BytesIO()
    Image.new(mode, (width, height), shade if mode == "L" else (shade,) * 3).save(
        file, "PNG"
    )
    return file.getvalue()


def words(count=10, ending=".png", prefix=""):
    """``{name: bytes}`` of pictures that all differ; each shade tells its number."""
    return {f"{prefix}w{i:02}{ending}": png(40 + i, shade=i) for i in range(count)}


def folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def packed(path, files):
    with zipfile.ZipFile(path / "words.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path / "words.zip"


def texts_of(data):
    splits = (data.train, data.validation, data.test)
    return sorted(text for split in splits for text in split.targets)


def shade_of(image):
    return round(float(image[0, 0, 0]) * 255)


@pytest.mark.parametrize("pack", [folder, packed])
def test_a_folder_and_a_zip_give_the_same(tmp_path, pack):
    data = ct.load_text_images(pack(tmp_path, words(20)), height=10)
    assert data.train.images.shape[1:] == (10, 30, 1)  # the widest was 59 x 20
    sizes = [len(s) for s in (data.train, data.validation, data.test)]
    assert sizes == [16, 2, 2]
    assert texts_of(data) == [f"w{i:02}" for i in range(20)]
    assert data.class_names == tuple("0123456789w")
    for split in (data.train, data.validation, data.test):
        for image, text in zip(split.images, split.targets, strict=True):
            number = int(text[1:])  # image and text still belong together
            assert shade_of(image) == number
            real = (image != -1).any(axis=(0, 2)).sum()
            assert real == round((40 + number) / 2)


def test_the_seed_decides_and_zips_split_as_folders_do(tmp_path):
    files = words(30)
    load = ct.load_text_images
    path, archive = folder(tmp_path / "f", files), packed(tmp_path, files)
    first, again, zipped = load(path), load(path), load(archive)
    assert first.train.targets == again.train.targets == zipped.train.targets
    assert first.train.targets != load(path, seed=1).train.targets
    assert first.train.targets != sorted(first.train.targets)


def test_colour_is_kept_when_asked_for(tmp_path):
    path = folder(tmp_path, {**words(), "c.png": png(mode="RGB", shade=9)})
    coloured = ct.load_text_images(path, channels=3)
    assert coloured.train.images.shape[1:] == (32, 78, 3)


def test_the_default_reads_the_name_without_its_ending_and_the_mark_of_a_copy(tmp_path):
    names = ["a_b.png", "a_b (2).png", "v1.5.JPG", "f(x).png", "(3).png", "sub/a b.png"]
    path = folder(tmp_path, {name: png(30 + i) for i, name in enumerate(names)})
    data = ct.load_text_images(path, validation=0, test=0)
    assert texts_of(data) == ["(3)", "a b", "a_b", "a_b", "f(x)", "v1.5"]


@pytest.mark.parametrize(
    "pattern, text",
    [
        (r"(?P<text>[^_]+)", "07"),
        (r"_(\w+)-", "Hello"),
        (r"[A-Z]\w+", "Hello"),
        (r"^(\d+)_(?P<text>.*)-", "Hello"),
        (r"(?P<text>x?)", ""),  # an empty text is a text
    ],
)
def test_a_pattern_is_searched_for_in_the_name(tmp_path, pattern, text):
    path = folder(tmp_path, {"07_Hello-scan.png": png()})
    data = ct.load_text_images(path, pattern, validation=0, test=0)
    assert data.train.targets == [text]


def load_all(path, labels, **options):
    return ct.load_text_images(path, labels, validation=0, test=0, **options)


def pairs(data):
    """``{number of the picture: its text}``."""
    images = zip(data.train.images, data.train.targets, strict=True)
    return {shade_of(image): text for image, text in images}


TABLES = {
    "labels.csv": 'w00.png,one\r\n./w01.png,"a, ""b"""\r\n\r\nw02.png,\r\n',
    "labels.tsv": 'w00.png\tone\nw01.png\t"a, ""b"""\nw02.png\t\n',
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("heading", ["", "file,text\n", "File name,Label\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_gives_the_texts(tmp_path, name, heading, mark):
    heading = heading.replace(",", "," if name.endswith("csv") else "\t")
    table = (mark + heading + TABLES[name]).encode()
    path = packed(tmp_path, {**words(3), name: table})
    assert pairs(load_all(path, name)) == {0: "one", 1: 'a, "b"', 2: ""}


def test_a_table_in_a_sub_folder_names_files_beside_it(tmp_path):
    table = "w00.png,null\nmore\\w01.png,one\n"
    files = {"x/w00.png": png(), "x/more/w01.png": png(shade=1)}
    path = packed(tmp_path, {**files, "x/labels.csv": table.encode()})
    assert pairs(load_all(path, "labels.csv")) == {0: "null", 1: "one"}


def test_a_first_row_that_names_a_file_is_no_heading(tmp_path):
    table = b"file,text\nw00,other\n"
    path = folder(tmp_path, {"file": png(shade=7), "w00": png(), "t.csv": table})
    assert pairs(load_all(path, "t.csv")) == {7: "text", 0: "other"}


def test_accents_and_chinese_survive_and_are_composed(tmp_path):
    decomposed = unicodedata.normalize("NFD", "é.png")
    path = packed(tmp_path, {decomposed: png(), "验证码.png": png(shade=1)})
    assert pairs(load_all(path, None)) == {0: "é", 1: "验证码"}
    table = "é.png,Ä\n验证码.png,码\n".encode()
    files = {decomposed: png(), "验证码.png": png(shade=1), "t.csv": table}
    assert pairs(load_all(packed(tmp_path, files), "t.csv")) == {0: "Ä", 1: "码"}


def test_names_in_utf8_that_do_not_say_so_are_read(tmp_path):
    path = packed(tmp_path, {"é.png": png()})
    content = path.read_bytes()
    for start, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.index(start) + place
        assert struct.unpack_from("<H", content, at)[0] == 0x800
        content = content[:at] + b"\0\0" + content[at + 2 :]
    path.write_bytes(content)
    assert load_all(path, None).train.targets == ["é"]
    path.write_bytes(content.replace("é".encode(), b"\x82x"))
    with refuses("words.zip", "no UTF-8", "Unpack it"):
        load_all(path, None)


def test_what_systems_leave_behind_is_not_looked_at(tmp_path):
    junk = ["__MACOSX/._w00.png", ".DS_Store", ".git/a.png", "Thumbs.db", "README.txt"]
    files = {**words(12), **dict.fromkeys(junk, b"junk")}
    assert len(texts_of(ct.load_text_images(packed(tmp_path, files)))) == 12


def test_copies_stay_together_and_the_split_shares_no_picture(tmp_path):
    copies = {f"w03 ({i}).png": words()["w03.png"] for i in range(2, 30)}
    path = folder(tmp_path, {**words(), **copies})
    for seed in range(8):
        with pytest.warns(UserWarning, match="28 names look like those of copies"):
            data = ct.load_text_images(path, seed=seed)
        splits = (data.train, data.validation, data.test)
        shades = [{shade_of(image) for image in split.images} for split in splits]
        assert sum(map(len, shades)) == 10 == len(set.union(*shades))
        assert sum(split.targets.count("w03") for split in splits) == 29
        assert min(map(len, shades)) >= 1


def test_copies_with_two_texts_are_for_training_only(tmp_path):
    path = folder(tmp_path, {**words(), "other.png": words()["w03.png"]})
    for seed in range(8):
        with pytest.warns(UserWarning, match="1 images stand there under.*other.png"):
            data = ct.load_text_images(path, seed=seed)
        assert {"w03", "other"} <= set(data.train.targets)


# Files and texts that do not fit together


def test_all_that_is_wrong_is_said_at_once_and_can_be_gone_without(tmp_path):
    names = "".join(f"w{i:02}.png,{i}\n" for i in range(1, 10))
    files = {**words(), "labels.csv": (names + "gone.png,x\nlost.png,y\n").encode()}
    files["w05.png"] = b"no image"
    files["w06.png"] = files["w06.png"][:40]
    path = packed(tmp_path, files)
    parts = (
        "words.zip: 2 of 9 images cannot be read: w05.png is no image",
        "; w06.png is no image",
        "1 of 10 images have no text in labels.csv: w00.png",
        "2 of 11 texts in labels.csv have no image: gone.png; lost.png",
    )
    with refuses(*parts, "pass skip_incomplete=True"):
        load_all(path, "labels.csv")
    with pytest.warns(UserWarning, match="Went on without") as said:
        data = load_all(path, "labels.csv", skip_incomplete=True)
    assert all(part in str(said[0].message) for part in parts)
    assert pairs(data) == {i: str(i) for i in (1, 2, 3, 4, 7, 8, 9)}


def test_names_that_the_pattern_misses(tmp_path):
    path = folder(tmp_path, {**words(3), "scan.png": png(shade=9)})
    with refuses("1 of 4 images have a name that", r"w(\\d+)", "misses: scan.png"):
        load_all(path, r"w(\d+)")
    with refuses("fits no file name: scan.png; w00.png; w01.png; and 1 more"):
        load_all(path, "z")


@pytest.mark.parametrize(
    "table, parts",
    [
        (b"w00.png,a\nw00.png,b\n", ["t.csv, line 2: w00.png has two texts, 'a'"]),
        (b"w00.png\n", ["line 1: two columns", "a comma", "got 1: ['w00.png']"]),
        (b"w00.png,a, b\n", ["line 1", "got 3", "stands in quotes"]),
        (b'w00.png,"a\n', ["t.csv, line", "unexpected end"]),
        ("w00.png,é\n".encode("latin1"), ["t.csv is no UTF-8", "Save it as UTF-8"]),
    ],
)
def test_a_table_that_cannot_be_read(tmp_path, table, parts):
    with refuses(*parts):
        load_all(folder(tmp_path, {**words(2), "t.csv": table}), "t.csv")


def test_the_same_row_twice_does_no_harm(tmp_path):
    path = folder(tmp_path, {"w00.png": png(), "t.csv": b"w00.png,a\nw00.png,a\n"})
    assert pairs(load_all(path, "t.csv")) == {0: "a"}


def test_a_table_that_is_not_there_or_there_twice(tmp_path):
    path = folder(tmp_path, {**words(2), "a/t.csv": b"", "b/t.csv": b""})
    with refuses("'labels.csv', of which there are 0", "a/t.csv; b/t.csv"):
        load_all(path, "labels.csv")
    with refuses("'t.csv', of which there are 2"):
        load_all(path, "t.csv")


@pytest.mark.parametrize(
    "labels, parts",
    [
        ("(", ["no regular expression", "'('", ".csv or .tsv"]),
        (r"(\d)(\d)", ["2 groups", "(?P<text>...)"]),
    ],
)
def test_a_pattern_that_says_nothing(tmp_path, labels, parts):
    with refuses(*parts):
        load_all(folder(tmp_path, words(2)), labels)


def test_empty_and_missing_places(tmp_path):
    with refuses("no folder and no zip", "nowhere", error=FileNotFoundError):
        ct.load_text_images(tmp_path / "nowhere")
    with refuses("There is no image: of 0 files"):
        ct.load_text_images(tmp_path)
    with refuses("of 1 files, none has the ending of an image. The first: notes.txt"):
        ct.load_text_images(folder(tmp_path, {"notes.txt": b""}))
    with refuses("notes.txt is neither a folder nor a zip"):
        ct.load_text_images(tmp_path / "notes.txt")
    (tmp_path / "notes.txt").unlink()
    folder(tmp_path, {"a.png": b"broken"})
    with refuses("no image is left that has a text", "a.png is no image"):
        ct.load_text_images(tmp_path, skip_incomplete=True)


def test_too_few_pictures_for_three_splits(tmp_path):
    path = folder(tmp_path, words(2))
    with refuses("validation split would be empty: there are 2", "validation=0"):
        ct.load_text_images(path)
    assert len(ct.load_text_images(path, validation=0, test=0.5).test) == 1


@pytest.mark.parametrize(
    "wrong, word",
    [
        ({"height": 0}, "height is a whole number"),
        ({"channels": 2}, "channels is 3"),
        ({"validation": 0.6, "test": 0.5}, "0.6 and 0.5"),
        ({"test": -0.1}, "-0.1"),
    ],
)
def test_arguments_that_make_no_sense(tmp_path, wrong, word):
    with refuses(word):
        ct.load_text_images(folder(tmp_path, words()), **wrong)


# Zips that mean harm


@pytest.mark.parametrize(
    "name",
    ["../x.png", "/x.png", "a/../../x.png", "C:/x.png", "..\\x.png", "C:\\x.png"],
)
def test_a_zip_with_a_path_that_leaves_the_folder(tmp_path, name):
    path = packed(tmp_path, {**words(), name: png()})
    before = sorted(tmp_path.rglob("*"))
    with refuses("words.zip has paths that leave its folder", "x.png. Nothing"):
        ct.load_text_images(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_two_dots_inside_a_name_are_no_way_out():
    assert not opened._leaves("a..b/c.png")


def test_nothing_is_unpacked_to_disk(tmp_path, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("unpacked to disk")

    monkeypatch.setattr(zipfile.ZipFile, "extract", never)
    monkeypatch.setattr(zipfile.ZipFile, "extractall", never)
    path = packed(tmp_path, words())
    ct.load_text_images(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_zip_that_is_a_bomb(tmp_path, monkeypatch):
    path = packed(tmp_path, {**words(), "big.png": bytes(3_000_000)})
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(opened, "MAX_FILE", 2_000_000)
    with refuses("big.png is 3 MiB large; at most 1 MiB"):
        ct.load_text_images(path)
    monkeypatch.setattr(opened, "MAX_TOTAL", 2_000_000)
    with refuses("words.zip would be", "large unpacked"):
        ct.load_text_images(path)


def test_pictures_that_are_bombs_or_no_lines(tmp_path):
    file = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(file, "PNG")
    files = {**words(), "bomb.png": file.getvalue(), "wire.png": png(2000, 1)}
    with refuses("bomb.png is too large", "wire.png is 2000 x 1 pixels", "100 times"):
        ct.load_text_images(packed(tmp_path, files))


def test_a_damaged_and_an_encrypted_zip(tmp_path):
    path = packed(tmp_path, words())
    whole = path.read_bytes()
    at = whole.index(b"w04.png") + 30  # in the packed bytes of that file
    path.write_bytes(whole[:at] + b"????" + whole[at + 4 :])
    with refuses("1 of 10 images cannot be read: w04.png"):
        ct.load_text_images(path)
    path.write_bytes(whole[: len(whole) // 2])
    with refuses("words.zip is neither a folder nor a zip, or the zip is damaged"):
        ct.load_text_images(path)
    at = whole.index(b"PK\x01\x02") + 8
    path.write_bytes(whole[:at] + b"\x01" + whole[at + 1 :])
    with refuses("words.zip is encrypted"):
        ct.load_text_images(path)


def test_a_zip_with_two_files_of_one_name(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = packed(tmp_path, words())
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("w01.png", png(shade=99))
    with refuses("two files of one name: w01.png"):
        ct.load_text_images(path)


def test_an_unreadable_file_does_not_stop_the_search_for_others(tmp_path, monkeypatch):
    read = opened.read_file

    def sometimes(files, name):
        if name == "w01.png":
            raise PermissionError("not yours")
        return read(files, name)

    monkeypatch.setattr(opened, "read_file", sometimes)
    path = folder(tmp_path, {**words(), "w02.png": b""})
    with refuses("2 of 10 images cannot be read: w01.png cannot", "w02.png is empty"):
        ct.load_text_images(path)
