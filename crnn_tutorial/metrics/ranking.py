"""How well a ranking puts first what belongs together."""

import numpy as np


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
