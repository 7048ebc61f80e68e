"""Five seeds for the chapter "One picture, four stations".

    python benchmarks/components.py

Does it matter in which direction the LSTM reads (C15)? And do trained convolutions show
edges better than raw pixels or random kernels (C10)? Writes
``results/components_direction.json`` and ``results/components_edges.json``.
"""

import keras
import numpy as np
from common import QUICK, SEEDS, compare, enlarge, finish
from keras import layers, ops
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.linear_model import LogisticRegression

import crnn_tutorial as ct
from crnn_tutorial.judging.draws import draw_training
from crnn_tutorial.judging.results import describe_run
from crnn_tutorial.network.layers import CharacterLogits
from crnn_tutorial.network.masks import PoolMask

ALPHABET = "0123456789"
RECIPE = {"batch_size": 16, "epochs": 8, "learning_rate": 5e-3}


def load():
    return enlarge(ct.load_digit_strings, length=(2, 4), sizes=(1000, 100, 300))


# ------------------------------------------------------------ the direction


def both_ways():
    return ct.build_text_recognizer((16, None, 1), ALPHABET, filters=(16, 32), units=32)


def one_way(backwards):
    """Build the same reader with a single LSTM of (within 1 %) as many weights."""
    reader = both_ways()
    sequence = reader.get_layer("map_to_sequence").output
    masks = [x for x in reader.layers if isinstance(x, PoolMask)]
    steps = masks[-1].output
    lstm = layers.LSTM(56, return_sequences=True, go_backwards=backwards)
    states = lstm(sequence, mask=steps)
    if backwards:  # Keras leaves the states in the order in which they were made
        states = ops.flip(states, axis=1)
    logits = CharacterLogits(ALPHABET, name="logits")(states, steps)
    model = keras.Model(reader.input, logits)
    model.compile(keras.optimizers.Adam(), keras.losses.CTC(), jit_compile=False)
    return model


# ------------------------------------------------------------ the edges


def find_edges(pixels):
    """Find strong edges and which of four ways each runs, from 3 x 3 pixels."""
    down, right = np.gradient(pixels, axis=(1, 2))
    strong = np.hypot(down, right) > 0.2
    strong[:, [0, -1]] = strong[:, :, [0, -1]] = False  # no 3 x 3 around them
    angle = np.arctan2(down, right) % np.pi
    return strong, np.round(angle / (np.pi / 4)).astype(int) % 4


def windows(pixels):
    """List the 3 x 3 pixels around each place: what a kernel sees."""
    padded = np.pad(pixels, ((0, 0), (1, 1), (1, 1)))
    return sliding_window_view(padded, (3, 3), axis=(1, 2)).reshape(*pixels.shape, 9)


def first_layer(reader, images):
    part = keras.Model(reader.input, reader.get_layer("relu_1").output)
    return ops.convert_to_numpy(part(images))


def probe(features, pixels, seed, count=3000):
    """Score a linear classifier of the edges' direction, picture by picture."""
    where, angles = zip(*map(find_edges, pixels), strict=True)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(np.flatnonzero(where[0]), count, replace=False)
    x = features[0].reshape(-1, features[0].shape[-1])[chosen]
    classifier = LogisticRegression(max_iter=1000)
    classifier.fit(x, angles[0].ravel()[chosen])
    right = classifier.predict(features[1][where[1]]) == angles[1][where[1]]
    picture = np.nonzero(where[1])[0]
    return np.bincount(picture, right) / np.bincount(picture)


def probe_all(reader, seed, data):
    images = data.train.images[:300], data.test.images
    pixels = [np.maximum(x[..., 0], 0) for x in images]
    ct.set_seed(seed)
    untrained = both_ways()
    for k in range(0, 300, 10):  # its normalisation learns the data, its kernels do not
        untrained(images[0][k : k + 10], training=True)
    features = {
        "trained kernels": [first_layer(reader, x) for x in images],
        "random kernels": [first_layer(untrained, x) for x in images],
        "raw pixels": [windows(x) for x in pixels],
    }
    return {name: probe(x, pixels, seed) for name, x in features.items()}


def train_reader(data, seed, rate):
    """Train the reader with both directions, as its comparison did."""
    ct.set_seed(seed)
    reader = both_ways()
    recipe = RECIPE | {"learning_rate": rate, "validation_data": None, "verbose": 0}
    if QUICK:
        recipe |= {"epochs": 1}
    train = data.train.images, data.train.targets
    ct.train_crnn_model(reader, *train, seed=seed, **recipe)
    return reader


# ------------------------------------------------------------ all seeds


def judge_edges(data, rate):
    """Judge the probes of all seeds; return them in the form of ``ct.run_seeds``."""
    rows = []
    for seed in SEEDS:
        drawn = draw_training(data, seed)
        rows.append(probe_all(train_reader(drawn, seed, rate), seed, drawn))
    scores = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    ours = scores["trained kernels"]
    judged = {}
    for name in ("random kernels", "raw pixels"):
        found = ct.judge(ours, scores[name])
        judged[name] = found.as_dict()
    return describe_run() | {
        "settings": RECIPE | {"learning_rate": rate, "redraw": True},
        "metric": "accuracy",
        "images": ours.shape[1],
        "seeds": list(SEEDS),
        "ours": "trained kernels",
        "rivals": {
            name: {
                "scores": found.mean(axis=1).tolist(),
                "mean": float(found.mean()),
                "packed": found.tolist(),
            }
            for name, found in scores.items()
        },
        "judgements": judged,
    }


def main():
    data = load()
    rivals = {
        "left to right": lambda: one_way(backwards=False),
        "right to left": lambda: one_way(backwards=True),
        "both directions": both_ways,
    }
    direction = compare("direction", rivals, data, "left to right", **RECIPE)
    chosen = direction["rivals"]["both directions"]["learning_rates"]["chosen"]
    edges = judge_edges(data, chosen)
    finish("components_edges", edges)
    finish("components_direction", direction)


if __name__ == "__main__":
    main()
