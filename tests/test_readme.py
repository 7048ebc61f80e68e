"""The five lines of the README, run as they stand, on a folder of real photographs."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

import crnn_tutorial as ct

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_five_lines_train_on_a_folder_of_photographs(tmp_path, monkeypatch):
    photos = ct.load_photos(size=(32, 32), crops=40, seed=0).train
    for k in np.unique(photos.targets)[:2]:
        folder = tmp_path / "photos" / f"photograph {k}"
        folder.mkdir(parents=True)
        for i, crop in enumerate(photos.images[photos.targets == k]):
            Image.fromarray(np.uint8(crop * 255)).save(folder / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(
        r"^```python\n(.*?)^```", README.read_text("utf-8"), re.M | re.S
    )
    assert len([line for line in code.splitlines() if line]) == 6  # and the import
    names: dict = {}
    exec(code, names)
    score = ct.evaluate(names["model"], names["data"].train).score
    assert score > 0.8, "two photographs are easy to tell apart"
