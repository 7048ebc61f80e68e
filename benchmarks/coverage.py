"""How often a 95 % interval holds the truth, in worlds where the truth is known.

    python benchmarks/coverage.py    # about a minute on one core

Single scores: what is right of n images, summed exactly over the number of mistakes.
Differences: two rivals are simulated over seeds and images. Writes
``results/coverage.json``.
"""

import numpy as np
from scipy import stats

import crnn_tutorial as ct
from crnn_tutorial.judging.results import describe_run

SHARES = (0.90, 0.95, 0.99, 0.995)
SIZES = (100, 360, 1000)
SEEDS = (5, 10)
IMAGES, WORLDS = 360, 4000
FAILS, LOSS = 0.2, 0.25  # one training in five fails, by 25 points


def cover_single(share, images):
    """Sum how probable the numbers of mistakes are whose interval holds the truth."""
    chances = stats.binom.pmf(np.arange(images + 1), images, 1 - share)
    covered = {"Wilson": 0.0, "bootstrap": 0.0}
    for count in np.flatnonzero(chances > 1e-9):
        right = [0] * count + [1] * (images - count)
        found = {"Wilson": ct.interval(right), "bootstrap": ct.bootstrap(right)}
        for name, interval in found.items():
            covered[name] += chances[count] * (interval.low <= share <= interval.high)
    return {name: round(float(total), 4) for name, total in covered.items()}


def agree(rng, seeds):
    """All trainings of a rival are equally good."""
    return np.zeros((2, seeds, 1))


def differ(rng, seeds):
    """Each training is better or worse by some 1.5 points."""
    return rng.normal(0, 0.015, (2, seeds, 1))


def fail(rng, seeds):
    """One training in five of ours fails; the control's never do."""
    luck = np.zeros((2, seeds, 1))
    luck[0] = -LOSS * (rng.random((seeds, 1)) < FAILS)
    return luck


WORLD = {  # what the seeds do -> how, and the true difference
    "agree": (agree, 0.0),
    "differ": (differ, 0.0),
    "fall into two groups": (fail, -FAILS * LOSS),
}


def cover_differences(luck, truth, seeds):
    """Judge two rivals in many worlds; some images are easier for one, some for all."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(WORLDS):
        easy = rng.uniform(0.8, 0.95, IMAGES) + rng.uniform(-0.05, 0.05, (2, 1, IMAGES))
        chances = easy + luck(rng, seeds)
        ours, control = rng.random(chances.shape) < chances
        found.append(ct.judge(ours, control))
    held = np.mean([one.low <= truth <= one.high for one in found])
    widths = [(one.high - one.low) / 2 for one in found]
    return {
        "coverage": round(float(held), 4),
        "half_width": round(float(np.median(widths)), 4),
    }


def main():
    single = [
        {"share": share, "images": images, **cover_single(share, images)}
        for share in SHARES
        for images in SIZES
    ]
    differences = [
        {"seeds_that": name, "seeds": seeds, **cover_differences(*world, seeds)}
        for name, world in WORLD.items()
        for seeds in SEEDS
    ]
    settings = {"confidence": 0.95, "worlds": WORLDS, "images": IMAGES}
    results = {"settings": settings, "single": single, "differences": differences}
    ct.save_results("coverage", describe_run() | results)
    for row in single + differences:
        print(row)


if __name__ == "__main__":
    main()
