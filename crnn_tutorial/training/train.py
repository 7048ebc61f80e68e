"""Train a model: batches in a known order, a schedule, a stop at NaN, a checkpoint."""

import functools
import math
import os
import time

import keras
import numpy as np

from crnn_tutorial.checks import check_count
from crnn_tutorial.data.array_files import fingerprint
from crnn_tutorial.training.batches import (
    as_batches,
    check_model,
    for_fit,
    prepare_validation,
)
from crnn_tutorial.training.checkpoints import (
    Checkpoint,
    Progress,
    describe_model,
    describe_optimizer,
)
from crnn_tutorial.training.ctc_start import Start
from crnn_tutorial.training.schedule import Recipe
from crnn_tutorial.training.stopping import KeepBest, PlainEpochs
from crnn_tutorial.training.streams import ShuffledStream

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
    train_labels=None,
    batch_size=32,
    epochs=1,
    *,
    validation_data=None,
    checkpoint=None,
    augment=None,
    plain_epochs=0,
    learning_rate=None,
    guess_steps=0,
    patience=None,
    class_weight=None,
    sample_weight=None,
    steps_per_epoch=None,
    seed=0,
    callbacks=None,
    verbose="auto",
):
    """Train a model on images and what they show, in an order that the seed decides.

    The learning rate climbs during the first 5 % of all steps, then falls to 0 along a
    cosine. A model that was compiled with a schedule keeps its own, and so does a
    callback: with ``LearningRateScheduler`` or ``ReduceLROnPlateau`` the rate begins at
    ``learning_rate`` and they alone change it; once any other callback has set the
    optimiser's learning rate, only callbacks do.

    Parameters
    ----------
    model : keras.Model
        Compiled, as the builders return it, or any classifier that ends in a softmax.
    train_images : array of floats, list of arrays, Split or stream
        ``(images, height, width, channels)`` in [0, 1], or clips with one more axis; a
        list for a model that reads may hold lines of any size. A stream gives
        ``(images, labels)`` or ``(images, labels, weights)`` batch by batch: a
        ``keras.utils.PyDataset``, whose method ``set_epoch(epoch)`` is called before
        each epoch if it has one, and whose batches are shuffled else; or, in the order
        in which it gives them, a ``tf.data.Dataset`` or anything else to iterate.
    train_labels : array of int, one-hot array, list of str, dict, or None
        ``(images,)`` or ``(images, classes)``; texts for a model that reads; a dict of
        these for a model with several outputs; None for a Split or a stream.
    batch_size, epochs : int
        At least 1. A stream makes its own batches: ``batch_size`` is for validation.
    validation_data : tuple, Split or stream, optional
        ``(images, labels)`` or ``(images, labels, weights)``: judged after each epoch.
        Weights count in ``val_loss``, not in the metrics.
    checkpoint : str or path, optional
        A folder. Everything is saved there after each epoch. Called again with the same
        arguments, also in a new process, training goes on after the last epoch saved
        and ends with the same weights as without the interruption; a finished training
        returns at once. The number of epochs must be the same, for the learning rate
        depends on it. Your own ``callbacks`` start afresh, and a stream must give the
        same batches again.
    augment : function, optional
        ``augment(images, rng) -> images``, applied to each training batch, such as
        ``ct.augment_shift``. Where targets are masks or boxes, it has to move them too:
        ``augment(images, rng, masks) -> (images, masks)``.
    plain_epochs : int
        So many epochs at the beginning are not augmented: what is easy is learnt soon.
    learning_rate : float, optional
        The highest one; that which the model was compiled with by default.
    guess_steps : int
        Only for a model that is trained with CTC: before the first epoch, so many
        batches at most train on a guess of where each character stands
        (`train_text_recognizer` says why). 0 is CTC alone.
    patience : int, optional
        With ``validation_data``: after so many epochs that are not better on it (twice
        as many while errors are left), the training stops, and the best weights are
        kept. By default all epochs are trained and the last weights kept; so it is with
        a ``checkpoint``, too.
    class_weight : dict or "balanced", optional
        Class -> how much its images count in the loss; 1 for a class left out.
        "balanced" lets all classes count alike, however many images they have. The
        metrics count every image once.
    sample_weight : array of floats, optional
        ``(images,)``: how much each image counts in the loss, times its class's weight.
    steps_per_epoch : int, optional
        Batches of an epoch, where a stream does not say how many it has: a generator, a
        ``tf.data.Dataset`` that repeats.
    seed : int
        Decides the order of the images and what ``augment`` draws, in each epoch.
        Weights and dropout come from ``set_seed`` before the model is built.
    callbacks : keras.callbacks.Callback or list of them, optional
        Your own.
    verbose : "auto", 0, 1 or 2
        As in Keras. "auto" is a progress bar, or nothing where the environment sets
        ``CRNN_TUTORIAL_QUIET``, as the tool that stores the outputs of notebooks does.

    Returns
    -------
    keras.callbacks.History
        ``.history``: name -> one value for each epoch; ``.seconds``: wall time, the sum
        over all parts of an interrupted training (an epoch that was not finished does
        not count). After a training with CTC also ``.guess_steps``, ``.plateau_loss``
        and ``.has_learnt``, as `train_text_recognizer` says.

    Raises
    ------
    ValueError
        If images, labels and model do not fit together, a number is out of range, what
        came as a callback is none, the checkpoint belongs to another training, or a
        generator comes with a checkpoint. Nothing is trained then. Or if a stream ends
        too early.
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
    check_count("guess_steps", guess_steps, least=0)
    check_count("plain_epochs", plain_epochs, least=0)
    if patience is not None:
        check_count("patience", patience)
    head = check_model(model)
    data = as_batches(
        model,
        head,
        train_images,
        train_labels,
        batch_size,
        seed=_check_seed(seed),
        augment=augment,
        class_weight=class_weight,
        sample_weight=sample_weight,
        steps_per_epoch=steps_per_epoch,
    )
    callbacks = _check_callbacks(callbacks)
    validation_data = prepare_validation(model, head, validation_data, batch_size)
    recipe = Recipe(model, data, epochs, learning_rate, callbacks)
    keeper = None
    if checkpoint is not None:
        settings = _settings(model, data, batch_size, recipe)
        keeper = Checkpoint(checkpoint, model, settings)
    elif patience is not None and validation_data is not None:
        # Before the caller's: at the end those find the weights that are kept.
        callbacks.insert(0, KeepBest(patience))
    if plain_epochs:
        callbacks.insert(0, PlainEpochs(data, plain_epochs))
    start = Start(guess_steps if head.loss == "ctc" else 0)
    if recipe.restored:  # only inside of fit does Keras know where the training goes on
        callbacks.insert(0, start.inside_of_fit(data))
    history = _fit(model, recipe, keeper, callbacks, validation_data, verbose, start)
    if hasattr(head, "alphabet"):
        start.describe(history, len(data), weighted=sample_weight is not None)
    return history


def _check_callbacks(callbacks):
    """Return a list, whatever form of callbacks ``fit`` takes."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    callbacks = [] if callbacks is None else keras.tree.flatten(callbacks)
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            got = getattr(callback, "__name__", None) or type(callback).__name__
            raise ValueError(
                "callbacks is a keras.callbacks.Callback or a list of them, but got "
                f"{got}. A class wants parentheses: EarlyStopping(...)."
            )
    return callbacks


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
        epoch, rate = self.recipe.data.epoch, self.recipe.current()
        at = "" if rate is None else f" at a learning rate of {rate:.2g}"
        raise FloatingPointError(
            f"The loss became {loss} in epoch {epoch + 1}, batch {batch + 1}{at}. The "
            "weights are lost: build the model again, and try a learning rate ten "
            "times smaller (learning_rate=...) or an optimiser with clipnorm=1."
        )


def _fit(model, recipe, keeper, callbacks, validation_data, verbose, guess):
    progress = keeper.progress if keeper else Progress()
    if progress.finished:
        return _finished(model, progress)
    # The caller's stand before the checkpoint: what they do to the weights is saved.
    callbacks = [recipe, _StopAtNaN(recipe), *callbacks]
    before = {name: list(values) for name, values in progress.history.items()}
    start = time.perf_counter()
    first, seconds = progress.epoch, progress.seconds
    try:
        if first == 0 and not recipe.restored:
            guess(model, recipe.data)
        history = model.fit(
            for_fit(model, recipe.data),
            epochs=recipe.epochs,
            initial_epoch=first,
            shuffle=False,  # the data shuffle themselves
            validation_data=for_fit(model, validation_data),
            callbacks=[*callbacks, keeper] if keeper else callbacks,
            verbose=_verbosity(verbose),
        )
    except Exception:
        problem = getattr(recipe.data, "problem", None)
        if problem:
            raise problem from None
        raise
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
        if getattr(data.stream, "once", False):
            raise ValueError(
                "A generator cannot be read again, so a training on it cannot go on "
                "from a checkpoint: pass a keras.utils.PyDataset, or checkpoint=None."
            )
        data.set_epoch(0)
        digits = fingerprint(*keras.tree.flatten(data.read(0)))
        described = f"a stream of {len(data)} batches ({digits})"
    else:
        weights = () if data.weights is None else (data.weights,)
        arrays = keras.tree.flatten((data.images, data.targets, *weights))
        digits = fingerprint(*arrays)
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
