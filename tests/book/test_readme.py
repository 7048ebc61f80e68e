"""The code of the README, run as it stands: on real photographs, on lines of text."""

import io
import re
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

import crnn_tutorial as ct

README = Path(__file__).resolve().parents[2] / "README.md"


def read_code():
    return re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.M | re.S)


def test_the_five_lines_train_on_a_folder_of_photographs(tmp_path, monkeypatch):
    photos = ct.load_photos(size=(32, 32), crops=40, seed=0).train
    for k in np.unique(photos.targets)[:2]:
        folder = tmp_path / "photos" / f"photograph {k}"
        folder.mkdir(parents=True)
        for i, crop in enumerate(photos.images[photos.targets == k]):
            Image.fromarray(np.uint8(crop * 255)).save(folder / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.uint8(crop * 255)).resize((90, 60)).save("one_new_photo.jpg")
    code, _ = read_code()
    assert len([line for line in code.splitlines() if line]) == 6  # and the import
    names: dict = {}
    exec(code, names)
    score = ct.evaluate(names["model"], names["data"].train).score
    assert score > 0.8, "two photographs are easy to tell apart"
    new = ct.predict(names["model"], "one_new_photo.jpg")
    assert new.answer in names["data"].class_names


def test_ten_lines_read_a_zip_of_words(tmp_path, monkeypatch):
    clear = {"backgrounds": ["plain"], "slant": 0, "blur": 0, "contrast": 0.9}
    texts = [str(k) for k in range(100, 1000, 7)]
    lines = ct.render_text_lines(texts, width=96, **clear)
    with zipfile.ZipFile(tmp_path / "captchas.zip", "w") as archive:
        for image, text in zip(lines.images, texts, strict=True):
            real = image[:, image[0, :, 0] >= 0, 0]
            file = io.BytesIO()
            Image.fromarray(np.uint8(real * 255)).save(file, "PNG")
            archive.writestr(f"{text}.png", file.getvalue())
    monkeypatch.chdir(tmp_path)
    _, code = read_code()
    assert len([line for line in code.splitlines() if line]) == 10  # and the import
    Image.fromarray(np.uint8(lines.images[0, :, :40, 0] * 255)).save("one_new_file.png")
    names: dict = {}
    exec(code, names)
    model, train = names["model"], names["train"]
    assert names["report"].exact_match > 0.5
    assert ct.exact_match(train.targets, ct.read_text(model, train.images)) > 0.5
    assert ct.load_model("reader.keras").count_params() == model.count_params()
