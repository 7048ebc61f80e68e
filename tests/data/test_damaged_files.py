"""Files flipped, cut and zeroed at random: only a ValueError ever comes out."""

import contextlib
import io
import struct
import subprocess
import tracemalloc
import warnings
import zipfile
import zlib

import numpy as np
import pytest
import training_helpers as tiny
from PIL import Image

import crnn_tutorial as ct
from crnn_tutorial.data import files as opened
from crnn_tutorial.data import image_files
from crnn_tutorial.training.checkpoints import FILE

TIMES = 50
WAYS = ("flip", "cut", "zero")


def damaged(content, way, seed):
    """Flip a bit, cut the end off, or put up to 64 zeros somewhere."""
    rng = np.random.default_rng([seed, len(way)])
    spoilt, place = bytearray(content), int(rng.integers(len(content)))
    if way == "flip":
        spoilt[place] ^= 1 << int(rng.integers(8))
    elif way == "cut":
        del spoilt[place:]
    else:
        end = min(place + int(rng.integers(1, 64)), len(spoilt))
        spoilt[place:end] = bytes(end - place)
    return bytes(spoilt)


def try_all(content, path, load):
    """Load each damaged file; return how many were refused."""
    refused = 0
    for way in WAYS:
        for seed in range(TIMES):
            path.write_bytes(damaged(content, way, seed))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Pillow, on what is left
                try:
                    load(path)
                except ValueError as error:
                    refused += 1
                    assert str(error) and "Traceback" not in str(error)
    return refused


def npz_bytes(save=np.savez_compressed):
    images = np.random.default_rng(0).integers(0, 256, (12, 28, 28)).astype("uint8")
    labels = np.arange(12) % 10
    file = io.BytesIO()
    save(file, x_train=images, y_train=labels, x_test=images, y_test=labels)
    return file.getvalue()


def png_bytes(shade=None, ending="PNG"):
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype("uint8")
    picture = Image.fromarray(pixels) if shade is None else Image.new("L", (30, 20))
    if shade is not None:
        picture.putpixel((0, 0), shade)
    picture.save(file, ending)
    return file.getvalue()


def zip_bytes(method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for i in range(12):
            archive.writestr(f"{'ab'[i % 2]}/{i}.png", png_bytes(i))
        table = "".join(f"{'ab'[i % 2]}/{i}.png;text {i}\n" for i in range(12))
        archive.writestr("labels.csv", table)
    return file.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    refused = try_all(npz_bytes(save), tmp_path / "mnist.npz", ct.load_mnist)
    assert refused > TIMES


@pytest.mark.parametrize("ending", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_pictures(tmp_path, ending):
    content = png_bytes(ending=ending)
    assert try_all(content, tmp_path / "picture.bin", ct.load_image) > TIMES / 2


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zips(tmp_path, method, capsys):
    for load in (
        ct.load_text_images,
        lambda path: ct.load_image_folder(path, (4, 4)),
    ):
        assert try_all(zip_bytes(method), tmp_path / "words.zip", load) > TIMES


def test_keras_files(tmp_path):
    model = tiny.make_model()
    model.save(tmp_path / "whole.keras")
    content = (tmp_path / "whole.keras").read_bytes()
    refused = try_all(content, tmp_path / "model.keras", ct.load_model)
    assert refused > 2 * TIMES


def test_checkpoints(tmp_path):
    from crnn_tutorial.training.checkpoints import Checkpoint

    model = tiny.make_model()
    Checkpoint(tmp_path, model, {"epochs": 3}).save()
    content = (tmp_path / FILE).read_bytes()
    before = [v.numpy() for v in model.variables]

    def load(path):
        Checkpoint(path.parent, model, {"epochs": 3})

    assert try_all(content, tmp_path / FILE, load) > TIMES
    for variable, array in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), array)


@pytest.mark.parametrize(
    "load", [ct.load_mnist, ct.load_image, ct.load_model, ct.load_text_images]
)
def test_an_absent_file_is_no_damaged_one(tmp_path, load):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.bin"):
        load(tmp_path / "nowhere.bin")


def test_objects_in_an_npz_are_not_unpickled(tmp_path):
    arrays = dict.fromkeys(("y_train", "x_test", "y_test"), np.zeros(3))
    objects = np.array([print, 1], dtype=object)
    np.savez(tmp_path / "a.npz", x_train=objects, **arrays)
    with pytest.raises(ValueError, match="no readable npz file.*Object arrays"):
        ct.load_mnist(tmp_path / "a.npz")


# Zips that lie


def lying_zip(path, real, said, name=b"big.png", method=8):
    """Write a zip whose one entry unpacks to `real` zeros and says `said` bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(real >> 20))
    packed += packer.flush()
    fields = (20, 0, method, 0, 0, 1234, len(packed), said, len(name))
    local = b"PK\x03\x04" + struct.pack("<5H3L2H", *fields, 0) + name
    entry = b"PK\x01\x02" + struct.pack("<6H3L5H2L", 20, *fields, *(0,) * 6)
    end = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry + name), len(local + packed), 0
    )
    path.write_bytes(local + packed + entry + name + end)
    return path


def most_memory(call, words):
    """Refuse a call with these words; return how many MiB Python took for it."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=words):
            call()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("load", [ct.load_text_images, opened.check_zip])
def test_a_zip_that_lies_about_sizes_takes_no_memory(tmp_path, load):
    path = lying_zip(tmp_path / "bomb.zip", 2**28, said=100)
    assert path.stat().st_size < 300_000
    assert most_memory(lambda: load(path), r"big\.png.*Bad CRC") < 5


def test_no_more_is_read_than_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(opened, "MAX_FILE", 2**21)
    path = lying_zip(tmp_path / "bomb.zip", 2**26, said=2**21)
    monkeypatch.setattr(opened, "_PIECE", 2**16)
    with opened.open_files(path) as files:
        honest = files["big.png"]
        read = []

        class Counting(io.RawIOBase):
            def __init__(self):
                self.file = zipfile.ZipFile(path).open("big.png")
                self.file._left = 2**30  # as if nobody looked at what the zip says

            def read(self, size=-1):
                read.append(size)
                return self.file.read(size)

        files["big.png"] = honest._replace(open=lambda: contextlib.closing(Counting()))
        with pytest.raises(ValueError, match="at most 2 MiB"):
            opened.read_file(files, "big.png")
    assert sum(read) <= 2**21 + 1 and min(read) >= 0


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_limit_are_refused(tmp_path, method):
    path = tmp_path / "words.zip"
    path.write_bytes(zip_bytes(method))
    with pytest.raises(ValueError, match="packed by a rare method; zip it with"):
        ct.load_image_folder(path, (4, 4))
    with pytest.raises(ValueError, match="packed by a rare method"):
        ct.load_text_images(path, r".+")


# Formats and sizes of pictures


@pytest.mark.parametrize("content", [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"%!PS\n"])
def test_postscript_starts_no_other_program(tmp_path, content, monkeypatch):
    box = b"%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
    path = tmp_path / "x.png"
    path.write_bytes(content + box)

    def never(*args, **kwargs):
        raise AssertionError("another program was started")

    monkeypatch.setattr(subprocess, "Popen", never)
    for load in (ct.load_image, lambda p: ct.resize_image(p, (4, 4))):
        with pytest.raises(ValueError, match="of a format that is not read"):
            load(path)
    zipped = tmp_path / "words.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(path, "x.png")
    with pytest.raises(ValueError, match="of a format that is not read"):
        ct.load_text_images(zipped, r".+")


def test_every_other_format_of_pillow_is_refused(tmp_path):
    for ending in ("ico", "pcx", "tga", "eps", "icns"):
        path = tmp_path / f"a.{ending}"
        Image.new("RGB", (16, 16)).save(path)
        with pytest.raises(ValueError, match="of a format that is not read"):
            ct.load_image(path)


def test_what_would_be_held_is_limited(tmp_path):
    """6 kB of 50 megapixels took 959 MB; now it is said what they would take."""
    path = tmp_path / "large.png"
    Image.new("1", (10_000, 5_000)).save(path)
    assert path.stat().st_size < 10_000
    words = "5000 pixels high and 10000 wide with 3 channels would be held in 572 MiB"
    with pytest.raises(ValueError, match=f"{words}.*at most 256 MiB.*smaller size"):
        ct.load_image(path)
    with pytest.raises(
        ValueError, match="20000 pixels high and 20000 wide with 1 channels"
    ):
        ct.load_image(path, size=(20_000, 20_000), channels=1)
    assert most_memory(lambda: ct.load_image(path), "572 MiB") < 5
    assert ct.load_image(path, size=(64, 64)).shape == (64, 64, 3)


def test_a_large_photograph_is_decoded_smaller(tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 45, 3)).astype("uint8")
    photograph = Image.fromarray(pixels).resize((1800, 1200))
    path = tmp_path / "photograph.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    photograph.save(path, quality=95, exif=exif)
    whole = ct.load_image(path, size=(90, 60))
    monkeypatch.setattr(image_files, "_DRAFT_PIXELS", 10**6)
    monkeypatch.setattr(image_files, "MAX_PIXELS", 10**6)
    decoded = ct.load_image(path, size=(90, 60))
    assert decoded.shape == (90, 60, 3)
    assert 0 < abs(decoded - whole).max() < 0.05
    with pytest.raises(
        ValueError, match="1200 pixels high and 1800 wide.*of a JPEG, a small size"
    ):
        ct.load_image(path)
    photograph.save(tmp_path / "a.png")
    with pytest.raises(
        ValueError, match="1200 pixels high and 1800 wide, but at most 1 megapixel"
    ):
        ct.load_image(tmp_path / "a.png", size=(90, 60))
