"""Five seeds for the page "Contrast: more is not better".

    python benchmarks/contrast.py

Photographs in grey that have lost a share of their contrast and of their light, each
another one. Writes ``results/contrast.json`` in the form of ``ct.run_seeds``, with two
tests of each kind of photographs, the PSNR in dB and the SSIM: "dull" (both lost, what
is trained on), "faint" (contrast only), "dark" (light only), "undamaged". Beside the
networks stand those that have no seed: CLAHE (its setting chosen on the validation
photographs, and as it comes), gamma, stretching, the usual mean and spread; the image
as it came; and the mean of the test images, which is the best answer of anyone who does
not see the image.

Each network chooses one of three learning rates by the PSNR on the validation
photographs, once for the short training and once for the longer one.
"""

import time
from functools import cache

import keras
import numpy as np
from common import FEW, LONGER, QUICK, RATES, SEEDS, SHORT, definitions, each, finish

import crnn_tutorial as ct
from crnn_tutorial.judging.results import _pack, describe_run

page = definitions("faq/contrast")
psnr, ssim = page["psnr_per_image"], page["ssim_per_image"]
SCORES = {"": (psnr, 0.1), ", SSIM": (ssim, 0.01)}  # with the margin of each
LOST = {
    "dull": ("contrast", "darkness"),
    "faint": ("contrast",),
    "dark": ("darkness",),
    "undamaged": (),
}
OURS = "CRNN"


@cache
def make_tests():
    images = page["large"].test.images
    tests = {name: page["make_dull"](images, 1, lost) for name, lost in LOST.items()}
    return {name: one[:FEW] if QUICK else one for name, one in tests.items()}


def clusters():
    photographs = page["large"].test.targets
    return photographs[:FEW] if QUICK else photographs


@cache
def validation():
    return page["make_dull"](page["large"].validation.images, 2)


@cache
def draw(seed):
    train = page["draw"](seed)
    return train[:FEW] if QUICK else train


# ------------------------------------------------------------ the networks


def train_one(name, seed, rate, times, tests):
    """Train one network; return test -> scores, or those on the validation images."""
    keras.utils.clear_session()
    ct.set_seed(seed)
    builders = ct.rivals(ct.build_restorer, (None, None, 2), **page["network"])
    model, recipe = builders[name](), page["recipe"] | {"learning_rate": rate}
    epochs = times * (1 if QUICK else recipe.pop("epochs"))
    start = time.perf_counter()
    try:
        told = recipe | {"epochs": epochs, "verbose": 0}
        history = ct.train_crnn_model(model, draw(seed), None, **told)
    except FloatingPointError:  # a learning rate with which the training diverges
        if tests:
            raise
        return None
    seconds = time.perf_counter() - start
    if not tests:
        return float(psnr(validation().targets, predict(model, validation())).mean())
    found = {
        "seconds": round(seconds, 2),
        "parameters": model.count_params(),
        "curves": {"loss": [float(f"{x:.5g}") for x in history.history["loss"]]},
    }
    for test, split in make_tests().items():
        answers = predict(model, split)
        for score, (function, _) in SCORES.items():
            found[test + score] = function(split.targets, answers).round(4)
    return found


def predict(model, split):
    return model.predict(split.images, batch_size=16, verbose=0)


def train(*job):
    (found,) = each(train_one, [job])
    return found


def choose(name, times):
    """Choose the learning rate on the validation photographs."""
    tried = [float(f"{page['recipe']['learning_rate'] * by:.2g}") for by in RATES]
    scores = [train(name, SEEDS[0], rate, times, False) for rate in tried]
    best = max(range(len(tried)), key=lambda k: scores[k] or -np.inf)  # None: diverged
    found = {"tried": tried, "validation": scores, "chosen": tried[best]}
    print(name, times, found, flush=True)
    return found


# ------------------------------------------------------------ those without a seed


@cache
def score_others():
    """Return rival -> test -> the score of each image."""
    settings = {name: page["choose_classical"](name) for name in page["CLASSICAL"]}
    print(settings, flush=True)
    found = {}
    for test, split in make_tests().items():
        mean = split.targets.mean(axis=0)
        answers = {
            "as it came": split.images[..., 1:],
            "mean image": np.broadcast_to(mean, split.targets.shape),
        }
        answers |= {k: page["answer"](k, split, one) for k, one in settings.items()}
        for name, one in answers.items():
            for score, (function, _) in SCORES.items():
                scores = function(split.targets, one).round(4)
                found.setdefault(name, {})[test + score] = scores
    return found


# ------------------------------------------------------------ the comparison


def compare(times):
    """Train all on each seed, and judge ours against all others."""
    names = list(ct.rivals(ct.build_restorer, (None, None, 2), **page["network"]))
    rates = {name: choose(name, times) for name in names}
    runs = {name: [] for name in names}
    for seed in SEEDS:
        for name in names:
            runs[name].append(train(name, seed, rates[name]["chosen"], times, True))
        means = {k: round(float(one[-1]["dull"].mean()), 2) for k, one in runs.items()}
        print(times, "seed", seed, means, flush=True)
    recipe = page["recipe"]
    tests = {
        test + score: judge_test(test + score, margin, runs, rates)
        for score, (_, margin) in SCORES.items()
        for test in LOST
    }
    settings = recipe | {"epochs": times * recipe["epochs"], "redraw": True}
    return {"settings": settings} | next(iter(tests.values())) | {"tests": tests}


def judge_test(test, margin, runs, rates):
    """Sum up one test in the form of ``ct.run_seeds``."""
    scores = {k: np.stack([run[test] for run in one]) for k, one in runs.items()}
    rivals = {
        name: {
            "scores": one.mean(axis=1).tolist(),
            "mean": float(one.mean()),
            "parameters": runs[name][0]["parameters"],
            "seconds": round(float(np.mean([r["seconds"] for r in runs[name]])), 2),
            "learning_rates": rates[name],
            "packed": [_pack(run) for run in one],
            "curves": [run["curves"] for run in runs[name]],
        }
        for name, one in scores.items()
    }
    for name, others in score_others().items():
        scores[name] = one = others[test]
        rivals[name] = {
            "scores": [float(one.mean())] * len(SEEDS),
            "mean": float(one.mean()),
            "packed": [_pack(one)],
        }
    judgements = {}
    for name in scores:
        if name == OURS:
            continue
        claim = f"{OURS} is better than {name}"
        options = {"margin": margin, "clusters": clusters()}
        found = ct.judge(scores[OURS], scores[name], claim, **options)
        judgements[name] = found.as_dict()
    return {
        "metric": "SSIM" if "SSIM" in test else "PSNR",
        "images": len(one),
        "clusters": np.asarray(clusters()).tolist(),
        "rivals": rivals,
        "judgements": judgements,
    }


def main():
    start = time.perf_counter()
    found = {**describe_run(), "seeds": list(SEEDS), "ours": OURS, **compare(1)}
    if not SHORT:
        if not QUICK:  # what is known so far
            ct.save_results("contrast", found)
        found["longer"] = compare(LONGER)
    found["hours"] = round((time.perf_counter() - start) / 3600, 4)
    finish("contrast", found)


if __name__ == "__main__":
    main()
