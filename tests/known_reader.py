"""Readers whose answers are written into the images that they read."""

import keras
import numpy as np

import crnn_tutorial as ct
from crnn_tutorial.network import layers, masks

ABC = "abc"
HEIGHT, POOL = 4, 4  # a step of the reader below is four columns wide


def build_reader():
    """A reader without weights to train: the brightness of a step's rows is its logits.

    Row k of an image is the score of class k, so each test writes down what is read.
    """
    image = keras.Input((HEIGHT, None, 1), name="image")
    mask = masks.ColumnMask()(image)
    mask = masks.PoolMask(POOL)(mask)
    rows = keras.layers.AveragePooling2D((1, POOL), padding="valid")(image)
    sequence = layers.MapToSequence()(rows)
    last = layers.CharacterLogits(ABC, name="logits")
    model = keras.Model(image, last(sequence, mask))
    last.dense.set_weights([20 * np.eye(4), np.zeros(4)])
    return model


def build_fixed():
    return ct.build_fixed_length_reader((8, 16, 1), ABC, 3, filters=(2,))


def draw(steps, doubt=0.0):
    """An image whose steps say these classes, such as "1102", each with some doubt."""
    columns = (1 - doubt) * np.eye(4)[[int(k) for k in steps]] + doubt / 4
    return np.repeat(columns.T, POOL, axis=1)[..., np.newaxis].astype("float32")
