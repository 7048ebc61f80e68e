"""The characters that a reader knows, as classes."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

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
            ``(texts, length)``, each from 0 to ``len(characters)``.

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
    characters = getattr(characters, "characters", characters)  # another alphabet
    if isinstance(characters, str):
        return characters
    found = _as_list(characters)
    wrong = [c for c in found or () if not isinstance(c, str) or len(c) != 1]
    if wrong or not found:
        raise ValueError(
            "An alphabet is a str, or a list of characters that are each a str of one "
            f"code point, but got {(wrong or [characters])[0]!r:.60}. Letters with "
            'accents become one through unicodedata.normalize("NFC", text).'
        )
    if isinstance(characters, set | frozenset):
        found = sorted(found)  # else another order in each process
    return "".join(found)


def _as_list(values):
    """Return what can be listed as a list, but None for a single text."""
    alone = isinstance(values, str | bytes) or not hasattr(values, "__iter__")
    return None if alone else list(values)


def _check_texts(texts):
    """Return a list of str, or say what came instead."""
    found = _as_list(texts)
    wrong = [i for i, text in enumerate(found or ()) if not isinstance(text, str)]
    if found is None or wrong:
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
