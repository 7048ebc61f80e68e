"""What the pages on joint training share: a second job, trained jointly and alone.

A discriminator has a second output, its *job*. The same network without "real or
generated" is trained *alone*, for as long as both together take, and once for as many
steps. All are scored on real test images, and on images of the generator.

Each network chooses one of three learning rates on validation images; that of the short
training holds for the longer one, too. The joint training also chooses there whether
generated images teach the second output (as in an AC-GAN), or only real ones.
"""

import functools
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
from common import LONGER, QUICK, RATES, SEEDS, SHORT, each

import crnn_tutorial as ct
from crnn_tutorial.judging.results import _pack, describe_run
from crnn_tutorial.network import heads

EQUAL_STEPS = "alone, equal steps"  # of the short training only
JOBS = {}  # by name: what is kept on disk is found by names and numbers


@dataclass(frozen=True)
class Job:
    """What the discriminator does beside telling real from generated.

    Parameters
    ----------
    output : str
        The name of its second output.
    draw : callable
        ``draw(seed)`` returns "train", "validation" and "test", each with what the
        generator is told, the images, and the answers that are wanted.
    build : callable
        ``build()`` returns a new generator and a new discriminator.
    epochs, batch_size : int
        Of the joint training.
    times : int
        So many steps alone take as long as one of both.
    rate : float
        The middle one of three learning rates.
    metric : str
        What ``score`` returns.
    score : callable, optional
        ``score(model, images, wanted)`` returns the score of each image, more is
        better; by default that of the head.
    asked : callable, optional
        ``asked(seed)`` returns what the generator is told for the images to be scored,
        and the answers that are wanted there, which may be a function of these images;
        by default both are those of the test.
    samples : callable, optional
        ``samples(told, images, drawn)`` returns what is kept to be looked at.
    options : dict
        For ``ct.AdversarialModel``.
    margin : float
        Of the judgements.
    """

    output: str
    draw: Callable
    build: Callable
    epochs: int
    batch_size: int
    times: int
    rate: float
    metric: str
    score: Callable | None = None
    asked: Callable | None = None
    samples: Callable | None = None
    options: dict = field(default_factory=dict)
    margin: float = 0.01


@functools.cache
def drawn(job, seed):
    """Return the images of a seed."""
    return JOBS[job].draw(seed)


@functools.cache
def answering(job):
    """Return a network that has only the second output, for weights that were kept."""
    _, discriminator = JOBS[job].build()
    return keras.Model(discriminator.inputs, discriminator.output[JOBS[job].output])


def score(job, weights, images, wanted):
    """Score each image."""
    model = answering(job)
    model.set_weights(weights)
    if JOBS[job].score:
        return np.asarray(JOBS[job].score(model, images, wanted), float)
    outputs = model.predict(images, batch_size=256, verbose=0)
    return np.asarray(heads.of(model).per_image(wanted, outputs), float)


def asked(job, seed):
    """Return what the generator is told, and the answers that are wanted."""
    if JOBS[job].asked:
        return JOBS[job].asked(seed)
    told, _, wanted = drawn(job, seed)["test"]
    return told, wanted


# ------------------------------------------------------------ one training


@functools.cache
def model_of(job, name, teach):
    """Return a model to be trained again and again, so that it is compiled once."""
    generator, discriminator = JOBS[job].build()
    if name.startswith("alone"):
        return ct.head_alone(discriminator, JOBS[job].output), discriminator
    options = {"teach_weight": teach} | JOBS[job].options
    return ct.AdversarialModel(generator, discriminator, **options), discriminator


def begin_anew(name, model, discriminator, seed, rate):
    """Give a model new first weights, as if it had been built with this seed."""
    ct.set_seed(seed)
    parts = {id(discriminator): discriminator}
    if not name.startswith("alone"):
        parts[id(model.generator)] = model.generator
    for part in parts.values():
        part.set_weights(keras.models.clone_model(part).get_weights())
    if not name.startswith("alone"):
        model.averaged.set_weights(model.generator.get_weights())
    for one in (model, *discriminator.layers):  # what they draw by chance
        if hasattr(one, "seeds"):
            one.seeds.state.assign(keras.random.SeedGenerator(seed).state)
    for variable in model.optimizer.variables:
        variable.assign(0 * variable)
    model.optimizer.learning_rate = rate


def fit(model, data, epochs, batch_size):
    """Train a model; return the seconds that it takes once it is compiled."""
    warnings.filterwarnings("ignore", "The generator has collapsed")
    seconds, options = 0.0, {"batch_size": batch_size, "verbose": 0}
    try:
        for part in (1, epochs - 1):  # the first with the time to compile
            start = time.perf_counter()
            model.fit(*data, epochs=part, **options)
            seconds = (time.perf_counter() - start) * epochs / max(1, epochs - 1)
    except FloatingPointError:  # a learning rate with which training diverges
        pass
    return seconds


def train_one(job, name, seed, rate, teach, times):
    """Train one network; return the weights of its answer, and what was generated."""
    recipe = JOBS[job]
    told, images, targets = drawn(job, seed)["train"]
    model, discriminator = model_of(job, name, teach)
    begin_anew(name, model, discriminator, seed, rate)
    epochs = times * (1 if QUICK else recipe.epochs)
    if name.startswith("alone"):
        epochs *= recipe.times if name == "alone" else 1
        data = images, targets
    else:
        data = told, {"images": images, recipe.output: targets}
    answer = keras.Model(discriminator.inputs, discriminator.output[recipe.output])
    found = {
        "seconds": fit(model, data, epochs, recipe.batch_size),
        "steps": epochs * -(-len(images) // recipe.batch_size),
        "weights": answer.get_weights(),
        "parameters": answer.count_params(),
    }
    if not name.startswith("alone"):
        found["images"] = model.generate(asked(job, seed)[0], seed=seed)
        found["generator"] = model.averaged.get_weights()
    return found


def train(job, name, seed, rate, teach, times):
    """Train one network, unless it was trained before."""
    (found,) = each(train_one, [(job, name, seed, rate, teach, times)])
    return found


def rates(job):
    """Return the learning rates that are tried."""
    return [float(f"{JOBS[job].rate * times:.2g}") for times in RATES]


def choose(job, name):
    """Choose the learning rate (and whether generated images teach) on validation."""
    _, images, wanted = drawn(job, SEEDS[0])["validation"]

    def judge(rate, teach):
        found = train(job, name, SEEDS[0], rate, teach, 1)
        return float(score(job, found["weights"], images, wanted).mean())

    tried = rates(job)
    scores = [judge(rate, 0.0) for rate in tried]
    rate, teach = tried[int(np.argmax(scores))], 0.0
    found = {"tried": tried, "validation": scores, "chosen": rate}
    if name == "joint" and "teach_weight" not in JOBS[job].options:
        taught = judge(rate, 1.0)
        teach = float(taught > max(scores))
        found |= {"generated images teach": bool(teach), "validation, taught": taught}
    print(job, name, found, flush=True)
    return found, rate, teach


# ------------------------------------------------------------ a comparison


def compare(job, chosen, times):
    """Train all on each seed, and judge the joint training against the others."""
    names = ["joint", "alone", *([EQUAL_STEPS] if times == 1 else ())]
    scores, made, fake = ({name: [] for name in names} for _ in range(3))
    told, images, wanted = drawn(job, SEEDS[0])["test"]
    shown = None
    for seed in SEEDS:
        runs = {
            name: train(job, name, seed, *chosen[name][1:], times) for name in names
        }
        generated, expected = runs["joint"]["images"], asked(job, seed)[1]
        shown = generated if shown is None else shown
        expected = expected(generated) if callable(expected) else expected
        for name, run in runs.items():
            scores[name].append(score(job, run["weights"], images, wanted))
            fake[name].append(score(job, run["weights"], generated, expected))
            made[name].append(run)
        means = {name: round(float(one[-1].mean()), 3) for name, one in scores.items()}
        print(job, times, "seed", seed, means, flush=True)
    recipe = JOBS[job]
    settings = {k: getattr(recipe, k) for k in ("epochs", "batch_size", "times")}
    settings |= {"epochs": times * recipe.epochs, "rate": recipe.rate, "redraw": True}
    samples = recipe.samples or (lambda told, images, drawn: {})
    return {
        "settings": settings,
        "metric": recipe.metric,
        "images": len(images),
        "ours": "joint",
        "seeds": list(SEEDS),
        "rivals": {
            name: summary(scores[name], fake[name], made[name], chosen[name][0])
            for name in names
        },
        "judgements": judge_all(scores, recipe.margin),
        # On generated images: the joint network against the one that is trained alone.
        "on generated": judge_all(fake, recipe.margin),
        "samples": samples(told, images, shown),
    }


def levels(images):
    """Return grey images as whole numbers, to be stored."""
    return (255 * images[..., 0]).round().astype(int).tolist()


def summary(scores, fake, made, rates):
    """Sum up one rival in the form of ``ct.run_seeds``."""
    means = [float(one.mean()) for one in scores]
    return {
        "scores": means,
        "mean": float(np.mean(means)),
        "on generated": [float(one.mean()) for one in fake],
        "parameters": made[0]["parameters"],
        "steps": made[0]["steps"],
        "seconds": round(float(np.median([one["seconds"] for one in made])), 2),
        "learning_rates": rates,
        "packed": [_pack(np.round(one, 4)) for one in scores],
        "packed, generated": [_pack(np.round(one, 4)) for one in fake],
    }


def judge_all(scores, margin):
    """Judge the joint training against all others."""
    judged = {}
    for name in scores:
        if name != "joint":
            claim = f"joint is better than {name}"
            pair = (np.round(scores[key], 4) for key in ("joint", name))
            judged[name] = ct.judge(*pair, claim, margin=margin).as_dict()
    return judged


def run(job):
    """Choose, train for a short and a longer time, and judge."""
    start = time.perf_counter()
    chosen = {name: choose(job, name) for name in ("joint", "alone")}
    chosen[EQUAL_STEPS] = chosen["alone"]
    found = describe_run() | compare(job, chosen, 1)
    if not SHORT:
        found["longer"] = compare(job, chosen, LONGER)
    found["hours"] = round((time.perf_counter() - start) / 3600, 4)
    return found, chosen
