"""Five seeds for the page "From noise to a seven": how real are generated digits?

    python benchmarks/generation.py

Generators of equal size, trained equally long on digits that each seed draws anew, all
against the same discriminator. Writes ``results/generation.json`` in the form of
``ct.run_seeds``. A score belongs to a class: minus the logarithm of the Fréchet
distance between 100 generated images of it and its test images, in the features of a
classifier that no generator ever saw. So 0.1 is about a tenth of the distance.

Each training is one call of ``train_one(name, seed, rate, epochs)``, and is kept.
"""

import time
import warnings

import joblib
import keras
import numpy as np
from common import (
    LONGER,
    QUICK,
    RATES,
    SEEDS,
    SHORT,
    _folder,
    each,
    finish,
)
from judge_of_digits import load_judge, train_judge
from scipy.stats import spearmanr
from sklearn.decomposition import PCA

import crnn_tutorial as ct
from crnn_tutorial.judging.draws import draw_training
from crnn_tutorial.judging.results import describe_run

SHAPE, CLASSES, NOISE = (8, 8, 1), 10, 32
LEARNING_RATE = 6e-3
MARGIN = 0.1  # of the logarithm: a tenth of the distance
EPOCHS = 1 if QUICK else 60
LOOKS = 1 if QUICK else 10  # at the samples, while training
EACH = 8 if QUICK else 100  # generated images of each class
SHOWN = 8  # of each class, kept to be looked at
COMPONENTS = (5, 10, 20, 30, 40)  # of a PCA of each class
RECURRENCE = {
    "CRNN": "lstm",
    "DCGAN": None,
    "order-blind": "order_blind",
    "attention": "attention",
}
if SHORT:  # it takes longest, and no claim hangs on it
    del RECURRENCE["attention"]
# Changes of the recipe, each with the learning rate of the CRNN, for the first seeds.
FEW_SEEDS = 2
RECIPES = {
    "no mode seeking": {"mode_seeking_weight": 0.0},
    "CRNN discriminator": {},
    "limited kernels": {},
}
PCA_NAME = "PCA + Gaussian"


# ------------------------------------------------------------ networks


def build_generator(name):
    """Build a generator of as many parameters as the CRNN has."""
    arguments = SHAPE, NOISE, CLASSES
    crnn = ct.build_generator(*arguments, units=32)
    recurrence = RECURRENCE.get(name, "lstm")
    if recurrence in ("lstm", None):  # a DCGAN has exactly as many, by its shapes
        return ct.build_generator(*arguments, units=32, recurrence=recurrence)
    fixed = {"recurrence": recurrence, "filters": (32,)}
    return ct.match_parameters(ct.build_generator, crnn, *arguments, **fixed).builder()


def build_discriminator(name):
    """Build the discriminator, which is the same for all but two recipes."""
    options = {"filters": (32,), "recurrence": None}
    if name == "CRNN discriminator":
        options |= {"recurrence": "lstm", "units": 16}
    if name == "limited kernels":
        options |= {"limit": 1.0}
    return ct.build_discriminator(SHAPE, num_classes=CLASSES, **options)


def draw(seed):
    """Return the digits of a seed; the test images stay."""
    return draw_training(ct.load_digits(seed=0), seed)


def wanted():
    """Return the class of each generated image."""
    return np.repeat(np.arange(CLASSES), EACH)


def train_one(name, seed, rate, epochs):
    """Train one generator; return its images, and how training went."""
    warnings.filterwarnings("ignore", "The generator has collapsed")
    keras.utils.clear_session()
    ct.set_seed(seed)
    digits = draw(seed)
    model = ct.AdversarialModel(
        build_generator(name),
        build_discriminator(name),
        **{"mode_seeking_weight": 0.1, "learning_rate": rate, **RECIPES.get(name, {})},
    )
    judge = load_judge()
    model.features = ct.class_features(judge)
    start, told = time.perf_counter(), digits.train
    try:
        history = model.fit(
            told.targets,
            told.images,
            batch_size=64,
            epochs=epochs,
            validation_data=(digits.test.targets, digits.test.images),
            validation_freq=max(1, epochs // LOOKS),
            verbose=0,
        ).history
    except FloatingPointError:  # a learning rate with which training diverges
        history = {}
    seconds = time.perf_counter() - start
    images = model.generate(wanted(), seed=seed)
    return {
        "images": images,
        "not averaged": images_of(model.generator, seed),
        "logits": score_of(model.discriminator, images),
        "logits of test": score_of(
            model.discriminator, digits.test.images, digits.test.targets
        ),
        "parameters": model.generator.count_params(),
        "seconds": seconds,
        "curves": {key: [float(f"{x:.5g}") for x in v] for key, v in history.items()},
    }


def images_of(generator, seed):
    """Generate with weights that are not averaged."""
    noise = np.random.default_rng(seed).standard_normal((EACH * CLASSES, NOISE))
    feed = {"noise": noise.astype("float32"), "condition": wanted()}
    return generator.predict(feed, batch_size=256, verbose=0)


def score_of(discriminator, images, classes=None):
    classes = wanted() if classes is None else classes
    feed = {"image": images, "condition": classes}
    return discriminator.predict(feed, batch_size=256, verbose=0)[:, 0]


def kept(function):
    """Return the function, which reads what it has done already from a folder."""
    return joblib.Memory(_folder(), verbose=0).cache(function)


def note_time(train, spent):
    """Return the function, which also notes how long each training took."""

    def one(*job):
        found = train(*job)
        spent[job] = found["seconds"]
        return found

    return one


# ------------------------------------------------------------ PCA + Gaussian


def sample_pca(images, labels, components, seed):
    """Draw images of each class from a normal distribution in its components."""
    rng, found = np.random.default_rng(seed), []
    for one in range(CLASSES):
        group = images[labels == one].reshape(-1, np.prod(SHAPE))
        pca = PCA(min(components, len(group) - 1)).fit(group)
        size = EACH, pca.n_components_
        codes = rng.normal(size=size) * np.sqrt(pca.explained_variance_)
        found.append(pca.inverse_transform(codes))
    return np.clip(np.concatenate(found), 0, 1).reshape(-1, *SHAPE).astype("float32")


def best_pca(digits, features, seed):
    """Choose the number of components as the networks choose their learning rates."""
    told, judged = digits.train, digits.validation
    tried = {
        count: sample_pca(told.images, told.targets, count, seed)
        for count in COMPONENTS
    }
    scores = {c: score(judged, one, features).mean() for c, one in tried.items()}
    best = max(scores, key=scores.get)
    return tried[best], best


# ------------------------------------------------------------ scores


def score(real, images, features):
    """Return the score of each class: minus the logarithm of its distance."""
    labels = wanted()
    return -np.log(
        [
            ct.frechet_distance(
                real.images[real.targets == one], images[labels == one], features
            )
            for one in range(CLASSES)
        ]
    )


def measure(digits, images, judge, features):
    """Return every other number that is told of generated images."""
    labels, test, train = wanted(), digits.test, digits.train
    near = ct.nearest_neighbours(images, train.images).distance
    real = ct.nearest_neighbours(test.images, train.images).distance
    spreads = [ct.spread(images, labels), ct.spread(test.images, test.targets)]
    return {
        "Frechet distance": ct.frechet_distance(test.images, images, features),
        "class match": ct.class_match(judge, images, labels).mean(),
        "spread": spreads[0] / spreads[1],
        "neighbour distance": near.mean() / real.mean(),
        "classes covered": ct.classes_covered(judge, images),
        "copies": float(np.mean(near < 0.5 * real.min())),
    }


def look_at_discriminator(digits, run):
    """Return how its score goes with the distance from the nearest real image."""
    near = ct.nearest_neighbours(run["images"], digits.train.images).distance
    fake, real = run["logits"], run["logits of test"]
    higher = (real[:, np.newaxis] > fake).mean()
    return {
        "rank correlation": float(spearmanr(run["logits"], -near).statistic),
        "real scores higher": float(higher),  # 0.5: it cannot tell them apart
    }


# ------------------------------------------------------------ one length of training


def choose_rates(train, epochs, features):
    """Let each network choose its learning rate on validation images."""
    seed, rates = SEEDS[0], {}
    tried = [float(f"{LEARNING_RATE * times:.2g}") for times in RATES]
    for name in RECURRENCE:
        runs = [train(name, seed, rate, epochs) for rate in tried]
        scores = [
            float(score(draw(seed).validation, run["images"], features).mean())
            for run in runs
        ]
        chosen = tried[int(np.nanargmax(scores))]
        rates[name] = {"tried": tried, "validation": scores, "chosen": chosen}
        print(name, rates[name], flush=True)
    return rates


def run(times, spent, recipes=()):
    """Train all rivals, and judge the CRNN against each."""
    epochs, train = times * EPOCHS, note_time(kept(train_one), spent)
    judge = load_judge()
    features = ct.class_features(judge)
    rates = choose_rates(train, epochs, features)
    scores, numbers, runs, shown = {}, {}, {}, {}
    for seed in SEEDS:
        digits = draw(seed)
        pictures = {}
        extra = recipes if seed in SEEDS[:FEW_SEEDS] else ()
        for name in (*rates, *extra):
            rate = rates.get(name, rates["CRNN"])["chosen"]
            one = train(name, seed, rate, epochs)
            runs.setdefault(name, []).append(one)
            pictures[name] = one["images"]
        pictures[PCA_NAME], components = best_pca(digits, features, seed)
        pictures["not averaged"] = runs["CRNN"][-1]["not averaged"]
        pictures["real digits"] = real_digits(digits, seed)
        for name, images in pictures.items():
            scores.setdefault(name, []).append(score(digits.test, images, features))
            found = measure(digits, images, judge, features)
            numbers.setdefault(name, []).append(found)
        numbers[PCA_NAME][-1]["components"] = components
        shown = shown | samples(pictures)
        told = {n: round(v[-1]["Frechet distance"], 3) for n, v in numbers.items()}
        print("seed", seed, told, flush=True)
    return {
        "settings": {
            "epochs": epochs,
            "batch_size": 64,
            "noise_size": NOISE,
            "mode_seeking_weight": 0.1,
            "redraw": True,
        },
        "metric": "minus log Fréchet distance of a class",
        "images": CLASSES,
        "rivals": {
            name: summary(scores[name], numbers[name], runs.get(name), rates.get(name))
            for name in scores
        },
        "judgements": judge_all(scores),
        "warnings": [],
        "discriminator": [
            look_at_discriminator(draw(seed), one)
            for seed, one in zip(SEEDS, runs["CRNN"], strict=True)
        ],
        "samples": shown,
    }


def real_digits(digits, seed):
    """Draw training images: the best that a generator could do."""
    rng, train = np.random.default_rng(seed), digits.train
    picked = [
        rng.choice(np.flatnonzero(train.targets == one), EACH) for one in range(CLASSES)
    ]
    return train.images[np.concatenate(picked)]


def summary(scores, numbers, runs, rate):
    """Sum up one rival in the form of ``ct.run_seeds``."""
    means = [float(one.mean()) for one in scores]
    found = {"scores": means, "mean": float(np.mean(means))}
    for key in numbers[0]:
        found[key] = [round(float(one[key]), 5) for one in numbers]
    if runs:
        found |= {
            "parameters": runs[0]["parameters"],
            "seconds": round(float(np.mean([one["seconds"] for one in runs])), 2),
            "curves": [one["curves"] for one in runs],
            "learning_rates": rate,
        }
    return found | {"packed": [np.round(one, 4).tolist() for one in scores]}


def judge_all(scores):
    """Judge the CRNN against all others; a class is what an image is elsewhere."""
    scores, judged = {name: np.round(all_, 4) for name, all_ in scores.items()}, {}
    for name in scores:
        if name != "CRNN" and len(scores[name]) == len(scores["CRNN"]):
            found = ct.judge(
                scores["CRNN"],
                scores[name],
                f"CRNN is better than {name}",
                margin=MARGIN,
            )
            judged[name] = found.as_dict()
    return judged


def samples(pictures):
    """Keep some images of a seed: a hexadecimal digit for each pixel."""
    first = [one * EACH + k for k in range(SHOWN) for one in range(CLASSES)]
    return {
        name: [
            "".join(f"{level:x}" for level in np.rint(15 * image).astype(int).ravel())
            for image in images[first]
        ]
        for name, images in pictures.items()
    }


def main():
    spent: dict = {}
    results = describe_run() | {"seeds": list(SEEDS), "ours": "CRNN"}
    results["classifier"] = each(train_judge, [()])[0][1]
    results |= run(1, spent, RECIPES)
    if not SHORT:
        results["longer"] = run(LONGER, spent)
    results["hours"] = round(sum(spent.values()) / 3600, 4)
    finish("generation", results)


if __name__ == "__main__":
    main()
