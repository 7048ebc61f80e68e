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
from common import QUICK, SEEDS, compare, definitions, finish
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


class Remembered:
    """A builder that keeps what it built: the seeds' networks answer again below."""

    def __init__(self, builder):
        self.builder, self.models = builder, []

    def __call__(self):
        self.models.append(self.builder())
        return self.models[-1]

    def answers(self, images):
        """Return the masks that the network of each seed, the last ones, answers."""
        if len(self.models) < len(SEEDS):
            raise RuntimeError(
                "An interrupted run does not keep its networks: remove the folder "
                ".benchmarks/segmentation, and run the script again."
            )
        last = self.models[-len(SEEDS) :]
        return [model.predict(images, verbose=0).argmax(axis=-1) for model in last]


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


def coins(page):
    """Train on half of the photograph, with light that changes and without."""
    seeds = SEEDS[:1] if QUICK else SEEDS
    lights = {"light changes": page["other_light"], "light as it is": None}
    found = {
        name: [page["score_coins"](page["segment_coins"](s, light)) for s in seeds]
        for name, light in lights.items()
    }
    return found | {"Otsu": page["score_coins"](page["coins_otsu"])}


# ------------------------------------------------------------ all together


def main():
    page, pool = definitions("faq/segmentation"), load_pool()
    others = {"chosen": choose(page), "coins": coins(page)}
    rivals = ct.rivals(ct.build_segmenter, (64, 64, 1), 11, **NETWORK)
    kept = {who: Remembered(rivals[who]) for who in ("CRNN", "order-blind")}
    eleven = compare(
        "eleven classes", rivals | kept, partial(draw, pool), "CRNN", **RECIPE
    )
    test = pool.test
    answers = {who: one.answers(test.images) for who, one in kept.items()}
    whole = {
        who: [ct.mean_iou(test.targets, a, 11) for a in answers[who]] for who in kept
    }
    seconds = eleven["rivals"]["CRNN"]["seconds"]
    two = two_classes(page, test, answers["CRNN"], seconds) | others
    two["mean IoU of the set, eleven classes"] = whole
    two["pictures"] = pictures(test, {who: answers[who][0] for who in kept})
    finish("segmentation", {"eleven classes": eleven, "two classes": two})


if __name__ == "__main__":
    main()
