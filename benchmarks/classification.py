"""Single digits of other writers, networks of four sizes, five seeds.

    python benchmarks/classification.py

For the page "Image classification: ten digits, a fair fight". The verdict was named
before the run. It comes from the largest size, that of `build_crnn_model`, with a
margin of 1 point: C51 from the CRNN against logistic regression, and whether the
recurrence helps from the CRNN against its order-blind twin. Writes
``results/classification.json``: size -> what ``ct.run_seeds`` returns.
"""

import functools
import itertools

import numpy as np
from common import compare, finish
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

import crnn_tutorial as ct

RECIPE = {
    "batch_size": 32,
    "epochs": 16,
    "learning_rate": 6e-3,  # few steps: the smallest networks need a high one
    "augment": functools.partial(ct.augment_shift, pixels=1),
}
SHAPE, CLASSES = (8, 8, 1), 10
SIZES = {  # filters and units of the CRNN; the others get as many parameters
    "smallest": (8, 8),
    "small": (8, 16),
    "medium": (16, 32),
    "largest": (32, 64),
}


class ShiftedSVM(SVC):
    """A support vector machine that learns from every shift by up to one pixel."""

    def fit(self, rows, targets):
        return super().fit(shift(rows), np.tile(targets, 9))


def shift(rows):
    """Move images of 8 x 8 pixels, given as rows, by up to one pixel: nine of each."""
    around = np.pad(rows.reshape(-1, 8, 8), [(0, 0), (1, 1), (1, 1)])
    moved = [
        around[:, down : down + 8, right : right + 8]
        for down, right in itertools.product(range(3), repeat=2)
    ]
    return np.concatenate(moved).reshape(-1, 64)


def make_classifiers():
    """Line up the classics; each chooses one of three settings, as the networks do."""
    classics = {
        "logistic regression": (LogisticRegression(max_iter=2000), {"C": [0.1, 1, 10]}),
        "SVM": (SVC(C=10), {"gamma": [0.03, 0.1, 0.3]}),
        "SVM, shifts too": (ShiftedSVM(C=10), {"gamma": [0.03, 0.1, 0.3]}),
    }
    return {
        name: GridSearchCV(model, settings, cv=3)
        for name, (model, settings) in classics.items()
    }


def main():
    digits = ct.load_digits(split="index")
    results = {}
    for size, (filters, units) in SIZES.items():
        widths = {"filters": (filters,), "units": units}
        rivals = ct.rivals(ct.build_crnn_model, SHAPE, CLASSES, **widths)
        if size == "largest":
            rivals |= make_classifiers()
        results[size] = compare(size, rivals, digits, "CRNN", **RECIPE)
        results[size]["settings"]["augment"] = "shift by 1 pixel"
    finish("classification", results)


if __name__ == "__main__":
    main()
