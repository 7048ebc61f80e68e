"""From features to an answer: five things that must never part.

A head knows how to *encode* what a person has (labels, texts) into arrays, the
*last layer*, the *loss*, the *metrics*, and how to *decode* what the model returns
into what a person wants. ``of(model)`` finds the head of any model of this package,
also after it was saved and loaded.
"""

import numbers
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import ClassVar

import numpy as np
from keras import layers

from crnn_tutorial import metrics
from crnn_tutorial.layers import (
    CHANNELS_LAST,
    CharacterLogits,
    PositionProbabilities,
)
from crnn_tutorial.text_metrics import CharacterErrorRate, ExactMatch

SHOWN = 40  # characters of an alphabet in a message


@dataclass(frozen=True)
class Alphabet:
    """The characters that a reader knows; class 0 is kept for CTC's blank.

    A character is one code point. Accents that are code points of their own are
    characters of their own; bring texts to Unicode's composed form (NFC) first, as
    `load_text_images` does.

    Parameters
    ----------
    characters : str or iterable of str
        Each character once, in the order of their classes 1, 2, ... A set, which has no
        order, is sorted.

    Raises
    ------
    ValueError
        If there is no character, one stands twice, or one is no str of one code point.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> digits = ct.Alphabet("0123456789")
    >>> digits.encode(["2015", "7"]).tolist()
    [[3, 1, 2, 6], [8, 0, 0, 0]]
    >>> digits.decode([[3, 1, 2, 6], [8, 0, 0, 0]])
    ['2015', '7']
    """

    characters: str

    def __post_init__(self):
        object.__setattr__(self, "characters", _join(self.characters))  # it is frozen
        counts = Counter(self.characters)
        twice = sorted(c for c, count in counts.items() if count > 1)
        if not counts or twice:
            raise ValueError(
                "An alphabet has at least one character and each of them once, but got "
                f"{_shorten(self.characters)}"
                + (f" with {_shorten(twice)} repeated." if twice else ".")
            )

    def __repr__(self):
        return f"Alphabet(characters={_shorten(self.characters)})"

    @cached_property
    def _classes(self):
        return {c: k for k, c in enumerate(self.characters, start=1)}

    @classmethod
    def from_texts(cls, texts):
        """Collect the characters of some texts, sorted.

        Parameters
        ----------
        texts : sequence of str
            At least one character in all.

        Returns
        -------
        Alphabet
            With each character that occurs.

        Raises
        ------
        ValueError
            If a text is no str, or no character occurs.

        Examples
        --------
        >>> import crnn_tutorial as ct
        >>> ct.Alphabet.from_texts(["2015", "1997"])
        Alphabet(characters='012579')
        """
        return cls(set("".join(_check_texts(texts))))

    def encode(self, texts, length=None):
        """Turn texts into classes, padded with 0 on the right.

        Parameters
        ----------
        texts : sequence of str
            May be empty strings.
        length : int, optional
            Number of columns; that of the longest text by default.

        Returns
        -------
        numpy.ndarray of int32
            ``(len(texts), length)``.

        Raises
        ------
        ValueError
            If a text is no str, longer than ``length``, or has a character that the
            alphabet does not have.

        Examples
        --------
        >>> import crnn_tutorial as ct
        >>> ct.Alphabet("ab").encode(["ba", ""], length=3).tolist()
        [[2, 1, 0], [0, 0, 0]]
        """
        texts = _check_texts(texts)
        unknown = sorted(set("".join(texts)) - set(self.characters))
        if unknown:
            raise ValueError(
                f"The alphabet {_shorten(self.characters)} does not have "
                f"{_shorten(unknown)}. Build it with Alphabet.from_texts(texts) from "
                "all texts you want to read, or teach a trained reader: "
                "ct.extend_alphabet(model, characters)."
            )
        longest = max([len(text) for text in texts], default=0)
        length = max(longest, 1) if length is None else length
        if longest > length:
            raise ValueError(f"A text has {longest} characters, more than {length}.")
        classes = np.zeros((len(texts), length), dtype="int32")
        for row, text in zip(classes, texts, strict=True):
            row[: len(text)] = [self._classes[c] for c in text]
        return classes

    def decode(self, classes):
        """Turn rows of classes back into texts, leaving out every 0.

        Parameters
        ----------
        classes : array of int
            ``(number, length)``, each from 0 to ``len(characters)``.

        Returns
        -------
        list of str
            One text for each row.

        Examples
        --------
        >>> import crnn_tutorial as ct
        >>> ct.Alphabet("ab").decode([[2, 1, 0], [0, 0, 0]])
        ['ba', '']
        """
        return ["".join(self.characters[k - 1] for k in row if k) for row in classes]


def _join(characters):
    """Return an alphabet's characters as one str, whatever they came in."""
    if isinstance(characters, str):
        return characters
    try:
        found = [] if isinstance(characters, bytes) else list(characters)
    except TypeError:
        found = []
    wrong = [c for c in found if not isinstance(c, str) or len(c) != 1]
    if wrong or not found:
        got = f"{wrong[0]!r:.60}" if wrong else f"{characters!r:.60}"
        raise ValueError(
            "An alphabet is a str, or a list of characters that are each a str of one "
            f"code point, but got {got}. What is written with several code points (an "
            "accent of its own, a flag) becomes one through "
            'unicodedata.normalize("NFC", text), or counts as several characters.'
        )
    if isinstance(characters, set | frozenset):
        found = sorted(found)  # else another order in each process
    return "".join(found)


def _check_texts(texts):
    """Return a list of str, or say what came instead."""
    alone = isinstance(texts, str | bytes) or not hasattr(texts, "__iter__")
    found = [] if alone else list(texts)
    wrong = [i for i, text in enumerate(found) if not isinstance(text, str)]
    if alone or wrong:
        got = f"{found[wrong[0]]!r:.60} at {wrong[0]}" if wrong else f"{texts!r:.60}"
        raise ValueError(
            "Texts are a list with one str for each image, such as ['2015', '7'], "
            f"but got {got}."
        )
    return found


def _shorten(characters):
    """Show the first few of many characters, or of a list of them."""
    if len(characters) <= SHOWN:
        return repr(characters)
    return f"{characters[:SHOWN]!r}... ({len(characters):,} characters)"


@dataclass(frozen=True)
class Classify:
    """One class for each image (or clip): average, dense, softmax.

    Parameters
    ----------
    num_classes : int
        At least 2.

    Raises
    ------
    ValueError
        If there are fewer than two classes.

    Examples
    --------
    >>> from crnn_tutorial.heads import Classify
    >>> head = Classify(3)
    >>> head.encode([[0, 0, 1], [1, 0, 0]]).tolist()  # one-hot or integers
    [2, 0]
    >>> head.decode([[0.1, 0.2, 0.7]]).tolist()
    [2]
    """

    num_classes: int
    loss: ClassVar[str] = "sparse_categorical_crossentropy"
    metrics: ClassVar[tuple[str, ...]] = ("accuracy",)
    metric_name: ClassVar[str] = "accuracy"

    def __post_init__(self):
        if not isinstance(self.num_classes, numbers.Integral) or self.num_classes < 2:
            raise ValueError(
                "num_classes is a whole number, at least 2, but got "
                f"{self.num_classes!r}: with one class there is nothing to decide."
            )

    def __call__(self, features, dropout=0.0, mask=None):
        """Average over real steps (or places), then one probability for each class."""
        if len(features.shape) == 4:
            x = layers.GlobalAveragePooling2D(name="average", **CHANNELS_LAST)(features)
        else:
            average = layers.GlobalAveragePooling1D(name="average", **CHANNELS_LAST)
            x = average(features, mask=mask)
        if dropout:
            x = layers.Dropout(dropout, name="dropout")(x)
        return layers.Dense(
            int(self.num_classes), activation="softmax", name="probabilities"
        )(x)

    def encode(self, labels):
        """Turn integer or one-hot labels ``(n,)`` or ``(n, classes)`` into integers."""
        labels = np.asarray(labels)
        if labels.ndim == 2 and labels.shape[1] == self.num_classes:
            if not (np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()):
                raise ValueError(
                    "One-hot labels have exactly one 1 in each row and 0 elsewhere."
                )
            return labels.argmax(axis=1)
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(
                f"Labels are integers of shape (n,) or one-hot rows of shape "
                f"(n, {self.num_classes}), but got {labels.dtype} of shape "
                f"{labels.shape}."
            )
        if labels.size and not 0 <= labels.min() <= labels.max() < self.num_classes:
            raise ValueError(
                f"Labels run from 0 to {self.num_classes - 1} for {self.num_classes} "
                f"classes, but got {labels.min()} to {labels.max()}."
            )
        return labels

    def decode(self, outputs):
        """Turn probabilities ``(n, classes)`` into the most probable class ``(n,)``."""
        return np.argmax(outputs, axis=-1)

    def per_image(self, targets, outputs):
        """Score each image: 1.0 where the answer is right, else 0.0."""
        return metrics.accuracy_per_image(self.encode(targets), self.decode(outputs))


@dataclass(frozen=True)
class ReadText:
    """A text of any length from the columns of an image, by CTC.

    Parameters
    ----------
    alphabet : Alphabet
        The characters that can be read.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> head = ct.heads.ReadText(ct.Alphabet("ab"))
    >>> best_class_of_each_step = [1, 1, 0, 1, 2, 2]  # a a blank a b b
    >>> head.decode(np.eye(3)[[best_class_of_each_step]])
    ['aab']
    """

    alphabet: Alphabet
    loss: ClassVar[str] = "ctc"
    metric_name: ClassVar[str] = "exact match"

    @property
    def metrics(self):
        """New Keras metrics for ``compile``: each model counts with its own."""
        return ExactMatch(), CharacterErrorRate()

    def __call__(self, sequence, mask, dropout=0.0):
        """Logits of each character at each real step ``(batch, steps, classes)``."""
        if dropout:
            sequence = layers.Dropout(dropout, name="dropout")(sequence)
        characters = self.alphabet.characters
        return CharacterLogits(characters, name="logits")(sequence, mask)

    def encode(self, texts):
        """Turn texts into padded classes ``(n, longest)``."""
        return self.alphabet.encode(texts)

    def decode(self, outputs):
        """Best class of each step, repeats merged, blanks dropped: a list of str."""
        best = np.argmax(outputs, axis=-1)  # (n, steps)
        merged = [[k for k, _ in groupby(row)] for row in best.tolist()]
        return self.alphabet.decode(merged)

    def per_image(self, targets, outputs):
        """Score each image: 1.0 where the whole text is right, else 0.0."""
        return metrics.exact_match_per_image(targets, self.decode(outputs))


@dataclass(frozen=True)
class ReadPositions:
    """A text from a fixed number of positions: what a reader does without CTC.

    Parameters
    ----------
    alphabet : Alphabet
        The characters that can be read.
    positions : int
        The largest number of characters, at least 1.

    Raises
    ------
    ValueError
        If there are fewer than one position.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> head = ct.heads.ReadPositions(ct.Alphabet("ab"), positions=3)
    >>> head.decode(np.eye(3)[[[2, 1, 0]]])
    ['ba']
    """

    alphabet: Alphabet
    positions: int
    loss: ClassVar[str] = "sparse_categorical_crossentropy"
    metric_name: ClassVar[str] = "exact match"

    @property
    def metrics(self):
        """New Keras metrics for ``compile``: each model counts with its own."""
        return ExactMatch(merge_repeats=False), CharacterErrorRate(merge_repeats=False)

    def __post_init__(self):
        if not isinstance(self.positions, numbers.Integral) or self.positions < 1:
            raise ValueError(
                "positions is a whole number, at least 1: the largest number of "
                f"characters to read, but got {self.positions!r}."
            )

    def __call__(self, features, dropout=0.0):
        """Probabilities of each character at each position from the whole map."""
        x = layers.Flatten(name="flatten", **CHANNELS_LAST)(features)
        if dropout:
            x = layers.Dropout(dropout, name="dropout")(x)
        return PositionProbabilities(
            self.alphabet.characters, int(self.positions), name="probabilities"
        )(x)

    def encode(self, texts):
        """Turn texts into classes ``(n, positions)``."""
        return self.alphabet.encode(texts, self.positions)

    def decode(self, outputs):
        """Best class of each position, "no character" dropped: a list of str."""
        return self.alphabet.decode(np.argmax(outputs, axis=-1).tolist())

    def per_image(self, targets, outputs):
        """Score each image: 1.0 where the whole text is right, else 0.0."""
        return metrics.exact_match_per_image(targets, self.decode(outputs))


def of(model):
    """Find the head of a model: how to encode its targets and decode its answers.

    Parameters
    ----------
    model : keras.Model
        Built or loaded by this package, or any classifier that ends in a softmax.

    Returns
    -------
    Classify, ReadText or ReadPositions
        Read off the model's last layer.

    Raises
    ------
    ValueError
        If the last layer is none of those that the package knows.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.heads.of(ct.build_crnn_model((8, 8, 1), num_classes=10))
    Classify(num_classes=10)
    """
    last = model.layers[-1]
    if isinstance(last, CharacterLogits):
        return ReadText(Alphabet(last.characters))
    if isinstance(last, PositionProbabilities):
        return ReadPositions(Alphabet(last.characters), last.positions)
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    softmax = isinstance(last, layers.Dense) and activation == "softmax"
    softmax = softmax or isinstance(last, layers.Softmax)
    if softmax and len(model.output_shape) == 2:  # with more axes: at each place
        return Classify(model.output_shape[-1])
    raise ValueError(
        f"The model {model.name!r} ends in a {type(last).__name__} layer, but expected "
        'Dense(num_classes, activation="softmax"), or a model of build_crnn_model, '
        "build_text_recognizer and so on."
    )
