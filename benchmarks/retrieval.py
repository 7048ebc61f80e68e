"""Five seeds for the chapter "Find me more of these".

    python benchmarks/retrieval.py

Writes ``results/retrieval.json``. "aligned", "swapped" and "shifted": embedders that
have learnt five of the ten digits, tested on the other five ("new") and on new images
of their own ("known"), beside methods that learn nothing. "variety": the same CRNN,
which has learnt as many images of 5 to 160 invented characters, tested on 20 others.
"""

from dataclasses import replace

import numpy as np
from common import FEW, QUICK, compare, definitions, draw_digits, finish

import crnn_tutorial as ct

PAGE = definitions("faq/retrieval")
UNTRAINED = {
    "raw pixels": PAGE["raw_pixels"],
    "HOG": PAGE["gradients"],
    "pixels, best shift": PAGE["best_shift"],
}
MOST = PAGE["variety"][-1]  # invented characters


def few(split):
    """Where the script is only tried: a few images, none alone in its class."""
    return split[np.argsort(split.targets, kind="stable")][:FEW] if QUICK else split


def draw(seed, classes):
    """Draw the images of some classes; the test is the same for all seeds."""
    digits = draw_digits(PAGE, seed)
    parts = ("train", "validation", "test")
    kept = {part: PAGE["only"](getattr(digits, part), classes) for part in parts}
    return replace(digits, **kept | {"validation": few(kept["validation"])})


def shift(data):
    """Give room to training images, which an augmentation will move; move the rest."""
    return replace(
        data,
        train=PAGE["frame"](data.train),
        validation=PAGE["anywhere"](data.validation, 1),
        test=PAGE["anywhere"](data.test, 0),
    )


def invented(seed, test):
    """Make as many images of few characters and of many; nothing is chosen by them."""
    digits = ct.load_digits(seed=0)
    data = {
        f"CRNN, {classes} classes": replace(
            digits,
            train=PAGE["invent_for"](classes, (seed + 1, classes)),
            validation=test,
            test=test,
        )
        for classes in PAGE["variety"]
    }
    return data | {f"CNN, {MOST} classes": data[f"CRNN, {MOST} classes"]}


def shorten(packed):
    """Keep three decimals of what is not only right or wrong: the file stays small."""
    return packed if isinstance(packed, str) else np.round(packed, 3).tolist()


def judge_untrained(found, tests):
    """Add the methods that learn nothing, and judge ours against each."""
    for length in filter(None, (found, found.get("longer"))):
        ours = length.get("ours", found["ours"])
        for name, split in tests.items():
            told = length["tests"][name]
            for method, score in UNTRAINED.items():
                scores = np.asarray(score(split), float)
                one = {"scores": [scores.mean()], "mean": scores.mean()}
                told["rivals"][method] = {**one, "packed": [scores.tolist()]}
                claim = f"{ours} is better than {method}"
                judged = ct.judge(ct.stored_scores(told, ours), scores, claim)
                told["judgements"][method] = judged.as_dict()
            for rival in told["rivals"].values():
                rival["packed"] = [shorten(one) for one in rival["packed"]]


def main():
    known, new, recipe = PAGE["known"], PAGE["new"], PAGE["recipe"]
    everything, only, anywhere = (PAGE[k] for k in ("everything", "only", "anywhere"))
    tests = PAGE["tests"]
    swapped = {
        "new": only(everything, known)[:300],
        "known": only(PAGE["digits"].test, new),
    }
    shifted = {name: anywhere(split, 0) for name, split in tests.items()}
    characters = {
        "characters": PAGE["strangers"],
        "digits": PAGE["digits"].test[:200],
    }
    sets = {
        "aligned": tests,
        "swapped": swapped,
        "shifted": shifted,
        "variety": characters,
    }
    sets = {
        name: {k: few(split) for k, split in of.items()} for name, of in sets.items()
    }
    aligned = ct.rivals(PAGE["build"])
    rate = {"learning_rate": 3e-3}
    results = {
        "aligned": compare(
            "aligned",
            aligned,
            lambda seed: draw(seed, known),
            "CRNN",
            evaluate_on=sets["aligned"],
            **recipe | rate,
        ),
        "swapped": compare(
            "swapped",
            {name: aligned[name] for name in ("CRNN", "CNN")},
            lambda seed: draw(seed, new),
            "CRNN",
            evaluate_on=sets["swapped"],
            **recipe | {"learning_rates": None},
        ),
        "shifted": compare(
            "shifted",
            ct.rivals(PAGE["build_for_shifts"]),
            lambda seed: shift(draw(seed, known)),
            "CRNN",
            evaluate_on=sets["shifted"],
            **recipe | rate | PAGE["shifts"],
        ),
        "variety": compare(
            "variety",
            {f"CRNN, {classes} classes": PAGE["build"] for classes in PAGE["variety"]}
            | {f"CNN, {MOST} classes": aligned["CNN"]},
            lambda seed: invented(seed, sets["variety"]["characters"]),
            f"CRNN, {MOST} classes",
            evaluate_on=sets["variety"],
            **recipe | {"learning_rates": None} | PAGE["for_variety"],
        ),
    }
    for name, of in sets.items():
        judge_untrained(results[name], of)
    finish("retrieval", results)


if __name__ == "__main__":
    main()
