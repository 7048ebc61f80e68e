"""How near a picture is to the one it should be."""

import numpy as np


def psnr_per_image(targets, answers):
    """Return the peak signal-to-noise ratio of each image.

    Parameters
    ----------
    targets, answers : array of floats
        ``(images, height, width, channels)`` in [0, 1].

    Returns
    -------
    array of floats
        ``(images,)``, in decibels: -10 times the decimal logarithm of the mean squared
        error. At most 100, where the images are equal.

    Raises
    ------
    ValueError
        If the shapes differ.

    References
    ----------
    scikit-image computes the same as ``peak_signal_noise_ratio``.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.metrics.pictures import psnr_per_image
    >>> psnr_per_image(np.zeros((1, 8, 8, 1)), np.full((1, 8, 8, 1), 0.1)).round(3)
    array([20.])
    """
    targets, answers = np.asarray(targets, float), np.asarray(answers, float)
    if targets.shape != answers.shape:
        raise ValueError(
            "Images and answers have one shape, but got "
            f"{targets.shape} and {answers.shape}."
        )
    axes = tuple(range(1, targets.ndim))
    return -10 * np.log10(np.maximum(((targets - answers) ** 2).mean(axes), 1e-10))
