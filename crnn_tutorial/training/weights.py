"""How much each image counts in the loss."""

import keras
import numpy as np


def image_weights(head, targets, sample_weight=None, class_weight=None):
    """Return how much each image counts, or say why that cannot be known.

    Parameters
    ----------
    head : Head
        Which knows the classes.
    targets : array of int
        Encoded, one or one row for each image.
    sample_weight, class_weight
        As in `train_crnn_model`.

    Returns
    -------
    array of float32 or None
        ``(images,)``; None where every image counts once.

    Raises
    ------
    ValueError
        If the weights are none, or do not fit the images or classes.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.classification import Classify
    >>> from crnn_tutorial.training.weights import image_weights
    >>> classify, labels = Classify(2), np.array([0, 0, 0, 1])
    >>> image_weights(classify, labels, class_weight={1: 9}).tolist()
    [1.0, 1.0, 1.0, 9.0]
    """
    table = class_table(head, class_weight, targets)
    count = len(keras.tree.flatten(targets)[0])
    return combine(check_weights(sample_weight, count), table, targets)


def combine(weights, table, targets):
    """Multiply the weight of each image, if any, by that of its class."""
    if table is None:
        return weights
    if np.ndim(targets) != 1:
        raise ValueError(
            "class_weight is for images of one class each: weigh others with "
            "sample_weight."
        )
    return table[targets] * (1 if weights is None else weights)


def check_weights(weights, number):
    """Return one weight for each image, or None, or say what is wrong with them."""
    if weights is None:
        return None
    weights = np.asarray(weights)
    if weights.shape == (number, 1):
        weights = weights[:, 0]
    if weights.shape != (number,) or weights.dtype.kind not in "fiub":
        raise ValueError(
            f"sample_weight is one number for each of {number} images, but got "
            f"{weights.dtype} of shape {weights.shape}."
        )
    weights = weights.astype("float32")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError(
            "sample_weight is finite and at least 0, but got values from "
            f"{weights.min()} to {weights.max()}."
        )
    return weights


def class_table(head, class_weight, targets=None):
    """Return the weight of each class ``(classes,)``, or None where all are alike."""
    if class_weight is None:
        return None
    classes = getattr(head, "num_classes", None)
    if classes is None:
        raise ValueError(
            "class_weight is for models that classify: weigh the images of a reader "
            "with sample_weight."
        )
    if isinstance(class_weight, str) and class_weight == "balanced":
        return _balance(targets, classes)
    if not isinstance(class_weight, dict) or not class_weight:
        raise ValueError(
            'class_weight is "balanced" or {class: weight}, such as {0: 1, 1: 9}, but '
            f"got {class_weight!r:.60}."
        )
    unknown = [key for key in class_weight if key not in range(classes)]
    values = np.array(list(class_weight.values()))
    wrong = values.dtype.kind not in "fiu" or not np.isfinite(values).all()
    if unknown or wrong or values.min() < 0:
        raise ValueError(
            f"class_weight names classes from 0 to {classes - 1} and gives each a "
            f"finite weight of at least 0, but got {class_weight!r:.60}."
        )
    table = np.ones(classes, "float32")
    table[[int(key) for key in class_weight]] = values
    return table


def _balance(targets, classes):
    """Let each class that occurs count alike, and an image 1 on average."""
    if targets is None:
        raise ValueError(
            'class_weight="balanced" counts all labels, which a stream does not show '
            "beforehand: pass {class: weight}."
        )
    counts = np.bincount(targets, minlength=classes)
    present = np.count_nonzero(counts)
    return (len(targets) / (present * np.maximum(counts, 1))).astype("float32")
