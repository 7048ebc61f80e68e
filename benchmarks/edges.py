"""Five seeds for the page "Boundary detection: thin lines".

    python benchmarks/edges.py

Outlines of digits over photographs, and of the same digits on plain grey. Writes
``results/edges.json``: "outlines", what ``ct.run_seeds`` returns, with Canny beside the
networks. Its tests: "photographs", "plain" and "coins" (crops of a photograph that has
no digits) at a tolerance of one pixel; "0 px", "2 px" and "3 px", the first at others.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from common import FEW, QUICK, beside, compare, definitions, finish

import crnn_tutorial as ct
from crnn_tutorial.tasks.edges import FindEdges

POOL = 9000  # scenes of which each seed draws its own
DRAWN = 3000


def load_pool(page):
    """Return the scenes to draw from, in few bytes, and the tests by name."""
    scenes = page["load_scenes"]((POOL, 200, 200))
    parts = {name: getattr(scenes, name) for name in ("train", "validation", "test")}
    pool = replace(scenes, **{name: lines(part) for name, part in parts.items()})
    tests = {
        "photographs": pool.test,
        "plain": lines(page["on_plain"](scenes.test)),
        "coins": cut_coins(*page["load_coins"]()),
    }
    return pool, tests, lines(page["on_plain"](scenes.validation))


def cut_coins(photograph, truth):
    """Cut the photograph of coins, and its outlines, into 12 crops of 48 x 48."""
    both = np.stack([photograph, truth])[:, :144, :192].reshape(2, 3, 48, 4, 48)
    images, edges = both.swapaxes(2, 3).reshape(2, 12, 48, 48)
    return ct.Split(images[..., None].astype("float32"), edges.astype("uint8"))


def lines(split):
    return ct.Split(split.images, split.targets["edges"].astype("uint8"))


def draw(pool, seed):
    """Draw the scenes that a seed trains on; digits and photographs stay apart."""
    chosen = np.random.default_rng(seed).permutation(len(pool.train))[:DRAWN]
    return replace(pool, train=pool.train[chosen])


# ------------------------------------------------------------ several tolerances


def at(tolerance, split):
    """Name a tolerance by the targets: they are 1, 2, 3, or 4 for a tolerance of 0."""
    return ct.Split(split.images, split.targets * np.uint8(tolerance or 4))


def per_image(head, targets, outputs):
    """Score with the tolerance that `at` has named, to four places."""
    tolerance = int(targets.max()) % 4
    return ct.edge_f_score(targets, head.decode(outputs), tolerance).round(4)


# ------------------------------------------------------------ Canny


def find_canny(page, validation, tests):
    """Return test -> the scores of its images: "Canny", and "Canny, best of all".

    The settings of the first are chosen on validation scenes of the kind of the test,
    for the tolerance of the test; those of the second for each test image by itself.
    """
    found = {}
    for name, split in tests.items():
        tolerance = int(split.targets.max()) % 4
        known = validation[name].images, validation[name].targets
        chosen = page["choose_canny"](*known, tolerance)
        asked = split.images, split.targets
        every = [
            page["score_canny"](*asked, settings, tolerance)
            for settings in page["SETTINGS"]
        ]
        found[name] = {
            "Canny": every[page["SETTINGS"].index(chosen)],
            "Canny, best of all": np.max(every, axis=0),
        }
        print(f"Canny, {name}: {chosen}", flush=True)
    return found


# ------------------------------------------------------------ all together


def main():
    page = definitions("faq/edges")
    page["ct"] = ct  # a seed draws from a pool of our own
    pool, tests, plain = load_pool(page)
    tests |= {f"{k} px": at(k, pool.test) for k in (0, 2, 3)}
    validation = dict.fromkeys(tests, pool.validation) | {"plain": plain}
    FindEdges.per_image = per_image
    found = compare(
        "outlines",
        ct.rivals(ct.build_edge_detector, (48, 48, 1), **page["network"]),
        partial(draw, pool),
        "CRNN",
        evaluate_on=tests,
        **page["recipe"],
    )
    if QUICK:
        tests = {name: split[:FEW] for name, split in tests.items()}
        validation = {name: split[:FEW] for name, split in validation.items()}
    scores = find_canny(page, validation, tests)
    for part in filter(None, (found, found.get("longer"))):
        beside(part, scores)
    finish("edges", {"outlines": found})


if __name__ == "__main__":
    main()
