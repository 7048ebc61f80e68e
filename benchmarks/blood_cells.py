"""Five seeds on real photographs: boxes around blood cells.

    python benchmarks/blood_cells.py

Needs the folder ``bccd`` in the one that ``CRNN_TUTORIAL_DATA`` names (by default
``../shared/data`` beside the repository): 364 photographs through a microscope with
4,888 boxes, MIT licence (github.com/Shenggan/BCCD_Dataset), with the split that comes
with them. Writes ``results/blood_cells.json``: "cells", what ``ct.run_seeds`` returns.
"""

import os
import tempfile
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from common import ROOT, compare, definitions, finish
from detection import PAGE, Classic

import crnn_tutorial as ct
from crnn_tutorial.judging.draws import draw_training

BESIDE = ROOT.parent / "shared/data"
SIZE = (96, 128)  # a fifth of the photographs: a platelet has 8 pixels
RECIPE = {"batch_size": 8, "epochs": 5, "learning_rate": 1e-2}


def load_cells():
    """Return the cells with the split that comes with them."""
    folder = Path(os.environ.get("CRNN_TUTORIAL_DATA", BESIDE)) / "bccd/BCCD"
    loaded = [load_part(folder, part) for part in ("train", "val", "test")]
    most = max(one.train.targets.shape[1] for one in loaded)
    splits = [
        ct.Split(one.train.images, pad(one.train.targets, most)) for one in loaded
    ]
    return ct.Dataset(*splits, loaded[0].class_names, "BCCD Dataset", "MIT")


def pad(boxes, most):
    """Give all images rows for the same number of boxes; -1 is none."""
    more = (0, 0), (0, most - boxes.shape[1]), (0, 0)
    return np.pad(boxes, more, constant_values=-1)


def load_part(folder, part):
    names = (folder / f"ImageSets/Main/{part}.txt").read_text().split()
    with tempfile.TemporaryDirectory() as here, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two boxes have no area
        for name in names:
            for file in (f"JPEGImages/{name}.jpg", f"Annotations/{name}.xml"):
                (Path(here) / Path(file).name).symlink_to((folder / file).resolve())
        options = {"validation": 0, "test": 0, "skip_bad_boxes": True}
        return ct.load_voc(here, SIZE, **options)


def mirror(images, rng, boxes):
    """Mirror half of the images left to right, and half of them upside down."""
    images, boxes = images.copy(), boxes.copy()
    for axis in (1, 2):
        size = images.shape[axis]
        turned = rng.random(len(images)) < 0.5
        images[turned] = np.flip(images[turned], axis)
        real = turned[:, None] & (boxes[..., 4] >= 0)
        low, high = axis - 1, axis + 1
        boxes[real, low], boxes[real, high] = (
            size - boxes[real, high],
            size - boxes[real, low],
        )
    return images, boxes


def darkness(split):
    """Return how much green is missing: cells are darker than what is around them."""
    return ct.Split(1 - split.images[..., 1:2], split.targets)


def main():
    page, cells = definitions(PAGE), load_cells()
    shape = cells.input_shape, len(cells.class_names)
    rivals = ct.rivals(ct.build_detector, *shape, **page["small"])
    draw_cells = partial(draw_training, cells)
    tests = {"all": cells.test}
    found = compare(
        "cells",
        rivals,
        draw_cells,
        "CRNN",
        **RECIPE,
        augment=mirror,
        evaluate_on=tests,
    )
    classic = Classic(page, darkness)
    classic.train(draw_cells)
    for length in filter(None, (found, found.get("longer"))):
        classic.join(length["tests"]["all"], cells.test, cells.class_names)
        del length["tests"]  # the only one
    finish("blood_cells", {"cells": found})


if __name__ == "__main__":
    main()
