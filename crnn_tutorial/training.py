"""Train a model: batches in a known order, a schedule, a stop at NaN, a checkpoint."""

import functools
import math
import os
import time

import keras
import numpy as np

from crnn_tutorial.batches import (
    ShuffledBatches,
    ShuffledStream,
    check_model,
    check_stream,
    prepare,
    prepare_validation,
)
from crnn_tutorial.checkpoints import (
    Checkpoint,
    Progress,
    describe_model,
    describe_optimizer,
    fingerprint,
)
from crnn_tutorial.checks import check_count

# The learning rate climbs during this share of all steps, then falls.
WARM_UP = 0.05
# Where this is set in the environment, verbose="auto" writes nothing.
QUIET = "CRNN_TUTORIAL_QUIET"


def set_seed(seed):
    """Seed Python, NumPy, Keras and its backend, so that a model starts the same.

    Parameters
    ----------
    seed : int
        From 0 to 4,294,967,295.

    Raises
    ------
    ValueError
        If the seed is no such number.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> weights = []
    >>> for attempt in range(2):
    ...     ct.set_seed(3)
    ...     model = ct.build_rnn_model((8, 8, 1), num_classes=2, units=4)
    ...     weights.append(model.get_weights()[0])
    >>> bool((weights[0] == weights[1]).all())
    True
    """
    keras.utils.set_random_seed(_check_seed(seed))


def train_crnn_model(
    model,
    train_images,
    train_labels,
    batch_size,
    epochs,
    *,
    validation_data=None,
    checkpoint=None,
    augment=None,
    learning_rate=None,
    seed=0,
    callbacks=(),
    verbose="auto",
):
    """Train a model on images and what they show, in an order that the seed decides.

    The learning rate climbs during the first 5 % of all steps, then falls to 0 along a
    cosine. A model that was compiled with a schedule keeps its own.

    Parameters
    ----------
    model : keras.Model
        Compiled, as the builders return it, or any classifier that ends in a softmax.
    train_images : array of floats or keras.utils.PyDataset
        ``(images, height, width, channels)`` in [0, 1], or clips with one more axis. A
        stream gives ``(images, labels)`` batch by batch; before each epoch its method
        ``set_epoch(epoch)`` is called if it has one, else its batches are shuffled.
    train_labels : array of int, one-hot array, list of str, or None
        ``(images,)`` or ``(images, classes)``; texts for a model that reads; None for a
        stream.
    batch_size, epochs : int
        At least 1. A stream makes its own batches: ``batch_size`` is for validation.
    validation_data : tuple, Split or keras.utils.PyDataset, optional
        ``(images, labels)``: judged after each epoch.
    checkpoint : str or path, optional
        A folder. Everything is saved there after each epoch. Called again with the same
        arguments, also in a new process, training goes on after the last epoch saved
        and ends with the same weights as without the interruption; a finished training
        returns at once. The number of epochs must be the same, for the learning rate
        depends on it. Your own ``callbacks`` start afresh, and a stream must give the
        same batches again.
    augment : function, optional
        ``augment(images, rng) -> images``, applied to each training batch, such as
        ``ct.augment_shift``.
    learning_rate : float, optional
        The highest one; that which the model was compiled with by default.
    seed : int
        Decides the order of the images and what ``augment`` draws, in each epoch.
        Weights and dropout come from ``set_seed`` before the model is built.
    callbacks : sequence of keras.callbacks.Callback
        Your own.
    verbose : "auto", 0, 1 or 2
        As in Keras. "auto" is a progress bar, or nothing where the environment sets
        ``CRNN_TUTORIAL_QUIET``, as the tool that stores the outputs of notebooks does.

    Returns
    -------
    keras.callbacks.History
        ``.history``: name -> one value for each epoch; ``.seconds``: wall time, the sum
        over all parts of an interrupted training (an epoch that was not finished does
        not count).

    Raises
    ------
    ValueError
        If images, labels and model do not fit together, a number is out of range, or
        the checkpoint belongs to another training. Nothing is trained then.
    FloatingPointError
        If the loss is NaN or infinite.
    OSError
        If the checkpoint cannot be written; the one before is kept.

    References
    ----------
    The article, section 4.3 (repaired); Loshchilov and Hutter, 2017, arXiv:1608.03983
    (cosine); Goyal et al., 2017, arXiv:1706.02677, section 2.2 (warm-up).

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> train = ct.load_digits().train[:200]
    >>> model = ct.build_rnn_model((8, 8, 1), num_classes=10, units=16)
    >>> history = ct.train_crnn_model(
    ...     model, train.images, train.targets, batch_size=50, epochs=3, verbose=0
    ... )
    >>> len(history.history["loss"]), history.seconds > 0
    (3, True)
    """
    check_count("epochs", epochs)
    head = check_model(model)
    data = _batches(model, head, train_images, train_labels, batch_size, seed, augment)
    validation_data = prepare_validation(model, head, validation_data)
    recipe = _Recipe(model, data, epochs, learning_rate)
    keeper = None
    if checkpoint is not None:
        settings = _settings(model, data, batch_size, recipe)
        keeper = Checkpoint(checkpoint, model, settings)
    return _fit(model, recipe, keeper, callbacks, validation_data, batch_size, verbose)


def _batches(model, head, images, labels, batch_size, seed, augment):
    check_count("batch_size", batch_size)
    _check_seed(seed)
    if isinstance(images, keras.utils.PyDataset):
        data = ShuffledStream(images, seed, augment)
        check_stream(model, head, data, labels)
        return data
    images, targets = prepare(model, head, images, labels)
    return ShuffledBatches(images, targets, batch_size, seed, augment)


class _Recipe(keras.callbacks.Callback):
    """Before each epoch its order of images; before each step its learning rate."""

    def __init__(self, model, data, epochs, learning_rate):
        super().__init__()
        self.data, self.epochs = data, epochs
        compiled = _innermost(model.optimizer).get_config().get("learning_rate")
        self.compiled_rate = compiled if isinstance(compiled, float) else None
        if self.compiled_rate is None and learning_rate is not None:
            raise ValueError(
                "The model was compiled with a schedule of its own: pass "
                "learning_rate=None, or compile the model with a number."
            )
        self.peak = _check_rate(learning_rate, self.compiled_rate)

    def rate(self, epoch, batch):
        """Learning rate of a step, or None where the optimiser has its own schedule."""
        if self.peak is None:
            return None
        steps = self.epochs * len(self.data)
        return scheduled_rate(epoch * len(self.data) + batch, steps, self.peak)

    def on_epoch_begin(self, epoch, logs=None):
        self.data.set_epoch(epoch)

    def on_train_batch_begin(self, batch, logs=None):
        if self.peak is not None:
            optimizer = _innermost(self.model.optimizer)
            optimizer.learning_rate = self.rate(self.data.epoch, batch)

    def restore(self, model):
        """Give the optimiser the learning rate back that it was compiled with."""
        if self.peak is not None:
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
    >>> from crnn_tutorial.training import scheduled_rate
    >>> [round(scheduled_rate(step, 40, peak=1.0), 2) for step in (0, 1, 2, 21, 39)]
    [0.33, 0.67, 1.0, 0.5, 0.0]
    """
    warm_up = min(math.ceil(WARM_UP * steps), steps - 1)
    if step < warm_up:
        return peak * (step + 1) / (warm_up + 1)
    done = (step - warm_up) / (steps - warm_up)
    return peak * (1 + math.cos(math.pi * done)) / 2


class _StopAtNaN(keras.callbacks.Callback):
    """Stop as soon as the loss is no number any more."""

    # Keras then looks at the loss in another thread, and training does not wait for it.
    async_safe = True

    def __init__(self, recipe):
        super().__init__()
        self.recipe = recipe

    def on_train_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss", 0.0)
        if math.isfinite(loss):
            return
        epoch = self.recipe.data.epoch
        rate = self.recipe.rate(epoch, batch)
        at = "" if rate is None else f" at a learning rate of {rate:.2g}"
        raise FloatingPointError(
            f"The loss became {loss} in epoch {epoch + 1}, batch {batch + 1}{at}. The "
            "weights are lost: build the model again, and try a learning rate ten "
            "times smaller (learning_rate=...) or an optimiser with clipnorm=1."
        )


def _fit(model, recipe, keeper, callbacks, validation_data, batch_size, verbose):
    progress = keeper.progress if keeper else Progress()
    if progress.finished:
        return _finished(model, progress)
    # The caller's stand before the checkpoint: what they do to the weights is saved.
    callbacks = [recipe, _StopAtNaN(recipe), *callbacks]
    before = {name: list(values) for name, values in progress.history.items()}
    start = time.perf_counter()
    first, seconds = progress.epoch, progress.seconds
    try:
        history = model.fit(
            recipe.data,
            epochs=recipe.epochs,
            initial_epoch=first,
            shuffle=False,  # the data shuffle themselves
            validation_data=validation_data,
            validation_batch_size=batch_size,
            callbacks=[*callbacks, keeper] if keeper else callbacks,
            verbose=_verbosity(verbose),
        )
    finally:
        recipe.restore(model)
    history.seconds = seconds + time.perf_counter() - start
    history.history = {
        name: before.get(name, []) + history.history.get(name, [])
        for name in {**before, **history.history}
    }
    history.epoch = list(range(first)) + history.epoch
    if keeper:
        progress.seconds = history.seconds
        keeper.save(finished=True)
    return history


def _finished(model, progress):
    history = keras.callbacks.History()
    history.set_model(model)
    history.history = progress.history
    history.epoch = list(range(progress.epoch))
    history.seconds = progress.seconds
    model.history = history
    return history


def _settings(model, data, batch_size, recipe):
    """Return all that must not change between the parts of an interrupted training."""
    if isinstance(data, ShuffledStream):
        data.set_epoch(0)
        digits = fingerprint(*data.stream[0])
        described = f"a stream of {len(data)} batches ({digits})"
    else:
        digits = fingerprint(data.images, data.targets)
        described = f"{len(data.images)} images ({digits})"
    return {
        "model": describe_model(model),
        "optimizer": describe_optimizer(model.optimizer),
        "data": described,
        "batch_size": int(batch_size),
        "epochs": int(recipe.epochs),
        "learning_rate": recipe.peak,
        "seed": int(data.seed),
        "augment": _describe_function(data.augment),
    }


def _describe_function(function):
    if isinstance(function, functools.partial):
        inner = _describe_function(function.func)
        return f"{inner} with {function.args} {function.keywords}"
    if function is None:
        return "None"
    return getattr(function, "__qualname__", type(function).__qualname__)


def _verbosity(verbose):
    return 0 if verbose == "auto" and os.environ.get(QUIET) else verbose


def _check_seed(seed):
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 2**32:
        raise ValueError(f"A seed is a whole number from 0 to 2**32 - 1, not {seed!r}.")
    return int(seed)


def _check_rate(learning_rate, compiled):
    if learning_rate is None:
        return compiled
    if not (isinstance(learning_rate, int | float) and 0 < learning_rate < math.inf):
        raise ValueError(
            f"learning_rate is a number above 0, such as 1e-3, not {learning_rate!r}."
        )
    return float(learning_rate)
