"""How well boxes agree with the true ones.

A box is ``y0, x0, y1, x1`` in pixels. What is true of an image, or was found in it, is
a tuple ``(boxes, classes)`` or ``(boxes, classes, scores)``.
"""

import numpy as np

# Of the curve of precision and recall, as the COCO benchmark reads it.
_RECALLS = np.linspace(0, 1, 101)


def box_iou(boxes, others):
    """Return the intersection over union of each box with each other box.

    Parameters
    ----------
    boxes, others : array of floats
        ``(n, 4)`` and ``(m, 4)``.

    Returns
    -------
    array of floats
        ``(n, m)`` in [0, 1].

    Examples
    --------
    >>> from crnn_tutorial.metrics.boxes import box_iou
    >>> box_iou([[0, 0, 2, 2]], [[0, 0, 2, 2], [0, 1, 2, 3], [5, 5, 6, 6]]).round(2)
    array([[1.  , 0.33, 0.  ]])
    """
    boxes = np.reshape(np.asarray(boxes, float), (-1, 1, 4))
    others = np.reshape(np.asarray(others, float), (1, -1, 4))
    start = np.maximum(boxes[..., :2], others[..., :2])
    end = np.minimum(boxes[..., 2:], others[..., 2:])
    both = np.prod(np.maximum(end - start, 0), axis=-1)
    areas = [np.prod(b[..., 2:] - b[..., :2], axis=-1) for b in (boxes, others)]
    return both / np.maximum(sum(areas) - both, 1e-12)


def match_boxes(truth, found, threshold=0.5):
    """Say which of the boxes found are right: the best one for each true box.

    Boxes are taken in the order of their scores. Each takes the true box of its class
    that it overlaps most, of those that are still free.

    Parameters
    ----------
    truth : tuple
        ``(boxes, classes)``.
    found : tuple
        ``(boxes, classes, scores)``.
    threshold : float
        The least intersection over union.

    Returns
    -------
    array of bool
        One for each box found, in the order given.

    Examples
    --------
    >>> from crnn_tutorial.metrics.boxes import match_boxes
    >>> truth = [[0, 0, 9, 9]], [7]
    >>> found = [[0, 0, 9, 8], [0, 0, 9, 9]], [7, 7], [0.9, 0.8]
    >>> match_boxes(truth, found).tolist()  # the second one is one too many
    [True, False]
    """
    boxes, classes = truth[0], np.asarray(truth[1])
    right = np.zeros(len(found[1]), bool)
    if len(classes) == 0 or len(right) == 0:
        return right
    overlap = box_iou(found[0], boxes)
    overlap[np.asarray(found[1])[:, None] != classes] = 0
    for i in np.argsort(-np.asarray(found[2], float), kind="stable"):
        best = overlap[i].argmax()
        if overlap[i, best] >= threshold:
            right[i] = True
            overlap[:, best] = 0
    return right


def average_precision(targets, answers, threshold=0.5):
    """Return the average precision of each class: the area under precision and recall.

    Parameters
    ----------
    targets, answers : list of tuples
        One for each image: ``(boxes, classes)``, and ``(boxes, classes, scores)``.
    threshold : float
        The least intersection over union of a box that is right: 0.5 is AP50.

    Returns
    -------
    dict
        Class -> average precision in [0, 1], for each class that occurs in a target.
        Their mean is the benchmark's "mAP".

    Raises
    ------
    ValueError
        If there is not one answer for each image, or no box at all.

    References
    ----------
    Lin et al., 2014, "Microsoft COCO", arXiv:1405.0312; computed as its
    ``pycocotools``: precision is made to fall, and read at 101 values of the recall.

    Examples
    --------
    >>> from crnn_tutorial.metrics.boxes import average_precision
    >>> truth = [([[0, 0, 9, 9]], [7]), ([[0, 0, 9, 9]], [7])]
    >>> found = [([[0, 0, 9, 9]], [7], [0.9]), ([[20, 20, 29, 29]], [7], [0.8])]
    >>> {k: round(value, 2) for k, value in average_precision(truth, found).items()}
    {7: 0.5}
    """
    if len(targets) != len(answers):
        raise ValueError(
            "There is one answer for each image, but got "
            f"{len(targets)} targets and {len(answers)} answers."
        )
    known = [kind for _, classes in targets for kind in classes]
    if not known:
        raise ValueError("There is no box in any target: nothing could be found.")
    pairs = list(zip(targets, answers, strict=True))
    right = np.concatenate([match_boxes(*pair, threshold) for pair in pairs])
    classes = np.concatenate([np.asarray(answer[1], int) for answer in answers])
    scores = np.concatenate([np.asarray(answer[2], float) for answer in answers])
    order = np.argsort(-scores, kind="stable")
    right, classes = right[order], classes[order]
    return {
        int(k): _area(right[classes == k], known.count(k)) for k in np.unique(known)
    }


def _area(right, truths):
    hits = np.cumsum(right)
    recall = hits / truths
    precision = hits / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]  # the best from here on
    place = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.mean([precision[i] if i < len(right) else 0.0 for i in place]))


def box_f_score(targets, answers, threshold=0.5):
    """Return how well the boxes of each image agree: the F-score.

    Parameters
    ----------
    targets, answers, threshold
        As in `average_precision`.

    Returns
    -------
    array of floats
        ``(images,)`` in [0, 1]: twice the right boxes over those that are true and
        those that were found; 1 where there is none and none was found.

    Examples
    --------
    >>> from crnn_tutorial.metrics.boxes import box_f_score
    >>> truth = [([[0, 0, 9, 9], [20, 20, 29, 29]], [7, 3]), ([], [])]
    >>> box_f_score(truth, [([[0, 0, 9, 9]], [7], [0.9]), ([], [], [])]).round(2)
    array([0.67, 1.  ])
    """
    scores = []
    for truth, found in zip(targets, answers, strict=True):
        total = len(truth[1]) + len(found[1])
        right = match_boxes(truth, found, threshold).sum()
        scores.append(2 * right / total if total else 1.0)
    return np.array(scores)
