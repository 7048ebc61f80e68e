"""How near a picture is to the one it should be."""

import numpy as np
from skimage.metrics import structural_similarity

_WINDOW = 7  # pixels, of SSIM


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
    targets, answers = _same_shape(targets, answers)
    axes = tuple(range(1, targets.ndim))
    return -10 * np.log10(np.maximum(((targets - answers) ** 2).mean(axes), 1e-10))


def ssim_per_image(targets, answers):
    """Return the structural similarity of each image.

    It compares the mean, the contrast and the pattern of small windows, each of
    7 x 7 pixels, and averages over the windows and the channels.

    Parameters
    ----------
    targets, answers : array of floats
        ``(images, height, width, channels)`` in [0, 1], at least 7 pixels high and
        wide.

    Returns
    -------
    array of floats
        ``(images,)``: 1 where the images are equal, and less, also below 0, elsewhere.

    Raises
    ------
    ValueError
        If the shapes differ, or an image is smaller than a window.

    References
    ----------
    Wang et al., 2004, "Image quality assessment: from error visibility to structural
    similarity"; computed by scikit-image's ``structural_similarity``.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.metrics.pictures import ssim_per_image
    >>> images = np.random.default_rng(0).random((2, 16, 16, 1))
    >>> ssim_per_image(images, images)
    array([1., 1.])
    >>> bool((ssim_per_image(images, images / 2) < 0.8).all())
    True
    """
    targets, answers = _same_shape(targets, answers)
    if min(targets.shape[1:3]) < _WINDOW:
        raise ValueError(
            f"SSIM looks at windows of {_WINDOW} x {_WINDOW} pixels, but the images "
            f"are {targets.shape[1]} x {targets.shape[2]} (height x width)."
        )
    options = {"win_size": _WINDOW, "data_range": 1.0, "channel_axis": -1}
    pairs = zip(targets, answers, strict=True)
    return np.array([structural_similarity(*pair, **options) for pair in pairs])


def _same_shape(targets, answers):
    targets, answers = np.asarray(targets, float), np.asarray(answers, float)
    if targets.shape != answers.shape:
        raise ValueError(
            "Images and answers have one shape, but got "
            f"{targets.shape} and {answers.shape}."
        )
    return targets, answers
