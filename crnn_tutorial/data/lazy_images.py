"""Image files that stay on disk until they are asked for."""

import hashlib

import keras
import numpy as np

from crnn_tutorial.data.images import _check_look, load_image


class LazyImages:
    """Image files that look like one array and are loaded when they are asked for.

    ``images[3]`` loads one file, ``images[:32]`` or ``images[[4, 2]]`` a few, and
    ``np.asarray(images)`` all of them.

    Parameters
    ----------
    files : sequence of paths
        One image each.
    size : tuple of two ints
        ``(height, width)`` in pixels. A swapped pair gives no error.
    channels : {3, 1}
        Colour or grey.
    pad : float, optional
        As in `load_image`.

    Examples
    --------
    >>> from crnn_tutorial.data.lazy_images import LazyImages
    >>> images = LazyImages(["a.png", "b.png"], size=(24, 32))
    >>> len(images), images.shape, images.dtype  # no file was opened
    (2, (2, 24, 32, 3), dtype('float32'))
    """

    dtype = np.dtype(np.float32)
    ndim = 4

    def __init__(self, files, size, channels=3, pad=None):
        self.files = list(files)
        self.size, self.channels, self.pad = _check_look(size, channels, pad)

    @property
    def shape(self):
        """``(images, height, width, channels)``."""
        return (len(self.files), *self.size, self.channels)

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        chosen = np.arange(len(self))[index]
        images = np.empty((chosen.size, *self.shape[1:]), self.dtype)
        for image, number in zip(images, chosen.ravel(), strict=True):
            image[:] = load_image(
                self.files[number], self.size, self.channels, self.pad
            )
        return images if chosen.ndim else images[0]

    def __array__(self, dtype=None, copy=None):
        return self[:].astype(dtype or self.dtype, copy=False)

    def predict(self, model, size):
        """Return the model's outputs for all images, loading so many at a time."""
        starts = range(0, len(self), size)
        outputs = [model.predict_on_batch(self[i : i + size]) for i in starts]
        return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *outputs)

    @property
    def identity(self):
        """Texts that change with the bytes of any file, and with how it is loaded."""
        look = f"{self.size} {self.channels} {self.pad}"
        return [look, *map(_digest, self.files)]


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
