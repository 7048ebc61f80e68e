"""Five seeds for the page "Two jobs at once": does a discriminator classify better?

    python benchmarks/joint_recognition.py          # all
    python benchmarks/joint_recognition.py boxes    # these alone, beside what is stored

A discriminator has a second output: a class, boxes, or a mask; `joint` has the rules.
The generator is told what to draw. Writes ``results/joint_recognition.json`` in the
form of ``ct.run_seeds``.
"""

import sys
from functools import partial

import numpy as np
from common import QUICK, SEEDS, definitions, each, finish
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
    train,
)
from judge_of_digits import load_judge

import crnn_tutorial as ct
from crnn_tutorial.judging.draws import draw_training
from crnn_tutorial.tasks.classification import Classify
from crnn_tutorial.tasks.detection import Detect
from crnn_tutorial.tasks.segmentation import Segment

page = definitions("faq/joint_recognition")
SIDE = 16  # of a scene
SHOWN = 12  # generated images that are kept to be looked at
FEW_LABELS = 100
SCENES = (48, 96, 24) if QUICK else (800, 1600, 300)
GENERATION = "generation alone"  # of digits: its discriminator is told the class
EACH = 36  # generated digits of each class


# ------------------------------------------------------------ digits


def draw_digits(few, seed):
    """Return what is told, the images, the wanted answers: the class, twice."""
    found = draw_training(ct.load_digits(seed=0), seed)
    splits = {k: getattr(found, k) for k in ("train", "validation", "test")}
    if few:
        splits["train"] = splits["train"][:FEW_LABELS]
    elif QUICK:
        splits["train"] = splits["train"][:48]
    return {k: (s.targets, s.images, s.targets) for k, s in splits.items()}


def build_generator():
    return ct.build_generator((8, 8, 1), 32, num_classes=10, filters=(16,), units=16)


def build_for_digits():
    discriminator = page["with_head"]("digit", Classify(10), (8, 8, 1), (32,))
    return build_generator(), discriminator


def wanted_digits():
    return np.repeat(np.arange(10), EACH)


def digits_job(epochs, few):
    return Job(
        output="digit",
        draw=partial(draw_digits, few),
        build=build_for_digits,
        epochs=epochs,
        batch_size=32,
        times=10,
        rate=8e-3,
        metric="accuracy",
        asked=lambda seed: (wanted_digits(), wanted_digits()),
        samples=lambda told, images, made: {"generated": levels(made[::EACH])},
        options={"mode_seeking_weight": 0.1},
    )


# ------------------------------------------------------------ scenes


def draw_scenes(task, seed):
    """Return the layout, which is told, the images, the wanted answers."""
    pool = ct.load_digit_scenes(
        sizes=SCENES, size=(SIDE, SIDE), digits=(1, 1), digit_sizes=(10, 14)
    )
    found = draw_training(pool, seed)
    splits = {"train": found.train, "validation": found.validation[:300]}
    splits["test"] = pool.test
    return {
        k: (s.targets["masks"], s.images, s.targets[task]) for k, s in splits.items()
    }


def build_for_scenes(output, head):
    shape = SIDE, SIDE, 1
    discriminator = page["with_head"](output, head, shape, (12, 24))
    return page["build_painter"](SIDE), discriminator


def keep_scenes(told, images, made):
    return {
        "layouts": told[:SHOWN].tolist(),
        "real": levels(images[:SHOWN]),
        "generated": levels(made[:SHOWN]),
    }


def scenes_job(task, output, head, metric):
    return Job(
        output=output,
        draw=partial(draw_scenes, task),
        build=partial(build_for_scenes, output, head),
        epochs=6,
        batch_size=16,
        times=7,
        rate=4e-3,
        metric=metric,
        samples=keep_scenes,
    )


JOBS |= {
    "digits": digits_job(10, few=False),
    "masks": scenes_job("masks", "mask", Segment(11), "IoU"),
    "few digits": digits_job(60, few=True),
    "boxes": scenes_job("boxes", "boxes", Detect(10, stride=4), "F-score"),
}


# ------------------------------------------------------------ the digits generated


def distance(real, classes, images):
    """Return the logarithm of the Fréchet distance of each class."""
    features, asked = ct.class_features(load_judge()), wanted_digits()
    pairs = [(real[classes == k], images[asked == k]) for k in range(10)]
    return np.log([ct.frechet_distance(*pair, features) for pair in pairs])


def generate_alone(seed, rate):
    """Train a generator whose discriminator is told the class; return its digits."""
    told, images, _ = drawn("digits", seed)["train"]
    discriminator = ct.build_discriminator(
        (8, 8, 1), num_classes=10, filters=(32,), units=16
    )
    options = JOBS["digits"].options
    model = ct.AdversarialModel(build_generator(), discriminator, **options)
    begin_anew(GENERATION, model, discriminator, seed, rate)
    epochs = 1 if QUICK else JOBS["digits"].epochs
    fit(model, (told, images), epochs, JOBS["digits"].batch_size)
    return model.generate(wanted_digits(), seed=seed)


def choose_alone():
    """Choose its learning rate on validation images."""
    told, images, _ = drawn("digits", SEEDS[0])["validation"]
    made = each(generate_alone, [(SEEDS[0], rate) for rate in rates("digits")])
    scores = [float(-distance(images, told, one).mean()) for one in made]
    chosen = rates("digits")[int(np.argmax(scores))]
    return {"tried": rates("digits"), "validation": scores, "chosen": chosen}


def compare_generation(chosen):
    """Do the digits get better where the discriminator also classifies?"""
    told, images, _ = drawn("digits", SEEDS[0])["test"]
    alone = choose_alone()
    made = {
        "joint": [train("digits", "joint", s, *chosen[1:], 1)["images"] for s in SEEDS],
        GENERATION: each(generate_alone, [(s, alone["chosen"]) for s in SEEDS]),
    }
    scores = {
        name: [-distance(images, told, one) for one in all_]
        for name, all_ in made.items()
    }
    tried = {"joint": chosen[0], GENERATION: alone}
    return {
        "metric": "minus log Fréchet distance of a class",
        "images": 10,
        "ours": "joint",
        "seeds": list(SEEDS),
        "rivals": {
            name: {
                "scores": [float(one.mean()) for one in all_],
                "mean": float(np.mean(all_)),
                "learning_rates": tried[name],
                "packed": [np.round(one, 4).tolist() for one in all_],
            }
            for name, all_ in scores.items()
        },
        "judgements": judge_all(scores, 0.1),
    }


def main():
    names = sys.argv[1:]
    results = ct.load_results("joint_recognition") if names else {}
    for job in names or JOBS:
        results[job], chosen = run(job)
        if job == "digits":
            results["generation"] = compare_generation(chosen["joint"])
        if not QUICK:  # what is known so far
            ct.save_results("joint_recognition", results)
    finish("joint_recognition", results)


if __name__ == "__main__":
    main()
