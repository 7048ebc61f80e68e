"""Which images a seed trains on: drawn anew from all that are not test images."""

import functools
import inspect
from dataclasses import replace

import numpy as np

from crnn_tutorial.data.splits import Split


def draw_training(dataset, seed):
    """Draw the images to train on anew, from all that are not test images.

    The pool is training and validation together, and both keep their sizes. A pool that
    is hardly larger than the training images gives nearly the same ones each time: make
    new images where you can, with ``make_dataset(seed)``.

    Parameters
    ----------
    dataset : Dataset or dict
        Of arrays or lists. Or name -> ``Dataset``, the same images in other forms: all
        are drawn alike.
    seed : int
        Another seed draws other images.

    Returns
    -------
    Dataset or dict
        With the same test.

    Raises
    ------
    ValueError
        If the images are a stream, or differ in shape or number.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.judging.draws import draw_training
    >>> digits = ct.load_digits()
    >>> drawn = draw_training(digits, seed=1)
    >>> len(drawn.train), len(drawn.validation), drawn.test is digits.test
    (1257, 180, True)
    """
    if isinstance(dataset, dict):
        return _draw_views(dataset, seed)
    pool = _join(dataset.train, dataset.validation)
    count = len(dataset.train)
    order = np.random.default_rng(seed).permutation(len(pool))
    train, validation = pool[order[:count]], pool[order[count:]]
    return replace(dataset, train=train, validation=validation)


_NO_POOL = "Pass make_dataset(seed), which makes other images, or redraw=False."


def _draw_views(views, seed):
    each = {id(view): view for view in views.values()}  # many are one and the same
    sizes = {(len(view.train), len(view.validation)) for view in each.values()}
    if len(sizes) > 1:
        raise ValueError(
            "Views are drawn alike and need the same numbers of images to train on and "
            f"to validate, but got {sorted(sizes)}. {_NO_POOL}"
        )
    drawn = {key: draw_training(view, seed) for key, view in each.items()}
    return {name: drawn[id(view)] for name, view in views.items()}


def _join(train, validation):
    """Put two splits together."""
    if not isinstance(train, Split) or not isinstance(validation, Split):
        raise ValueError(
            "Images are drawn anew from two splits, but got a "
            f"{type(train).__name__} and a {type(validation).__name__}. {_NO_POOL}"
        )
    pairs = (train.images, validation.images), (train.targets, validation.targets)
    return Split(*(_join_values(*pair) for pair in pairs))


def _join_values(first, second):
    if isinstance(first, dict) and isinstance(second, dict):
        return {name: _join_values(first[name], second[name]) for name in first}
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return [*first, *second]
    shapes = [getattr(values, "shape", ())[1:] for values in (first, second)]
    arrays = isinstance(first, np.ndarray) and isinstance(second, np.ndarray)
    if not arrays or shapes[0] != shapes[1]:
        raise ValueError(
            "Images are drawn anew from arrays of one shape or from lists, but got a "
            f"{type(first).__name__} of {shapes[0]} and a {type(second).__name__} of "
            f"{shapes[1]}. {_NO_POOL}"
        )
    return np.concatenate([first, second])


def prepare_draws(make_dataset, first, redraw):
    """Return a function from the seed to the dataset, and one dataset to look at.

    Parameters
    ----------
    make_dataset, redraw
        As in `run_seeds`.
    first : int
        The first seed.

    Returns
    -------
    tuple
        ``draw(seed)`` -> dataset; and a dataset, for the shapes of its images.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.judging.draws import prepare_draws
    >>> draw, digits = prepare_draws(ct.load_digits, 0, redraw=True)
    >>> bool((draw(3).train.targets == digits.train.targets).all())
    False
    """
    if _takes_seed(make_dataset):
        return make_dataset, make_dataset(first)
    dataset = make_dataset()
    if not redraw:
        return lambda seed: dataset, dataset
    return functools.partial(draw_training, dataset), dataset


def _takes_seed(make_dataset):
    places = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = inspect.signature(make_dataset).parameters.values()
    return any(p.kind in places and p.default is p.empty for p in parameters)
