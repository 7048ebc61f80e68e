"""Builders of compiled models for lines of text."""

import math

import keras

from crnn_tutorial import backbones, heads, layers
from crnn_tutorial.models import (
    IMAGE,
    _assemble,
    _check_filters,
    _check_shape,
    _compile,
    _whole_numbers,
)


def build_text_recognizer(
    input_shape,
    alphabet,
    *,
    filters=(16, 32, 64),
    pools=None,
    units=64,
    recurrence="lstm",
    dropout=0.0,
    learning_rate=1e-3,
):
    """Build a CRNN that reads a line of text of any length, trained with CTC.

    Columns of -1 on the right of a narrow image are padding: they change neither the
    loss nor the answer.

    Parameters
    ----------
    input_shape : tuple of int or None
        ``(height, width, channels)``; a width of None takes any width.
    alphabet : Alphabet
        The characters that can be read.
    pools : sequence, optional
        The pooling window of each block, ``(height, width)`` or one number for both. By
        default each block halves the height and the first two halve the width, too: a
        step is 4 pixels wide.
    filters, units, recurrence, dropout, learning_rate
        As in `build_crnn_model`. ``ct.train_text_recognizer`` brings a learning rate of
        its own.

    Returns
    -------
    keras.Model
        Compiled; images to logits ``(batch, steps, classes)``, where class 0 is CTC's
        blank. By default ``steps`` is ``width / 4``.

    Raises
    ------
    ValueError
        If the shape is no image's, too small for the pooling layers, or if there is not
        one pool for each number in ``filters``.

    References
    ----------
    Shi, Bai and Yao, 2015; Graves et al., 2006 (CTC).

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> reader = ct.build_text_recognizer((16, None, 1), ct.Alphabet("0123456789"))
    >>> reader.output_shape
    (None, None, 11)
    """
    shape = height, width, _ = _check_shape(input_shape, IMAGE, free="width")
    filters = _check_filters(filters, height, None)
    pools = _check_pools(pools, len(filters), height, width)
    inputs = keras.Input(shape, name="image")
    mask = layers.ColumnMask(name="real_columns")(inputs)
    features, mask = backbones.columns(
        inputs, filters, units, recurrence, pools, mask=mask
    )
    head = heads.ReadText(_check_alphabet(alphabet))
    return _compile(
        keras.Model(inputs, head(features, mask, dropout)), head, learning_rate
    )


def build_fixed_length_reader(
    input_shape,
    alphabet,
    positions,
    *,
    filters=(32, 64),
    dropout=0.0,
    learning_rate=1e-3,
):
    """Build a CNN that reads at most ``positions`` characters, one softmax for each.

    The control of the text recogniser: the same convolutions, and no CTC.

    Parameters
    ----------
    input_shape : tuple of int
        ``(height, width, channels)``.
    alphabet : Alphabet
        The characters that can be read.
    positions : int
        The largest number of characters.
    filters, dropout, learning_rate
        As in `build_crnn_model`.

    Returns
    -------
    keras.Model
        Compiled; images to probabilities ``(batch, positions, classes)``, where class 0
        means "no character here".

    Raises
    ------
    ValueError
        If the shape is no image's or too small for the pooling layers.

    References
    ----------
    Goodfellow et al., 2013, arXiv:1312.6082.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> digits = ct.Alphabet("0123456789")
    >>> ct.build_fixed_length_reader((16, 128, 1), digits, positions=8).output_shape
    (None, 8, 11)
    """
    shape = height, width, _ = _check_shape(input_shape, IMAGE)
    filters = _check_filters(filters, height, width)
    inputs = keras.Input(shape, name="image")
    mask = layers.ColumnMask(name="real_columns")(inputs)
    x = layers.KeepColumns(name="padding_to_zero")(inputs, mask)
    for block, count in enumerate(filters):
        x = backbones.convolution_block(x, count, str(block + 1))
    head = heads.ReadPositions(_check_alphabet(alphabet), positions)
    return _assemble(inputs, x, head, dropout, learning_rate)


def _check_pools(pools, blocks, height, width):
    if pools is None:
        pools = [(2, 2 if block < 2 else 1) for block in range(blocks)]
    windows = [
        tuple(pool) if isinstance(pool, tuple | list) else (pool, pool)
        for pool in pools
    ]
    known = all(len(w) == 2 and None not in _whole_numbers(w) for w in windows)
    if len(windows) != blocks or not known:
        raise ValueError(
            "pools has one window for each number in filters, (height, width) or one "
            f"whole number, such as [2, (2, 1)], but got {pools!r} for {blocks} blocks."
        )
    sides = ("high", height, 0), ("wide", width, 1)
    for name, side, axis in sides:
        smallest = math.prod(window[axis] for window in windows)
        if side is not None and side < smallest:
            raise ValueError(
                f"An image {side} pixels {name} is too small for the pools {windows}: "
                f"it is at least {smallest} pixels {name}. Pass larger images, fewer "
                "filters or smaller pools."
            )
    return windows


def _check_alphabet(alphabet):
    known = isinstance(alphabet, heads.Alphabet)
    return alphabet if known else heads.Alphabet(alphabet)
