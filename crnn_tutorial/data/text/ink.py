"""Find where the text stands in the image of a line, between blank margins."""

import numpy as np
from scipy.ndimage import uniform_filter1d

# A column belongs to the text if it has so much of the ink of the blackest columns.
SHARE = 0.25
# The blackest and the blankest columns: quantiles, for single ones are chance.
BLANK, BLACK = 0.05, 0.95


def find_text(images):
    """Return the first column of the text in each image, and the first one behind it.

    How much ink a column holds is how far its pixels are from the colour of the paper,
    which is the median of their row. What all columns have in common (noise, a line
    across the image) counts for nothing.

    Parameters
    ----------
    images : array of floats
        ``(images, height, width, channels)`` in [0, 1]; -1 in the columns that pad a
        narrow image on the right.

    Returns
    -------
    array of int
        ``(images, 2)``, in pixels; where there is no ink, all real columns.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.data.text.ink import find_text
    >>> image = np.ones((1, 16, 60, 1))  # white paper
    >>> image[0, 4:12, 20:40:2] = 0  # black strokes
    >>> find_text(image).tolist()
    [[18, 41]]
    """
    return np.array([_find(image) for image in np.asarray(images)]).reshape(-1, 2)


def _find(image):
    real = int((image[0, :, 0] != -1).sum())
    grey = image[:, :real].mean(axis=2)  # (height, width)
    if not grey.size:
        return 0, real
    ink = np.abs(grey - np.median(grey, axis=1, keepdims=True)).sum(axis=0)
    ink = uniform_filter1d(ink, max(3, len(grey) // 4) | 1, mode="nearest")
    blank, black = np.quantile(ink, (BLANK, BLACK))
    there = np.flatnonzero(ink > blank + SHARE * (black - blank))
    return (there[0], there[-1] + 1) if len(there) else (0, real)
