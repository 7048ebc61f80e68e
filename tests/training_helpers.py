"""The tiny training that the tests interrupt, and a process that dies in it."""

import functools
import os
import signal
import sys

import keras
import numpy as np
import pytest

import crnn_tutorial as ct
from crnn_tutorial import article

EPOCHS, BATCH_SIZE = 3, 6


def make_data(seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((20, 4, 4, 1), dtype="float32"), np.arange(20) % 3


def make_model(seed=0, units=5, rate=0.5, optimizer="adam", loss="sparse_categorical"):
    """A classifier with every kind of state: moving averages, dropout, momentum."""
    ct.set_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(rate),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        optimizer, f"{loss}_crossentropy", metrics=["accuracy"], jit_compile=False
    )
    return model


@functools.cache
def _shared():
    return make_model()


def fresh_model(seed=0):
    """The same model for all tests, as new: Keras translates its step only once."""
    return restart(_shared(), seed)


def restart(model, seed=0):
    """Put a model back to what `make_model(seed)` returns."""
    new = make_model(seed)
    new.optimizer.build(new.trainable_variables)
    model.optimizer.build(model.trainable_variables)
    for old, fresh in (
        (model.variables, new.variables),
        (model.optimizer.variables, new.optimizer.variables),
    ):
        for variable, value in zip(old, fresh, strict=True):
            variable.assign(value.numpy())
    return model


def add_noise(images, rng):
    """An augmentation whose every number counts."""
    return np.clip(images + rng.normal(0, 0.1, images.shape), 0, 1)


def train(model, data=None, **changes):
    images, labels = data or make_data()
    options = {
        "batch_size": BATCH_SIZE,
        "epochs": EPOCHS,
        "augment": add_noise,
        "learning_rate": 0.01,
        "seed": 5,
        "verbose": 0,
        **changes,
    }
    return ct.train_crnn_model(model, images, labels, **options)


class Interrupt(keras.callbacks.Callback):
    """Run a function after a batch."""

    def __init__(self, epoch, batch, action):
        super().__init__()
        self.at, self.action = (epoch, batch), action

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            self.action()


if __name__ == "__main__":
    folder = sys.argv[1]
    kill = Interrupt(2, 1, lambda: os.kill(os.getpid(), signal.SIGKILL))
    train(make_model(), checkpoint=folder, callbacks=[kill])


def _refuses_empty_maps():
    try:
        article.build_crnn_model((21, 21, 1), 2, joint="columns")
    except ValueError:
        return True
    return False


wants_new_keras = pytest.mark.skipif(
    not _refuses_empty_maps(), reason="this version of Keras lets maps of size 0 pass"
)
