"""Leave CTC's plateau of blanks: a first guess of where each character stands."""

import contextlib

import keras
from keras import ops

from crnn_tutorial.batches import for_fit

CHARACTER = 0.5  # of the room of a character; the rest of it is blank


class GuessedAlignment(keras.losses.Loss):
    """Cross-entropy against characters that are spread evenly over the real steps.

    Each character of the text is given the same room. In the middle half of it the
    character is expected, on both sides of it the blank: so two equal characters in a
    row stay apart.

    Notes
    -----
    ``call(targets, logits)`` takes classes ``(batch, length)``, padded with 0 on the
    right, and logits ``(batch, steps, classes)`` of a model that ends in
    `CharacterLogits`. Padded steps do not count. Returns one number for each image.

    Examples
    --------
    Two characters over eight steps: blank, 1, 1, blank, blank, 2, 2, blank.

    >>> from crnn_tutorial.first_guess import spread
    >>> import numpy as np
    >>> np.array(spread([[1, 2]], np.ones((1, 8)))).tolist()
    [[0, 1, 1, 0, 0, 2, 2, 0]]
    """

    def call(self, targets, logits):
        """Average over the real steps of each image."""
        # CharacterLogits gives a padded step no other choice than blank.
        real = ops.cast(logits[..., 1] > -1e8, logits.dtype)  # (batch, steps)
        guessed = spread(targets, real)
        losses = ops.sparse_categorical_crossentropy(guessed, logits, from_logits=True)
        return ops.sum(real * losses, axis=1) / ops.maximum(ops.sum(real, axis=1), 1.0)


def spread(targets, real):
    """Spread the characters of each text evenly over its real steps.

    Parameters
    ----------
    targets : tensor of int
        Classes ``(batch, length)``, padded with 0 on the right.
    real : tensor of float
        ``(batch, steps)``; 1 for real steps, then 0.

    Returns
    -------
    tensor of int
        A class for each step ``(batch, steps)``, 0 is blank.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.first_guess import spread
    >>> np.array(spread([[3, 0]], np.array([[1.0, 1.0, 1.0, 1.0, 0.0]]))).tolist()
    [[0, 3, 3, 0, 0]]
    """
    targets, real = ops.cast(targets, "int32"), ops.cast(real, "float32")
    characters = ops.sum(ops.cast(targets > 0, "float32"), axis=1, keepdims=True)
    steps = ops.maximum(ops.sum(real, axis=1, keepdims=True), 1.0)
    middles = ops.cast(ops.arange(ops.shape(real)[1]), "float32") + 0.5  # of the steps
    places = middles * characters / steps  # (batch, steps), in characters
    within = places - ops.floor(places)
    # One column of zeros more: where padded steps and empty texts point to.
    padded = ops.pad(targets, [[0, 0], [0, 1]])
    which = ops.minimum(ops.cast(places, "int32"), ops.shape(targets)[1])
    guessed = ops.take_along_axis(padded, which, axis=1)
    return ops.where(ops.abs(within - 0.5) < CHARACTER / 2, guessed, 0)


class FirstGuess(keras.callbacks.Callback):
    """Before the first epoch, train on the guess for some steps; then CTC takes over.

    CTC alone first learns to say blank everywhere and needs long to find a way out. A
    rough guess shows the way, and CTC repairs what is wrong in it.

    Parameters
    ----------
    batches : keras.utils.PyDataset
        Of images and padded classes.
    steps : int
        Batches to train on.
    learning_rate : float
        Of these steps: Adam's, the same for all.

    References
    ----------
    Measured in ``benchmarks/text.py`` and on the page ``sequences/text``.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.first_guess import FirstGuess
    >>> model = ct.build_text_recognizer(
    ...     (16, None, 1), "0123456789", filters=(4,), units=2, recurrence="convolution"
    ... )
    >>> images, targets = np.ones((4, 16, 8, 1)), np.ones((4, 2), int)
    >>> batches = ct.batches.ShuffledBatches(images, targets, batch_size=2)
    >>> model.run_eagerly = True  # two steps are not worth compiling
    >>> guess = FirstGuess(batches, steps=1)
    >>> history = model.fit(batches, steps_per_epoch=1, callbacks=[guess], verbose=0)
    """

    def __init__(self, batches, steps, learning_rate=3e-3):
        super().__init__()
        self.batches, self.steps, self.learning_rate = batches, steps, learning_rate

    def on_epoch_begin(self, epoch, logs=None):
        """Train, unless an interrupted training goes on."""
        if epoch > 0:
            return
        learner = self._build_learner()
        left = self.steps
        while left > 0:
            count = min(left, len(self.batches))
            data = for_fit(self.model, self.batches)
            learner.fit(data, steps_per_epoch=count, shuffle=False, verbose=0)
            left -= count

    def _build_learner(self):
        """Another model of the same layers: they learn.

        The reader's own optimiser, loss and metrics stay as they are.
        """
        strategy = getattr(self.model, "distribute_strategy", None)  # TensorFlow's
        with strategy.scope() if strategy else contextlib.nullcontext():
            learner = keras.Model(self.model.input, self.model.output)
            learner.compile(
                optimizer=keras.optimizers.Adam(self.learning_rate),
                loss=GuessedAlignment(),
                jit_compile=self.model.jit_compile,
                run_eagerly=self.model.run_eagerly,
            )
        return learner
