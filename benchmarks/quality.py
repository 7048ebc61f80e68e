"""Five seeds for the page "Quality: judging without the original".

    python benchmarks/quality.py

Crops of photographs with noise, blur or JPEG of many strengths; a network says how
damaged each is. Writes ``results/quality.json``, what ``ct.run_seeds`` returns. Its
tests: crops of unseen photographs with all three kinds ("mixed"), with one kind each,
and with lost contrast, a kind that was not in the training.

Beside the networks stand a random forest on five classical estimates, trained on the
same crops, its trees chosen on validation photographs; two of the estimates alone; and
the discriminator of a generator of photographs, which saw these crops without damage.
It chose one of three learning rates, too. It is trained for one length, that of the
page's ``pair_epochs``, and stands beside the short training and the longer one.
"""

import functools
import time
import warnings
from dataclasses import replace
from functools import partial

import keras
import numpy as np
from common import FEW, QUICK, RATES, SEEDS, compare, definitions, each, finish
from scipy.spatial.distance import pdist

import crnn_tutorial as ct
from crnn_tutorial.judging.results import _pack
from crnn_tutorial.tasks.quality import rank_agreement

MARGIN = 0.02  # of a rank correlation
ALONE = {"sharpness": "sharpness alone", "noise": "noise alone"}  # of the estimates
FOREST, DISCRIMINATOR = "forest of estimates", "discriminator"
PAIR_RATE = 2e-3  # the middle one of three

page = definitions("faq/quality")
harm = page["harm"]


# ------------------------------------------------------------ what is trained on


def make_tests():
    """Return the tests by name, and the photograph of each crop; the main one first."""
    images, photograph = page["large"].test.images, page["large"].test.targets
    few = slice(None, None, 4)
    tests = {"mixed": harm(images, 2)}
    clusters = {"mixed": photograph}
    for name in page["KINDS"]:
        tests[name] = harm(images[few], 3, (name,))
        clusters[name] = photograph[few]
    if QUICK:
        order = np.random.default_rng(0).permutation(len(photograph[few]))[:FEW]
        tests = {name: split[order] for name, split in tests.items()}
        clusters = {name: labels[order] for name, labels in clusters.items()}
    return tests, clusters


def draw(test, seed):
    """Return crops of its own to train on for each seed, and the same to choose by."""
    return replace(
        page["photos"],
        train=harm(page["draw"](seed), 100 + seed),
        validation=harm(page["large"].validation.images, 1),
        test=test,
    )


# ------------------------------------------------------------ the others


@functools.cache
def pair_of():
    """Return a generator with its discriminator, so that they are compiled once."""
    return page["build_pair"]()


def train_pair(seed, rate):
    """Train them; return the discriminator's weights, and the seconds."""
    warnings.filterwarnings("ignore", "The generator has collapsed")
    pair = pair_of()
    ct.set_seed(seed)
    for part in (pair.generator, pair.discriminator):
        part.set_weights(keras.models.clone_model(part).get_weights())
    pair.averaged.set_weights(pair.generator.get_weights())
    pair.seeds.state.assign(keras.random.SeedGenerator(seed).state)
    for variable in pair.optimizer.variables:
        variable.assign(0 * variable)
    pair.optimizer.learning_rate = rate
    images = page["draw"](seed)[: FEW if QUICK else None]
    epochs = 1 if QUICK else page["pair_epochs"]
    start = time.perf_counter()
    try:
        pair.fit(images, batch_size=32, epochs=epochs, verbose=0)
    except FloatingPointError:  # a learning rate with which training diverges
        pass
    drawn = pair.generate(4 if QUICK else 64, seed=seed)
    seconds = time.perf_counter() - start
    # How far apart its pictures are, as a share of that of photographs: 0 if collapsed.
    apart = _apart(drawn) / _apart(images[: len(drawn)])
    return pair.discriminator.get_weights(), seconds, drawn, apart


def _apart(images):
    flat = images.reshape(len(images), -1)
    return float(pdist(flat).mean())


def distrust(found, images):
    pair = pair_of()
    pair.discriminator.set_weights(found[0])
    return page["distrust"](pair, images)


def choose_rate(validation):
    """Choose the discriminator's learning rate by its rank correlation."""
    tried = [float(f"{PAIR_RATE * times:.2g}") for times in RATES]
    found = each(train_pair, [(SEEDS[0], rate) for rate in tried])
    scores = [
        float(
            rank_agreement(validation.targets, distrust(one, validation.images)).mean()
        )
        for one in found
    ]
    rate = tried[int(np.argmax(scores))]
    return {"tried": tried, "validation": scores, "chosen": rate}


def score_forests(tests):
    """Score five forests; return rival -> test -> seeds -> each image, and seconds."""
    scores, seconds = {}, []
    known = {name: page["estimate_all"](split.images) for name, split in tests.items()}
    for seed in SEEDS:
        data = draw(tests["mixed"], seed)
        data = replace(data, train=data.train[: 8 * FEW]) if QUICK else data
        start = time.perf_counter()
        forest = page["grow_forest"](data.train, data.validation)
        seconds.append(time.perf_counter() - start)
        print("forest, seed", seed, "leaf", forest.min_samples_leaf, flush=True)
        answers = {name: forest.predict(x) for name, x in known.items()}
        _append(scores, {FOREST: answers}, tests)
    return scores, {"seconds": round(float(np.median(seconds)), 2)}


def score_estimates(tests):
    """Score two estimates as they are, in the same form; no seed changes them."""
    scores, numbers = {}, {}
    for estimate, rival in ALONE.items():
        numbers[rival] = page["ESTIMATES"].index(estimate)
    known = {name: page["estimate_all"](split.images) for name, split in tests.items()}
    answers = {
        rival: {name: x[:, number] for name, x in known.items()}
        for rival, number in numbers.items()
    }
    for _ in SEEDS:
        _append(scores, answers, tests)
    return scores


def score_discriminators(tests, rate):
    """Score five discriminators, as `score_estimates` does; and what else is known."""
    scores, seconds, apart = {}, [], []
    for found in each(train_pair, [(seed, rate) for seed in SEEDS]):
        answers = {name: distrust(found, split.images) for name, split in tests.items()}
        _append(scores, {DISCRIMINATOR: answers}, tests)
        seconds.append(found[1])
        apart.append(round(found[3], 3))
    told = {"seconds": round(float(np.median(seconds)), 2), "apart": apart}
    return scores, told


def _append(scores, answers, tests):
    for rival, one in answers.items():
        for name, split in tests.items():
            found = rank_agreement(split.targets, one[name])
            scores.setdefault(rival, {}).setdefault(name, []).append(found)


def beside(part, scores, **told):
    """Put rivals beside what ``ct.run_seeds`` found, and judge the CRNN by them."""
    for rival, tests in scores.items():
        for name, seeds in tests.items():
            one, seeds = part["tests"][name], np.round(seeds, 4)
            judged = ct.judge(
                np.round(ct.stored_scores(one, "CRNN"), 4),
                seeds,
                f"CRNN is better than {rival}",
                clusters=one["clusters"],
                margin=MARGIN,
            )
            one["judgements"][rival] = judged.as_dict()
            means = [float(one_seed.mean()) for one_seed in seeds]
            one["rivals"][rival] = {
                "scores": means,
                "mean": float(np.mean(means)),
                "packed": [_pack(one_seed) for one_seed in seeds],
                **told,
            }


def main():
    tests, clusters = make_tests()
    builders = ct.rivals(ct.build_quality_scorer, (None, None, 1), **page["network"])
    found = compare(
        "photographs",
        builders,
        partial(draw, tests["mixed"]),
        "CRNN",
        evaluate_on=tests,
        clusters=clusters,
        margin=MARGIN,
        **page["recipe"],
    )
    forests, spent = score_forests(tests)
    estimates = score_estimates(tests)
    rates = choose_rate(harm(page["large"].validation.images, 1))
    print(DISCRIMINATOR, rates, flush=True)
    pair = pair_of()
    size = {"parameters": pair.discriminator.count_params(), "learning_rates": rates}
    scores, told = score_discriminators(tests, rates["chosen"])
    for part in filter(None, (found, found.get("longer"))):
        beside(part, forests, **spent)
        beside(part, estimates)
        beside(part, scores, **told, **size)
    (first,) = each(train_pair, [(SEEDS[0], rates["chosen"])])
    drawn = first[2]
    found["samples"] = (255 * drawn[:8, ..., 0]).round().astype(int).tolist()
    finish("quality", found)


if __name__ == "__main__":
    main()
