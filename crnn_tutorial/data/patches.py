"""Cut images into patches that do not overlap, and put them together again."""

import numpy as np

from crnn_tutorial.checks import check_pixels, check_rank


def to_patches(images, patch_size):
    """Cut images into patches that do not overlap.

    Where the size is no multiple of the patch, the last row and column of pixels are
    repeated; `from_patches` cuts them off again.

    Parameters
    ----------
    images : array, shape ``(images, height, width, channels)``
        Of any type and range.
    patch_size : int or tuple of two ints
        The side of a square patch, or ``(height, width)``, in pixels.

    Returns
    -------
    array, shape ``(images, rows, columns, patch_height, patch_width, channels)``
        Same type; row 0, column 0 is the upper left patch.

    Raises
    ------
    ValueError
        If the images have no four axes or no pixel, or the patch size is not above 0.

    References
    ----------
    The article's FAQ on patches; F. Visin et al., "ReNet: a recurrent neural network
    based alternative to convolutional networks", 2015, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> images = np.arange(12.0).reshape(1, 3, 4, 1)
    >>> patches = ct.to_patches(images, 2)
    >>> patches.shape
    (1, 2, 2, 2, 2, 1)
    >>> patches[0, 0, 1, :, :, 0]  # upper right
    array([[2., 3.],
           [6., 7.]])
    >>> bool((ct.from_patches(patches, (3, 4)) == images).all())
    True
    """
    images = np.asarray(images)
    check_rank(images, 4, "images")
    patch_height, patch_width = check_patch_size(patch_size)
    count, height, width, channels = images.shape
    rows, columns = -(-height // patch_height), -(-width // patch_width)
    below, right = rows * patch_height - height, columns * patch_width - width
    images = np.pad(images, ((0, 0), (0, below), (0, right), (0, 0)), mode="edge")
    grid = images.reshape(count, rows, patch_height, columns, patch_width, channels)
    # -> (images, rows, columns, patch_height, patch_width, channels)
    return grid.swapaxes(2, 3)


def from_patches(patches, image_size):
    """Put patches together again: the exact inverse of `to_patches`.

    Parameters
    ----------
    patches : array
        ``(images, rows, columns, patch_height, patch_width, channels)``.
    image_size : tuple of two ints
        ``(height, width)`` of the images in pixels: ``images.shape[1:3]``.

    Returns
    -------
    array, shape ``(images, height, width, channels)``
        Same type.

    Raises
    ------
    ValueError
        If the patches have no six axes, or if images of this size are not cut into so
        many rows and columns.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> images = np.random.default_rng(0).random((2, 5, 7, 3))
    >>> patches = ct.to_patches(images, (2, 3))
    >>> patches.shape
    (2, 3, 3, 2, 3, 3)
    >>> np.array_equal(ct.from_patches(patches, (5, 7)), images)
    True
    """
    patches = np.asarray(patches)
    if patches.ndim != 6:
        raise ValueError(
            "Patches have the shape (images, rows, columns, patch height, patch width, "
            f"channels), but got {patches.shape}."
        )
    count, rows, columns, patch_height, patch_width, channels = patches.shape
    height, width = check_pixels("image_size is (height, width)", image_size)
    if (rows, columns) != (-(-height // patch_height), -(-width // patch_width)):
        raise ValueError(
            f"{rows} x {columns} patches of {patch_height} x {patch_width} pixels do "
            f"not come from an image {height} high and {width} wide. image_size is "
            "(height, width): images.shape[1:3]."
        )
    whole = patches.swapaxes(2, 3)  # (n, rows, patch_height, columns, patch_width, c)
    whole = whole.reshape(count, rows * patch_height, columns * patch_width, channels)
    return whole[:, :height, :width]


def check_patch_size(patch_size):
    """Return ``(height, width)`` of a patch, from one side or from both."""
    pair = (patch_size,) * 2 if np.ndim(patch_size) == 0 else patch_size
    return check_pixels("patch_size is one side or (height, width)", pair)
