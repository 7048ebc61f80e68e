"""Five seeds for the chapter "How far can a CNN see?".

    python benchmarks/crnn_vs_cnn.py    # about five minutes on one core

Two digits at growing gaps, and single digits. Writes ``results/crnn_vs_cnn.json``:
"pairs" and "stills", each what ``ct.run_seeds`` returns.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from sklearn.svm import SVC

import crnn_tutorial as ct

SEEDS = range(5)
GAPS = (0, 2, 4, 8, 12, 16)
RECIPE = {"batch_size": 32, "learning_rate": 3e-3, "validation_data": None}


def load_pairs():
    """Return the training pictures of all gaps together, and the test of each gap."""
    by_gap = {
        gap: ct.load_digit_pairs(distance=8 + gap, size=(8, 72), sizes=(200, 50, 400))
        for gap in GAPS
    }
    train = ct.Split(
        np.concatenate([data.train.images for data in by_gap.values()]),
        np.concatenate([data.train.targets for data in by_gap.values()]),
    )
    farthest_first = sorted(GAPS, reverse=True)  # the first test is the main one
    tests = {str(gap): by_gap[gap].test for gap in farthest_first}
    return replace(by_gap[0], train=train), tests


def pair_rivals(_):
    size = (8, 72, 1), 2
    rivals = ct.rivals(ct.build_crnn_model, *size, filters=(8, 16), units=32)
    rivals["keyhole CNN"] = partial(
        ct.build_cnn_model, *size, filters=(8, 16), whole_image=False
    )
    return rivals


def still_rivals(_):
    size = (8, 8, 1), 10
    rivals = ct.rivals(ct.build_crnn_model, *size, filters=(16,), units=32)
    rivals["CNN, equal work"] = partial(
        ct.build_cnn_model, *size, filters=(16,), units=42
    )
    rivals["SVM"] = SVC(gamma=0.256, C=10)
    return rivals


def main():
    pairs, tests = load_pairs()
    results = {
        "pairs": ct.run_seeds(
            pair_rivals,
            lambda: pairs,
            SEEDS,
            "CRNN",
            epochs=6,
            evaluate_on=tests,
            **RECIPE,
        ),
        "stills": ct.run_seeds(
            still_rivals, ct.load_digits, SEEDS, "CRNN", epochs=10, **RECIPE
        ),
    }
    ct.save_results("crnn_vs_cnn", results)
    for name, run in results.items():
        for rival, judgement in run["judgements"].items():
            print(f"{name}, CRNN against {rival}: {judgement['sentence']}")


if __name__ == "__main__":
    main()
