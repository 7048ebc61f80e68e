"""How well a ranking puts first what belongs together."""

import numpy as np

QUERIES = 500  # at once: the rankings of all would fill the memory


def average_precision_of_ranking(relevant):
    """Return the average precision of each ranking.

    Parameters
    ----------
    relevant : array of bool
        ``(queries, items)``: whether the item at each rank, best first, is of the kind
        that was asked for.

    Returns
    -------
    array of floats
        ``(queries,)`` in [0, 1]: the mean, over the items that are relevant, of the
        share of relevant ones down to its rank; 0 where none is. Their mean over the
        queries is called mAP.

    References
    ----------
    Manning, Raghavan and Schütze, 2008, "Introduction to information retrieval",
    section 8.4. scikit-learn computes the same as ``average_precision_score``.

    Examples
    --------
    >>> from crnn_tutorial.metrics.ranking import average_precision_of_ranking
    >>> average_precision_of_ranking([[True, False, True, False]]).round(3)
    array([0.833])
    """
    relevant = np.asarray(relevant, bool)
    share = np.cumsum(relevant, axis=1) / np.arange(1, relevant.shape[1] + 1)
    return (share * relevant).sum(axis=1) / np.maximum(relevant.sum(axis=1), 1)


def recall_at(relevant, count=1):
    """Return whether each ranking has something relevant among its first items.

    Parameters
    ----------
    relevant : array of bool
        As in `average_precision_of_ranking`.
    count : int
        How many items are looked at.

    Returns
    -------
    array of floats
        ``(queries,)``, 0 or 1.

    Examples
    --------
    >>> from crnn_tutorial.metrics.ranking import recall_at
    >>> recall_at([[False, True, False], [False, False, True]], count=2).tolist()
    [1.0, 0.0]
    """
    return np.asarray(relevant, bool)[:, :count].any(axis=1).astype(float)


def retrieval_precision(vectors, classes):
    """Return the average precision of each image as a query against all others.

    Parameters
    ----------
    vectors : array of floats
        ``(images, numbers)``: what describes each image, such as an embedding, or its
        pixels. The most similar is the one with the highest cosine.
    classes : array of int
        ``(images,)``: images of one class belong together.

    Returns
    -------
    array of floats
        ``(images,)`` in [0, 1]; their mean is called mAP.

    Raises
    ------
    ValueError
        If a vector has no direction (it is 0, NaN or infinite), if there is not one
        class for each vector, or if a class has a single image: nothing is to be found
        for that one.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.metrics.ranking import retrieval_precision
    >>> vectors = np.array([[1, 0], [0.9, 0.1], [0.1, 0.9], [0, 1]])
    >>> retrieval_precision(vectors, [0, 0, 1, 1]).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    vectors, classes = np.asarray(vectors, float), np.asarray(classes)
    if vectors.ndim != 2 or classes.shape != (len(vectors),):
        raise ValueError(
            "Each image has one vector (images, numbers) and one class (images,), but "
            f"got {vectors.shape} and {classes.shape}."
        )
    values, counts = np.unique(classes, return_counts=True)
    if (counts < 2).any():
        raise ValueError(
            f"Class {values[counts < 2][0]} has one image alone, so that there is "
            "nothing to find for it. Leave it out, or add another image of it."
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise ValueError(
            "A cosine needs vectors of finite length above 0, but got lengths from "
            f"{lengths.min()} to {lengths.max()}."
        )
    vectors = vectors / lengths
    scores = []
    for first in range(0, len(vectors), QUERIES):
        similarity = vectors[first : first + QUERIES] @ vectors.T
        queries = np.arange(len(similarity))
        similarity[queries, first + queries] = -np.inf  # an image does not find itself
        order = np.argsort(-similarity, axis=1, kind="stable")[:, :-1]
        wanted = classes[first : first + QUERIES, np.newaxis]
        scores.append(average_precision_of_ranking(classes[order] == wanted))
    return np.concatenate(scores)
