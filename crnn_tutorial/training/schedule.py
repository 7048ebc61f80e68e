"""The learning rate of each step: a short climb, then half a cosine."""

import math

import keras

# The learning rate climbs during this share of all steps, then falls.
WARM_UP = 0.05
# Keras' own, which change the learning rate that they find.
_RATE_CALLBACKS = (
    keras.callbacks.LearningRateScheduler,
    keras.callbacks.ReduceLROnPlateau,
)


class Recipe(keras.callbacks.Callback):
    """Before each epoch its order of images; before each step its learning rate."""

    def __init__(self, model, data, epochs, learning_rate, callbacks=()):
        super().__init__()
        self.data, self.epochs = data, epochs
        # Nobody else can set the rate, and to look would make Keras wait for a step.
        self.watched = bool(callbacks)
        self.scheduled = not any(isinstance(c, _RATE_CALLBACKS) for c in callbacks)
        self.restored = any(
            isinstance(c, keras.callbacks.BackupAndRestore) for c in callbacks
        )
        compiled = _innermost(model.optimizer).get_config().get("learning_rate")
        self.compiled_rate = compiled if isinstance(compiled, float) else None
        if self.compiled_rate is None and learning_rate is not None:
            raise ValueError(
                "The model was compiled with a schedule of its own: pass "
                "learning_rate=None, or compile the model with a number."
            )
        self.peak = _check_rate(learning_rate, self.compiled_rate)
        self.scheduled = self.scheduled and self.peak is not None
        self.given = None  # the learning rate that the schedule gave last

    def rate(self, epoch, batch):
        """Learning rate of a step on the schedule."""
        steps = self.epochs * len(self.data)
        return scheduled_rate(epoch * len(self.data) + batch, steps, self.peak)

    def current(self):
        """Learning rate of the optimiser, or None where it has its own schedule."""
        if self.peak is None:
            return None
        rate = _innermost(self.model.optimizer).learning_rate
        return float(keras.ops.convert_to_numpy(rate))

    def on_train_begin(self, logs=None):
        if self.scheduled:
            self._give(self.rate(0, 0))
        elif self.peak is not None:
            _innermost(self.model.optimizer).learning_rate = self.peak

    def on_epoch_begin(self, epoch, logs=None):
        self.data.set_epoch(epoch)

    def on_train_batch_begin(self, batch, logs=None):
        if self.scheduled and self.watched and not self.restored:
            self.scheduled = math.isclose(self.current(), self.given, rel_tol=1e-6)
        if self.scheduled:
            self._give(self.rate(self.data.epoch, batch))
            self.restored = False  # by now: what differs from here on is a choice

    def _give(self, rate):
        _innermost(self.model.optimizer).learning_rate = self.given = rate

    def restore(self, model):
        """Give the optimiser the learning rate back that it was compiled with."""
        if self.scheduled:
            _innermost(model.optimizer).learning_rate = self.compiled_rate


def _innermost(optimizer):
    # With mixed precision Keras wraps the optimiser that was asked for.
    return getattr(optimizer, "inner_optimizer", optimizer)


def scheduled_rate(step, steps, peak):
    """Return the learning rate of one step: a short climb, then half a cosine.

    Parameters
    ----------
    step : int
        From 0.
    steps : int
        Of the whole training: epochs times batches.
    peak : float
        The highest learning rate.

    Returns
    -------
    float
        Above 0, at most ``peak``.

    References
    ----------
    Loshchilov and Hutter, 2017, arXiv:1608.03983, equation 5.

    Examples
    --------
    >>> from crnn_tutorial.training.schedule import scheduled_rate
    >>> [round(scheduled_rate(step, 40, peak=1.0), 2) for step in (0, 1, 2, 21, 39)]
    [0.33, 0.67, 1.0, 0.5, 0.0]
    """
    warm_up = min(math.ceil(WARM_UP * steps), steps - 1)
    if step < warm_up:
        return peak * (step + 1) / (warm_up + 1)
    done = (step - warm_up) / (steps - warm_up)
    return peak * (1 + math.cos(math.pi * done)) / 2


def _check_rate(learning_rate, compiled):
    if learning_rate is None:
        return compiled
    if not (isinstance(learning_rate, int | float) and 0 < learning_rate < math.inf):
        raise ValueError(
            f"learning_rate is a number above 0, such as 1e-3, not {learning_rate!r}. "
            "A schedule is given to the optimiser: model.compile(optimizer=...)."
        )
    return float(learning_rate)
