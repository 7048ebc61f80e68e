"""How well a mask, or a map of edges, agrees with the true one."""

import numpy as np
from scipy import ndimage


def intersections_and_unions(targets, answers, num_classes):
    """Count, for each image and class, the pixels that agree and those that are either.

    Parameters
    ----------
    targets, answers : array of int
        ``(images, height, width)``, classes from 0.
    num_classes : int
        How many classes there are.

    Returns
    -------
    tuple of two arrays of int
        ``(images, num_classes)`` each: pixels of the class in both; in at least one.

    Raises
    ------
    ValueError
        If the shapes differ, or a class is out of range.

    Examples
    --------
    >>> from crnn_tutorial.metrics.masks import intersections_and_unions
    >>> both, either = intersections_and_unions([[[0, 1, 1]]], [[[0, 0, 1]]], 2)
    >>> both.tolist(), either.tolist()
    ([[1, 1]], [[2, 2]])
    """
    targets, answers = _flat("targets", targets), _flat("answers", answers)
    if targets.shape != answers.shape:
        raise ValueError(
            "Masks and answers have one shape, but got "
            f"{np.shape(targets)} and {np.shape(answers)}."
        )
    low = min(targets.min(initial=0), answers.min(initial=0))
    high = max(targets.max(initial=0), answers.max(initial=0))
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"The classes of masks are 0 to {num_classes - 1}, but got {low} to {high}."
        )
    each = num_classes + 1  # one more for pixels that do not agree: dropped

    def count(classes):
        images = np.arange(len(classes))[:, np.newaxis] * each
        counts = np.bincount((images + classes).ravel(), minlength=len(classes) * each)
        return counts.reshape(-1, each)[:, :num_classes]

    both = count(np.where(targets == answers, targets, num_classes))
    return both, count(targets) + count(answers) - both


def _flat(name, masks):
    masks = np.asarray(masks)
    if masks.ndim != 3 or masks.dtype.kind not in "biu":
        raise ValueError(
            f"{name} are whole numbers of shape (images, height, width), but got "
            f"{masks.dtype} of shape {masks.shape}."
        )
    return masks.reshape(len(masks), -1).astype(int)


def mean_iou(targets, answers, num_classes):
    """Return the mean intersection over union, over the pixels of all images together.

    Parameters
    ----------
    targets, answers : array of int
        ``(images, height, width)``, classes from 0.
    num_classes : int
        How many classes there are.

    Returns
    -------
    float
        The mean over the classes that occur in a target or an answer, in [0, 1].

    References
    ----------
    The measure of PASCAL VOC: Everingham et al., 2010, section 4.1.3. Keras computes
    the same as ``keras.metrics.MeanIoU``.

    Examples
    --------
    >>> from crnn_tutorial.metrics.masks import mean_iou
    >>> mean_iou([[[0, 1, 1]]], [[[0, 0, 1]]], num_classes=2)
    0.5
    """
    both, either = intersections_and_unions(targets, answers, num_classes)
    both, either = both.sum(axis=0), either.sum(axis=0)
    return float(np.mean(both[either > 0] / either[either > 0]))


def iou_per_image(targets, answers, num_classes):
    """Return the mean intersection over union of each image by itself.

    Parameters
    ----------
    targets, answers, num_classes
        As in `mean_iou`.

    Returns
    -------
    array of floats
        ``(images,)`` in [0, 1]: the mean over the classes that occur in the image or in
        the answer.

    Examples
    --------
    >>> from crnn_tutorial.metrics.masks import iou_per_image
    >>> iou_per_image([[[0, 1, 1]], [[0, 0, 0]]], [[[0, 0, 1]], [[0, 0, 0]]], 3)
    array([0.5, 1. ])
    """
    both, either = intersections_and_unions(targets, answers, num_classes)
    shares = np.divide(both, either, out=np.zeros(both.shape), where=either > 0)
    return shares.sum(axis=1) / (either > 0).sum(axis=1)


def edge_f_score(targets, answers, tolerance=1.0):
    """Return how well thin edges agree: the F-score of each image.

    An edge pixel that was found is right if a true one lies within the tolerance; a
    true one is found if a pixel of the answer lies within it.

    Parameters
    ----------
    targets, answers : array of bool or int
        ``(images, height, width)``; not 0 where there is an edge.
    tolerance : float
        The largest distance in pixels, at least 0.

    Returns
    -------
    array of floats
        ``(images,)`` in [0, 1]: twice precision times recall over their sum; 1 where
        there is no edge and none was found.

    References
    ----------
    Martin, Fowlkes and Malik, 2004, "Learning to detect natural image boundaries",
    section 4. They match pixels one to one; here several may count for one, so that a
    thick answer has to be thinned first.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.metrics.masks import edge_f_score
    >>> truth, found = np.eye(5)[[2]], np.eye(5)[[3]]  # a line, and one pixel beside it
    >>> edge_f_score(truth[:, None], found[:, None]).tolist()
    [1.0]
    >>> edge_f_score(truth[:, None], found[:, None], tolerance=0).tolist()
    [0.0]
    """
    scores = []
    for target, answer in zip(np.asarray(targets), np.asarray(answers), strict=True):
        target, answer = target != 0, answer != 0
        if not (target.any() and answer.any()):
            scores.append(float(target.any() == answer.any()))
            continue
        right = ndimage.distance_transform_edt(~target)[answer] <= tolerance
        seen = ndimage.distance_transform_edt(~answer)[target] <= tolerance
        precision, recall = right.mean(), seen.mean()
        total = precision + recall
        scores.append(2 * precision * recall / total if total else 0.0)
    return np.array(scores)
