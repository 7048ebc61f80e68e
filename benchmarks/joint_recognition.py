"""Five seeds for the page "Two jobs at once": does a discriminator classify better?

    python benchmarks/joint_recognition.py

A discriminator has a second output: a class, boxes, or a mask. The same network without
"real or generated" is trained *alone*, for as long as both together take, and once for
as many steps. All are scored on real test images, and on images of the generator,
which was told what to draw. Writes ``results/joint_recognition.json`` in the form of
``ct.run_seeds``.

Each network chooses one of three learning rates on validation images; that of the short
training holds for the longer one, too. The joint training also chooses there whether
generated images teach the second output (as in an AC-GAN), or only real ones.
"""

import functools
import time
import warnings
from dataclasses import asdict

import keras
import numpy as np
from common import LONGER, QUICK, RATES, SEEDS, SHORT, definitions, each, finish

import crnn_tutorial as ct
from crnn_tutorial.judging.draws import draw_training
from crnn_tutorial.judging.results import _pack, describe_run
from crnn_tutorial.network import heads
from crnn_tutorial.tasks.classification import Classify
from crnn_tutorial.tasks.detection import Detect
from crnn_tutorial.tasks.segmentation import Segment

page = definitions("faq/joint_recognition")
SIDE = 16  # of a scene
SHOWN = 12  # generated images that are kept to be looked at
# epochs: of a joint training. times: so many steps alone take as long as one of both.
# rate: the middle one of three learning rates.
TASKS = {
    "digits": {"epochs": 10, "batch_size": 32, "times": 10, "rate": 8e-3},
    "masks": {"epochs": 6, "batch_size": 16, "times": 7, "rate": 4e-3},
    "few digits": {"epochs": 60, "batch_size": 32, "times": 10, "rate": 8e-3},
    "boxes": {"epochs": 6, "batch_size": 16, "times": 7, "rate": 4e-3},
}
OUTPUTS = {"boxes": "boxes", "masks": "mask"}  # of the others: digit
FEW_LABELS = 100
EQUAL_STEPS = "alone, equal steps"  # of the short training only
SCENES = (48, 96, 24) if QUICK else (800, 1600, 300)
GENERATION = "generation alone"  # of digits: its discriminator is told the class
EACH = 36  # generated digits of each class


# ------------------------------------------------------------ what is learnt


@functools.cache
def draw(task, seed):
    """Return the images of a seed: what is told, the images, the wanted answers."""
    if "digits" in task:
        drawn = draw_training(ct.load_digits(seed=0), seed)
        splits = {k: getattr(drawn, k) for k in ("train", "validation", "test")}
        if task == "few digits":
            splits["train"] = splits["train"][:FEW_LABELS]
        elif QUICK:
            splits["train"] = splits["train"][:48]
        return {k: (s.targets, s.images, s.targets) for k, s in splits.items()}
    pool = ct.load_digit_scenes(
        sizes=SCENES, size=(SIDE, SIDE), digits=(1, 1), digit_sizes=(10, 14)
    )
    drawn = draw_training(pool, seed)
    splits = {"train": drawn.train, "validation": drawn.validation[:300]}
    splits["test"] = pool.test
    return {
        k: (s.targets["masks"], s.images, s.targets[task]) for k, s in splits.items()
    }


def build(task):
    """Return a generator and a discriminator, and the name of its second output."""
    if "digits" in task:
        options = {"num_classes": 10, "filters": (16,), "units": 16}
        generator = ct.build_generator((8, 8, 1), 32, **options)
        head, shape, filters = Classify(10), (8, 8, 1), (32,)
    else:
        generator = page["build_painter"](SIDE)
        head = Detect(10, stride=4) if task == "boxes" else Segment(11)
        shape, filters = (SIDE, SIDE, 1), (12, 24)
    name = OUTPUTS.get(task, "digit")
    return generator, page["with_head"](name, head, shape, filters), name


@functools.cache
def answering(task):
    """Return a network that has only the second output, for weights that were kept."""
    _, discriminator, name = build(task)
    return keras.Model(discriminator.inputs, discriminator.output[name])


def score(task, weights, images, wanted):
    model = answering(task)
    model.set_weights(weights)
    outputs = model.predict(images, batch_size=256, verbose=0)
    return np.asarray(heads.of(model).per_image(wanted, outputs), float)


def wanted_digits():
    return np.repeat(np.arange(10), EACH)


# ------------------------------------------------------------ one training


@functools.cache
def model_of(task, name, teach):
    """Return a model to be trained again and again, so that it is compiled once."""
    generator, discriminator, output = build(task)
    if name.startswith("alone"):
        return page["leave_only"](discriminator, output, 1e-3), discriminator
    if name == GENERATION:
        told = {"num_classes": 10, "filters": (32,), "units": 16}
        discriminator = ct.build_discriminator((8, 8, 1), **told)
    seeks = 0.1 if "digits" in task else 0.0
    options = {"teach_weight": teach, "mode_seeking_weight": seeks}
    return ct.AdversarialModel(generator, discriminator, **options), discriminator


def begin_anew(task, name, model, discriminator, seed, rate):
    """Give a model new first weights, as if it had been built with this seed."""
    ct.set_seed(seed)
    parts = {id(discriminator): discriminator}
    if not name.startswith("alone"):
        parts[id(model.generator)] = model.generator
    for part in parts.values():
        part.set_weights(keras.models.clone_model(part).get_weights())
    if not name.startswith("alone"):
        model.averaged.set_weights(model.generator.get_weights())
        model.seeds.state.assign(keras.random.SeedGenerator(seed).state)
    for variable in model.optimizer.variables:
        variable.assign(0 * variable)
    model.optimizer.learning_rate = rate


def train_one(task, name, seed, rate, teach, times):
    """Train one network; return the weights of its answer, and what was generated."""
    warnings.filterwarnings("ignore", "The generator has collapsed")
    recipe = TASKS[task]
    told, images, targets = draw(task, seed)["train"]
    model, discriminator = model_of(task, name, teach)
    begin_anew(task, name, model, discriminator, seed, rate)
    epochs = times * (1 if QUICK else recipe["epochs"])
    options = {"batch_size": recipe["batch_size"], "verbose": 0}
    output = OUTPUTS.get(task, "digit")
    if name.startswith("alone"):
        epochs *= recipe["times"] if name == "alone" else 1
        data = images, targets
    elif name == GENERATION:
        data = told, images
    else:
        data = told, {"images": images, output: targets}
    seconds = 0.0
    try:
        for part in (1, epochs - 1):  # the first with the time to compile
            start = time.perf_counter()
            model.fit(*data, epochs=part, **options)
            seconds = (time.perf_counter() - start) * epochs / max(1, epochs - 1)
    except FloatingPointError:  # a learning rate with which training diverges
        pass
    steps = epochs * -(-len(images) // recipe["batch_size"])
    found = {"seconds": seconds, "steps": steps}
    if name != GENERATION:
        answer = keras.Model(discriminator.inputs, discriminator.output[output])
        found["weights"] = answer.get_weights()
        found["parameters"] = answer.count_params()
    if not name.startswith("alone"):
        asked = wanted_digits() if "digits" in task else draw(task, seed)["test"][0]
        found["images"] = model.generate(asked, seed=seed)
    return found


def train(task, name, seed, rate, teach, times):
    (found,) = each(train_one, [(task, name, seed, rate, teach, times)])
    return found


def choose(task, name):
    """Choose the learning rate (and whether generated images teach) on validation."""
    told, images, wanted = draw(task, SEEDS[0])["validation"]

    def judge(rate, teach):
        found = train(task, name, SEEDS[0], rate, teach, 1)
        if name == GENERATION:
            return float(-distance(images, told, found["images"]).mean())
        return float(score(task, found["weights"], images, wanted).mean())

    tried = [float(f"{TASKS[task]['rate'] * times:.2g}") for times in RATES]
    scores = [judge(rate, 0.0) for rate in tried]
    rate, teach = tried[int(np.argmax(scores))], 0.0
    found = {"tried": tried, "validation": scores, "chosen": rate}
    if name == "joint":
        taught = judge(rate, 1.0)
        teach = float(taught > max(scores))
        found |= {"generated images teach": bool(teach), "validation, taught": taught}
    print(task, name, found, flush=True)
    return found, rate, teach


# ------------------------------------------------------------ the digits generated


def train_judge():
    """Train the classifier in whose features generated digits are compared."""
    keras.utils.clear_session()
    ct.set_seed(1000)
    digits, model = ct.load_digits(seed=0), ct.build_cnn_model((8, 8, 1), 10)
    epochs = 1 if QUICK else 25
    ct.train_crnn_model(model, digits.train, batch_size=64, epochs=epochs, verbose=0)
    return model.get_weights()


def distance(real, classes, images):
    """Return the logarithm of the Fréchet distance of each class."""
    judge = ct.build_cnn_model((8, 8, 1), 10)
    judge.set_weights(each(train_judge, [()])[0])
    features, asked = ct.class_features(judge), wanted_digits()
    pairs = [(real[classes == k], images[asked == k]) for k in range(10)]
    return np.log([ct.frechet_distance(*pair, features) for pair in pairs])


# ------------------------------------------------------------ a comparison


def compare(task, chosen, times):
    """Train all on each seed, and judge the joint training against the others."""
    names = ["joint", "alone", *([EQUAL_STEPS] if times == 1 else ())]
    scores, made, fake = ({name: [] for name in names} for _ in range(3))
    told, images, wanted = draw(task, SEEDS[0])["test"]
    asked = wanted_digits() if "digits" in task else wanted
    shown = None
    for seed in SEEDS:
        runs = {
            name: train(task, name, seed, *chosen[name][1:], times) for name in names
        }
        drawn = runs["joint"]["images"]
        shown = drawn if shown is None else shown
        for name, run in runs.items():
            scores[name].append(score(task, run["weights"], images, wanted))
            fake[name].append(score(task, run["weights"], drawn, asked))
            made[name].append(run)
        means = {name: round(float(one[-1].mean()), 3) for name, one in scores.items()}
        print(task, times, "seed", seed, means, flush=True)
    recipe = TASKS[task]
    return {
        "settings": recipe | {"epochs": times * recipe["epochs"], "redraw": True},
        "metric": {"boxes": "F-score", "masks": "IoU"}.get(task, "accuracy"),
        "images": len(images),
        "ours": "joint",
        "seeds": list(SEEDS),
        "rivals": {
            name: summary(scores[name], fake[name], made[name], chosen[name][0])
            for name in names
        },
        "judgements": judge_all(scores, 0.01),
        # On generated images: the joint network against the one that is trained alone.
        "on generated": judge_all(fake, 0.01),
        "samples": samples(task, told, images, shown),
    }


def samples(task, told, images, drawn):
    """Keep a few generated images, and what was asked for, to be looked at."""
    if "digits" in task:  # one of each class
        return {"generated": levels(drawn[::EACH])}
    return {
        "layouts": told[:SHOWN].tolist(),
        "real": levels(images[:SHOWN]),
        "generated": levels(drawn[:SHOWN]),
    }


def levels(images):
    return (255 * images[..., 0]).round().astype(int).tolist()


def compare_generation(chosen, times):
    """Do the digits get better where the discriminator also classifies?"""
    told, images, _ = draw("digits", SEEDS[0])["test"]
    scores = {
        name: [
            -distance(
                images,
                told,
                train("digits", name, seed, *chosen[name][1:], times)["images"],
            )
            for seed in SEEDS
        ]
        for name in ("joint", GENERATION)
    }
    return {
        "metric": "minus log Fréchet distance of a class",
        "images": 10,
        "ours": "joint",
        "seeds": list(SEEDS),
        "rivals": {
            name: {
                "scores": [float(one.mean()) for one in all_],
                "mean": float(np.mean(all_)),
                "learning_rates": chosen[name][0],
                "packed": [np.round(one, 4).tolist() for one in all_],
            }
            for name, all_ in scores.items()
        },
        "judgements": judge_all(scores, 0.1),
    }


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
            found = ct.judge(*pair, claim, margin=margin)
            told = {"word": found.word, "sentence": found.sentence}
            judged[name] = {**asdict(found), **told}
    return judged


def main():
    results = {}
    for task in TASKS:
        start = time.perf_counter()
        chosen = {name: choose(task, name) for name in ("joint", "alone")}
        chosen[EQUAL_STEPS] = chosen["alone"]
        found = describe_run() | compare(task, chosen, 1)
        if not SHORT:
            found["longer"] = compare(task, chosen, LONGER)
        if task == "digits":
            chosen[GENERATION] = choose(task, GENERATION)
            results["generation"] = compare_generation(chosen, 1)
        found["hours"] = round((time.perf_counter() - start) / 3600, 4)
        results[task] = found
        if not QUICK:  # what is known so far
            ct.save_results("joint_recognition", results)
    finish("joint_recognition", results)


if __name__ == "__main__":
    main()
