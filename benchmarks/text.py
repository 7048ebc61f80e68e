"""Real captchas: how fast they are learnt, from how few, and how fast they are read.

    python benchmarks/text.py             # everything: half an hour on two cores
    python benchmarks/text.py race ours   # one part: prints, and stores nothing

Needs ``captcha_upper6/images.zip`` in the folder that ``CRNN_TUTORIAL_DATA`` names (by
default ``../shared/data`` beside the repository): 5,000 words of six letters, of which
4,500 train and 500 test. Each part runs in a process of its own, so that its peak of
memory is its own, too. Writes ``results/text.json``; delete that to begin anew.
"""

import functools
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
from keras import layers

import crnn_tutorial as ct

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
SIZE, SIZE_COPIED = (64, 24), (200, 50)  # (width, height) in pixels
GOALS = (0.90, 0.95, 0.99)
NEVER_FIRST = "AEIMQUY"
CRNN = {"units": 64, "filters": (16, 32, 64)}
FLAT = keras.optimizers.schedules.PolynomialDecay  # a learning rate that stays


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


class Pass(layers.Layer):
    """Stands where the normalisation was."""

    def call(self, x, mask):
        return x


def build_without_normalisation():
    """Build ours without normalisation, and with biases in its convolutions."""

    def replace(layer):
        if isinstance(layer, ct.layers.MaskedNormalization):
            return Pass(name=layer.name)
        config = layer.get_config()
        if isinstance(layer, layers.Conv2D):
            config["use_bias"] = True
        return type(layer).from_config(config)

    model = keras.models.clone_model(build_ours(), clone_function=replace)
    model.compile("adam", keras.losses.CTC(), jit_compile=False)
    return model


def build_copied():
    """Build the layout that most readers copy, of some 430,000 parameters."""
    width, height = SIZE_COPIED
    model = keras.Sequential([keras.Input((height, width, 1))])
    for filters in (32, 64):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D(2))
    model.add(ct.layers.MapToSequence("width"))
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dropout(0.2))
    for units in (128, 64):
        cell = layers.LSTM(units, return_sequences=True, dropout=0.25)
        model.add(layers.Bidirectional(cell))
    model.add(layers.Dense(len(ALPHABET.characters) + 1, name="logits"))
    model.compile("adam", keras.losses.CTC(), jit_compile=False)
    return model


def build_vgg():
    """Build the CRNN of Shi et al., 2015: seven convolutions, two BiLSTMs of 256."""
    model = keras.Sequential([keras.Input((32, 100, 1))])
    pools = {0: (2, 2), 1: (2, 2), 3: (2, 1), 5: (2, 1)}
    for block, filters in enumerate((64, 128, 256, 256, 512, 512)):
        model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
        if block in pools:
            model.add(layers.MaxPooling2D(pools[block]))
    model.add(layers.Conv2D(512, 2, activation="relu"))
    model.add(ct.layers.MapToSequence("width"))
    for _ in range(2):
        model.add(layers.Bidirectional(layers.LSTM(256, return_sequences=True)))
    model.add(layers.Dense(len(ALPHABET.characters) + 1, name="logits"))
    return model


class Race(keras.callbacks.Callback):
    """Read the test words after every few batches; the clock stands still meanwhile."""

    def __init__(self, test, every):
        super().__init__()
        self.test, self.every, self.batches, self.paused = test, every, 0, 0.0
        self.curve = []  # (seconds, exact match)

    def on_train_begin(self, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if self.batches % self.every:
            return
        stopped = time.perf_counter()
        self.curve.append((round(stopped - self.start - self.paused, 2), self.score()))
        if sum(score >= GOALS[-1] for _, score in self.curve) >= 3:
            self.model.stop_training = True
        self.paused += time.perf_counter() - stopped

    def score(self):
        logits = self.model.predict(self.test.images, batch_size=250, verbose=0)
        texts = ct.heads.ReadText(ALPHABET).decode(logits)
        return ct.exact_match(self.test.targets, texts)

    def summary(self):
        reached = {}
        for goal in GOALS:
            times = [seconds for seconds, score in self.curve if score >= goal]
            reached[f"{goal:.0%}"] = times[0] if times else None
        return {"seconds_to": reached, "curve": self.curve}


def race(name, seed=0):
    """Time one variant until it reads 99 % of the test words."""
    variant = VARIANTS[name]
    size = variant.get("size", SIZE)
    train, test = load(size)
    ct.set_seed(seed)
    model = variant["build"]()
    clock = Race(test, variant.get("every", 20))
    options = {"batch_size": 16, "epochs": 4, "verbose": 0, "callbacks": [clock]}
    if name == "copied":
        targets = ALPHABET.encode(train.targets)
        order = {"batch_size": 16, "epochs": 12, "verbose": 0, "callbacks": [clock]}
        model.fit(train.images, targets, **order)
    else:
        options |= variant.get("train", {})
        ct.train_text_recognizer(
            model, train.images, train.targets, seed=seed, **options
        )
    return clock.summary() | {
        "parameters": model.count_params(),
        "steps": int(model.predict(test.images[:1], verbose=0).shape[1]),
    }


VARIANTS = {
    "ours": {"build": build_ours},
    "copied": {"build": build_copied, "size": SIZE_COPIED, "every": 70},
    "without the guess": {"build": build_ours, "train": {"guess_steps": 0}},
    "guess of 120 batches": {"build": build_ours, "train": {"guess_steps": 120}},
    "learning rate 0.001": {"build": build_ours, "train": {"learning_rate": 1e-3}},
    "learning rate constant": {
        "build": functools.partial(build_ours, learning_rate=FLAT(3e-3, 1, 3e-3)),
        "train": {"learning_rate": None},
    },
    "batches of 64": {"build": build_ours, "train": {"batch_size": 64}, "every": 5},
    "no normalisation": {"build": build_without_normalisation},
    "twice the steps": {
        "build": functools.partial(build_ours, pools=[2, (2, 1), (2, 1)]),
    },
    "images of 50 x 200": {
        "build": functools.partial(build_ours, SIZE_COPIED),
        "size": SIZE_COPIED,
    },
}


def score(model, split):
    """Exact match with its interval, and the character error rate."""
    texts = ct.read_text(model, split.images)
    exact = ct.metrics.exact_match_per_image(split.targets, texts)
    return {
        "exact_match": str(ct.bootstrap(exact)),
        "share": float(exact.mean()),
        "cer": ct.character_error_rate(split.targets, texts),
    }


FEW = {
    "as they are": {},
    "augmented": {"augment": True},
    "8 epochs": {"epochs": 8},
    "8 epochs, no guess": {"epochs": 8, "guess_steps": 0},
}


def few(kind, seed=0):
    """Train on 500 images only."""
    train, test = load()
    ct.set_seed(seed)
    model = build_ours()
    history = ct.train_text_recognizer(
        model,
        train.images[:500],
        train.targets[:500],
        seed=seed,
        verbose=0,
        **FEW[kind],
    )
    return score(model, test) | {"seconds": round(history.seconds, 1)}


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


def reading(kind):
    """Words per second, on 32 x 100 images, the best of five rounds."""
    images = np.random.default_rng(0).random((512, 32, 100, 1), dtype="float32")
    ct.set_seed(0)
    model = build_vgg() if kind == "VGG" else build_ours((100, 32))
    head, rounds = ct.heads.ReadText(ALPHABET), []
    for _ in range(6):  # the first one compiles
        start = time.perf_counter()
        head.decode(model.predict(images, batch_size=64, verbose=0))
        rounds.append(time.perf_counter() - start)
    return {
        "words_per_second": round(len(images) / min(rounds[1:])),
        "parameters": model.count_params(),
    }


def drawing(kind):
    """Lines per second that `ct.render_text_lines` draws, once its fonts are known."""
    ct.render_text_lines(ALPHABET, 500)
    start = time.process_time()
    ct.render_text_lines(ALPHABET, 4000, seed=1)
    return {"lines_per_second": round(4000 / (time.process_time() - start))}


PARTS = {
    "race": race,
    "few": few,
    "position": position,
    "reading": reading,
    "drawing": drawing,
}
RUNS = [
    ("reading", "ours"),
    ("reading", "VGG"),
    ("drawing", "lines"),
    *(("race", name, 0) for name in VARIANTS),
    *(("few", kind, 0) for kind in FEW),
    *(("position", kind, 0) for kind in POSITION),
    *(("race", name, 1) for name in VARIANTS if name != "copied"),
    *(("few", kind, 1) for kind in FEW),
    *(("position", kind, 1) for kind in POSITION[:2]),
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
    now = ct.benchmarking.describe_run()
    same = all(before.get(key) == now[key] for key in ("machine", "versions"))
    return before if same else now | {"runs": []}


def tell(results):
    """Print one line for each part, with all that it measured."""
    for one in results["runs"]:
        goals = one.get("seconds_to", {})
        numbers = {f"seconds to {goal}": seconds for goal, seconds in goals.items()}
        numbers |= {
            name: value
            for name, value in one.items()
            if name not in ("run", "curve", "seconds_to")
        }
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
        part, name, *seed = sys.argv[1:]
        measured = PARTS[part](name, *map(int, seed))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        measured["peak_megabytes"] = round(peak / 1024)
        print(json.dumps(measured))
