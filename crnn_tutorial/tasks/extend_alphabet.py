"""More characters for a reader that is trained already."""

import keras
import numpy as np

from crnn_tutorial.data.text.alphabet import Alphabet
from crnn_tutorial.tasks.text import check_reader

LESS = 3  # logits by which a new character starts below the mean of the others


def extend_alphabet(model, characters):
    """Return a copy of a trained reader that can learn more characters.

    All weights are kept, and what the copy reads is the same until it is trained: the
    score of a new character starts at the mean of the old ones, less 3, and so is never
    the highest. Train the copy on texts that hold old *and* new characters; else it
    forgets the old ones.

    Parameters
    ----------
    model : keras.Model
        From ``ct.build_text_recognizer`` or ``ct.build_fixed_length_reader``.
    characters : str, Alphabet or iterable of str
        The new characters; those that the model knows already stay as they are.

    Returns
    -------
    keras.Model
        Compiled as ``model`` is, with an optimiser that starts afresh. ``model`` itself
        is not changed.

    Raises
    ------
    ValueError
        If the model does not read, or the characters are no alphabet.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.network import heads
    >>> digits = ct.build_text_recognizer((16, None, 1), "0123456789")
    >>> heads.of(ct.extend_alphabet(digits, "+-0")).alphabet
    Alphabet(characters='0123456789+-')
    """
    head = check_reader(model)
    known = head.alphabet.characters
    added = [c for c in Alphabet(characters).characters if c not in known]
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    last = copy.layers[-1]
    config = {**last.get_config(), "characters": known + "".join(added)}
    longer = type(last).from_config(config)
    outputs = longer(*keras.tree.flatten(last.input))
    sizes = len(added), getattr(longer, "positions", 1)
    longer.dense.set_weights(
        [_add_classes(w, *sizes) for w in last.dense.get_weights()]
    )
    copy = keras.Model(copy.input, outputs, name=model.name)
    if model.compiled:
        copy.compile_from_config(model.get_compile_config())
        copy.optimizer.build(copy.trainable_variables)
    return copy


def _add_classes(weights, count, positions):
    """Give each position so many classes more, of the mean score of the others."""
    each = weights.reshape(*weights.shape[:-1], positions, -1)  # (..., classes)
    sides = [(0, 0)] * (each.ndim - 1) + [(0, count)]
    each = np.pad(each, sides, mode="mean")
    if weights.ndim == 1:  # the bias
        each[:, each.shape[1] - count :] -= LESS
    return each.reshape(*weights.shape[:-1], -1)
