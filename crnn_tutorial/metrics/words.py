"""The word for a comparison, read off the interval of its difference."""

# Of scores from 0 to 1: one percentage point, unless a page names another before it
# looks.
MARGIN = 0.01


def comparison_word(low, high, margin=MARGIN):
    """Say what the interval of a difference, ours minus control, has shown.

    An interval that lies wholly on one side of zero has a direction, and *better* or
    *worse* says more than *as good*. So the direction is named also where the whole
    interval lies within the margin.

    Parameters
    ----------
    low, high : float
        Ends of the interval.
    margin : float
        Differences up to this one do not matter; in the units of the score.

    Returns
    -------
    str
        "better", "worse", "as good" (the whole interval lies inside the margin, its
        ends included) or "undecided".

    Examples
    --------
    >>> from crnn_tutorial.metrics.words import comparison_word
    >>> comparison_word(0.002, 0.009), comparison_word(-0.03, -0.01)
    ('better', 'worse')
    >>> comparison_word(-0.006, 0.006), comparison_word(-0.006, 0.016)
    ('as good', 'undecided')
    """
    if low > 0:
        return "better"
    if high < 0:
        return "worse"
    return "as good" if -margin <= low and high <= margin else "undecided"
