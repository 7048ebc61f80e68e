"""Five seeds for the page "Several labels for one image".

    python benchmarks/multilabel.py

Scenes of digits: the CRNN with a sigmoid for each label against its usual rivals, and
against itself with one softmax, whose shares become labels by four rules. Writes
``results/multilabel.json``: "sets", what ``ct.run_seeds`` returns, and "softmax" in the
same form, each with three tests.
"""

import time
from dataclasses import replace

import keras
import numpy as np
from common import (
    FEW,
    LONGER,
    QUICK,
    RATES,
    SEEDS,
    SHORT,
    compare,
    definitions,
    each,
    finish,
)

import crnn_tutorial as ct
from crnn_tutorial.judging.draws import draw_training
from crnn_tutorial.judging.results import _pack, describe_run

OURS = "CRNN"
TRAIN, VALIDATION, EPOCHS = 4000, 1000, 4  # less than on the page: 40 trainings
PAGE = definitions("faq/multilabel")
TESTS = {name: split[:FEW] if QUICK else split for name, split in PAGE["tests"].items()}
RECIPE = PAGE["recipe"] | {"epochs": 1 if QUICK else EPOCHS}


def draw(seed):
    """Draw scenes to train on and to validate from the pool."""
    drawn = draw_training(PAGE["scenes"], seed)
    train, validation = (FEW, FEW) if QUICK else (TRAIN, VALIDATION)
    return replace(
        drawn, train=drawn.train[:train], validation=drawn.validation[:validation]
    )


# ------------------------------------------------------------ the softmax


def train_softmax(seed, rate, epochs):
    """Return what one softmax says of the images to validate, and of each test."""
    data = draw(seed)
    ct.set_seed(seed)
    model = PAGE["build_softmax"]()
    model.jit_compile = keras.backend.backend() != "tensorflow"  # as our builders do
    recipe = RECIPE | {"epochs": epochs, "learning_rate": rate}
    ct.train_crnn_model(model, data.train, seed=seed, verbose=0, **recipe)
    said = {name: predict(model, split) for name, split in TESTS.items()}
    return predict(model, data.validation), said


def predict(model, split):
    return model.predict(split.images, verbose=0)


def labels(split):
    return split.targets["labels"]


def choose_rate(epochs):
    """Return the best of three rates on validation images, and all scores."""
    rates = [float(f"{RECIPE['learning_rate'] * factor:.2g}") for factor in RATES]
    found = each(train_softmax, [(SEEDS[0], rate, epochs) for rate in rates])
    truth = labels(draw(SEEDS[0]).validation)
    scores = {}
    for rate, (shares, _) in zip(rates, found, strict=True):
        limit = PAGE["best_threshold"](shares, truth)
        scores[rate] = float(PAGE["exact"](shares > limit, truth).mean())
    return max(scores, key=scores.get), scores


def answer(seed, shares, said):
    """Return test -> rule -> right or wrong, and the thresholds."""
    truth = labels(draw(seed).validation)
    rules = PAGE["make_rules"](shares, truth)
    found = {
        name: {
            rule: PAGE["exact"](decide(said[name], labels(split)), labels(split))
            for rule, decide in rules.items()
        }
        for name, split in TESTS.items()
    }
    by_count = {}
    for k in range(1, 5):
        chosen = truth.sum(axis=1) == k
        by_count[k] = float(PAGE["best_threshold"](shares[chosen], truth[chosen]))
    everything = float(PAGE["best_threshold"](shares, truth))
    return found, by_count | {"all": everything}


def judge_softmax(sets, times=1):
    """Judge the CRNN against each rule, in the form of ``ct.run_seeds``."""
    epochs = times * RECIPE["epochs"]
    rate, tried = choose_rate(epochs)
    outputs = each(train_softmax, [(seed, rate, epochs) for seed in SEEDS])
    runs = [answer(seed, *one) for seed, one in zip(SEEDS, outputs, strict=True)]
    tests = {
        name: judge_test(split, sets["tests"][name], [found[name] for found, _ in runs])
        for name, split in TESTS.items()
    }
    said = {name: np.concatenate([one[name] for _, one in outputs]) for name in TESTS}
    truth = {
        name: np.tile(labels(split), (len(SEEDS), 1)) for name, split in TESTS.items()
    }
    shares = PAGE["weakest_and_strongest"](
        np.concatenate([*said.values()]), np.concatenate([*truth.values()])
    )
    return {
        "settings": RECIPE | {"epochs": epochs, "learning_rate": rate, "redraw": True},
        "learning_rates": {"tried": tried, "chosen": rate},
        "thresholds": [limits for _, limits in runs],
        "shares": shares,
        **next(iter(tests.values())),
        "tests": tests,
    }


def judge_test(split, sets, runs):
    scores = {OURS: ct.stored_scores(sets, OURS)}
    scores |= {rule: np.stack([run[rule] for run in runs]) for rule in runs[0]}
    judged = {}
    for rule in runs[0]:
        found = ct.judge(scores[OURS], scores[rule], f"{OURS} is better than {rule}")
        judged[rule] = found.as_dict()
    return {
        "metric": "exact set",
        "images": len(split),
        "counts": labels(split).sum(axis=1).tolist(),
        "rivals": {
            name: {
                "scores": one.mean(axis=1).tolist(),
                "mean": float(one.mean()),
                "packed": [_pack(seed) for seed in one],
            }
            for name, one in scores.items()
        },
        "judgements": judged,
    }


def main():
    sets = compare("sets", PAGE["rivals"], draw, OURS, **RECIPE, evaluate_on=TESTS)
    start = time.perf_counter()
    softmax = {
        **describe_run(),
        "seeds": list(SEEDS),
        "ours": OURS,
        **judge_softmax(sets),
    }
    if not SHORT:
        softmax["longer"] = judge_softmax(sets["longer"], LONGER)
    softmax["hours"] = round((time.perf_counter() - start) / 3600, 4)
    finish("multilabel", {"sets": sets, "softmax": softmax})


if __name__ == "__main__":
    main()
