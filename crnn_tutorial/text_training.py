"""Train a model that reads: the recipe that leaves CTC's plateau of blanks soon."""

import numpy as np

from crnn_tutorial import heads
from crnn_tutorial.augmentation import augment_text_images
from crnn_tutorial.batches import as_batches, came_one_by_one, check_model
from crnn_tutorial.checks import check_count
from crnn_tutorial.first_guess import FirstGuess
from crnn_tutorial.text_images import stack_text_images
from crnn_tutorial.training import _check_seed, train_on


def train_text_recognizer(
    model,
    images,
    texts=None,
    batch_size=16,
    epochs=20,
    *,
    validation_data=None,
    checkpoint=None,
    augment=False,
    learning_rate=3e-3,
    guess_steps=60,
    sample_weight=None,
    steps_per_epoch=None,
    seed=0,
    callbacks=None,
    verbose="auto",
):
    """Train a model that reads, on images of text lines and their texts.

    A CTC reader first learns to answer with nothing at all, and stays there for a
    while. To leave that sooner, the first steps train on a guess of where each
    character stands: evenly spread over the line.

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
        As in `train_crnn_model`; the images may be a list.
    augment : bool or function
        True is `augment_text_images`.
    learning_rate : float, optional
        The highest one; None is that which the model was compiled with.
    guess_steps : int
        Batches that train on the guess before the first epoch; 0 is CTC alone. A reader
        without CTC needs none.
    callbacks, verbose
        As in `train_crnn_model`.

    Returns
    -------
    keras.callbacks.History
        With ``.seconds``.

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
    worth: ``benchmarks/text.py``.

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
    if isinstance(head, heads.Classify):
        raise ValueError(
            f"The model {model.name!r} classifies and does not read: train it with "
            "train_crnn_model, or build one with build_text_recognizer."
        )
    if isinstance(validation_data, tuple | list) and validation_data:
        validation_data = _stacked(model, validation_data[0]), *validation_data[1:]
    check_count("guess_steps", guess_steps, least=0)
    data = as_batches(
        model,
        head,
        _stacked(model, images),
        texts,
        batch_size,
        seed=_check_seed(seed),
        augment=augment_text_images if augment is True else augment or None,
        sample_weight=sample_weight,
        steps_per_epoch=steps_per_epoch,
    )
    guesses = guess_steps and isinstance(head, heads.ReadText)
    return train_on(
        model,
        data,
        batch_size,
        epochs,
        validation_data=validation_data,
        checkpoint=checkpoint,
        learning_rate=learning_rate,
        callbacks=callbacks,
        verbose=verbose,
        prelude=[FirstGuess(data, guess_steps)] if guesses else (),
    )


def _stacked(model, images):
    """Return images of any size as one array, as wide as the model wants it."""
    if not came_one_by_one(images):
        return images
    images = stack_text_images(list(images), model.input_shape[1])
    missing = (model.input_shape[2] or 0) - images.shape[2]
    padding = (0, 0), (0, 0), (0, max(missing, 0)), (0, 0)
    return np.pad(images, padding, constant_values=-1)
