"""Score models on images that they have not seen, side by side and over seeds.

``evaluate`` scores one, ``compare`` shows several, ``train_and_evaluate`` trains them
first. ``run_seeds`` does it for many seeds and judges; ``load_results`` gives a page
what it measured.
"""

import time
from dataclasses import dataclass, field, replace
from functools import partial

import keras
import numpy as np

from crnn_tutorial.data.images import stack_images
from crnn_tutorial.data.lazy_images import LazyImages
from crnn_tutorial.data.splits import same_targets
from crnn_tutorial.judging.costs import count_multiplications
from crnn_tutorial.judging.intervals import Interval, interval
from crnn_tutorial.judging.tables import ResultTable, count
from crnn_tutorial.metrics.classes import accuracy_per_image
from crnn_tutorial.network import heads
from crnn_tutorial.tasks import reading
from crnn_tutorial.tasks.classification import Classify
from crnn_tutorial.training.train import set_seed, train_crnn_model
from crnn_tutorial.training.weights import image_weights

_LAZY_BATCH = 32  # images from files that are in memory at once


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How one rival did on one split.

    Parameters
    ----------
    metric : str
        Name of the score, such as "accuracy"; higher is better.
    score, low, high : float
        The score and its 95 % interval over the images.
    per_image : numpy.ndarray
        ``(images,)``; the score of each image, for ``ct.judge``.
    parameters, multiplications : int or None
        Numbers learned, and multiplications for one image; None if not known.
    seconds : float or None
        Of training, measured by the caller.
    weighted : float or None
        The score with each image counted by its weight, where weights were given.
    history : dict or None
        Of a training by `train_and_evaluate`: name -> one value for each epoch.
    also : dict
        Name -> other scores, which only all images together have; of a detector its
        average precision: "AP50", "AP75", and "AP50 of" each class.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> ct.Evaluation("accuracy", 0.5, 0.2, 0.8, np.array([1.0, 0.0]), 650)
    Evaluation(accuracy 50.0 % [20.0, 80.0], 2 images, 650 parameters)
    """

    metric: str
    score: float
    low: float
    high: float
    per_image: np.ndarray = field(repr=False)
    parameters: int | None = None
    multiplications: int | None = None
    seconds: float | None = None
    weighted: float | None = None
    history: dict | None = field(default=None, repr=False)
    also: dict = field(default_factory=dict, repr=False)

    @property
    def interval(self):
        """Score, low and high as an ``Interval``, which prints itself."""
        return Interval(self.score, self.low, self.high)

    @property
    def images(self):
        """Number of images scored."""
        return len(self.per_image)

    def __repr__(self):
        size = f"{count(self.parameters)} parameters"
        score = f"{self.metric} {self.interval}"
        if self.weighted is not None:
            score += f", weighted {100 * self.weighted:.1f} %"
        return f"Evaluation({score}, {self.images:,} images, {size})"


def evaluate(
    model,
    split,
    *,
    seconds=None,
    sample_weight=None,
    class_weight=None,
    clusters=None,
):
    """Score a model on a split, with a 95 % interval over the images.

    Parameters
    ----------
    model : keras.Model or scikit-learn classifier
        Any model whose head ``heads.of`` knows, or a *fitted* classifier or pipeline,
        which is given the images flattened to ``(images, numbers)``.
    split : Split
        With ``images`` ``(images, height, width, channels)`` in [0, 1] and
        ``targets``. The images may be a list of paths, PIL images or arrays: each is
        resized to what the model takes, as `load_image` or, of text, `read_text` does.
        Of `LazyImages` a few images are in memory at once.
    seconds : float, optional
        That the training took, to be shown beside the score.
    sample_weight, class_weight : optional
        As in `train_crnn_model`: then the weighted score stands beside the plain one.
        With ``class_weight="balanced"`` it is the mean over the classes.
    clusters : optional
        As in `interval`: images that were made from one source count once there.

    Returns
    -------
    Evaluation, or dict of Evaluation
        With score, interval, scores of each image, parameters, multiplications. For a
        model with several outputs, one for each of their names.

    Raises
    ------
    ValueError
        If the split is empty or lacks images or targets, the weights do not fit it, or
        the model is of an unknown kind.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> split = ct.Split(np.zeros((4, 8, 8, 1), "float32"), np.array([0, 0, 0, 1]))
    >>> always_zero = DummyClassifier().fit(split.images.reshape(4, -1), split.targets)
    >>> ct.evaluate(always_zero, split)
    Evaluation(accuracy 75.0 % [30.1, 95.4], 4 images, – parameters)
    """
    _check_split(split)
    if isinstance(model, keras.Model):
        head = heads.of(model)
        targets, outputs = head.pick(split.targets), _predict(model, split)
        scores = head.per_image(targets, outputs)
        also = head.also(targets, outputs)
        size = model.count_params(), _multiplications(model, split)
    elif hasattr(model, "predict"):
        head, targets = _head_for(split.targets), split.targets
        answers = model.predict(_flatten(_as_array(split.images)))
        scores, also = accuracy_per_image(targets, answers), {}
        size = _linear_size(model)
    else:
        raise ValueError(
            "Expected a keras.Model or a fitted scikit-learn classifier, but got "
            f"{type(model).__name__}."
        )

    def judge(head, targets, scores, also):
        score = interval(scores, head.reduce, clusters=clusters)
        weighted = _weigh(head, targets, scores, sample_weight, class_weight)
        ends = (score.value, score.low, score.high)
        costs = (*size, seconds, weighted)
        return Evaluation(head.metric_name, *ends, scores, *costs, also=also)

    if isinstance(head, heads.Several):
        return {n: judge(head[n], targets[n], scores[n], also[n]) for n in scores}
    return judge(head, targets, scores, also)


def _head_for(labels):
    """Return the head that a classifier of scikit-learn would have."""
    whole = np.asarray(labels).dtype.kind in "iu"  # others cannot be weighed by class
    return Classify(max(int(np.max(labels)) + 1, 2) if whole else 2)


def _weigh(head, targets, per_image, sample_weight, class_weight):
    if sample_weight is None and class_weight is None:
        return None
    targets = head.encode(targets)
    weights = image_weights(head, targets, sample_weight, class_weight)
    return float(np.average(per_image, weights=weights))


def _check_split(split):
    if not hasattr(split, "images") or not hasattr(split, "targets"):
        raise ValueError(
            "Expected a split with images and targets, such as dataset.test, but got "
            f"{type(split).__name__}."
        )
    if len(split.images) == 0:
        raise ValueError("The split is empty: there is no image to score.")


def _predict(model, split):
    if isinstance(split.images, LazyImages):
        return split.images.predict(model, _LAZY_BATCH)
    if _reads_lines(model):
        return reading.predict_lines(model, reading.fit_lines(model, split.images))[0]
    return model.predict(_as_array(split.images, model.input_shape), verbose=0)


def _reads_lines(model):
    return hasattr(heads.of(model), "alphabet") and len(model.input_shape) == 4


def _is_list(images):
    objects = isinstance(images, np.ndarray) and images.dtype.kind == "O"
    return objects or isinstance(images, list | tuple)


def _as_array(images, input_shape=None):
    """Stack a list of images at the size that the model takes."""
    if not _is_list(images):
        return images
    if len(input_shape or ()) not in (0, 4):
        return np.stack(list(images))  # clips
    _, height, width, channels = input_shape or (None,) * 4
    return stack_images(images, (height, width) if height and width else None, channels)


def _multiplications(model, split):
    images = split.images
    if _is_list(images):
        if _reads_lines(model):
            lines = reading.fit_lines(model, images)
            shape = max((line.shape for line in lines), key=lambda shape: shape[1])
        else:
            shape = tuple(_as_array(images[:1], model.input_shape).shape[1:])
    else:
        shape = tuple(images.shape[1:])
    try:
        return count_multiplications(model, shape)
    except ValueError:  # a layer of the reader's own: the score stands all the same
        return None


def _flatten(images):
    return np.reshape(images, (len(images), -1))


def _linear_size(model):
    """Parameters and multiplications of a linear classifier, else None and None."""
    last = model[-1] if hasattr(model, "steps") else model
    if not hasattr(last, "coef_"):
        return None, None
    parameters = np.size(last.coef_) + np.size(last.intercept_)
    return parameters, None if last is not model else np.size(last.coef_)


def compare(rivals, *, split=None, caption=None):
    """Show rivals side by side: who, score with interval, parameters, seconds.

    The highest score is set in bold, which is no verdict: for that, ``ct.judge`` two of
    them. Multiplications and the number of images are folded away.

    Parameters
    ----------
    rivals : dict
        Name -> ``Evaluation``, or name -> model where ``split`` is given.
    split : Split, optional
        What models are evaluated on.
    caption : str, optional
        One sentence; by default it names the metric and the number of images.

    Returns
    -------
    ResultTable
        Renders as HTML in a notebook and as text elsewhere; ``.text`` for a README.

    Raises
    ------
    ValueError
        If there are no rivals, models came without a split, or metrics differ.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> scores = np.array([1.0, 1.0, 0.0])
    >>> crnn = ct.Evaluation("accuracy", 0.983, 0.969, 0.994, scores, 20_304)
    >>> forest = ct.Evaluation("accuracy", 0.967, 0.947, 0.983, scores)
    >>> print(ct.compare({"CRNN": crnn, "random forest": forest}).text)
    accuracy on 3 images, 95 % intervals over the images; bold: highest score
    | who           | accuracy [95 %]     | parameters | seconds |
    |:--------------|--------------------:|-----------:|--------:|
    | **CRNN**      | 98.3 % [96.9, 99.4] |     20,304 |       – |
    | random forest | 96.7 % [94.7, 98.3] |          – |       – |
    """
    if not rivals:
        raise ValueError("There is nobody to compare: expected {name: evaluation}.")
    rows = {}
    for name, rival in rivals.items():
        if not isinstance(rival, Evaluation):
            if split is None:
                raise ValueError(
                    f"{name!r} is no Evaluation but a {type(rival).__name__}: pass "
                    "split=dataset.test to have it evaluated."
                )
            rival = evaluate(rival, split)
        rows[name] = rival
    names = sorted({row.metric for row in rows.values()})
    if len(names) > 1:
        raise ValueError(f"One table has one metric, but got {names}.")
    if caption is None:
        images = " and ".join(
            f"{n:,}" for n in sorted({r.images for r in rows.values()})
        )
        caption = (
            f"{names[0]} on {images} images, 95 % intervals over the images; "
            "bold: highest score"
        )
    return ResultTable(rows, caption)


def train_and_evaluate(
    builders,
    dataset,
    *,
    batch_size,
    epochs,
    seed=0,
    evaluate_on="test",
    **options,
):
    """Build, train and score each rival with the same data, seed and schedule.

    Parameters
    ----------
    builders : dict
        Name -> function without arguments that returns a compiled model, or name -> a
        scikit-learn classifier, which is copied and fitted on flattened images.
    dataset : Dataset or dict
        With the splits ``train``, ``validation`` and ``test``. Or name -> ``Dataset``,
        one for each rival: the same images in another form, such as one frame of each
        clip.
    batch_size, epochs : int
        For the Keras models.
    seed : int
        Set before each rival is built, so that their order does not matter.
    evaluate_on : str or dict
        "test", or "validation" while you still choose. Or name -> ``Split``: several
        tests of the same trained rivals, such as the same images, shifted.
    **options
        For ``ct.train_crnn_model``, such as ``augment``.

    Returns
    -------
    dict
        Name -> ``Evaluation``, with seconds and history of the training. With several
        tests: name of the test -> such a dict. A rival with several outputs has a dict
        of them, as in `evaluate`.

    Raises
    ------
    ValueError
        If ``evaluate_on`` is another word or empty, there are no builders, or rivals
        with data of their own are not scored on the same targets.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> import crnn_tutorial as ct
    >>> rivals = {"most frequent": DummyClassifier()}
    >>> ct.train_and_evaluate(rivals, ct.load_digits(), batch_size=32, epochs=1)
    {'most frequent': Evaluation(accuracy ... %..., 360 images, – parameters)}
    """
    several = isinstance(evaluate_on, dict)
    if not several and evaluate_on not in ("test", "validation"):
        raise ValueError(
            'evaluate_on is "test" or "validation" or {name: split}, but got '
            f"{evaluate_on!r}."
        )
    if not builders or not evaluate_on:
        raise ValueError(
            "There is nobody to train or to test: expected {name: builder}, and for "
            "several tests {name: split}."
        )
    data = dataset if isinstance(dataset, dict) else dict.fromkeys(builders, dataset)
    _check_views(builders, data)
    evaluations = {}
    for name, builder in builders.items():
        set_seed(seed)
        if hasattr(builder, "fit"):
            model, seconds = _fit_classifier(builder, data[name].train, seed)
            history = None
        else:
            model = builder()
            done = _fit_model(model, data[name], batch_size, epochs, seed, options)
            seconds, history = done.seconds, done.history
        tests = evaluate_on if several else {"": getattr(data[name], evaluate_on)}
        for test, split in tests.items():
            found = evaluate(model, split, seconds=seconds)
            found = keras.tree.map_structure(partial(replace, history=history), found)
            evaluations.setdefault(test, {})[name] = found
    return evaluations if several else evaluations[""]


def _check_views(builders, data):
    """Rivals with data of their own must answer the same questions."""
    missing = [name for name in builders if name not in data]
    if missing:
        raise ValueError(f"Expected a Dataset for each rival, but {missing} have none.")
    asked = [data[name].test.targets for name in builders]
    if not all(same_targets(targets, asked[0]) for targets in asked):
        raise ValueError(
            "The rivals' test splits have different targets: their scores could not be "
            "compared image by image. Give all the same test, in another form."
        )


def _fit_classifier(classifier, train, seed):
    from sklearn.base import clone

    model = clone(classifier)
    random = [
        key for key in model.get_params() if key.split("__")[-1] == "random_state"
    ]
    model.set_params(**dict.fromkeys(random, seed))
    start = time.perf_counter()
    model.fit(_flatten(train.images), train.targets)
    return model, time.perf_counter() - start


def _fit_model(model, dataset, batch_size, epochs, seed, options):
    options = {"validation_data": dataset.validation, "verbose": 0, **options}
    return train_crnn_model(
        model, dataset.train, None, batch_size, epochs, seed=seed, **options
    )
