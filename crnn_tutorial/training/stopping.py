"""When a training stops, which weights it keeps, and when it begins to augment."""

import math

import keras


class PlainEpochs(keras.callbacks.Callback):
    """Leaves the first epochs without augmentation."""

    def __init__(self, data, number):
        super().__init__()
        self.data, self.augment, self.number = data, data.augment, number
        data.augment = None

    def on_epoch_begin(self, epoch, logs=None):
        self.data.augment = self.augment if epoch >= self.number else None

    def on_train_end(self, logs=None):
        self.data.augment = self.augment


class KeepBest(keras.callbacks.Callback):
    """Keeps the weights that are best on the validation images, and stops behind them.

    Best is the fewest errors (in characters, or in classes), then the lowest loss.
    Keras' own ``EarlyStopping`` looks at one number, but small sets often have epochs
    with equally few errors: of these the one with the lower loss is better. A loss that
    falls by less than a tenth is no reason to go on.
    """

    def __init__(self, patience):
        super().__init__()
        self.patience, self.weights, self.waited = patience, None, 0
        self.best = self.clear = math.inf, math.inf

    def on_epoch_end(self, epoch, logs=None):
        errors = logs.get("val_cer", 1 - logs.get("val_accuracy", 1.0))
        found = errors, logs["val_loss"]
        if found < self.best:
            self.best, self.weights = found, self.model.get_weights()
        self.waited += 1
        if found < (self.clear[0], 0.9 * self.clear[1]):
            self.clear, self.waited = found, 0
        # While errors are left, the low learning rates at the end may still mend them.
        patience = self.patience * (2 if found[0] else 1)
        if self.waited >= patience:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self.weights is not None:
            self.model.set_weights(self.weights)
