"""A classifier of digits that no network of a comparison meets."""

import keras
from common import QUICK, each

import crnn_tutorial as ct


def train_judge():
    """Train a classifier of digits that no network of a comparison meets.

    Returns
    -------
    list of array, float
        Its weights, and the share of test digits that it reads.
    """
    keras.utils.clear_session()
    ct.set_seed(1000)
    digits, model = ct.load_digits(seed=0), ct.build_cnn_model((8, 8, 1), 10)
    epochs = 1 if QUICK else 25
    ct.train_crnn_model(model, digits.train, batch_size=64, epochs=epochs, verbose=0)
    return model.get_weights(), ct.evaluate(model, digits.test).score


def load_judge():
    """Return that classifier, trained once; in its features digits are compared."""
    model = ct.build_cnn_model((8, 8, 1), 10)
    model.set_weights(each(train_judge, [()])[0][0])
    return model
