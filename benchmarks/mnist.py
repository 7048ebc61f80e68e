"""MNIST: a CRNN and the plain CNN of many tutorials, five epochs, the same recipe.

    python benchmarks/mnist.py                # two seeds: some forty minutes
    python benchmarks/mnist.py --images 2000  # a try: prints, and stores nothing

Needs ``mnist.npz`` in the folder that ``CRNN_TUTORIAL_DATA`` names (by default
``../shared/data`` beside the repository). Writes ``results/mnist.json``.
"""

import argparse
import functools
import os
import resource
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

import crnn_tutorial as ct

SHAPE, CLASSES = (28, 28, 1), 10
BATCH_SIZE, EPOCHS = 64, 5
RECIPE = {
    "learning_rate": 3e-3,
    "augment": functools.partial(ct.augment_affine, degrees=8, scale=0.08, pixels=1),
}
BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def load(images=None):
    """Load MNIST with its usual 60,000 images to train on.

    Two recipes were tried. The first had batches of 128, two blocks, and turned, scaled
    and shifted by 10 degrees, 10 % and 2 pixels: ``results/mnist_first.json``.
    """
    folder = Path(os.environ.get("CRNN_TUTORIAL_DATA", BESIDE))
    mnist = ct.load_mnist(folder / "mnist.npz")
    parts = mnist.train, mnist.validation
    train = ct.Split(
        np.concatenate([part.images for part in parts])[:images],
        np.concatenate([part.targets for part in parts])[:images],
    )
    return ct.Dataset(
        train,
        mnist.validation,
        mnist.test[:images],
        mnist.class_names,
        mnist.source,
        mnist.licence,
    )


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
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    rivals = {"CRNN": build_crnn, "CNN": build_plain_cnn}
    results = ct.run_seeds(
        lambda dataset: rivals,
        functools.partial(load, options.images),
        range(options.seeds),
        "CRNN",
        BATCH_SIZE,
        EPOCHS,
        redraw=False,  # it trains on all there are
        validation_data=None,
        **RECIPE,
    )
    results["settings"] |= {
        "learning_rate": RECIPE["learning_rate"],
        "augment": "turn by 8 degrees, scale by 8 %, shift by 1 pixel",
    }
    results["peak_megabytes"] = peak_megabytes()
    for name, rival in results["rivals"].items():
        rival["seconds_per_epoch"] = round(rival["seconds"] / EPOCHS, 1)
        scores = ", ".join(f"{score:.2%}" for score in rival["scores"])
        print(
            f"{name}: {rival['mean']:.2%} ({scores}), {rival['parameters']:,} "
            f"parameters, {rival['seconds_per_epoch']} s an epoch"
        )
    print(results["judgements"]["CNN"]["sentence"])
    print(f"peak memory {results['peak_megabytes']:,} MB")
    if options.images is None:
        ct.save_results("mnist", results)


if __name__ == "__main__":
    main()
