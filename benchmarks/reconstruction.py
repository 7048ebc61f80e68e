"""Five seeds for the page "Reconstruction: what was in the hole?".

    python benchmarks/reconstruction.py

Digits of 8 x 8 pixels with a hole of 4 x 4, and twins of the network. Writes
``results/reconstruction.json``: "digits" with all rivals, "photographs" with two, each
what ``ct.run_seeds`` returns; and "discriminator", where one has more and more to say.
The score is the PSNR of the whole image as the network gives it, which can only be
worse than with the known pixels put back. The tests of the digits: the hole trained on,
then one of 6 x 6. Beside the networks stand those that have no seed: biharmonic
inpainting, the nearest training digit, a normal distribution, the image as it came; and
the mean of the test images, which is the best answer of anyone who does not see the
image.
"""

from dataclasses import replace
from functools import cache, partial

import keras
import numpy as np
from common import (
    FEW,
    QUICK,
    SEEDS,
    beside,
    compare,
    definitions,
    draw_digits,
    each,
    finish,
)
from judge_of_digits import load_judge

import crnn_tutorial as ct
from crnn_tutorial.metrics.pictures import psnr_per_image

MARGIN = 0.1  # dB: less is not seen
WEIGHTS = (0.0, 0.03, 0.3, 3.0)  # of the discriminator
WITHOUT = "without"
LARGER = 6


@cache
def load_page():
    return definitions("faq/reconstruction")


# ------------------------------------------------------------ who sees the image


def score_others(page, split, known):
    """Score each test image with the methods that are not trained."""
    targets, image = np.asarray(split.targets), split.images[..., :1]
    mean = np.broadcast_to(targets.mean(axis=0), targets.shape)
    answers = {
        "as it came": image,
        "mean image": mean,
        "mean in the hole": page["put_back"](mean, split),
        "biharmonic": page["biharmonic"](split),
        "nearest": page["nearest"](split, known),
    }
    if targets.shape[1] == 8:
        answers["Gaussian"] = page["gaussian"](split, known)
    return {name: psnr_per_image(targets, one) for name, one in answers.items()}


def judge_others(page, found, tests, known):
    if QUICK:
        tests = {name: split[:FEW] for name, split in tests.items()}
    scores = {test: score_others(page, one, known) for test, one in tests.items()}
    for part in filter(None, (found, found.get("longer"))):
        beside(part, scores, margin=MARGIN)
    return found


def run_digits(page):
    digits, cut, side = page["digits"], page["cut"], page["SIDE"]
    tests = {f"hole of {n}": cut(digits.test.images, n, 1) for n in (side, LARGER)}
    main = tests[f"hole of {side}"]

    def data(seed):
        drawn = draw_digits(page, seed)
        parts = {
            "train": page["cut_often"](drawn.train.images, seed),
            "validation": cut(drawn.validation.images, side, 2),
            "test": main,
        }
        return replace(drawn, **parts)

    builders = ct.rivals(ct.build_restorer, (8, 8, 2), **page["network"])
    found = compare(
        "digits",
        {name: partial(page["squared"], one) for name, one in builders.items()},
        data,
        "CRNN",
        evaluate_on=tests,
        margin=MARGIN,
        **page["recipe"],
    )
    return judge_others(page, found, tests, digits.train.images)


def run_photographs(page):
    photos, cut, side = page["photos"], page["cut"], page["PHOTO_SIDE"]
    few = ct.load_photos((32, 32), crops=16, channels=1)
    tests = {"photographs": cut(few.test.images, side, 1)}
    validation = cut(few.validation.images, side, 2)

    def data(seed):
        rng = np.random.default_rng(seed)
        images = rng.permutation(photos.train.images)[:2000]
        parts = {"train": cut(images, side, 100 + seed), "validation": validation}
        return replace(photos, test=tests["photographs"], **parts)

    builders = ct.rivals(ct.build_restorer, (None, None, 2), **page["photo_network"])
    two = {n: partial(page["squared"], builders[n]) for n in ("CRNN", "order-blind")}
    # The rate of the page, and no longer run: the claim is decided on digits.
    found = compare(
        "photographs",
        two,
        data,
        "CRNN",
        evaluate_on=tests,
        clusters=dict.fromkeys(tests, few.test.targets),
        margin=MARGIN,
        longer=None,
        **page["photo_recipe"],
        learning_rates=[page["photo_recipe"]["learning_rate"]],
    )
    return judge_others(page, found, tests, few.train.images)


# ------------------------------------------------------------ the discriminator


def draw_train(page, seed):
    drawn = draw_digits(page, seed)
    return page["cut_often"](drawn.train.images, seed)


def build(page):
    return page["squared"](lambda: ct.build_restorer((8, 8, 2), **page["network"]))


def train_first(seed):
    """Train a CRNN without any discriminator; return its weights."""
    page = load_page()
    keras.utils.clear_session()
    ct.set_seed(seed)
    model = build(page)
    recipe = page["recipe"] | ({"epochs": 1} if QUICK else {})
    ct.train_crnn_model(model, draw_train(page, seed), None, **recipe, verbose=0)
    return model.get_weights()


def train_pair(weight, seed):
    """Go on with a discriminator; return the answers in the holes."""
    page = load_page()
    keras.utils.clear_session()
    (weights,) = each(train_first, [(seed,)])
    model = build(page)
    model.set_weights(weights)
    ct.set_seed(seed)
    epochs = 1 if QUICK else page["recipe"]["epochs"]
    train = draw_train(page, seed)
    pair = page["go_on"](model, train, weight, seed, epochs=epochs)
    test = page["cut"](page["digits"].test.images, page["SIDE"], 1)
    answers = page["put_back"](pair.generate(test.images), test)
    return answers, pair.history.history["discriminator_accuracy"][-1]


def measure(page, test, answers, judge):
    """Return what is told of the answers of one training."""
    digits = page["digits"]
    features = ct.class_features(judge)
    return {
        "sharpness": float(page["sharpness"](answers, test)),
        "Frechet distance": float(ct.frechet_distance(test.targets, answers, features)),
        "class match": float(
            ct.class_match(judge, answers, digits.test.targets).mean()
        ),
    }


def run_discriminator(page):
    """Train pairs, and judge those with a discriminator against those without."""
    judge = load_judge()
    test = page["cut"](page["digits"].test.images, page["SIDE"], 1)
    rivals, scores = {}, {}
    for weight in WEIGHTS:
        runs = each(train_pair, [(weight, seed) for seed in SEEDS])
        psnr = np.stack([psnr_per_image(test.targets, one) for one, _ in runs])
        told = [measure(page, test, one, judge) for one, _ in runs]
        scores[name_of(weight)] = psnr.round(4)
        rivals[name_of(weight)] = {
            "scores": psnr.mean(axis=1).tolist(),
            "mean": float(psnr.mean()),
            "discriminator accuracy": [float(right) for _, right in runs],
            "packed": psnr.round(4).tolist(),
            **{key: [one[key] for one in told] for key in told[0]},
        }
        means = {key: round(np.mean([one[key] for one in told]), 3) for key in told[0]}
        print(name_of(weight), psnr.mean().round(2), means, flush=True)
    others = {
        "as it came": test.images[..., :1],
        "nearest": page["nearest"](test, page["digits"].train.images),
        "biharmonic": page["biharmonic"](test),
    }
    others = {name: measure(page, test, one, judge) for name, one in others.items()}
    judged = judge_pairs(scores)
    return {"ours": WITHOUT, "rivals": rivals, "others": others, "judgements": judged}


def name_of(weight):
    return f"weight {weight:g}" if weight else WITHOUT


def judge_pairs(scores):
    """Judge the PSNR without the discriminator against that with it."""
    without, judged = scores.pop(WITHOUT), {}
    for name, score in scores.items():
        claim = f"{WITHOUT} it is better than with {name}"
        found = ct.judge(without, score, claim, margin=MARGIN)
        judged[name] = found.as_dict()
    return judged


def main():
    page = load_page()
    results = {"digits": run_digits(page), "photographs": run_photographs(page)}
    page["digits"] = ct.load_digits(seed=0)  # a seed has drawn others in their place
    finish("reconstruction", results | {"discriminator": run_discriminator(page)})


if __name__ == "__main__":
    main()
