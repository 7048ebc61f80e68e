"""Boxes from PASCAL VOC files: scaled with their images, and refused with a name."""

import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import crnn_tutorial as ct

DATA = Path(
    os.environ.get(
        "CRNN_TUTORIAL_DATA", Path(__file__).resolve().parents[3] / "shared/data"
    )
)
BCCD = DATA / "bccd"


def note(*things, filename=None):
    """An annotation; each thing is a name and xmin, ymin, xmax, ymax."""
    objects = "".join(
        f"<object><name>{name}</name><pose>Unspecified</pose><bndbox>"
        + "".join(
            f"<{side}>{value}</{side}>"
            for side, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
        )
        + "</bndbox></object>"
        for name, *box in things
    )
    called = f"<filename>{filename}</filename>" if filename else ""
    return f"<annotation>{called}<size><width>9</width></size>{objects}</annotation>"


def write(folder, count=6, size=(40, 30), things=(("cell", 4, 2, 20, 12),)):
    """Write different images of one size, (width, height), and their XML files."""
    for i in range(count):
        Image.new("L", size, 20 * i).save(folder / f"{i}.png")
        (folder / f"{i}.xml").write_text(note(*things, filename=f"{i}.png"))
    return folder


def load(folder, **options):
    return ct.load_voc(folder, **{"validation": 0, "test": 0} | options)


def refuses(*parts):
    return pytest.raises(ValueError, match="(?s)" + ".*".join(map(re.escape, parts)))


class TestBoxes:
    def test_rows_are_y0_x0_y1_x1_and_the_class(self, tmp_path):
        write(tmp_path, things=[("b", 4, 2, 20, 12), ("a", 0, 0, 40, 30)])
        cells = load(tmp_path)
        assert cells.class_names == ("a", "b")
        assert cells.train.images.shape == (6, 30, 40, 3)
        assert cells.train.targets.dtype == np.float32
        assert cells.train.targets[0].tolist() == [
            [2, 4, 12, 20, 1],
            [0, 0, 30, 40, 0],
        ]

    def test_they_are_resized_with_their_image(self, tmp_path):
        """A white box on black is white in the box that comes back."""
        image = Image.new("L", (40, 30))
        image.paste(255, (4, 10, 20, 20))
        for i in range(2):
            image.save(tmp_path / f"{i}.png")
            (tmp_path / f"{i}.xml").write_text(note(("cell", 4, 10, 20, 20)))
        cells = load(tmp_path, size=(90, 80), channels=1).train
        y0, x0, y1, x1, _ = cells.targets[0, 0].astype(int).tolist()
        assert (y0, x0, y1, x1) == (30, 8, 60, 40)
        picture = cells.images[0, :, :, 0]
        assert picture[y0 + 3 : y1 - 3, x0 + 3 : x1 - 3].min() > 0.9
        picture[y0 - 3 : y1 + 3, x0 - 3 : x1 + 3] = 0
        assert picture.max() < 0.1

    def test_parts_of_pixels(self, tmp_path):
        write(tmp_path, 2, things=[("cell", 4.5, 2.25, "20.0", " 12 ")])
        assert load(tmp_path).train.targets[0, 0].tolist() == [2.25, 4.5, 12, 20, 0]

    def test_an_image_without_an_object_has_no_box(self, tmp_path):
        write(tmp_path, 3)
        (tmp_path / "1.xml").write_text(note())
        boxes = load(tmp_path).train.targets
        assert sorted((boxes[..., 4] >= 0).sum(axis=1)) == [0, 1, 1]
        assert (boxes[boxes[..., 4] < 0] == -1).all()

    def test_the_box_of_a_part_is_not_that_of_the_whole(self, tmp_path):
        write(tmp_path, 2)
        for file in tmp_path.glob("*.xml"):
            part = "<part><name>hand</name><bndbox><xmin>5</xmin></bndbox></part>"
            file.write_text(file.read_text().replace("</object>", f"{part}</object>"))
        cells = load(tmp_path)
        assert cells.class_names == ("cell",)
        assert cells.train.targets.shape == (2, 1, 5)

    def test_a_detector_takes_them(self, tmp_path):
        cells = load(write(tmp_path), test=0.3)
        model = ct.build_detector(cells, filters=(2, 3), units=2)
        ct.train_crnn_model(model, cells.train, None, 2, 1, verbose=0)
        assert 0 <= ct.evaluate(model, cells.test).score <= 1


class TestFiles:
    def test_images_in_another_folder_and_names_of_another_system(self, tmp_path):
        (tmp_path / "JPEGImages").mkdir()
        (tmp_path / "Annotations").mkdir()
        names = ["one", "C:\\pictures\\two.jpg", "/home/me/three.jpg"]
        for stem, name in zip(("one", "two", "three"), names, strict=True):
            Image.new("RGB", (20, 20), stem_colour(stem)).save(
                tmp_path / "JPEGImages" / f"{stem}.jpg"
            )
            (tmp_path / "Annotations" / f"x{stem}.xml").write_text(
                note(("a", 1, 1, 5, 5), filename=name)
            )
        assert len(load(tmp_path).train) == 3

    def test_of_two_images_of_one_name_that_beside_the_file_is_meant(self, tmp_path):
        for part in ("left", "right"):
            (tmp_path / part).mkdir()
            write(tmp_path / part, 2)
        assert len(load(tmp_path).train) == 4

    def test_a_zip(self, tmp_path):
        (tmp_path / "cells").mkdir()
        write(tmp_path / "cells")
        with zipfile.ZipFile(tmp_path / "cells.zip", "w") as archive:
            for file in sorted((tmp_path / "cells").iterdir()):
                archive.write(file, f"cells/{file.name}")
        one, other = load(tmp_path / "cells"), load(tmp_path / "cells.zip")
        assert np.array_equal(one.train.images, other.train.images)
        assert np.array_equal(one.train.targets, other.train.targets)

    def test_an_image_without_an_xml_file_is_left_out_with_a_warning(self, tmp_path):
        write(tmp_path, 3)
        Image.new("L", (9, 9)).save(tmp_path / "alone.png")
        with pytest.warns(UserWarning, match="Left out 1 images.*alone.png"):
            assert len(load(tmp_path).train) == 3


def stem_colour(stem):
    return (len(stem) * 20, ord(stem[0]), 90)


class TestSplits:
    def test_the_seed_decides_and_nothing_is_in_two(self, tmp_path):
        write(tmp_path, 12)
        one, same, other = (ct.load_voc(tmp_path, seed=seed) for seed in (1, 1, 2))
        assert [len(s) for s in (one.train, one.validation, one.test)] == [8, 2, 2]

        def greys(data):
            parts = data.train, data.validation, data.test
            return [
                part.images.mean(axis=(1, 2, 3)).round(3).tolist() for part in parts
            ]

        assert greys(one) == greys(same) != greys(other)
        assert len(set(sum(greys(one), []))) == 12

    def test_copies_stay_together(self, tmp_path):
        write(tmp_path, 8)
        for i in range(4):  # the same four pictures twice
            Image.new("L", (40, 30), 20 * i).save(tmp_path / f"{i + 4}.png")
        for seed in range(5):
            data = ct.load_voc(tmp_path, validation=0.25, test=0.25, seed=seed)
            found = [
                {round(float(grey), 3) for grey in part.images.mean(axis=(1, 2, 3))}
                for part in (data.train, data.validation, data.test)
            ]
            assert sum(map(len, found)) == len(set.union(*found)) == 4

    def test_too_few_for_a_split(self, tmp_path):
        with refuses("The validation split would be empty"):
            ct.load_voc(write(tmp_path, 2))
        with refuses("shares from 0 to less than 1"):
            ct.load_voc(tmp_path, test=1.0)


class TestBad:
    @pytest.mark.parametrize(
        ("box", "message"),
        [
            ((4, 2, 4, 12), "xmin=4, ymax=12, xmax=4 has no area"),
            ((4, 12, 20, 2), "has no area"),
            ((-1, 2, 20, 12), "reaches beyond its image of 30 x 40 pixels"),
            ((4, 2, 41, 12), "reaches beyond its image"),
            ((4, 2, 20, 31), "reaches beyond its image"),
            ((4, 2, "nan", 12), "has no area"),
        ],
    )
    def test_boxes_are_named_or_left_out(self, box, message, tmp_path):
        write(tmp_path, 3)
        (tmp_path / "1.xml").write_text(note(("cell", *box), ("cell", 1, 1, 2, 2)))
        with refuses("1 boxes are wrong: 1.xml: cell at", message, "skip_bad_boxes"):
            load(tmp_path)
        with pytest.warns(UserWarning, match="Went on without 1 boxes: 1.xml: cell"):
            cells = load(tmp_path, skip_bad_boxes=True)
        assert cells.train.targets.shape == (3, 1, 5)

    def test_no_image_and_two_images(self, tmp_path):
        write(tmp_path, 3)
        (tmp_path / "1.png").unlink()
        with refuses("1.xml has no image. Expected one with the name '1.png'"):
            load(tmp_path)
        for part in ("left", "right"):
            (tmp_path / part).mkdir()
            Image.new("L", (40, 30)).save(tmp_path / part / "1.png")
        with refuses("1.xml has 2 images: left/1.png; right/1.png"):
            load(tmp_path)

    @pytest.mark.parametrize(
        "text",
        [
            "<annotation><object><name>a</name></object></annotation>",
            note(("", 1, 1, 5, 5)),
            note(("a", "left", 1, 5, 5)),
            note(("a", 1, 1, 5, 5)).replace("<xmax>5</xmax>", ""),
        ],
    )
    def test_an_object_without_a_name_or_a_box(self, text, tmp_path):
        write(tmp_path, 2)
        (tmp_path / "1.xml").write_text(text)
        with refuses("1.xml has an object without a name or a box", "<bndbox>"):
            load(tmp_path)

    @pytest.mark.parametrize("text", ["", "shopping list", "<annotation><object>"])
    def test_a_damaged_file(self, text, tmp_path):
        write(tmp_path, 2)
        (tmp_path / "1.xml").write_text(text)
        with refuses("1.xml is no XML file, or a damaged one"):
            load(tmp_path)

    def test_a_damaged_image(self, tmp_path):
        write(tmp_path, 2)
        (tmp_path / "1.png").write_text("no picture")
        with refuses("1.png"):
            load(tmp_path)

    def test_several_sizes_need_one(self, tmp_path):
        write(tmp_path, 2)
        Image.new("L", (50, 60)).save(tmp_path / "1.png")
        with refuses("several sizes, such as (30, 40) and (60, 50)", "Pass size"):
            load(tmp_path)
        assert load(tmp_path, size=(20, 20)).train.images.shape == (2, 20, 20, 3)

    def test_nothing_to_load(self, tmp_path):
        with refuses("There is no XML file in"):
            load(tmp_path)
        write(tmp_path, 2, things=())
        with refuses("There is no box in any XML file"):
            load(tmp_path)
        with pytest.raises(FileNotFoundError):
            load(tmp_path / "nowhere")

    def test_bad_arguments(self, tmp_path):
        write(tmp_path, 2)
        with refuses("size is (height, width)"):
            load(tmp_path, size=20)
        with refuses("channels is 3 (colour) or 1 (grey), but got 4"):
            load(tmp_path, channels=4)


@pytest.mark.skipif(not BCCD.is_dir(), reason="the blood cells are not here")
def test_real_blood_cells():
    with refuses("2 boxes are wrong", "BloodImage_00338.xml: RBC", "has no area"):
        ct.load_voc(BCCD, size=(60, 80))
    with pytest.warns(UserWarning, match="Went on without 2 boxes"):
        cells = ct.load_voc(BCCD, size=(60, 80), skip_bad_boxes=True)
    assert cells.class_names == ("Platelets", "RBC", "WBC")
    sizes = [len(s) for s in (cells.train, cells.validation, cells.test)]
    assert sizes == [254, 55, 55]
    counts = np.zeros(3, int)
    for split in (cells.train, cells.validation, cells.test):
        real = split.targets[split.targets[..., 4] >= 0]
        counts += np.bincount(real[:, 4].astype(int), minlength=3)
        assert (real[:, :4] >= 0).all()
        assert (real[:, 2:4] <= (60, 80)).all()
    assert counts.tolist() == [361, 4153, 372]
