"""Train a model that reads: the recipe that leaves CTC's plateau of blanks soon."""

from crnn_tutorial import heads
from crnn_tutorial.augmentation import augment_text_images
from crnn_tutorial.batches import check_model
from crnn_tutorial.checks import check_count
from crnn_tutorial.first_guess import FirstGuess
from crnn_tutorial.text_images import stack_text_images
from crnn_tutorial.training import _batches, train_crnn_model


def train_text_recognizer(
    model,
    images,
    texts,
    batch_size=16,
    epochs=20,
    *,
    validation_data=None,
    checkpoint=None,
    augment=False,
    learning_rate=3e-3,
    guess_steps=60,
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
    images : array of floats, list of arrays, or keras.utils.PyDataset
        ``(images, height, width, channels)`` in [0, 1]; -1 in the columns that pad a
        narrow image on the right. A list of images of any size is stacked by
        `stack_text_images`. A stream brings batches of its own, such as
        `TextLineStream`.
    texts : sequence of str, or None
        One for each image; may be empty. None for a stream.
    batch_size, epochs, checkpoint, seed
        As in `train_crnn_model`.
    validation_data : tuple, Split or keras.utils.PyDataset, optional
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
    >>> model = ct.build_text_recognizer((16, None, 1), "0123456789", units=4)
    >>> history = ct.train_text_recognizer(
    ...     model, images, ["2015"] * 8, batch_size=4, epochs=1, verbose=0
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
    callbacks = list(callbacks or ())
    images = _stacked(model, images)
    if isinstance(validation_data, tuple | list) and len(validation_data) == 2:
        validation_data = _stacked(model, validation_data[0]), validation_data[1]
    augment = augment_text_images if augment is True else augment or None
    check_count("guess_steps", guess_steps, least=0)
    if guess_steps and isinstance(head, heads.ReadText):
        data = _batches(model, head, images, texts, batch_size, seed, augment)
        callbacks = [FirstGuess(data, guess_steps), *callbacks]
    return train_crnn_model(
        model,
        images,
        texts,
        batch_size,
        epochs,
        validation_data=validation_data,
        checkpoint=checkpoint,
        augment=augment,
        learning_rate=learning_rate,
        seed=seed,
        callbacks=callbacks,
        verbose=verbose,
    )


def _stacked(model, images):
    many = isinstance(images, list | tuple)
    return stack_text_images(images, model.input_shape[1]) if many else images
