"""Five seeds for the page "Image segmentation: a class for every pixel".

    python benchmarks/segmentation.py

Scenes of digits over photographs, and one photograph of coins. Writes
``results/segmentation.json``: "eleven classes", what ``ct.run_seeds`` returns; "two
classes", the same networks' answers as digit or photograph, beside methods that are not
trained; and in it "coins", how well five trainings agree with the reference, and
"pictures", the answers to three test scenes.
"""

import itertools
from dataclasses import replace
from functools import partial

import numpy as np
from common import QUICK, SEEDS, compare, definitions, each, finish
from skimage.segmentation import random_walker

import crnn_tutorial as ct
from crnn_tutorial.judging.results import describe_run
from crnn_tutorial.judging.seeds import _judge_runs
from crnn_tutorial.metrics.masks import iou_per_image
from crnn_tutorial.metrics.words import MARGIN

POOL, DRAWN = (60, 24) if QUICK else (6000, 2000)
OTHERS = (24, 24) if QUICK else (300, 400)  # to validate, to test
NETWORK = {"filters": (8, 24, 48), "units": 32}
RECIPE = {"batch_size": 8, "epochs": 1, "learning_rate": 6e-3}
PAGE = definitions("faq/segmentation")


def load_pool():
    """Return crowded scenes to draw from, and others; of their targets the masks."""
    crowded = ct.load_digit_scenes(sizes=(POOL, 1, 1), digits=(4, 8))
    scenes = ct.load_digit_scenes(sizes=(1, *OTHERS))
    parts = {
        "train": crowded.train,
        "validation": scenes.validation,
        "test": scenes.test,
    }
    small = {
        name: ct.Split(part.images, part.targets["masks"].astype("uint8"))
        for name, part in parts.items()
    }
    return replace(scenes, **small)


def draw(pool, seed):
    """Draw the scenes that a seed trains on."""
    chosen = np.random.default_rng(seed).permutation(len(pool.train))[:DRAWN]
    return replace(pool, train=pool.train[chosen])


def answers(who, seed, learning_rate, epochs):
    """Train once more as a seed did; return what the network answers to the test."""
    ct.set_seed(seed)
    model = RIVALS[who]()
    recipe = RECIPE | {"learning_rate": learning_rate, "epochs": epochs, "verbose": 0}
    ct.train_crnn_model(model, draw(POOLED, seed).train, seed=seed, **recipe)
    return model.predict(POOLED.test.images, verbose=0).argmax(axis=-1).astype("uint8")


def answer_again(eleven):
    """Return rival -> the masks of each seed, trained as the decisive run was."""
    decisive = eleven.get("longer", eleven)
    epochs = decisive["settings"]["epochs"]
    rates = {
        who: decisive["rivals"][who]["learning_rates"]["chosen"]
        for who in ("CRNN", "order-blind")
    }
    jobs = [(who, seed, rates[who], epochs) for who in rates for seed in SEEDS]
    masks = each(answers, jobs)
    return dict(zip(rates, np.split(np.stack(masks), len(rates)), strict=True))


POOLED = load_pool()
RIVALS = ct.rivals(ct.build_segmenter, (64, 64, 1), 11, **NETWORK)


# ------------------------------------------------------------ digit or photograph


def choose(page):
    """Choose the threshold, and where the random walker is sure, on training scenes."""
    train = ct.load_digit_scenes(sizes=(5 if QUICK else 100, 1, 1)).train
    images, truth = train.images[..., 0], train.targets["masks"]

    def score(method):
        answers = np.stack([method(image) for image in images])
        return page["digit_iou"](truth, answers).mean()

    def cut(level):
        return lambda image: image > level

    def walk(low, high, beta):
        def method(image):
            sure = np.select([image < low, image > high], [1, 2])
            return random_walker(image, sure, beta=beta, mode="bf") == 2

        return method

    levels = np.arange(0.30, 0.70, 0.02).round(2).tolist()
    grid = itertools.product((0.35, 0.4, 0.45), (0.5, 0.55, 0.6), (300, 1000))
    return {
        "one threshold": max(levels, key=lambda level: score(cut(level))),
        "random walker": max(grid, key=lambda found: score(walk(*found))),
    }


def two_classes(page, test, answers, seconds):
    """Judge the CRNN's answers, as digit or photograph, against untrained methods."""
    untrained = {
        name: evaluation(page, test, np.stack([f(x) for x in test.images[..., 0]]), 0)
        for name, f in page["untrained"].items()
    }
    ours = [evaluation(page, test, one, seconds) for one in answers]
    runs = [{"CRNN": one} | untrained for one in ours]
    judged = _judge_runs(runs, {}, "CRNN", MARGIN, None)
    return {**describe_run(), "seeds": list(SEEDS), "ours": "CRNN", **judged}


def evaluation(page, test, answers, seconds):
    scores = page["digit_iou"](test.targets, answers)
    found = ct.interval(scores)
    ends = found.value, found.low, found.high
    return ct.Evaluation("IoU", *ends, scores, seconds=seconds)


# ------------------------------------------------------------ pictures and coins


def pictures(test, answers):
    """Keep what the first trainings answer to the CRNN's worst, median, best scene."""
    order = np.argsort(iou_per_image(test.targets, answers["CRNN"], 11))
    scenes = order[[0, len(order) // 2, -1]]
    written = {
        who: ["".join(f"{k:x}" for k in mask.ravel()) for mask in masks[scenes]]
        for who, masks in answers.items()
    }
    return {"scenes": scenes.tolist(), **written}


LIGHTS = {"light changes": PAGE["other_light"], "light as it is": None}


def score_coins(light, seed):
    return PAGE["score_coins"](PAGE["segment_coins"](seed, LIGHTS[light]))


def coins():
    """Train on half of the photograph, with light that changes and without."""
    jobs = [(light, seed) for light in LIGHTS for seed in SEEDS]
    scores = np.split(np.array(each(score_coins, jobs)), len(LIGHTS))
    found = {light: one.tolist() for light, one in zip(LIGHTS, scores, strict=True)}
    return found | {"Otsu": PAGE["score_coins"](PAGE["coins_otsu"])}


# ------------------------------------------------------------ all together


def main():
    eleven = compare("eleven classes", RIVALS, partial(draw, POOLED), "CRNN", **RECIPE)
    test, found = POOLED.test, answer_again(eleven)
    on_coins = coins()
    whole = {
        who: [ct.mean_iou(test.targets, one, 11) for one in masks]
        for who, masks in found.items()
    }
    decisive = eleven.get("longer", eleven)
    two = two_classes(PAGE, test, found["CRNN"], decisive["rivals"]["CRNN"]["seconds"])
    two |= {"chosen": choose(PAGE), "coins": on_coins}
    two["mean IoU of the set, eleven classes"] = whole
    two["pictures"] = pictures(test, {who: masks[0] for who, masks in found.items()})
    finish("segmentation", {"eleven classes": eleven, "two classes": two})


if __name__ == "__main__":
    main()
