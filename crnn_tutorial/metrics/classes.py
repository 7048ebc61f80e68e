"""How many of the classes are right."""

import numpy as np


def _check_lengths(targets, answers):
    if len(targets) != len(answers):
        raise ValueError(
            f"Each image has one target and one answer, but got {len(targets)} "
            f"targets and {len(answers)} answers."
        )
    if len(targets) == 0:
        raise ValueError("There is nothing to score: got 0 targets, expected 1 or more")


def accuracy_per_image(targets, answers):
    """Score each image: 1 where the answer is the target, else 0.

    Parameters
    ----------
    targets, answers : array_like
        ``(images,)``; labels, of any type that can be compared.

    Returns
    -------
    numpy.ndarray
        ``(images,)`` of float, 0.0 or 1.0. Its mean is the accuracy.

    Raises
    ------
    ValueError
        If the two differ in length, are empty or have more than one axis.

    Examples
    --------
    >>> from crnn_tutorial.metrics.classes import accuracy_per_image
    >>> accuracy_per_image([3, 1, 4, 1], [3, 1, 4, 5]).tolist()
    [1.0, 1.0, 1.0, 0.0]
    """
    targets, answers = np.asarray(targets), np.asarray(answers)
    if targets.ndim != 1 or answers.ndim != 1:
        raise ValueError(
            "Expected one label for each image, (images,), but got targets "
            f"{targets.shape} and answers {answers.shape}. Turn one-hot labels or "
            "probabilities into labels with .argmax(axis=-1)."
        )
    _check_lengths(targets, answers)
    return (targets == answers).astype(float)
