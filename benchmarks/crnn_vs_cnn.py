"""Five seeds for the chapter "How far can a CNN see?".

    python benchmarks/crnn_vs_cnn.py

Two digits at growing gaps, and single digits. Writes ``results/crnn_vs_cnn.json``:
"pairs" and "stills", each what ``ct.run_seeds`` returns.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from common import compare, enlarge, finish
from sklearn.svm import SVC

import crnn_tutorial as ct

GAPS = (0, 2, 4, 8, 12, 16)
RECIPE = {"batch_size": 32, "learning_rate": 3e-3}


def load_pairs():
    """Return the training pictures of all gaps together, and the test of each gap."""
    sizes = {"size": (8, 72), "sizes": (200, 50, 400)}
    by_gap = {
        gap: enlarge(ct.load_digit_pairs, distance=8 + gap, **sizes) for gap in GAPS
    }
    together = {
        part: ct.Split(
            np.concatenate([getattr(one, part).images for one in by_gap.values()]),
            np.concatenate([getattr(one, part).targets for one in by_gap.values()]),
        )
        for part in ("train", "validation")
    }
    farthest_first = sorted(GAPS, reverse=True)  # the first test is the main one
    tests = {str(gap): by_gap[gap].test for gap in farthest_first}
    return replace(by_gap[0], **together), tests


def pair_rivals():
    size = (8, 72, 1), 2
    rivals = ct.rivals(ct.build_crnn_model, *size, filters=(8, 16), units=32)
    rivals["keyhole CNN"] = partial(
        ct.build_cnn_model, *size, filters=(8, 16), whole_image=False
    )
    return rivals


def still_rivals():
    size = (8, 8, 1), 10
    rivals = ct.rivals(ct.build_crnn_model, *size, filters=(16,), units=32)
    rivals["CNN, equal work"] = partial(
        ct.build_cnn_model, *size, filters=(16,), units=42
    )
    rivals["SVM"] = SVC(gamma=0.256, C=10)
    return rivals


def main():
    pairs, tests = load_pairs()
    on_pairs = RECIPE | {"epochs": 6, "evaluate_on": tests}
    on_stills = RECIPE | {"epochs": 10}
    results = {
        "pairs": compare("pairs", pair_rivals(), pairs, "CRNN", **on_pairs),
        "stills": compare(
            "stills", still_rivals(), ct.load_digits(), "CRNN", **on_stills
        ),
    }
    finish("crnn_vs_cnn", results)


if __name__ == "__main__":
    main()
