"""What a discriminator adds to a trained restorer, and what it costs.

Networks that restore photographs go on for one more round over new crops: without a
discriminator, and with one whose word has more and more weight beside the error of the
pixels. The weights were chosen on validation photographs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from common import FEW, QUICK, SEEDS, each

import crnn_tutorial as ct
from crnn_tutorial.metrics.pictures import psnr_per_image

MARGIN = 0.1  # dB: less is not seen
WEIGHTS = (0.0, 0.03, 0.1, 0.3)
WITHOUT = "without"
SIDE = 32  # of a crop
RESTORERS = {}  # by name: what is kept on disk is found by names and numbers


@dataclass(frozen=True)
class Restorer:
    """A network of a page, and its data.

    Parameters
    ----------
    build : callable
        ``build()`` returns it, not trained.
    draw : callable
        ``draw(seed)`` returns the crops to train on.
    test : Split
        What it is tested on.
    clusters : array of int
        The photograph of each test image.
    recipe : dict
        Its training without a discriminator.
    """

    build: Callable
    draw: Callable
    test: object
    clusters: object
    recipe: dict


def train_first(name, seed):
    """Train without any discriminator; return the weights."""
    restorer = RESTORERS[name]
    keras.utils.clear_session()
    ct.set_seed(seed)
    model = restorer.build()
    recipe = restorer.recipe | ({"epochs": 1} if QUICK else {})
    crops = restorer.draw(seed)
    crops = crops[:FEW] if QUICK else crops
    ct.train_crnn_model(model, crops, None, **recipe, verbose=0)
    return model.get_weights()


def go_on(name, weight, seed):
    """Train it further, with a discriminator; return its answers to the test."""
    restorer = RESTORERS[name]
    keras.utils.clear_session()
    (weights,) = each(train_first, [(name, seed)])
    ct.set_seed(seed)
    generator = restorer.build()
    generator.set_weights(weights)
    shape = SIDE, SIDE, 1
    pair = ct.AdversarialModel(
        generator,
        ct.build_discriminator(shape, filters=(16, 32), recurrence=None, limit=1),
        pixel_weight=1,
        adversarial_weight=weight,
        learning_rate=restorer.recipe["learning_rate"] / 4,
    )
    crops = restorer.draw(1000 + seed)
    crops = crops[:FEW] if QUICK else crops
    options = {"batch_size": 8, "epochs": 1, "verbose": 0}
    told = pair.fit(crops.images, crops.targets, **options).history
    answers = pair.generate(restorer.test.images)
    return answers.astype("float16"), told["discriminator_accuracy"][-1]


def sharpness(images):
    """Return the mean difference between neighbouring pixels."""
    images = np.asarray(images, "float32")
    return sum(np.abs(np.diff(images, axis=axis)).mean() for axis in (1, 2))


def run_discriminator(name):
    """Train pairs, and judge those without a discriminator against those with one."""
    test, rivals, scores = RESTORERS[name].test, {}, {}
    for weight in WEIGHTS:
        runs = each(go_on, [(name, weight, seed) for seed in SEEDS])
        psnr = np.stack([psnr_per_image(test.targets, one) for one, _ in runs])
        called = f"weight {weight:g}" if weight else WITHOUT
        scores[called] = psnr.round(4)
        sharp = [sharpness(one) / sharpness(test.targets) for one, _ in runs]
        rivals[called] = {
            "scores": psnr.mean(axis=1).tolist(),
            "mean": float(psnr.mean()),
            "sharpness": [float(one) for one in sharp],
            "discriminator accuracy": [float(right) for _, right in runs],
            "packed": psnr.round(4).tolist(),
        }
        print(called, psnr.mean().round(2), np.mean(sharp).round(3), flush=True)
    without, judged = scores.pop(WITHOUT), {}
    for called, score in scores.items():
        claim = f"{WITHOUT} a discriminator it is better than with {called}"
        options = {"margin": MARGIN, "clusters": RESTORERS[name].clusters}
        judged[called] = ct.judge(without, score, claim, **options).as_dict()
    return {"ours": WITHOUT, "rivals": rivals, "judgements": judged}
