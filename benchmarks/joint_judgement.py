"""Five seeds for the page "Draw and judge at once": does a discriminator judge better?

    python benchmarks/joint_judgement.py
    python benchmarks/joint_judgement.py obedience    # this part again

A discriminator has a second output: how noisy a digit is, or a vector by which digits
are found; `joint` has the rules. "quality" and "retrieval" test that output on real
digits, "obedience" the generator: do its digits have the noise that was asked for?
Writes ``results/joint_judgement.json`` in the form of ``ct.run_seeds``.
"""

import functools
import sys
import time

import keras
import numpy as np
from common import LONGER, QUICK, SEEDS, SHORT, definitions, each, finish
from joint import (
    JOBS,
    Job,
    begin_anew,
    drawn,
    fit,
    judge_all,
    levels,
    rates,
    run,
    score,
    train,
)
from scipy.ndimage import convolve

import crnn_tutorial as ct
from crnn_tutorial.judging.draws import draw_training
from crnn_tutorial.judging.results import _pack, describe_run
from crnn_tutorial.tasks.quality import ScoreDamage, rank_agreement
from crnn_tutorial.tasks.retrieval import Embed

page = definitions("faq/joint_judgement")
search = definitions("faq/retrieval")
WISHES = page["LEVELS"]
EACH = 36  # generated digits of each wish
TOLD = "generation alone"  # its discriminator is told the level, and judges none
KNOWN = list(search["known"])  # the digits that are learnt for retrieval
SCORED = "damage"


# ------------------------------------------------------------ quality


def draw_noisy(seed):
    """Return the level of noise, the noisy digits, and their damage."""
    found = draw_training(ct.load_digits(seed=0), seed)
    seeds = {"train": 100 + seed, "validation": 200 + seed, "test": 0}
    splits = {}
    for name, own in seeds.items():
        images = getattr(found, name).images
        told, noisy, damage = page["add_noise"](images[:48] if QUICK else images, own)
        splits[name] = told, noisy, damage
    return splits


def wishes():
    return np.repeat(np.arange(WISHES), EACH)


def damage_of(told):
    return (told / (WISHES - 1)).astype("float32")


def keep_digits(told, images, made):
    """Keep four digits of each wish, and four real ones of each level."""
    real = [images[told == k][:4] for k in range(WISHES)]
    made = [made[k * EACH :][:4] for k in range(WISHES)]
    return {
        "real": [levels(one) for one in real],
        "generated": [levels(one) for one in made],
    }


JOBS["quality"] = Job(
    output=SCORED,
    draw=draw_noisy,
    build=lambda: page["build_pair"](SCORED, ScoreDamage(), WISHES),
    epochs=9,
    batch_size=32,
    times=7,
    rate=8e-3,
    metric="rank correlation",
    asked=lambda seed: (wishes(), damage_of(wishes())),
    samples=keep_digits,
    options={"mode_seeking_weight": 0.1},
)


# ------------------------------------------------------------ retrieval


def draw_known(seed):
    """Return the class, the images, the class; the test has only new classes."""
    found = draw_training(ct.load_digits(seed=0), seed)
    splits = {
        name: search["only"](getattr(found, name), KNOWN)
        for name in ("train", "validation")
    }
    splits["test"] = search["tests"]["new"]
    if QUICK:
        splits = {name: one[:60] for name, one in splits.items()}
    return {k: (s.targets, s.images, s.targets) for k, s in splits.items()}


def wanted_classes():
    return np.repeat(KNOWN, EACH)


JOBS["retrieval"] = Job(
    output="vector",
    draw=draw_known,
    build=lambda: page["build_pair"]("vector", Embed(32), len(KNOWN)),
    epochs=14,
    batch_size=32,
    times=7,
    rate=8e-3,
    metric="mAP",
    asked=lambda seed: (wanted_classes(), wanted_classes()),
    samples=lambda told, images, made: {"generated": levels(made[::6])},
    options={"mode_seeking_weight": 0.1},
)


def untrained(seed):
    """Return the weights of a network that has learnt nothing."""
    ct.set_seed(seed)
    _, discriminator = JOBS["retrieval"].build()
    return keras.Model(
        discriminator.inputs, discriminator.output["vector"]
    ).get_weights()


def add_unlearnt(found):
    """Put what needs no training beside the short and the longer run, and judge."""
    told, images, _ = drawn("retrieval", SEEDS[0])["test"]
    split = ct.Split(images, told)
    others = {
        "not trained": [score("retrieval", untrained(s), images, told) for s in SEEDS],
        "raw pixels": [search["raw_pixels"](split)],
        "HOG": [search["gradients"](split)],
    }
    for one in filter(None, (found, found.get("longer"))):
        ours = ct.stored_scores(one, "joint")
        for name, scores in others.items():
            theirs = np.round(scores if len(scores) > 1 else scores[0], 4)
            judged = ct.judge(ours, theirs, f"joint is better than {name}")
            one["judgements"][name] = judged.as_dict()
            one["rivals"][name] = summary(scores)


def summary(scores, **more):
    means = [float(np.mean(one)) for one in scores]
    return {
        "scores": means * (1 if len(means) > 1 else len(SEEDS)),
        "mean": float(np.mean(means)),
        "packed": [_pack(np.round(one, 4)) for one in scores],
    } | more


def search_known(chosen, times):
    """Score new images of the classes that were learnt, by the same networks."""
    test = search["tests"]["known"]
    names = ["joint", "alone"]
    scores = {
        name: [
            score(
                "retrieval",
                train("retrieval", name, seed, *chosen[name][1:], times)["weights"],
                test.images,
                test.targets,
            )
            for seed in SEEDS
        ]
        for name in names
    }
    found = {name: summary(one) for name, one in scores.items()}
    found["raw pixels"] = summary([search["raw_pixels"](test)])
    found["HOG"] = summary([search["gradients"](test)])
    judged = judge_all(scores, 0.01)
    return {"images": len(test), "rivals": found, "judgements": judged}


# ------------------------------------------------------------ obedience


def train_scorer():
    """Train a scorer of noise that no network of a comparison meets."""
    keras.utils.clear_session()
    ct.set_seed(1000)
    digits, model = ct.load_digits(seed=0), build_scorer()
    images = np.concatenate([digits.train.images, digits.validation.images])
    _, noisy, damage = page["add_noise"](np.tile(images, (4, 1, 1, 1)), 1000)
    options = {"batch_size": 64, "epochs": 1 if QUICK else 15, "verbose": 0}
    ct.train_crnn_model(model, ct.Split(noisy, damage), **options)
    return model.get_weights()


def build_scorer():
    return ct.build_quality_scorer(
        page["SHAPE"], filters=(32,), units=16, differences=False
    )


@functools.cache
def scorer():
    """Return that scorer, trained once."""
    model = build_scorer()
    model.set_weights(each(train_scorer, [()])[0])
    return model


def measured(images):
    return scorer().predict(images, batch_size=256, verbose=0)[:, 0]


def estimated(images):
    """Return what needs no training: the noise as Immerkaer (1996) estimates it."""
    mask = np.outer([1, -2, 1], [1, -2, 1])[None, ..., None]
    return np.abs(convolve(images, mask, mode="reflect")).mean(axis=(1, 2, 3))


@functools.cache
def teller():
    """Return a generator and a discriminator that is told the level, untrained."""
    generator, _ = JOBS["quality"].build()
    discriminator = ct.build_discriminator(
        page["SHAPE"], num_classes=WISHES, filters=(32,), units=16
    )
    options = JOBS["quality"].options
    return ct.AdversarialModel(generator, discriminator, **options), discriminator


def generate_alone(seed, rate, times):
    """Train both, and return the digits."""
    told, images, _ = drawn("quality", seed)["train"]
    model, discriminator = teller()
    begin_anew(TOLD, model, discriminator, seed, rate)
    epochs = times * (1 if QUICK else JOBS["quality"].epochs)
    seconds = fit(model, (told, images), epochs, JOBS["quality"].batch_size)
    return {"seconds": seconds, "images": model.generate(wishes(), seed=seed)}


def obey(images):
    """Score each digit: how near is its rank of noise to the one asked for?"""
    return rank_agreement(damage_of(wishes()), measured(images))


def draw(name, seed, rate, teach, times):
    """Train a generator of either kind, and return its digits."""
    if name == "joint":
        return train("quality", "joint", seed, rate, teach, times)
    (found,) = each(generate_alone, [(seed, rate, times)])
    return found


def choose_generator(name):
    """Choose the learning rate by the digits of a training set of its own.

    The training is the longer one: after the short one, none follows the wish.
    """

    def judge(rate, teach):
        found = draw(name, len(SEEDS), rate, teach, LONGER)
        return float(obey(found["images"]).mean())

    tried = rates("quality")
    scores = [judge(rate, 0.0) for rate in tried]
    rate, teach = tried[int(np.argmax(scores))], 0.0
    found = {"tried": tried, "validation": scores, "chosen": rate}
    if name == "joint":
        taught = judge(rate, 1.0)
        teach = float(taught > max(scores))
        found |= {"generated images teach": bool(teach), "validation, taught": taught}
    print("obedience", name, found, flush=True)
    return found, rate, teach


def compare_obedience(chosen, times):
    """Do digits follow the wish better where the discriminator also scores it?"""
    runs = {
        name: [draw(name, seed, *options, times) for seed in SEEDS]
        for name, (_, *options) in chosen.items()
    }
    tried = {name: one[0] for name, one in chosen.items()}
    scores, rivals = {}, {}
    for name, made in runs.items():
        images = [one["images"] for one in made]
        scores[name] = [obey(one) for one in images]
        found = [measured(one).reshape(WISHES, EACH).mean(axis=1) for one in images]
        rivals[name] = summary(
            scores[name],
            **{
                "seconds": round(float(np.median([one["seconds"] for one in made])), 2),
                "learning_rates": tried[name],
                "measured": [one.round(4).tolist() for one in found],
                "by a mask": [
                    float(rank_agreement(damage_of(wishes()), estimated(one)).mean())
                    for one in images
                ],
                "generated": keep_digits(wishes(), images[0], images[0])["generated"],
            },
        )
        print("obedience", times, name, rivals[name]["scores"], flush=True)
    return {
        "settings": {"epochs": times * JOBS["quality"].epochs, "redraw": True},
        "metric": "rank correlation of wish and measurement",
        "images": len(wishes()),
        "ours": "joint",
        "seeds": list(SEEDS),
        "rivals": rivals,
        "judgements": judge_all(scores, 0.01),
    }


def check_scorers():
    """Score real test digits, whose noise is known, by what judges the generators."""
    told, images, damage = drawn("quality", SEEDS[0])["test"]
    found = measured(images)
    return {
        "scorer": float(rank_agreement(damage, found).mean()),
        "by a mask": float(rank_agreement(damage, estimated(images)).mean()),
        "measured": [round(float(found[told == k].mean()), 4) for k in range(WISHES)],
    }


def obedience():
    """Compare both kinds of generators, for a short and a longer time."""
    start = time.perf_counter()
    chosen = {name: choose_generator(name) for name in ("joint", TOLD)}
    found = describe_run() | compare_obedience(chosen, 1)
    if not SHORT:
        found["longer"] = compare_obedience(chosen, LONGER)
    found["on real digits"] = check_scorers()
    found["hours"] = round((time.perf_counter() - start) / 3600, 4)
    return found


def main(part=None):
    stored = ct.load_results("joint_judgement")
    # What a choice by the short training led to, once: the page tells it.
    first = {"first choice": stored["obedience"]["first choice"]}
    if part == "obedience":
        stored[part] = obedience() | first
        return finish("joint_judgement", stored)
    results = {}
    for job in JOBS:
        results[job], chosen = run(job)
        if job == "retrieval":
            add_unlearnt(results[job])
            results[job]["known"] = search_known(chosen, 1)
            if not SHORT:
                results[job]["longer"]["known"] = search_known(chosen, LONGER)
        else:
            results["obedience"] = obedience() | first
        if not QUICK:  # what is known so far
            ct.save_results("joint_judgement", results)
    return finish("joint_judgement", results)


if __name__ == "__main__":
    main(*sys.argv[1:])
