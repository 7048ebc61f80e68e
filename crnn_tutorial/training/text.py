"""Train a model that reads: the recipe that leaves CTC's plateau of blanks."""

import math
import warnings

import keras
import numpy as np

from crnn_tutorial.checks import check_count
from crnn_tutorial.data.augment import augment_text_images
from crnn_tutorial.data.text.stacking import stack_text_images
from crnn_tutorial.training.batches import (
    ShuffledStream,
    as_batches,
    came_one_by_one,
    check_model,
)
from crnn_tutorial.training.ctc_start import LEFT, leave_plateau
from crnn_tutorial.training.train import _check_seed, train_on

# A training of fewer batches than this is a trial: it is not warned of.
ENOUGH = 100
# Nothing is read if so many of the characters are wrong, or the loss is that near the
# loss of an answer that is the same at each step of all images.
NOTHING, LEAST = 0.95, LEFT

HELP = (
    "See https://crnn-tutorial.github.io/crnn-tutorial/book/sequences/"
    "your_own_text.html"
)


def train_text_recognizer(
    model,
    images,
    texts=None,
    batch_size=16,
    epochs=20,
    *,
    validation_data=None,
    checkpoint=None,
    augment="later",
    learning_rate=3e-3,
    guess_steps=1000,
    patience=5,
    sample_weight=None,
    steps_per_epoch=None,
    seed=0,
    callbacks=None,
    verbose="auto",
):
    """Train a model that reads, on images of text lines and their texts.

    A CTC reader first learns to answer with nothing at all, and stays there for a
    while, or for good. So the training begins with a guess of where each character
    stands: evenly spread over the columns that hold ink. It lasts until the loss of CTC
    is well below that of any answer that is the same at each step of all images.

    Parameters
    ----------
    model : keras.Model
        From ``ct.build_text_recognizer`` or ``ct.build_fixed_length_reader``.
    images : array of floats, list of arrays, Split, or stream
        ``(images, height, width, channels)`` in [0, 1]; -1 in the columns that pad a
        narrow image on the right. A list of images of any size is stacked by
        `stack_text_images`. Each batch is only as wide as its widest image. A stream,
        such as `TextLineStream`, brings batches of its own; its texts may be encoded.
    texts : sequence of str, or None
        One for each image; may be empty. None for a Split or a stream.
    batch_size, epochs, checkpoint, sample_weight, steps_per_epoch, seed
        As in `train_crnn_model`.
    validation_data : tuple, Split or stream, optional
        As in `train_crnn_model`; the images may be a list. Then the training stops when
        these are not read better any more, and the best weights are kept.
    augment : {"later", True, False} or function
        True is `augment_text_images` in all epochs; "later" leaves the first quarter of
        the epochs without it, so that what is easy is learnt soon; a stream is not
        augmented then.
    learning_rate : float, optional
        The highest one; None is that which the model was compiled with.
    guess_steps : int
        Batches that train on the guess before the first epoch, at most; 0 is CTC alone.
        A reader without CTC needs none.
    patience : int or None
        With ``validation_data``: after so many epochs without fewer errors in
        characters (or as few and a lower loss), the training stops. None: all epochs
        are trained and the last weights kept; so it is with a ``checkpoint``, too.
    callbacks, verbose
        As in `train_crnn_model`.

    Returns
    -------
    keras.callbacks.History
        With ``.seconds``, ``.guess_steps`` (batches that trained on the guess),
        ``.plateau_loss`` (of the best answer that is the same at each step of all
        images; None without the guess) and ``.has_learnt``.

    Warns
    -----
    UserWarning
        If the model still reads nothing at the end, or is on the plateau.

    Raises
    ------
    ValueError
        As `train_crnn_model`; if the model does not read; or if a text has more
        characters than its image has steps (doubled ones need a step between them).
    FloatingPointError, OSError
        As `train_crnn_model`.

    References
    ----------
    Graves et al., 2006, "Connectionist temporal classification". What the guess is
    worth: ``benchmarks/text_robust.py``.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> images = np.random.default_rng(0).random((8, 16, 32, 1), dtype="float32")
    >>> model = ct.build_text_recognizer(
    ...     (16, None, 1), "0123456789", filters=(4, 8), units=4, recurrence="attention"
    ... )
    >>> history = ct.train_text_recognizer(
    ...     model, images, ["2015"] * 8, epochs=1, guess_steps=2, verbose=0
    ... )
    >>> sorted(history.history)
    ['cer', 'exact_match', 'loss']
    """
    head = check_model(model)
    if not hasattr(head, "alphabet"):
        raise ValueError(
            f"The model {model.name!r} classifies and does not read: train it with "
            "train_crnn_model, or build one with build_text_recognizer."
        )
    if isinstance(validation_data, tuple | list) and validation_data:
        validation_data = _stacked(model, validation_data[0]), *validation_data[1:]
    check_count("guess_steps", guess_steps, least=0)
    later = isinstance(augment, str)
    if later and augment != "later":
        raise ValueError(
            f'augment is "later", True, False or a function, but got {augment!r}.'
        )
    if later or augment is True:
        augment = augment_text_images
    data = as_batches(
        model,
        head,
        _stacked(model, images),
        texts,
        batch_size,
        seed=_check_seed(seed),
        augment=augment or None,
        sample_weight=sample_weight,
        steps_per_epoch=steps_per_epoch,
    )
    start = _LeavePlateau(data, guess_steps if head.loss == "ctc" else 0)
    own = [start]
    if later and isinstance(data, ShuffledStream):  # it draws what it likes
        data.augment = None
    elif later:
        own.insert(0, _AugmentLater(data, epochs))
    if validation_data is not None and patience is not None and checkpoint is None:
        own.append(_KeepBest(check_count("patience", patience)))
    history = train_on(
        model,
        data,
        batch_size,
        epochs,
        validation_data=validation_data,
        checkpoint=checkpoint,
        learning_rate=learning_rate,
        callbacks=callbacks,
        verbose=verbose,
        prelude=own,
    )
    history.guess_steps, history.plateau_loss = start.steps, start.plateau_loss
    # With weights the loss is on another scale than the plateau's.
    history.has_learnt = _has_learnt(history, weighted=sample_weight is not None)
    if not history.has_learnt and len(data) * len(history.epoch) >= ENOUGH:
        _warn(history)
    return history


class _AugmentLater(keras.callbacks.Callback):
    """Leaves the first epochs without augmentation."""

    def __init__(self, data, epochs):
        super().__init__()
        self.data, self.augment, self.first = data, data.augment, -(-epochs // 4)

    def on_epoch_begin(self, epoch, logs=None):
        self.data.augment = self.augment if epoch >= self.first else None


class _LeavePlateau(keras.callbacks.Callback):
    """Trains on the guess before the first epoch, not where a training goes on."""

    def __init__(self, data, most_steps):
        super().__init__()
        self.data, self.most_steps = data, most_steps
        self.steps, self.plateau_loss = 0, None

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 0 and self.most_steps:
            found = leave_plateau(self.model, self.data, self.most_steps)
            self.plateau_loss, self.steps = found


class _KeepBest(keras.callbacks.Callback):
    """Keeps the weights that read the validation images best, and stops behind them.

    Keras' own ``EarlyStopping`` looks at one number, but small sets often have epochs
    with equally few errors: of these the one with the lower loss is better. A loss that
    falls by less than a tenth is no reason to go on.
    """

    def __init__(self, patience):
        super().__init__()
        self.patience, self.weights, self.waited = patience, None, 0
        self.best = self.clear = math.inf, math.inf

    def on_epoch_end(self, epoch, logs=None):
        found = logs.get("val_cer", 0.0), logs["val_loss"]
        if found < self.best:
            self.best, self.weights = found, self.model.get_weights()
        self.waited += 1
        if found < (self.clear[0], 0.9 * self.clear[1]):
            self.clear, self.waited = found, 0
        if self.waited >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self.weights is not None:
            self.model.set_weights(self.weights)


def _has_learnt(history, weighted):
    """Say whether the last epoch reads characters, and is no longer on the plateau."""
    last = {name: values[-1] for name, values in history.history.items()}
    reads = last.get("cer", 0.0) < NOTHING  # a model compiled anew may not have it
    if weighted or history.plateau_loss is None:
        return reads
    return reads and last["loss"] <= LEAST * history.plateau_loss


def _warn(history):
    last = {name: values[-1] for name, values in history.history.items()}
    seen = f"its loss is {last['loss']:.3g}"
    if history.plateau_loss is not None:
        seen += f" (one answer for all steps and images: {history.plateau_loss:.3g})"
    if "cer" in last:
        seen += f", and {min(last['cer'], 1):.0%} of the characters are wrong"
    warnings.warn(
        f"The model has not learnt to read. After {len(history.epoch)} epochs {seen}. "
        "Look at some images beside their texts (ct.plot_images): does each text say "
        "what its image shows, from left to right? If so, try more epochs, more "
        "images, or smaller pools in the builder: they give each character more "
        f"steps. {HELP}",
        stacklevel=3,
    )


def _stacked(model, images):
    """Return images of any size as one array, as wide as the model wants it."""
    if not came_one_by_one(images):
        return images
    images = stack_text_images(list(images), model.input_shape[1])
    missing = (model.input_shape[2] or 0) - images.shape[2]
    padding = (0, 0), (0, 0), (0, max(missing, 0)), (0, 0)
    return np.pad(images, padding, constant_values=-1)
