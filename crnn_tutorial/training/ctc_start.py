"""Leave CTC's plateau of blanks: a first guess of where each character stands.

A network that answers the same at each step, whatever it sees, is on the *plateau*: the
best such answer is nearly all blank, and its loss can be computed before any training.
"""

import contextlib
import warnings

import keras
import numpy as np
from keras import ops

from crnn_tutorial.data.text.ink import find_text
from crnn_tutorial.network.masks import pixels_of_a_step
from crnn_tutorial.training.batches import for_fit
from crnn_tutorial.training.streams import KeptBatches

CHARACTER = 0.5  # of the room of a character; the rest of it is blank

ROUND = 50  # batches between two looks at the loss
# Of the plateau's loss. An answer that knows where in a line characters stand, but does
# not look at the image, comes down to some 0.85 of it: what is lower has begun to look.
LEFT = 0.8
# How often a character is said on the plateau: what is tried to find its loss.
_SHARES = np.geomspace(0.02, 0.99, 20)
_TEXTS = 256  # that the loss of the plateau is computed from
# A training of fewer batches than this is a trial: it is not warned of.
ENOUGH = 100
NOTHING = 0.95  # of the characters are wrong: then nothing is read
HELP = (
    "See https://crnn-tutorial.github.io/crnn-tutorial/book/sequences/"
    "your_own_text.html"
)


class Start:
    """What happens before the first epoch of a training with CTC, and what came of it.

    Parameters
    ----------
    most_steps : int
        Batches that train on the guess, at most; 0 for a model without CTC, or for CTC
        alone.
    """

    def __init__(self, most_steps):
        self.most_steps, self.steps, self.plateau_loss = most_steps, 0, None

    def __call__(self, model, data):
        """Train on the guess; call it before ``fit``."""
        if self.most_steps:
            data.set_epoch(0)
            found = leave_plateau(model, data, self.most_steps)
            self.plateau_loss, self.steps = found

    def inside_of_fit(self, data):
        """Return a callback that trains on the guess if the training is a new one."""

        def begin(epoch, logs):
            if epoch == 0:
                self(callback.model, data)

        callback = keras.callbacks.LambdaCallback(on_epoch_begin=begin)
        return callback

    def describe(self, history, batches, weighted):
        """Say in the history what came of it, and warn where nothing was learnt."""
        history.guess_steps, history.plateau_loss = self.steps, self.plateau_loss
        # With weights the loss is on another scale than the plateau's.
        history.has_learnt = _has_learnt(history, weighted)
        if not history.has_learnt and batches * len(history.epoch) >= ENOUGH:
            _warn(history)
        return history


def spread(classes, extents, steps, pixels):
    """Spread the characters of each text evenly over the columns where the text stands.

    Each character is given the same room. In the middle half of it the character is
    expected, on both sides of it the blank: so two equal characters stay apart.

    Parameters
    ----------
    classes : array of int
        ``(batch, length)``, padded with 0 on the right.
    extents : array of float
        ``(batch, 2)``: where the text begins and ends, in pixels.
    steps : int
        Of the longest image.
    pixels : int
        Columns of the image that make a step.

    Returns
    -------
    array of int
        A class for each step ``(batch, steps)``, 0 is blank.

    Examples
    --------
    Two characters over eight steps, and over the last four of them.

    >>> import numpy as np
    >>> from crnn_tutorial.training.ctc_start import spread
    >>> classes, extents = np.array([[1, 2], [1, 2]]), np.array([[0, 32], [16, 32]])
    >>> spread(classes, extents, steps=8, pixels=4).tolist()
    [[0, 1, 1, 0, 0, 2, 2, 0], [0, 0, 0, 0, 1, 0, 2, 0]]
    """
    count = (classes > 0).sum(axis=1)[:, None]
    start, end = np.asarray(extents, float).T[:, :, None]
    middles = (np.arange(steps) + 0.5) * pixels  # of the steps
    room = np.maximum(end - start, 1) / np.maximum(count, 1)
    places = (middles - start) / room  # (batch, steps), in characters
    which = np.clip(np.floor(places), 0, classes.shape[1] - 1).astype(int)
    guessed = np.take_along_axis(classes, which, axis=1)
    within = places - which - 0.5  # from the middle of the character's room
    # Where a character has room for less than two steps: the step that is nearest.
    half = np.maximum(CHARACTER / 2, pixels / room / 2)
    inside = (within >= -half) & (within < half) & (places >= 0) & (places < count)
    return np.where(inside, guessed, 0)


class GuessedAlignment(keras.losses.Loss):
    """Cross-entropy against the characters that are guessed, and the loss of CTC.

    Both are averaged over the real steps of each image, and summed.

    Notes
    -----
    ``call(targets, logits)`` takes targets ``(batch, steps + length)``: the guessed
    class of each step, and behind these the classes of the text. The logits ``(batch,
    steps, classes)`` are those of a model that ends in `CharacterLogits`. Returns one
    number for each image.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.training.ctc_start import GuessedAlignment
    >>> logits = 100.0 * np.eye(3)[[[0, 1, 0, 2]]]  # sure of blank, 1, blank, 2
    >>> guess_and_text = np.array([[0, 1, 0, 2, 1, 2]])
    >>> float(GuessedAlignment()(guess_and_text, logits))
    0.0
    """

    def call(self, targets, logits):
        """Add both losses."""
        # CharacterLogits gives a padded step no other choice than blank.
        real = ops.cast(logits[..., 1] > -1e8, logits.dtype)  # (batch, steps)
        guessed = ops.cast(targets[:, : ops.shape(logits)[1]], "int32")
        losses = ops.sparse_categorical_crossentropy(guessed, logits, from_logits=True)
        both = ops.sum(real * losses, axis=1) + _ctc(targets, logits)
        return both / ops.maximum(ops.sum(real, axis=1), 1.0)


def _ctc(targets, logits):
    """Return the loss of CTC for the classes that stand behind the guess."""
    return keras.losses.CTC().call(targets[:, ops.shape(logits)[1] :], logits)


def plateau_loss(classes, steps, num_classes):
    """Return the least CTC loss of any answer that is the same at each step.

    Such an answer is blank with some probability, else a character, each as often as it
    occurs in the texts.

    Parameters
    ----------
    classes : array of int
        ``(texts, length)``, padded with 0 on the right.
    steps : array of int
        ``(texts,)``: how many steps each image has.
    num_classes : int
        With the blank.

    Returns
    -------
    float
        Averaged over the texts.

    Examples
    --------
    One of two letters, read in a single step: nobody can do better than to bet on
    each of them, and the loss is about the logarithm of 2.

    >>> import numpy as np
    >>> from crnn_tutorial.training.ctc_start import plateau_loss
    >>> round(plateau_loss(np.array([[1], [2]]), [1, 1], num_classes=3), 1)
    0.7
    """
    classes, steps = np.asarray(classes), np.asarray(steps)
    counts = np.bincount(classes[classes > 0], minlength=num_classes)[1:]
    often = counts / max(counts.sum(), 1)
    padding = np.arange(max(steps.max(), 1)) >= steps[:, None]  # (texts, steps)
    losses = []
    for share in _SHARES:
        answer = np.log(np.r_[1 - share, np.maximum(share * often, 1e-9)])
        logits = np.tile(answer.astype("float32"), (*padding.shape, 1))
        logits[padding] = -1e9
        logits[padding, 0] = 0.0
        loss = keras.losses.CTC()(classes, ops.convert_to_tensor(logits))
        losses.append(float(ops.convert_to_numpy(loss)))
    return min(losses)


def guess_batches(data, pixels):
    """Return the first batches of the data, kept, with the guess in their targets.

    Parameters
    ----------
    data : ShuffledBatches or ShuffledStream
        Of images and padded classes.
    pixels : int
        Columns of an image that make a step.

    Returns
    -------
    KeptBatches
        Their targets are those of `GuessedAlignment`.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.training.streams import ShuffledBatches
    >>> from crnn_tutorial.training.ctc_start import guess_batches
    >>> data = ShuffledBatches(np.zeros((1, 16, 16, 1)), np.array([[5]]), batch_size=1)
    >>> _, guess_and_text = guess_batches(data, pixels=4)[0]
    >>> guess_and_text.tolist()
    [[0, 5, 5, 0, 5]]
    """
    batches = []
    data.on_epoch_begin()
    for batch in range(min(ROUND, len(data))):
        images, classes, *weights = map(np.asarray, data[batch])
        steps = images.shape[2] // pixels
        guessed = spread(classes, find_text(images), steps, pixels)
        targets = np.concatenate([guessed, classes], axis=1).astype("int32")
        batches.append((images, targets, *weights))
    data.on_epoch_end()
    return KeptBatches(batches)


def _plateau_of(batches, pixels, num_classes):
    """Return the loss of the plateau on the first images of some batches."""
    texts, steps = [], []
    for images, targets, *_ in batches:
        texts += list(targets[:, images.shape[2] // pixels :])
        real = (images[:, 0, :, 0] != -1).sum(axis=1)
        steps += list(-(-real // pixels))
    longest = max(map(len, texts))
    classes = [np.pad(text, (0, longest - len(text))) for text in texts[:_TEXTS]]
    return plateau_loss(np.array(classes), steps[:_TEXTS], num_classes)


def leave_plateau(model, data, most_steps, learning_rate=3e-3):
    """Train on the guess until the loss of CTC is well below that of the plateau.

    CTC alone first learns to say blank everywhere and needs long to find a way out. A
    rough guess shows the way, and CTC repairs what is wrong in it. Once its loss is
    well below that of every answer that does not look at the image, the way back is
    uphill.

    Parameters
    ----------
    model : keras.Model
        From ``ct.build_text_recognizer``. Its own optimiser, loss and metrics stay as
        they are.
    data : ShuffledBatches or ShuffledStream
        Of images and padded classes.
    most_steps : int
        Batches to train on, at most.
    learning_rate : float
        Adam's, the same for all steps.

    Returns
    -------
    float
        The loss of the plateau.
    int
        How many batches were trained on.

    References
    ----------
    Measured in ``benchmarks/text_robust.py`` and on the page ``sequences/text``.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.training.streams import ShuffledBatches
    >>> from crnn_tutorial.training.ctc_start import leave_plateau
    >>> model = ct.build_text_recognizer(
    ...     (16, None, 1), "0123456789", filters=(4,), units=2, recurrence="convolution"
    ... )
    >>> images, targets = np.ones((4, 16, 8, 1)), np.ones((4, 2), int)
    >>> batches = ShuffledBatches(images, targets, batch_size=2)
    >>> model.run_eagerly = True  # one step is not worth compiling
    >>> loss, steps = leave_plateau(model, batches, most_steps=1)
    >>> loss > 0, steps
    (True, 1)
    """
    pixels = pixels_of_a_step(model)
    guesses = guess_batches(data, pixels)
    plateau = _plateau_of(guesses.batches, pixels, model.output_shape[-1])
    learner = _build_learner(model, learning_rate)
    batches, done = for_fit(model, guesses), 0
    while done < most_steps:
        epochs = max(min(ROUND, most_steps - done) // len(guesses), 1)
        steps = min(len(guesses), most_steps - done)
        history = learner.fit(
            batches, steps_per_epoch=steps, epochs=epochs, shuffle=False, verbose=0
        )
        done += steps * epochs
        if history.history["ctc"][-1] < LEFT * plateau:
            break
    return plateau, done


def _build_learner(model, learning_rate):
    """Return another model of the same layers: they learn."""
    strategy = getattr(model, "distribute_strategy", None)  # TensorFlow's
    with strategy.scope() if strategy else contextlib.nullcontext():
        learner = keras.Model(model.input, model.output)
        learner.compile(
            optimizer=keras.optimizers.Adam(learning_rate),
            loss=GuessedAlignment(),
            metrics=[keras.metrics.MeanMetricWrapper(_ctc, name="ctc")],
            jit_compile=model.jit_compile,
            run_eagerly=model.run_eagerly,
        )
    return learner


def _has_learnt(history, weighted):
    """Say whether the last epoch reads characters, and is no longer on the plateau."""
    last = {name: values[-1] for name, values in history.history.items()}
    reads = last.get("cer", 0.0) < NOTHING  # a model compiled anew may not have it
    if weighted or history.plateau_loss is None:
        return reads
    return reads and last["loss"] <= LEFT * history.plateau_loss


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
        stacklevel=5,
    )
