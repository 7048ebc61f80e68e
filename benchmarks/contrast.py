"""Five seeds for the page "Contrast: how much is enough?".

    python benchmarks/contrast.py

Photographs in grey that have lost a share of their contrast and of their light. Writes
``results/contrast.json``: "dull", what ``ct.run_seeds`` returns; and "SSIM" and "PSNR"
beside a CRNN that is told the image as it came, not stretched. The tests: both lost,
contrast only, light only. Beside the networks stand those that have no seed: CLAHE and
gamma correction, their strength chosen on the validation photographs; stretching; the
image as it came; and the mean of the test images, which is the best answer of anyone
who does not see the image.
"""

from dataclasses import asdict, replace
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
    each,
    finish,
)

import crnn_tutorial as ct
from crnn_tutorial.metrics.pictures import psnr_per_image

MARGIN = 0.1  # dB: less is not seen
MARGIN_SSIM = 0.005


@cache
def load_page():
    return definitions("faq/contrast")


def make_tests(page):
    """Return the tests by name, the one that is trained on first."""
    images, tell = page["some"].test.images, page["tell"]
    half = np.full(len(images), 0.5)
    return {
        "dull": page["make_dull"](images, 1),
        "faint": tell(ct.degrade(images, "contrast", half), images),
        "dark": tell(ct.degrade(images, "darkness", half), images),
    }


def answer_others(page, split):
    """Answer with the methods that are not trained."""
    targets = np.asarray(split.targets)
    answers = {
        "as it came": split.images[..., 1:],
        "stretched": split.images[..., :1],
        "mean image": np.broadcast_to(targets.mean(axis=0), targets.shape),
    }
    for name in page["CLASSICAL"]:
        strength = page["choose_classical"](name)
        print(name, strength, flush=True)
        answers[name] = page["apply"](name, split, strength)
    return answers


def draw(page, test, validation, seed):
    """Return crops of its own to train on for each seed, and the same to choose by."""
    parts = {"train": page["draw"](seed), "validation": validation, "test": test}
    return replace(page["photos"], **parts)


def run(page, tests, others):
    """Compare the networks."""
    validation = page["make_dull"](page["some"].validation.images, 2)
    builders = ct.rivals(ct.build_restorer, (None, None, 2), **page["network"])
    found = compare(
        "dull",
        builders,
        partial(draw, page, tests["dull"], validation),
        "CRNN",
        evaluate_on=tests,
        clusters=dict.fromkeys(tests, page["some"].test.targets),
        margin=MARGIN,
        **page["recipe"],
    )
    scores = {
        test: {
            name: psnr_per_image(tests[test].targets[: len(one)], one)
            for name, one in answers.items()
        }
        for test, answers in others.items()
    }
    for part in filter(None, (found, found.get("longer"))):
        beside(part, scores, margin=MARGIN)
    return found


# ------------------------------------------------------------ SSIM, and no stretching


def train_one(told, seed):
    """Train a CRNN on stretched images, or on images "as it came"; return answers."""
    page = load_page()
    keras.utils.clear_session()
    ct.set_seed(seed)
    channels = slice(None) if told == "stretched" else slice(1, None)

    def view(split):
        return ct.Split(split.images[..., channels], split.targets)

    train, test = view(page["draw"](seed)), view(make_tests(page)["dull"])
    shape = (None, None, train.images.shape[-1])
    model = ct.build_restorer(shape, **page["network"])
    recipe = page["recipe"] | ({"epochs": 1} if QUICK else {})
    train = train[:FEW] if QUICK else train
    ct.train_crnn_model(model, train, None, **recipe, verbose=0)
    return model.predict(test.images, batch_size=16, verbose=0)


def judge_all(page, split, answers, score, margin):
    """Judge the CRNN against all others in one score."""
    scores = {
        name: np.stack([score(split.targets, one) for one in runs]).round(4)
        for name, runs in answers.items()
    }
    ours, judged = scores["CRNN"], {}
    for name in scores:
        if name == "CRNN":
            continue
        other = scores[name] if len(scores[name]) > 1 else scores[name][0]
        found = ct.judge(
            ours,
            other,
            f"CRNN is better than {name}",
            margin=margin,
            clusters=page["some"].test.targets,
        )
        judged[name] = {**asdict(found), "word": found.word, "sentence": found.sentence}
    rivals = {
        name: {
            "scores": one.mean(axis=1).tolist(),
            "mean": float(one.mean()),
            "packed": one.tolist(),
        }
        for name, one in scores.items()
    }
    return {"ours": "CRNN", "rivals": rivals, "judgements": judged}


def main():
    page = load_page()
    tests = make_tests(page)
    parts = {name: one[:FEW] for name, one in tests.items()} if QUICK else tests
    others = {name: answer_others(page, one) for name, one in parts.items()}
    answers = {
        "CRNN": each(train_one, [("stretched", seed) for seed in SEEDS]),
        "CRNN, not stretched": each(
            train_one, [("as it came", seed) for seed in SEEDS]
        ),
    }
    split = tests["dull"]
    answers |= {name: [one] for name, one in answer_others(page, split).items()}
    results = {"dull": run(page, tests, others)}
    results["SSIM"] = judge_all(page, split, answers, page["ssim"], MARGIN_SSIM)
    results["PSNR"] = judge_all(page, split, answers, psnr_per_image, MARGIN)
    finish("contrast", results)


if __name__ == "__main__":
    main()
