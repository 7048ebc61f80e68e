"""Train a model that reads: the recipe that leaves CTC's plateau of blanks."""

from crnn_tutorial.checks import check_count
from crnn_tutorial.data.augment import augment_text_images
from crnn_tutorial.training.batches import as_stream, check_model
from crnn_tutorial.training.train import train_crnn_model


def train_text_recognizer(
    model,
    images,
    texts=None,
    batch_size=16,
    epochs=20,
    *,
    augment="later",
    learning_rate=3e-3,
    guess_steps=1000,
    patience=5,
    **options,
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
    batch_size, epochs : int
        As in `train_crnn_model`.
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
        characters (or as few and a lower loss), the training stops; twice as many while
        errors are left. None: all epochs are trained and the last weights kept; so it
        is with a ``checkpoint``, too.
    **options
        Of `train_crnn_model`: ``validation_data``, ``checkpoint``, ``sample_weight``,
        ``steps_per_epoch``, ``seed``, ``callbacks``, ``verbose``.

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
    if not hasattr(check_model(model), "alphabet"):
        raise ValueError(
            f"The model {model.name!r} classifies and does not read: train it with "
            "train_crnn_model, or build one with build_text_recognizer."
        )
    later = isinstance(augment, str)
    if later and augment != "later":
        raise ValueError(
            f'augment is "later", True, False or a function, but got {augment!r}.'
        )
    check_count("epochs", epochs)
    # A stream draws what it likes.
    streamed = as_stream(images, options.get("steps_per_epoch")) is not None
    if later and streamed:
        augment = None
    elif later or augment is True:
        augment = augment_text_images
    return train_crnn_model(
        model,
        images,
        texts,
        batch_size,
        epochs,
        augment=augment or None,
        plain_epochs=-(-epochs // 4) if later and not streamed else 0,
        learning_rate=learning_rate,
        guess_steps=guess_steps,
        patience=patience,
        **options,
    )
