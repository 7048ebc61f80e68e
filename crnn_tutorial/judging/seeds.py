"""Comparisons over several seeds: train all rivals, and judge ours against each."""

import time
import warnings

import joblib
import keras
import numpy as np

from crnn_tutorial.data.splits import same_targets
from crnn_tutorial.judging import evaluation
from crnn_tutorial.judging.draws import prepare_draws
from crnn_tutorial.judging.intervals import _are_fractions
from crnn_tutorial.judging.results import _pack, describe_run, save_results
from crnn_tutorial.judging.verdict import judge
from crnn_tutorial.metrics.words import MARGIN


def run_seeds(
    make_builders,
    make_dataset,
    seeds,
    ours,
    batch_size,
    epochs,
    *,
    name=None,
    redraw=True,
    learning_rates=None,
    longer=None,
    margin=MARGIN,
    clusters=None,
    keep=None,
    progress=False,
    **options,
):
    """Train every rival with every seed, and judge ours against each other one.

    A seed decides all that chance decides: which images are trained on, where the
    weights start, the order of the batches and the augmentation. The test images are
    the same for all seeds, so that the comparison is paired by image.

    Parameters
    ----------
    make_builders : callable
        ``make_builders(dataset)`` -> builders as for ``train_and_evaluate``.
    make_dataset : callable
        Without arguments -> ``Dataset``, or one for each rival as for
        ``train_and_evaluate``. It is called once, and `draw_training` draws its
        training images anew for each seed. Or ``make_dataset(seed)``, with no default
        for the seed, where new images can be made: it is called for each seed, and
        gives the same test each time.
    seeds : sequence of int
        At least two; a verdict of the book has five.
    ours : str
        The rival that is judged against all others.
    batch_size, epochs : int
        For the Keras models.
    name : str, optional
        Saves the results as ``results/<name>.json``.
    redraw : bool
        False where there are no other images to train on: all seeds share them.
    learning_rates : sequence of float, optional
        Each network tries each of them once, on the training images of the first seed,
        and keeps the one with the best score on the *validation* images. Without them
        all have the same ``learning_rate``.
    longer : int, optional
        Train all once more, for so many times the epochs: 3 shows whether a rival is
        worse or only slower. Where the words differ, the longer run decides.
    margin : float
        As in `judge`.
    clusters : sequence or dict, optional
        As in `judge`; with several tests, name of the test -> labels.
    keep : path, optional
        A folder for each training that is done. A call that was interrupted and begins
        again reads from it, and trains only what is missing. The files know the data,
        the options and the rival's name, but not its code: empty the folder when you
        change a network. Functions among the options must be such as can be imported.
    progress : bool
        Show a progress bar of the epochs of all trainings.
    **options
        For ``train_and_evaluate`` and ``train_crnn_model``. With several tests, the
        first is the main one.

    Returns
    -------
    dict
        As ``load_results`` gives it: "date", "machine", "versions", "command",
        "settings", "metric", "images", "seeds", "ours"; "rivals": name -> "scores" (one
        for each seed), "mean", "parameters", "multiplications", "seconds" (mean),
        "packed" (for `stored_scores`), "curves" (for each seed the values of each
        epoch), "also" (where an `Evaluation` has such scores: name -> one for each
        seed), "learning_rates" (where they were chosen); "judgements": name -> the
        fields of ``Judgement``, its "word" and its "sentence"; "clusters"; "warnings".
        With several tests, ``evaluate_on={name: split}``, also "tests": name -> the
        same of each, from "metric" on without "seeds" and "ours". With ``longer``, also
        "longer": its "settings", and the same once more. "hours": what all trainings
        took, with those that `keep` had.

    Raises
    ------
    ValueError
        If there are fewer than two different seeds, ``ours`` is no rival, the training
        images cannot be drawn anew, the test changes with the seed, or both one
        learning rate and several are given.

    Warns
    -----
    UserWarning
        If the seeds of a rival fall into two groups, and there are fewer than ten.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> import crnn_tutorial as ct
    >>> rivals = {"ours": DummyClassifier(), "control": DummyClassifier()}
    >>> found = ct.run_seeds(lambda data: rivals, ct.load_digits, [0, 1], "ours", 32, 1)
    >>> found["judgements"]["control"]["word"]
    'as good'
    """
    seeds = [int(seed) for seed in seeds]
    if len(set(seeds)) < max(2, len(seeds)):
        raise ValueError(f"Expected at least two different seeds, but got {seeds}.")
    if learning_rates is not None and "learning_rate" in options:
        raise ValueError(
            "Pass one learning_rate for all or several learning_rates to choose from, "
            "but not both."
        )
    draw, dataset = prepare_draws(make_dataset, seeds[0], redraw)
    builders = make_builders(dataset)
    if ours not in builders:
        raise ValueError(f"ours is one of {list(builders)}, but got {ours!r}.")
    networks = sum(not hasattr(builder, "fit") for builder in builders.values())
    parts = len(seeds) * len(builders) + len(learning_rates or ()) * networks
    trainer = _Trainer(builders, keep, parts * epochs * (1 + (longer or 0)), progress)

    def run(times):
        schedule = {"batch_size": batch_size, "epochs": times * epochs}
        runs, rates = _train_all(
            trainer, draw, seeds, learning_rates, schedule | options
        )
        rate = {k: v for k, v in options.items() if k == "learning_rate"}
        settings = {"settings": schedule | rate | {"redraw": redraw}}
        return settings | _judge_tests(runs, rates, ours, margin, clusters)

    results = {**describe_run(), "seeds": seeds, "ours": ours, **run(1)}
    if longer is not None:
        results["longer"] = run(longer)
    results["hours"] = round(trainer.seconds / 3600, 4)
    if name is not None:
        save_results(name, results)
    return results


# ------------------------------------------------------------ training


class _Trainer:
    """Train one rival at a time, show how far we are, and keep what is done."""

    def __init__(self, builders, keep, epochs, progress):
        self.builders = builders
        memory = joblib.Memory(keep, verbose=0)
        self.train = memory.cache(_train_part, ignore=["builder"])
        self.bar = keras.utils.Progbar(epochs, verbose=progress, unit_name="epoch")
        self.seconds = 0.0

    def __call__(self, name, view, options):
        """Return test -> ``Evaluation``; a test that has no name is None."""
        found, seconds = self.train(name, self.builders[name], view, options)
        self.seconds += seconds
        self.bar.add(options["epochs"])
        return found


def _train_part(name, builder, view, options):
    """Train one rival once; the files that are kept stand under this name."""
    keras.utils.clear_session()  # else the graphs of all models pile up
    start = time.perf_counter()
    try:
        found = evaluation.train_and_evaluate({name: builder}, {name: view}, **options)
    except FloatingPointError:
        if options.get("evaluate_on") != "validation":
            raise
        found = {name: None}  # a learning rate with which the training diverges
    tests = found if isinstance(options.get("evaluate_on"), dict) else {None: found}
    evaluations = {test: one[name] for test, one in tests.items()}
    return evaluations, time.perf_counter() - start


def _train_all(trainer, draw, seeds, learning_rates, options):
    """Train each rival with each seed; return test -> rival -> evaluation of each."""
    runs, rates, first = [], {}, None
    for seed in seeds:
        data = draw(seed)
        views = (
            data if isinstance(data, dict) else dict.fromkeys(trainer.builders, data)
        )
        evaluation._check_views(trainer.builders, views)
        first = first or views
        _check_same_test(first, views)
        if learning_rates is not None and not runs:
            rates = _choose_rates(trainer, views, learning_rates, options, seed)
        tests = {}
        for name in trainer.builders:
            rate = {"learning_rate": rates[name]["chosen"]} if name in rates else {}
            found = trainer(name, views[name], options | rate | {"seed": seed})
            for test, one in found.items():
                tests.setdefault(test, {})[name] = one
        runs.append(tests)
    return runs, rates


def _check_same_test(first, views):
    for name, view in views.items():
        tests = first[name].test, view.test
        same = same_targets(*(test.targets for test in tests))
        if all(isinstance(test.images, np.ndarray) for test in tests):
            same = same and np.array_equal(*(test.images for test in tests))
        if not same:
            raise ValueError(
                "The test changes with the seed: the comparison could not be paired by "
                "image. Let make_dataset(seed) make the test from a seed of its own."
            )


def _choose_rates(trainer, views, learning_rates, options, seed):
    """Let each network try each learning rate, and keep the best on validation."""
    options = options | {"evaluate_on": "validation", "seed": seed}
    tried = [float(rate) for rate in learning_rates]
    rates = {}
    for name, builder in trainer.builders.items():
        if hasattr(builder, "fit"):  # a classifier: it has no learning rate
            continue
        found = [
            trainer(name, views[name], options | {"learning_rate": rate})[None]
            for rate in tried
        ]
        scores = [None if one is None else one.score for one in found]
        best = max(range(len(scores)), key=lambda i: (scores[i] is not None, scores[i]))
        rates[name] = {"tried": tried, "validation": scores, "chosen": tried[best]}
    return rates


# ------------------------------------------------------------ judging


def _judge_tests(runs, rates, ours, margin, clusters):
    """Judge each test; the first is the main one."""
    tests = {}
    for test in runs[0]:
        labels = clusters.get(test) if isinstance(clusters, dict) else clusters
        evaluations = [run[test] for run in runs]
        tests[test] = _judge_runs(evaluations, rates, ours, margin, labels)
    main = next(iter(tests.values()))
    return main if None in tests else main | {"tests": tests}


def _judge_runs(runs, rates, ours, margin, clusters):
    """Sum up one test: the scores of each rival over the seeds, and who is better."""
    first = runs[0][ours]
    rivals = {rival: _summary([run[rival] for run in runs]) for rival in runs[0]}
    for rival, tried in rates.items():
        rivals[rival]["learning_rates"] = tried
    told = {} if clusters is None else {"clusters": np.asarray(clusters).tolist()}
    return {
        "metric": first.metric,
        "images": first.images,
        **told,
        "rivals": rivals,
        "judgements": _judgements(runs, ours, margin, clusters),
        "warnings": _warn_of_groups(rivals),
    }


def _summary(evaluations):
    first, scores = evaluations[0], [e.score for e in evaluations]
    also = {name: [e.also[name] for e in evaluations] for name in first.also}
    return {
        "scores": scores,
        "mean": float(np.mean(scores)),
        "parameters": first.parameters,
        "multiplications": first.multiplications,
        "seconds": round(float(np.mean([e.seconds for e in evaluations])), 2),
        "packed": [_pack(e.per_image) for e in evaluations],
        "curves": [_curves(e.history) for e in evaluations],
        **({"also": also} if also else {}),
    }


def _judgements(runs, ours, margin, clusters):
    scores = {name: np.stack([run[name].per_image for run in runs]) for name in runs[0]}
    ours_scores, judged = scores.pop(ours), {}
    for name, control in scores.items():
        claim = f"{ours} is better than {name}"
        found = judge(ours_scores, control, claim, margin=margin, clusters=clusters)
        judged[name] = found.as_dict()
    return judged


def _curves(history):
    return history and {
        name: [float(f"{x:.5g}") if np.isfinite(x) else None for x in values]
        for name, values in history.items()
    }


def _warn_of_groups(rivals):
    """Warn where some trainings have learnt and others have not."""
    told = []
    for name, rival in rivals.items():
        scores = sorted(rival["scores"])
        if len(scores) < 10 and _has_groups(scores):
            numbers = ", ".join(f"{score:.3g}" for score in scores)
            told.append(
                f"The seeds of {name} fall into two groups: {numbers}. {len(scores)} "
                "seeds cannot tell how often each group occurs: run ten seeds or more, "
                "and show each."
            )
            warnings.warn(told[-1], stacklevel=2)
    return told


def _has_groups(scores):
    """Say whether one gap is a tenth of the scale, and more than all others twice."""
    gaps = np.diff(scores)
    scale = 1 if _are_fractions(scores) else np.abs(scores).max()
    widest = gaps.max()
    return (
        len(gaps) > 1 and widest >= 0.1 * scale and widest > 2 * (gaps.sum() - widest)
    )
