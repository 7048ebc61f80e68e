"""Single digits of 8 x 8 pixels: CRNN, its controls and an SVM, five seeds, two splits.

    python benchmarks/digits.py

Writes ``results/digits.json``: for each split what ``ct.run_seeds`` returns.
"""

import functools
import itertools
from dataclasses import replace

import numpy as np
from common import compare, finish
from sklearn.svm import SVC

import crnn_tutorial as ct
from crnn_tutorial.judging.draws import draw_training

RECIPE = {
    "batch_size": 32,
    "epochs": 30,
    "learning_rate": 3e-3,
    "augment": functools.partial(ct.augment_shift, pixels=1),
}
SHAPE, CLASSES = (8, 8, 1), 10


def make_rivals():
    """Line up who competes, all networks with the same number of parameters."""
    rivals = ct.rivals(ct.build_crnn_model, SHAPE, CLASSES)
    lstm = ct.match_parameters(
        ct.build_lstm_model, rivals["CRNN"](), SHAPE, CLASSES
    ).builder
    return rivals | {"LSTM": lstm, "SVM": make_svm(), "SVM, shifts too": make_svm()}


def make_svm():
    """Return the strongest of a few settings *on the test images*: generous to it."""
    return SVC(gamma=0.256, C=10)  # scikit-learn's example has gamma 0.001 for 0 to 16


def make_views(split, seed):
    """Draw digits, and make for one SVM all that the networks are shown: each shift."""
    digits = draw_training(ct.load_digits(split=split), seed)
    names = [name for name in make_rivals() if name != "SVM, shifts too"]
    edges = [(0, 0), (1, 1), (1, 1), (0, 0)]
    around = np.pad(digits.train.images, edges)
    shifted = [
        around[:, down : down + 8, right : right + 8]
        for down, right in itertools.product(range(3), repeat=2)
    ]
    train = ct.Split(np.concatenate(shifted), np.tile(digits.train.targets, 9))
    return dict.fromkeys(names, digits) | {
        "SVM, shifts too": replace(digits, train=train)
    }


def svm_on_two_thirds(dataset):
    """Let the SVM learn from the validation images too: it has no use for them."""
    parts = (dataset.train, dataset.validation)
    images = np.concatenate([part.images for part in parts])
    targets = np.concatenate([part.targets for part in parts])
    svm = make_svm().fit(images.reshape(len(images), -1), targets)
    return ct.evaluate(svm, dataset.test).score


def main():
    results = {}
    for split in ("random", "index"):
        load = functools.partial(make_views, split)
        results[split] = compare(split, make_rivals(), load, "CRNN", **RECIPE)
        results[split]["settings"]["augment"] = "shift by 1 pixel"
        digits = ct.load_digits(split=split)
        results[split]["svm_with_validation_images"] = svm_on_two_thirds(digits)
    finish("digits", results)


if __name__ == "__main__":
    main()
