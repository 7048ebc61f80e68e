"""MNIST: a CRNN and the plain CNN of many tutorials, five epochs, the same recipe.

    python benchmarks/mnist.py

Needs ``mnist.npz`` in the folder that ``CRNN_TUTORIAL_DATA`` names (by default
``../shared/data`` beside the repository). Writes ``results/mnist.json``.
"""

import functools
import os
import resource
import sys
from pathlib import Path

import keras
from common import compare, finish
from keras import layers

import crnn_tutorial as ct

SHAPE, CLASSES = (28, 28, 1), 10
EPOCHS = 5
RECIPE = {
    "batch_size": 64,
    "epochs": EPOCHS,
    "learning_rate": 3e-3,
    "augment": functools.partial(ct.augment_affine, degrees=8, scale=0.08, pixels=1),
}
BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def load():
    """Load MNIST: a seed draws what it trains on from all 60,000 of its training part.

    Two recipes were tried. The first had batches of 128, two blocks, and turned, scaled
    and shifted by 10 degrees, 10 % and 2 pixels: ``results/mnist_first.json``.
    """
    folder = Path(os.environ.get("CRNN_TUTORIAL_DATA", BESIDE))
    return ct.load_mnist(folder / "mnist.npz")


def build_crnn():
    return ct.build_crnn_model(SHAPE, CLASSES, filters=(32, 64, 128), units=64)


def build_plain_cnn():
    """Build the plain CNN of 34,826 parameters that many tutorials begin with."""
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(CLASSES, activation="softmax", name="probabilities"),
        ]
    )
    model.compile(
        "adam",
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,  # XLA makes small convolutions slower on a processor
    )
    return model


def peak_megabytes():
    """Return the most memory that this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))


def main():
    rivals = {"CRNN": build_crnn, "CNN": build_plain_cnn}
    results = compare("MNIST", rivals, load(), "CRNN", **RECIPE)
    results["settings"]["augment"] = "turn by 8 degrees, scale by 8 %, shift by 1 pixel"
    results["peak_megabytes"] = peak_megabytes()
    for rival in results["rivals"].values():
        rival["seconds_per_epoch"] = round(rival["seconds"] / EPOCHS, 1)
    finish("mnist", results)


if __name__ == "__main__":
    main()
