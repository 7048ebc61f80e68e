"""Where texts stand: tables of every dialect, files beside the images, dicts, names."""

import io
import os
import struct
import unicodedata
import zipfile

import pytest
from PIL import Image

import crnn_tutorial as ct
from crnn_tutorial.data.label_tables import open_table
from crnn_tutorial.data.namer import Namer


def png(shade=0):
    file = io.BytesIO()
    Image.new("L", (40, 20), shade).save(file, "PNG")
    return file.getvalue()


def images(count=10, prefix="", ending=".png"):
    return {f"{prefix}{i}{ending}": png(i) for i in range(count)}


def folder(path, files):
    """Write files; names may be bytes, contents may be texts."""
    for name, content in files.items():
        name = name if isinstance(name, bytes) else name.encode()
        whole = os.path.join(os.fsencode(path), name)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        content = content if isinstance(content, bytes) else content.encode()
        with open(whole, "wb") as file:
            file.write(content)
    return path


def packed(path, files, windows=False):
    with zipfile.ZipFile(path / "words.zip", "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            if windows:
                entry.filename, entry.create_system = name.replace("/", "\\"), 0
            archive.writestr(entry, content)
    return path / "words.zip"


def texts(path, labels=None, **options):
    """``{shade of the picture: its text}``."""
    data = ct.load_text_images(path, labels, validation=0, test=0, **options)
    shades = [round(float(image[0, 0, 0]) * 255) for image in data.train.images]
    return dict(zip(shades, data.train.targets, strict=True))


def table(separator, heading="", text="T{} x", name="{}.png", end="\n"):
    rows = [name.format(i) + separator + text.format(i) for i in range(10)]
    return end.join([heading, *rows] if heading else rows) + end


EXPECTED = {i: f"T{i} x" for i in range(10)}

DIALECTS = {
    "comma": ("labels.csv", table(",")),
    "semicolon in a csv": ("labels.csv", table(";")),
    "tab in a txt": ("labels.txt", table("\t")),
    "tab": ("labels.tsv", table("\t")),
    "blank": ("labels.txt", table(" ")),
    "blanks": ("labels.txt", table("   ")),
    "bar": ("labels.csv", table("|", "file|text")),
    "comma and blank": ("gt.txt", table(", ", text='"T{} x"')),
    "id,label": ("a.csv", table(",", "id,label", name="{}")),
    "image_file,text": ("a.csv", table(",", "image_file,text")),
    "name,text": ("a.csv", table(",", "name,text")),
    "images,labels": ("a.csv", table(",", "images,labels")),
    "img;gt": ("a.csv", table(";", "img;gt")),
    "img gt": ("a.txt", table(" ", "img gt")),
    "a heading of no known word": ("a.csv", table(",", "Bild,Wort")),
    "quoted heading": ("a.csv", table(",", '"id","label"', text='"T{} x"')),
    "no heading": ("a.csv", table(",", text='"T{} x"')),
    "windows": ("a.csv", table(",", "file,text", end="\r\n")),
    "old mac": ("a.csv", table(",", "file,text", end="\r")),
    "mark": ("a.csv", "\ufeff" + table(",", "file,text")),
    "mark, no heading": ("a.csv", "\ufeff" + table(",")),
    "mark in the middle": ("a.csv", table(",").replace("5.png", "\ufeff5.png")),
    "mark before a quote": ("a.csv", '\ufeff"0.png","T0 x"\n' + table(",")[11:]),
    "mark in the middle, before a quote": (
        "a.csv",
        table(",").replace("5.png,T5 x", '\ufeff"5.png","T5 x"'),
    ),
    "UTF-16": ("a.txt", table("\t", "file\ttext").encode("utf-16")),
    "excel": ("a.csv", "sep=;\n" + table(";", "file;text")),
    "text first": (
        "a.csv",
        "text,file\n" + "".join(f"T{i} x,{i}.png\n" for i in range(10)),
    ),
    "text first, blank": ("a.txt", "".join(f"T{i} x {i}.png\n" for i in range(10))),
    "foreign folders": ("a.csv", table(",", name="C:\\data\\words\\{}.png")),
    "absolute": ("a.csv", table(",", name="/home/x/{}.png")),
    "empty rows": ("a.csv", "\n\n" + table(",").replace("\n", "\n\n") + " , \n"),
    "third column": (
        "a.csv",
        "id,image_file,text\n"
        + "".join(f"{i + 50},{i}.png,T{i} x\n" for i in range(10)),
    ),
    "third column empty": ("a.csv", table(",", "file,text,", text="T{} x,")),
    "names with blanks": ("a.txt", table(" ", text="T{} x", name="./{}.png")),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("found", [True, False], ids=["found", "named"])
def test_tables_of_every_dialect(tmp_path, dialect, found, capsys):
    name, content = DIALECTS[dialect]
    path = folder(tmp_path, {**images(), name: content})
    assert texts(path, None if found else name) == EXPECTED
    said = capsys.readouterr().out
    assert said.count("\n") == found
    assert (f"the texts come from {name} (columns " in said) == found


def test_a_text_may_be_the_name_of_another_image(tmp_path):
    """Both columns name files: the heading decides, or the first column."""
    rows = "".join(f"{i},{(i + 1) % 10}\n" for i in range(10))
    expected = {i: str((i + 1) % 10) for i in range(10)}
    assert texts(folder(tmp_path / "a", {**images(), "t.csv": rows})) == expected
    swapped = "".join(f"{(i + 1) % 10},{i}\n" for i in range(10))
    path = folder(tmp_path / "b", {**images(), "t.csv": "label,id\n" + swapped})
    assert texts(path) == expected


def test_digits_that_look_like_names_do_not_outweigh_missing_files(tmp_path):
    rows = "".join(f"{i}.png,{i}\n" for i in range(10)) + "gone.png,3\n"
    path = folder(tmp_path, {**images(), "t.csv": "file,text\n" + rows})
    with pytest.raises(ValueError, match="1 of 11 texts in t.csv.*image: gone.png"):
        texts(path, "t.csv")


def test_columns_say_which_ones_count(tmp_path):
    rows = "".join(f"{i},x{i},{i}.png,T{i} x\n" for i in range(10))
    path = folder(tmp_path, {**images(), "t.csv": "no,old,Bild,Wort\n" + rows})
    assert texts(path, columns=("Bild", "Wort")) == EXPECTED
    assert texts(path, "t.csv", columns=("bild", "old")) == {
        i: f"x{i}" for i in range(10)
    }
    with pytest.raises(ValueError, match="has no 'Text'. Its first row: no; old; Bild"):
        texts(path, columns=("Bild", "Text"))
    with pytest.raises(ValueError, match="columns are two.*got 'Bild'"):
        texts(path, columns="Bild")
    with pytest.raises(ValueError, match=r"t.csv, line 1.*got 4.*columns=\("):
        texts(path)
    bare = folder(tmp_path / "bare", {**images(), "t.csv": rows})
    assert texts(bare, columns=(2, 3)) == EXPECTED


def test_a_dict_and_tables_elsewhere(tmp_path):
    path = folder(tmp_path / "images", images())
    assert texts(path, {f"{i}.png": f" T{i} x" for i in range(10)}) == EXPECTED
    assert texts(path, {str(i): f"T{i} x" for i in range(10)}) == EXPECTED
    outside = tmp_path / "elsewhere.csv"
    outside.write_text(table(",", "file,text"))
    assert texts(path, outside) == texts(path, str(outside)) == EXPECTED
    with pytest.raises(ValueError, match="'nowhere.csv', of which there are 0"):
        texts(path, "nowhere.csv")
    with pytest.raises(ValueError, match="{file: text}, both str, but got '0': 7"):
        texts(path, {"0": 7})
    with pytest.raises(ValueError, match="labels: 0.png has two texts, 'a' and 'b'"):
        texts(path, {"0": "a", "0.png": "b"})
    with pytest.raises(ValueError, match="1 of 10 images have no text in labels: 9.p"):
        texts(path, {str(i): "a" for i in range(9)})
    with pytest.raises(ValueError, match="labels is no regular expression: 5"):
        texts(path, 5)


def test_capital_letters_count_only_where_nothing_else_differs(tmp_path):
    path = folder(tmp_path / "a", {**images(ending=".PNG"), "LABELS.CSV": table(",")})
    assert texts(path) == EXPECTED
    sidecars = {f"{i}.GT.TXT": f"T{i} x" for i in range(10)}
    path = folder(tmp_path / "b", {**images(), **sidecars})
    assert texts(path) == texts(path, ".gt.txt") == EXPECTED
    namer = Namer(["a.png", "A.png", "B.png"], ["a.png", "A.png", "B.png"])
    assert [namer.find(entry) for entry in ("A", "a.png", "b", "A.PNG")] == [
        "A.png",
        "a.png",
        "B.png",
        None,
    ]


# Files beside the images


@pytest.mark.parametrize("image", ["{:06}.bin.png", "{:06}.png", "{:06}.nrm.x.png"])
@pytest.mark.parametrize("ending", [".gt.txt", ".txt"])
def test_files_beside_the_images(tmp_path, image, ending, capsys):
    files = {}
    for i in range(10):
        files[f"book/{image.format(i)}"] = png(i)
        files[f"book/{i:06}{ending}"] = f"\ufeffT{i} x\r\n"
    path = packed(tmp_path, files)
    assert texts(path) == EXPECTED
    assert f"the texts come from {ending} (one beside" in capsys.readouterr().out
    assert texts(path, ending) == EXPECTED
    assert not capsys.readouterr().out


def test_files_beside_that_are_no_texts_of_lines(tmp_path):
    boxes = {f"{i}.txt": "0 1 2\n1 2 3\n" for i in range(10)}
    with pytest.raises(ValueError, match=r"0.txt has 2 lines; the text of one image"):
        texts(folder(tmp_path / "a", {**images(), **boxes}))
    path = folder(tmp_path / "b", {**images(), "0.txt": "zero"})
    with pytest.raises(ValueError, match=r"0.txt lies there.*Pass labels="):
        texts(path)
    with pytest.raises(ValueError, match="No image has a file ending in .gt.txt"):
        texts(path, ".gt.txt")
    with pytest.raises(ValueError, match="9 of 10 images have no text in .txt: 1.png"):
        texts(path, ".txt")


# What lies there is used, refused, or nothing to do with it


@pytest.mark.parametrize(
    "name, content",
    [
        ("labels.csv", "a,b\nc,d\n"),
        ("labels.txt", "ABCD\nEFGH\n"),
        ("gt.txt", b"\xff\xfa\x00"),
        ("labels.json", "{}"),
        ("train_labels.xml", ""),
        ("labels.csv", ""),
        ("numbers.csv", "file,text\nother.png,x\n"),
        ("labels.csv", '0.png,"a\n'),
    ],
)
def test_what_cannot_be_understood_is_not_passed_over(tmp_path, name, content):
    path = folder(tmp_path, {**images(), name: content})
    with pytest.raises(ValueError, match=name):
        texts(path)
    assert texts(path, r".+") == {i: str(i) for i in range(10)}


@pytest.mark.parametrize("name", ["README.txt", "LICENSE.txt", "notes.md", "a.pdf"])
@pytest.mark.parametrize(
    "content", ["These are\nwords, 0 to 9;\nby me", b"\xff\xfe\xfa"]
)
def test_what_is_no_table_is_left_alone(tmp_path, name, content, capsys):
    path = folder(tmp_path, {**images(), name: content})
    assert texts(path) == {i: str(i) for i in range(10)}
    assert not capsys.readouterr().out


def test_two_sources_agree_or_are_refused(tmp_path):
    both = {"a.csv": table(","), "gt.txt": table(" ")}
    assert texts(folder(tmp_path / "a", {**images(), **both})) == EXPECTED
    both["gt.txt"] = table(" ", text="U{}")
    with pytest.raises(ValueError, match="a.csv and gt.txt give 0.png different.*='gt"):
        texts(folder(tmp_path / "b", {**images(), **both}))
    halves = table(",").splitlines(keepends=True)
    parts = {"a.csv": "".join(halves[:5]), "b.csv": "".join(halves[5:])}
    assert texts(folder(tmp_path / "c", {**images(), **parts})) == EXPECTED


def test_a_table_for_images_in_a_sub_folder(tmp_path):
    files = images(prefix="set/pictures/")
    for name, rows in (
        ("labels.csv", table(",")),
        ("set/labels.csv", table(",", name="pictures/{}.png")),
        ("set/x/labels.csv", table(",", name="set/pictures/{}")),
    ):
        for windows in (False, True):
            path = packed(tmp_path, {**files, name: rows}, windows)
            assert texts(path) == EXPECTED


# Names


def test_copies_are_named(tmp_path):
    names = ["AB.png", "AB (1).png", "AB - Copy.png", "AB copy.png", "AB (2).png"]
    names += ["Copy of AB.png", "AB (copy).png", "AB - Copy (2).png", "AB_copy.png"]
    path = folder(tmp_path, dict.fromkeys(names, png()))
    with pytest.warns(UserWarning, match="8 names look like those of copies") as said:
        data = ct.load_text_images(path, validation=0, test=0)
    assert data.train.targets == ["AB"] * 9
    assert "AB (1).png as 'AB'" in str(said[0].message)


def test_a_mark_is_no_mark_where_it_may_be_a_word(tmp_path):
    names = ["carbon copy.png", "f(1).png", "my_copy.png", "(3).png", "AB (2).png"]
    path = folder(tmp_path, {name: png(i) for i, name in enumerate(names)})
    expected = ["carbon copy", "f(1)", "my_copy", "(3)", "AB"]
    assert texts(path) == dict(enumerate(expected))
    path = folder(tmp_path / "b", {"AB.png": png(0), "AB (1).png": png(1)})
    with pytest.warns(UserWarning, match=r"1 names look.*AB \(1\).png as 'AB'"):
        assert texts(path) == {0: "AB", 1: "AB"}


def test_names_of_every_unicode_form(tmp_path):
    names = {"cafe\u0301.png": png(0), "na\u00efve.png": png(1)}
    path = folder(tmp_path, names)
    assert texts(path) == {0: "caf\u00e9", 1: "na\u00efve"}
    rows = "caf\u00e9.png,a\nnai\u0308ve,b\n"
    assert unicodedata.normalize("NFC", rows) != rows
    assert texts(folder(path, {"t.csv": rows})) == {0: "a", 1: "b"}


def test_names_that_cannot_be_decoded_are_refused_by_number(tmp_path):
    known = {name.encode(): content for name, content in images().items()}
    path = folder(tmp_path / "a", {**known, b"caf\xe9.png": png(77)})
    words = r"no UTF-8.*1 of 11, in sorted order number 11 \('caf\\xe9.png'\)"
    for load in (
        ct.load_text_images,
        lambda path: ct.load_image_folder(path, (4, 4)),
    ):
        with pytest.raises(ValueError, match=words) as error:
            load(path)
        str(error.value).encode()  # so that it can be printed


@pytest.mark.parametrize("says_utf8", [True, False])
def test_such_names_in_a_zip(tmp_path, says_utf8):
    path = packed(tmp_path, {**images(3), "\u00e9.png": png(77), "z.png": png(78)})
    content = path.read_bytes().replace("\u00e9".encode(), b"\xc3x")
    if not says_utf8:
        for start, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            at = content.index(b"\xc3x.png")
            at = (
                content.rindex(start, 0, at)
                if start == b"PK\x03\x04"
                else (content.rindex(start, 0, content.rindex(b"\xc3x.png")))
            )
            assert struct.unpack_from("<H", content, at + place)[0] == 0x800
            content = content[: at + place] + b"\0\0" + content[at + place + 2 :]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"words.zip has names.*number \d.*xc3x.png"):
        ct.load_text_images(path)


def test_a_namer_prefers_what_is_written():
    names = ["a/0.png", "b/0.png", "b/1.2.png", "1.png", "0.txt"]
    namer = Namer(names, names[:4])
    found = [namer.find(e) for e in ("a/0.png", "x/b/0.png", "0", "1", "1.2", "0.txt")]
    assert found == ["a/0.png", "b/0.png", None, "1.png", "b/1.2.png", "0.txt"]
    assert namer.find("0", folder="b") is None  # two are called so, none in b/0
    assert namer.find("0.png", folder="b") == "b/0.png"
    assert namer.find("") is namer.find(" ") is None


@pytest.mark.parametrize(
    "row, text",
    [
        ('0.png\t"a" b', '"a" b'),
        ('0.png "a" b', '"a" b'),
        ('0.png "a b"', "a b"),
        ('0.png,"a"" b"', 'a" b'),
        ('"0.png" a, b; c', "a, b; c"),
        ("0.png\ta, b; c", "a, b; c"),
        ("0.png,a;b c", "a;b c"),
        ("0.png;a b", "a b"),
    ],
)
def test_separators_and_quotes_inside_of_a_text(row, text):
    namer = Namer(["0.png"], ["0.png"])
    assert open_table(row + "\n", "t.txt", namer).read().texts == {"0.png": text}


def test_texts_without_images_are_counted(tmp_path):
    """A table of 5,000 rows, beside 3 images: the others are missing, and counted."""
    rows = "".join(f"{i}.png,{i}\n" for i in range(5000))
    path = folder(tmp_path, {**images(3), "labels.csv": rows})
    with pytest.raises(ValueError, match="4997 of 5000 texts in labels.csv have no im"):
        texts(path, "labels.csv")
