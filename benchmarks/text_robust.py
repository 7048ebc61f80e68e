"""README's ten lines as they stand, on fifteen sets: what they read, how fast.

    python benchmarks/text_robust.py                # everything: some three hours
    python benchmarks/text_robust.py start "wide"   # one part of one set

*start*: two epochs of the ten lines, eight seeds on ten sets (`text_sets.py`): is the
plateau left, and when. *ours*: all 20 epochs, two seeds: what is read of the test
images. *hand*: other recipes, one seed, to see what could be read. *race*: seconds
until 95 % of the test words are right, beside the layout that most tutorials copy at
the set's own image size, both on the same core. Each set and part runs in a process of
its own, and what is in ``results/text_robust.json`` is not run again: delete it to
begin anew.
"""

import argparse
import contextlib
import fcntl
import io
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
from keras import layers
from PIL import Image
from text_sets import SETS, write

import crnn_tutorial as ct
from crnn_tutorial.judging.results import describe_run
from crnn_tutorial.network import heads
from crnn_tutorial.network.layers import MapToSequence
from crnn_tutorial.tasks.text import ReadText
from crnn_tutorial.training.ctc_start import LEFT

RESULTS = Path(__file__).resolve().parents[1] / "results/text_robust.json"
SETS_FOLDER = Path(tempfile.gettempdir()) / "text_sets"
GOAL = 0.95  # of the words, in a race
STARTS = ("captchas, 1,000", "captchas, 200", "1 to 4 digits", "condensed")
STARTS += ("8 to 12 mixed characters", "a line through it", "a third of the image")
STARTS += ("80 pixels high", "strong noise", "handwritten digits")
# What begins well is seen in *ours*, too: there is no need to start these seeds twice.
SEEDS = {"start": range(2, 10), "ours": range(2), "hand": range(1), "race": range(3)}
# The copied layout is stopped when it has taken so many times the seconds of ours.
PATIENCE = {"captchas": 8.5, "others": 5.5}
RACES = ("captchas, 4,500", "1 to 4 digits", "light on dark", "20 pixels high", "wide")
RACES += ("handwritten digits", "strong noise")
# What was tried by hand: the builder's and the training's arguments.
BY_HAND = {
    "twice the filters, 40 epochs": (
        {"filters": (32, 64, 128)},
        {"epochs": 40, "patience": 10},
    ),
}


def load(name, **options):
    """Load one set as a reader would, without the lines that are printed."""
    SETS_FOLDER.mkdir(exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()):
        return ct.load_text_images(write(name, SETS_FOLDER), **options)


def build(words, **options):
    """Build the reader of the ten lines, without the line that is printed."""
    with contextlib.redirect_stdout(io.StringIO()):
        return ct.build_text_recognizer(words, **options)


def ten_lines(words, seed, built=None, **trained):
    """Train as README does; return what came out."""
    ct.set_seed(seed)
    model = build(words, **built or {})
    history = ct.train_text_recognizer(
        model,
        words.train,
        validation_data=words.validation,
        seed=seed,
        verbose=0,
        **trained,
    )
    report = ct.report_text(model, words.test)
    losses = history.history["loss"]
    low = LEFT * history.plateau_loss
    left = [epoch for epoch, loss in enumerate(losses, 1) if loss < low]
    return {
        "exact_match": report.exact_match,
        "cer": report.cer,
        "guess_steps": history.guess_steps,
        "plateau_loss": round(history.plateau_loss, 3),
        "losses": [round(loss, 3) for loss in losses],
        "left_in_epoch": left[0] if left else None,
        "has_learnt": history.has_learnt,
        "parameters": model.count_params(),
        "seconds": round(history.seconds, 1),
    }


class StopAfter(keras.callbacks.Callback):
    """Ends a training after some epochs of its schedule."""

    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch + 1 >= self.epochs


def run_start(words, seed):
    """Train as README does, but for two epochs."""
    return ten_lines(words, seed, callbacks=[StopAfter(2)])


def run_hand(words, seed):
    """Train by each recipe that was tried by hand."""
    recipes = BY_HAND.items()
    return {
        "recipes": {
            name: ten_lines(words, seed, built, **trained)
            for name, (built, trained) in recipes
        }
    }


class Clock(keras.callbacks.Callback):
    """Read the test words after every few batches; the clock stands still meanwhile."""

    def __init__(self, score, every, limit):
        super().__init__()
        self.score, self.every, self.limit = score, every, limit
        self.batches, self.paused, self.reached = 0, 0.0, None
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if self.batches % self.every:
            return
        stopped = time.perf_counter()
        seconds = stopped - self.start - self.paused
        if self.score(self.model) >= GOAL:
            self.reached = round(seconds, 2)
        self.paused += time.perf_counter() - stopped
        self.model.stop_training = bool(self.reached) or seconds > self.limit


def read_share(split, alphabet):
    """Return a function: the share of a split's texts that a model reads right."""

    def score(model):
        logits = model.predict(split.images, batch_size=128, verbose=0)
        texts = ReadText(alphabet).decode(logits)
        return ct.exact_match(split.targets, texts)

    return score


def race_ours(name, seed):
    """Time the ten lines from the loaded images to 95 % of the test words."""
    words = load(name)
    ct.set_seed(seed)
    model = build(words)
    score = read_share(words.test, heads.of(model).alphabet)
    clock = Clock(score, every=15, limit=600)
    ct.train_text_recognizer(
        model,
        words.train,
        validation_data=words.validation,
        patience=None,
        seed=seed,
        verbose=0,
        callbacks=[clock],
    )
    return clock.reached, model.count_params()


def build_copied(height, alphabet):
    """Build the layout that most readers copy, for images of any height."""
    model = keras.Sequential([keras.Input((height, None, 1))])
    for filters in (32, 64):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D(2))
    model.add(MapToSequence("width"))
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dropout(0.2))
    for units in (128, 64):
        cell = layers.LSTM(units, return_sequences=True, dropout=0.25)
        model.add(layers.Bidirectional(cell))
    model.add(layers.Dense(len(alphabet.characters) + 1, name="logits"))
    model.compile("adam", keras.losses.CTC(), jit_compile=False)
    return model


def squashed(name):
    """Load a set at its own height, every image at the median width: no padding."""
    with zipfile.ZipFile(write(name, SETS_FOLDER)) as archive:
        picture = Image.open(io.BytesIO(archive.read("00000.png")))
    words = load(name, height=picture.height)
    parts = []
    for split in (words.train, words.test):
        ends = (split.images[:, 0, :, 0] != -1).sum(axis=1)
        size = int(np.median(ends)), picture.height
        lines = zip(split.images, ends, strict=True)
        images = [ct.resize_image(image[:, :end], size) for image, end in lines]
        parts.append(ct.Split(np.stack(images), split.targets))
    return *parts, ct.Alphabet.from_texts(words.class_names)


def race_copied(name, seed, limit):
    """Time the copied layout on the same images, at their own height."""
    train, test, alphabet = squashed(name)
    ct.set_seed(seed)
    model = build_copied(train.images.shape[1], alphabet)
    clock = Clock(read_share(test, alphabet), every=30, limit=limit)
    order = {"batch_size": 16, "epochs": 1000, "verbose": 0, "callbacks": [clock]}
    model.fit(train.images, alphabet.encode(train.targets), **order)
    return clock.reached, model.count_params()


def run_race(name, seed):
    """Time ours, then the copied layout, on the same core."""
    ours, small = race_ours(name, seed)
    group = "captchas" if name.startswith("captchas") else "others"
    limit = PATIENCE[group] * (ours or 60)
    copied, large = race_copied(name, seed, limit)
    return {
        "ours": ours,
        "copied": copied,
        "copied_stopped_at": None if copied else round(limit, 1),
        "parameters": [small, large],
    }


def stored():
    """Return what is in the file of results."""
    if RESULTS.exists():
        return json.loads(RESULTS.read_text("utf-8"))
    return {"runs": []}


def store(found):
    """Put one run into the file, in which other processes write, too."""
    with RESULTS.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        results = stored()
        results["runs"].append(found)
        text = json.dumps(results | describe_run(), indent=1)
        RESULTS.write_text(text + "\n", "utf-8")


def run_part(part, name):
    """Run what is missing of one part of one set."""
    backend = keras.backend.backend()
    done = [
        run["seed"]
        for run in stored()["runs"]
        if (run["part"], run["set"], run["backend"]) == (part, name, backend)
    ]
    words = None if part == "race" else load(name)
    for seed in SEEDS[part]:
        if seed in done:
            continue
        keras.backend.clear_session()
        if part == "race":
            found = run_race(name, seed)
        else:
            run = {"start": run_start, "ours": ten_lines, "hand": run_hand}[part]
            found = run(words, seed)
        head = {"part": part, "set": name, "seed": seed, "backend": backend}
        store(head | found)
        print(head, found, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", nargs="?", choices=SEEDS)
    parser.add_argument("sets", nargs="*", help="all by default")
    options = parser.parse_args()
    if options.part and options.sets:
        for name in options.sets:
            run_part(options.part, name)
        return
    for part in [options.part] if options.part else SEEDS:
        for name in {"race": RACES, "start": STARTS}.get(part, SETS):
            subprocess.run([sys.executable, __file__, part, name], check=True)


if __name__ == "__main__":
    main()
