"""How good generated images are: near to real ones, different from each other, new."""

from dataclasses import dataclass

import keras
import numpy as np
from scipy.spatial.distance import cdist, pdist
from scipy.stats import entropy

from crnn_tutorial.checks import check_images


def frechet_distance(real, generated, features=None):
    """Compare two sets of images by the mean and the covariance of their features.

    Parameters
    ----------
    real, generated : array of floats
        ``(images, height, width, channels)`` in [0, 1]; at least two of each. The
        distance of few images is too large: compare only distances of equally many.
    features : function or keras.Model, optional
        Images -> ``(images, numbers)``. Of a classifier: what its last layer sees.
        None: the pixels.

    Returns
    -------
    float
        At least 0, in the squared unit of the features. 0 where both sets have one mean
        and one covariance.

    Raises
    ------
    ValueError
        If one of them is no set of at least two images.

    References
    ----------
    Heusel et al., 2017, "GANs trained by a two time-scale update rule",
    arXiv:1706.08500, equation 6, there with the features of an Inception network.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> real = np.random.default_rng(0).random((50, 4, 4, 1)) / 2
    >>> ct.frechet_distance(real, real) < 1e-9
    True
    >>> round(ct.frechet_distance(real, real + 0.5), 6)  # 16 pixels, each 0.5 off
    4.0
    """
    found = [
        _look_at(images, features, name)
        for images, name in ((real, "real"), (generated, "generated"))
    ]
    (mean, covariance), (other_mean, other_covariance) = (
        (one.mean(axis=0), np.atleast_2d(np.cov(one, rowvar=False))) for one in found
    )
    # The trace of the root of a product of two covariances, by symmetric matrices only.
    root = _root(covariance)
    inner = np.linalg.eigvalsh(root @ other_covariance @ root)
    both = np.sqrt(np.maximum(inner, 0)).sum()
    traces = np.trace(covariance) + np.trace(other_covariance)
    return float(max(((mean - other_mean) ** 2).sum() + traces - 2 * both, 0.0))


def _root(covariance):
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def _look_at(images, features, name="images"):
    """Return the features of each image as one row."""
    images = check_images(images, name=name)
    if len(images) < 2:
        raise ValueError(f"{name} are at least two images, but got one.")
    if features is None:
        found = images
    elif isinstance(features, keras.Model):
        found = class_features(features)(images)
    else:
        found = features(images)
    return np.asarray(found, float).reshape(len(images), -1)


def class_features(classifier):
    """Return a function: images -> what the last layer of a classifier sees.

    Parameters
    ----------
    classifier : keras.Model
        Such as one of ``ct.build_crnn_model``, trained.

    Returns
    -------
    function
        Images ``(images, height, width, channels)`` -> ``(images, numbers)``.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> classifier = ct.build_crnn_model((8, 8, 1), num_classes=10, units=8)
    >>> ct.class_features(classifier)(np.zeros((3, 8, 8, 1))).shape
    (3, 16)
    """
    body = keras.Model(classifier.inputs, classifier.layers[-1].input)

    def features(images):
        return body.predict(np.asarray(images), batch_size=256, verbose=0)

    return features


def class_match(classifier, images, classes):
    """Say of each image whether a classifier sees in it the class that was asked for.

    Parameters
    ----------
    classifier : keras.Model
        Images -> probabilities of the classes; it never saw the generator.
    images : array of floats
        ``(images, height, width, channels)`` in [0, 1].
    classes : sequence of int
        What each image shall show.

    Returns
    -------
    array of floats
        ``(images,)``: 1.0 where they agree, else 0.0. A generator that draws one image
        of each class gets 1.0 throughout: look at `spread`, too.

    Raises
    ------
    ValueError
        If there are not as many classes as images.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> classifier = ct.build_crnn_model((8, 8, 1), num_classes=10)
    >>> ct.class_match(classifier, np.zeros((3, 8, 8, 1)), [0, 1, 2]).shape
    (3,)
    """
    images = check_images(images, classes)
    found = classifier.predict(images, verbose=0).argmax(axis=-1)
    return (found == np.asarray(classes)).astype(float)


def classes_covered(classifier, images):
    """Say how many classes a set of images shows, as an effective number.

    Parameters
    ----------
    classifier : keras.Model
        Images -> probabilities of the classes.
    images : array of floats
        ``(images, height, width, channels)`` in [0, 1].

    Returns
    -------
    float
        From 1, where the classifier sees the same class in all of them, to the number
        of classes, where it sees each equally often: e to the power of the entropy.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> classifier = ct.build_crnn_model((8, 8, 1), num_classes=10)
    >>> ct.classes_covered(classifier, np.zeros((3, 8, 8, 1)))
    1.0
    """
    probabilities = classifier.predict(check_images(images), verbose=0)
    found = probabilities.argmax(axis=-1)
    return float(np.exp(entropy(np.bincount(found))))


@dataclass(frozen=True)
class Neighbours:
    """The nearest of some images to each of others.

    Parameters
    ----------
    index : array of ints
        Which image it is.
    distance : array of floats
        How far away: the Euclidean distance of the pixels.
    """

    index: np.ndarray
    distance: np.ndarray


def nearest_neighbours(images, others):
    """Find the nearest of other images to each image, which tells whether it is a copy.

    Parameters
    ----------
    images, others : array of floats
        ``(images, height, width, channels)`` in [0, 1], of one size; such as generated
        ones, and those that the generator learnt from.

    Returns
    -------
    Neighbours
        ``index`` and ``distance``, one for each of `images`. A copy has a distance of
        0; test images show how far away new images of the same kind are.

    Raises
    ------
    ValueError
        If the sizes differ.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> others = np.zeros((2, 2, 2, 1))
    >>> others[1] = 1
    >>> found = ct.nearest_neighbours(np.full((1, 2, 2, 1), 0.75), others)
    >>> found.index.tolist(), found.distance.tolist()
    ([1], [0.5])
    """
    images, others = check_images(images), check_images(others, name="others")
    if images.shape[1:] != others.shape[1:]:
        raise ValueError(
            f"Images of {images.shape[1:]} cannot be compared with others of "
            f"{others.shape[1:]}: resize them (ct.resize_image)."
        )
    apart = cdist(_as_rows(images), _as_rows(others))
    return Neighbours(apart.argmin(axis=1), apart.min(axis=1))


def _as_rows(images):
    return images.reshape(len(images), -1)


def spread(images, classes=None):
    """Return how far images lie apart on average, within each class.

    Parameters
    ----------
    images : array of floats
        ``(images, height, width, channels)`` in [0, 1].
    classes : sequence of int, optional
        Only images of one class are compared, and each class counts once; None: all
        with all.

    Returns
    -------
    float
        The mean Euclidean distance of two different images. A generator that has
        collapsed draws images that are all alike: its spread is near 0, that of real
        images is not.

    Raises
    ------
    ValueError
        If no two images can be compared.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> images = np.zeros((4, 2, 2, 1))
    >>> images[2:] = 1
    >>> ct.spread(images, [0, 0, 1, 1])
    0.0
    >>> ct.spread(images, [0, 1, 0, 1])
    2.0
    """
    images = check_images(images, classes)
    classes = np.zeros(len(images)) if classes is None else np.asarray(classes)
    means = []
    for one in np.unique(classes):
        group = images[classes == one]
        if len(group) > 1:
            means.append(pdist(_as_rows(group)).mean())
    if not means:
        raise ValueError(
            "The spread is a mean over pairs of images of one class, but got "
            f"{len(images)} images of {len(np.unique(classes))} classes."
        )
    return float(np.mean(means))
