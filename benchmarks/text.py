"""Real captchas: are letters learnt, or places?

    python benchmarks/text.py             # five minutes on two cores
    python benchmarks/text.py augmented 0 # one training: prints, and stores nothing

Needs ``captcha_upper6/images.zip`` in the folder that ``CRNN_TUTORIAL_DATA`` names (by
default ``../shared/data`` beside the repository): 5,000 words of six letters. Those
that begin with one of seven letters are kept for the test, so that no training word
shows these letters in first place. Writes ``results/text.json``; delete that to begin
anew.
How fast captchas are learnt: ``benchmarks/text_robust.py``.
"""

import functools
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

import crnn_tutorial as ct
from crnn_tutorial.judging.results import describe_run
from crnn_tutorial.metrics.text import exact_match_per_image

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
SIZE = (64, 24)  # (width, height) in pixels
NEVER_FIRST = "AEIMQUY"
CRNN = {"units": 64, "filters": (16, 32, 64)}


@functools.cache
def load(size=SIZE):
    """Load the captchas, squashed to one size, as two splits: train and test."""
    folder = Path(os.environ.get("CRNN_TUTORIAL_DATA", BESIDE))
    archive = folder / "captcha_upper6" / "images.zip"
    words = ct.load_text_images(archive, height=70, validation=0, test=0.1, seed=0)
    assert (len(words.train), len(words.test)) == (4500, 500)
    return [
        ct.Split(
            np.stack([ct.resize_image(image, size) for image in split.images]),
            split.targets,
        )
        for split in (words.train, words.test)
    ]


ALPHABET = ct.Alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def build_ours(size=SIZE, **options):
    """Build the reader of the book."""
    shape = (size[1], None, 1)
    return ct.build_text_recognizer(shape, ALPHABET, **CRNN | options)


def score(model, split):
    """Exact match with its interval, and the character error rate."""
    texts = ct.read_text(model, split.images)
    exact = exact_match_per_image(split.targets, texts)
    return {
        "exact_match": str(ct.interval(exact)),
        "share": float(exact.mean()),
        "cer": ct.character_error_rate(split.targets, texts),
    }


POSITION = ("as they are", "augmented", "one softmax per position")


def position(kind, seed=0):
    """Train without any word that begins with one of seven letters; test on those."""
    words = ct.Split(
        np.concatenate([split.images for split in load()]),
        sum((list(split.targets) for split in load()), []),
    )
    held = np.array([text[0] in NEVER_FIRST for text in words.targets])
    texts = np.array(words.targets)
    train, test = (
        ct.Split(words.images[chosen], texts[chosen].tolist())
        for chosen in (~held, held)
    )
    ct.set_seed(seed)
    if kind == POSITION[-1]:
        model = ct.build_fixed_length_reader((24, 64, 1), ALPHABET, 6, filters=(16, 32))
    else:
        model = build_ours()
    history = ct.train_text_recognizer(
        model,
        train.images,
        train.targets,
        epochs=4,
        augment=kind == "augmented",
        seed=seed,
        verbose=0,
    )
    counts = {"train": len(train), "test": len(test)}
    return score(model, test) | {"seconds": round(history.seconds, 1)} | counts


RUNS = [
    *((kind, 0) for kind in POSITION),
    *((kind, 1) for kind in POSITION[:2]),
]


def run_alone(run):
    """Run one part in a process of its own and return what it measured."""
    command = [sys.executable, __file__, *map(str, run)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def load_before():
    """What an interrupted run has stored, so that it goes on from there."""
    try:
        before = ct.load_results("text")
    except FileNotFoundError:
        before = {}
    now = describe_run()
    same = all(before.get(key) == now[key] for key in ("machine", "versions"))
    return before if same else now | {"runs": []}


def tell(results):
    """Print one line for each part, with all that it measured."""
    for one in results["runs"]:
        numbers = {name: value for name, value in one.items() if name != "run"}
        title = ", ".join(map(str, one["run"]))
        print(f"{title:35}", ", ".join(f"{k} {v}" for k, v in numbers.items()))


def main():
    """Run what is not stored yet, and store it after each part."""
    results = load_before()
    done = [tuple(one["run"]) for one in results["runs"]]
    for run in RUNS:
        if run in done:
            continue
        measured = run_alone(run)
        results["runs"].append({"run": list(run)} | measured)
        ct.save_results("text", results)
    tell(results)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        kind, seed = sys.argv[1:]
        measured = position(kind, int(seed))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        measured["peak_megabytes"] = round(peak / 1024)
        print(json.dumps(measured))
