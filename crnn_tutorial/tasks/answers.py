"""From pictures to what a person wants to know, with any trained model."""

import os
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from crnn_tutorial.checks import check_count, check_images
from crnn_tutorial.data.image_files import image_endings, is_picture
from crnn_tutorial.data.images import stack_images
from crnn_tutorial.data.lazy_images import LazyImages
from crnn_tutorial.data.splits import Dataset, Split
from crnn_tutorial.network import heads
from crnn_tutorial.tasks.reading import read_text


class Prediction(NamedTuple):
    """What a model says of one image, and how sure it is.

    Parameters
    ----------
    answer : str or int
        The text, the name of the class, or its number where it has no name.
    confidence : float or None
        The probability that the model gives its answer, in [0, 1]; None where a task
        knows none.
    """

    answer: str | int
    confidence: float | None


def predict(model, images, *, batch_size=64):
    """Say what one image shows, or each of many.

    Parameters
    ----------
    model : keras.Model
        Trained; it classifies or reads.
    images : path, PIL image, array, list of these, or Split
        One image, or several: a list of images of any size, an array ``(images,
        height, width, channels)`` in [0, 1], or the path of a folder. Pictures are
        resized to what the model takes.
    batch_size : int
        Images that the model sees at once.

    Returns
    -------
    Prediction, list of Prediction, or dict
        One for each image, in the order given; of a folder, file name -> prediction,
        sorted by name. A model with several outputs gives a dict of predictions for
        each image.

    Raises
    ------
    ValueError
        If there is no image, a picture cannot be read, or images do not fit the model.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> digits = ct.load_digits()
    >>> model = ct.build_crnn_model(digits)  # not trained: it guesses
    >>> guess = ct.predict(model, digits.test.images[0])
    >>> guess.answer in digits.class_names, 0 < guess.confidence < 1
    (True, True)
    """
    if not isinstance(model, keras.Model):
        raise ValueError(
            f"The first argument is a trained keras.Model, but got a "
            f"{type(model).__name__}. Load one with ct.load_model(path)."
        )
    if isinstance(images, Dataset):
        raise ValueError(
            "A Dataset has several splits: pass one of them, such as dataset.test."
        )
    check_count("batch_size", batch_size)
    images = images.images if isinstance(images, Split) else images
    if getattr(images, "dtype", None) is not None and images.dtype.kind == "U":
        images = images.tolist()  # an array of paths
    if isinstance(images, str | os.PathLike) and Path(images).is_dir():
        files = _pictures_in(Path(images))
        found = _predict(model, files, batch_size)
        return dict(zip([file.name for file in files], found, strict=True))
    several = _are_several(images, len(model.input_shape))
    if several and len(images) == 0:
        raise ValueError("There is no image: the list is empty.")
    found = _predict(model, images if several else [images], batch_size)
    return found if several else found[0]


def _predict(model, images, batch_size):
    head = heads.of(model)
    if hasattr(head, "alphabet"):
        readings = read_text(
            model, images, return_confidence=True, batch_size=batch_size
        )
        return [Prediction(one.text, one.confidence) for one in readings]
    if isinstance(images, LazyImages):
        outputs = images.predict(model, batch_size)
    else:
        images = _as_array(images, model.input_shape)
        outputs = model.predict(images, batch_size=batch_size, verbose=0)
    return [_named(one) for one in head.answer(outputs)]


def _named(answer):
    if isinstance(answer, dict):  # of a model with several outputs
        return {name: Prediction(*one) for name, one in answer.items()}
    return Prediction(*answer)


def _are_several(images, rank):
    if is_picture(images):
        return False
    return heads.came_one_by_one(images) or np.ndim(images) == rank


def _pictures_in(folder):
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in image_endings())
    if not files:
        raise ValueError(
            f"There is no picture in the folder {folder}: expected files that end in "
            f"{', '.join(sorted(image_endings()))}."
        )
    return files


def _as_array(images, input_shape):
    """Return images at the size that a classifier takes."""
    if len(input_shape) != 4:
        return _as_clips(images, input_shape)
    ready = isinstance(images, np.ndarray) and images.dtype.kind == "f"
    if ready and images.shape[1:] == input_shape[1:]:
        return check_images(images)
    _, height, width, channels = input_shape
    size = (height, width) if height and width else None
    return stack_images(images, size, channels)


def _as_clips(clips, input_shape):
    shapes = {np.shape(clip) for clip in clips}
    fits = len(shapes) == 1 and all(
        side in (None, got) for side, got in zip(input_shape[1:], *shapes, strict=True)
    )
    if not fits:
        raise ValueError(
            f"The model takes clips of shape {input_shape[1:]}, all alike, but got "
            f"{', '.join(map(str, sorted(shapes)))}. Fill shorter ones up with -1, and "
            "resize the frames (ct.resize_image)."
        )
    return check_images(np.asarray(clips), rank=len(input_shape), padded=True)
