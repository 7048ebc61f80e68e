"""Comparisons over several seeds: run them, store them, read them."""

import base64
import datetime
import importlib
import json
import os
import platform
import re
import shlex
import sys
import warnings
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from crnn_tutorial.judging import evaluation
from crnn_tutorial.judging.draws import prepare_draws
from crnn_tutorial.judging.intervals import _are_fractions
from crnn_tutorial.judging.verdict import judge
from crnn_tutorial.metrics.words import MARGIN

_PACKAGE = Path(__file__).parents[1]


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
        epoch), "learning_rates" (where they were chosen); "judgements": name -> the
        fields of ``Judgement``, its "word" and its "sentence"; "clusters"; "warnings".
        With several tests, ``evaluate_on={name: split}``, also "tests": name -> the
        same of each, from "metric" on without "seeds" and "ours". With ``longer``, also
        "longer": its "settings", and the same once more.

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

    def run(times):
        schedule = {"batch_size": batch_size, "epochs": times * epochs}
        runs, rates = _train_all(
            builders, draw, seeds, learning_rates, schedule | options
        )
        judged = _judge_tests(runs, rates, ours, margin, clusters)
        rate = {k: v for k, v in options.items() if k == "learning_rate"}
        return {"settings": schedule | rate | {"redraw": redraw}} | judged

    results = {**describe_run(), "seeds": seeds, "ours": ours, **run(1)}
    if longer is not None:
        results["longer"] = run(longer)
    if name is not None:
        save_results(name, results)
    return results


# ------------------------------------------------------------ training


def _train_all(builders, draw, seeds, learning_rates, options):
    """Train each rival with each seed; return test -> rival -> evaluation of each."""
    runs, rates, first = [], {}, None
    for seed in seeds:
        keras.utils.clear_session()  # else the graphs of all models pile up
        data = draw(seed)
        views = data if isinstance(data, dict) else dict.fromkeys(builders, data)
        evaluation._check_views(builders, views)
        first = first or views
        _check_same_test(first, views)
        if learning_rates is not None and not runs:
            rates = _choose_rates(builders, views, seed, learning_rates, options)
        runs.append(_train_seed(builders, views, seed, rates, options))
    return runs, rates


def _check_same_test(first, views):
    for name, view in views.items():
        tests = first[name].test, view.test
        same = np.array_equal(*(test.targets for test in tests))
        if all(isinstance(test.images, np.ndarray) for test in tests):
            same = same and np.array_equal(*(test.images for test in tests))
        if not same:
            raise ValueError(
                "The test changes with the seed: the comparison could not be paired by "
                "image. Let make_dataset(seed) make the test from a seed of its own."
            )


def _train_seed(builders, views, seed, rates, options):
    tests = {}
    for name, builder in builders.items():
        rate = {"learning_rate": rates[name]["chosen"]} if name in rates else {}
        found = evaluation.train_and_evaluate(
            {name: builder}, {name: views[name]}, seed=seed, **options | rate
        )
        if not isinstance(options.get("evaluate_on"), dict):
            found = {None: found}
        for test, one in found.items():
            tests.setdefault(test, {}).update(one)
    return tests


def _choose_rates(builders, views, seed, learning_rates, options):
    """Let each network try each learning rate, and keep the best on validation."""
    options = options | {"evaluate_on": "validation", "seed": seed}
    rates = {}
    for name, builder in builders.items():
        if hasattr(builder, "fit"):  # a classifier: it has no learning rate
            continue
        one = {name: builder}, {name: views[name]}
        scores = [_validate(*one, rate, options) for rate in learning_rates]
        best = max(range(len(scores)), key=lambda i: (scores[i] is not None, scores[i]))
        chosen = float(learning_rates[best])
        tried = [float(rate) for rate in learning_rates]
        rates[name] = {"tried": tried, "validation": scores, "chosen": chosen}
    return rates


def _validate(builder, view, rate, options):
    """Score one learning rate; None if the training diverged."""
    try:
        found = evaluation.train_and_evaluate(
            builder, view, learning_rate=rate, **options
        )
    except FloatingPointError:
        return None
    return next(iter(found.values())).score


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
    return {
        "scores": scores,
        "mean": float(np.mean(scores)),
        "parameters": first.parameters,
        "multiplications": first.multiplications,
        "seconds": round(float(np.mean([e.seconds for e in evaluations])), 2),
        "packed": [_pack(e.per_image) for e in evaluations],
        "curves": [_curves(e.history) for e in evaluations],
    }


def _judgements(runs, ours, margin, clusters):
    scores = {name: np.stack([run[name].per_image for run in runs]) for name in runs[0]}
    judged = {}
    for name in scores:
        if name != ours:
            claim = f"{ours} is better than {name}"
            found = judge(
                scores[ours], scores[name], claim, margin=margin, clusters=clusters
            )
            told = {"word": found.word, "sentence": found.sentence}
            judged[name] = {**asdict(found), **told}
    return judged


def _pack(scores):
    """Write eight right or wrong answers as one byte, other scores as they are."""
    if not np.isin(scores, (0, 1)).all():
        return np.asarray(scores, float).tolist()
    return base64.b64encode(np.packbits(np.asarray(scores, bool)).tobytes()).decode()


def _curves(history):
    if history is None:
        return None
    return {
        name: [
            float(f"{value:.5g}") if np.isfinite(value) else None for value in values
        ]
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
    for sentence in told:
        warnings.warn(sentence, stacklevel=2)
    return told


def _has_groups(scores):
    """Say whether one gap is a tenth of the scale, and more than all others twice."""
    gaps = np.diff(scores)
    scale = 1 if _are_fractions(scores) else np.abs(scores).max()
    widest = gaps.max()
    return (
        len(gaps) > 1 and widest >= 0.1 * scale and widest > 2 * (gaps.sum() - widest)
    )


def stored_scores(results, rival):
    """Read the score of each image from what ``run_seeds`` has stored.

    Parameters
    ----------
    results : dict
        From ``run_seeds`` or ``load_results``; or one of its "tests", or its "longer".
    rival : str
        A name in ``results["rivals"]``.

    Returns
    -------
    numpy.ndarray
        ``(seeds, images)``; for `judge`, which gives the stored judgement again.

    Raises
    ------
    ValueError
        If there is no such rival, or the results are of a version that stored no
        scores of single images.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> import crnn_tutorial as ct
    >>> rivals = {"ours": DummyClassifier(), "control": DummyClassifier()}
    >>> found = ct.run_seeds(lambda data: rivals, ct.load_digits, [0, 1], "ours", 32, 1)
    >>> ours, control = (ct.stored_scores(found, name) for name in rivals)
    >>> ours.shape
    (2, 360)
    >>> again = ct.judge(ours, control)
    >>> again.sentence == found["judgements"]["control"]["sentence"]
    True
    """
    rivals = results["rivals"]
    if rival not in rivals:
        raise ValueError(f"The rival is one of {list(rivals)}, but got {rival!r}.")
    if "packed" not in rivals[rival]:
        raise ValueError(
            "These results are of a version that stored no scores of single images. "
            "Run the script of benchmarks/ again."
        )
    return np.stack(
        [_unpack(one, results["images"]) for one in rivals[rival]["packed"]]
    )


def _unpack(packed, images):
    if not isinstance(packed, str):
        return np.array(packed)
    bits = np.frombuffer(base64.b64decode(packed), np.uint8)
    return np.unpackbits(bits, count=images).astype(float)


# ------------------------------------------------------------ machine and files


def describe_run():
    """Say when, on what machine, with which versions and by what it is measured.

    Returns
    -------
    dict
        "date", "machine" (no name, address or path), "versions" and "command": the
        beginning of what `run_seeds` returns, for benchmarks of another form.

    Examples
    --------
    >>> from crnn_tutorial.judging.seeds import describe_run
    >>> list(describe_run())
    ['date', 'machine', 'versions', 'command']
    """
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": _machine(),
        "versions": _versions(),
        "command": _command(),
    }


def _command():
    """Write how this program was called, without the folders that it stands in."""
    script, *arguments = (
        Path(word).name if Path(word).is_absolute() else word for word in sys.argv
    )
    return shlex.join(["python", script, *arguments])


def _machine():
    """Say what a reader needs to know to compare times; no name, address or path."""
    information = Path("/proc/cpuinfo")
    text = information.read_text() if information.exists() else ""
    model = re.search(r"model name\s*: (.+)", text)
    usable = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))
    return {
        "cpu": model[1] if model else platform.processor() or platform.machine(),
        "cores": len(usable(0)),
        "gpus": _count_gpus(),
        "system": platform.system(),
    }


def _count_gpus():
    try:
        return len(keras.distribution.list_devices("gpu"))
    except (AttributeError, NotImplementedError, RuntimeError):  # not on each backend
        return None


def _versions():
    names = ["keras", keras.backend.backend(), "numpy", "sklearn", "crnn_tutorial"]
    modules = {name: importlib.import_module(name) for name in names}
    found = {name: module.__version__ for name, module in modules.items()}
    return {"python": platform.python_version(), **found}


def _results_folders():
    """List the wheel's folder and, in a checkout, the one beside pyproject.toml."""
    folders = [_PACKAGE / "results"]
    if (_PACKAGE.parent / "pyproject.toml").exists():
        folders.append(_PACKAGE.parent / "results")
    return folders


def save_results(name, results, folder=None):
    """Write what a benchmark measured to ``results/<name>.json``.

    Parameters
    ----------
    name : str
        Small letters, digits and underscores.
    results : dict
        Of numbers, texts, lists and dicts; no NaN.
    folder : path, optional
        By default the folder ``results`` of the source checkout.

    Returns
    -------
    pathlib.Path
        The file written; an older one of this name is replaced only when the new one
        is complete.

    Raises
    ------
    ValueError
        If the name has other characters, a number is NaN or infinite, or this is an
        installed package and no folder was given.

    Examples
    --------
    >>> import tempfile
    >>> import crnn_tutorial as ct
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = ct.save_results("digits", {"seeds": [0, 1]}, folder)
    ...     print(path.name, path.read_text().split())
    digits.json ['{', '"seeds":', '[', '0,', '1', ']', '}']
    """
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise ValueError(
            f"A name has small letters, digits and underscores, but got {name!r}."
        )
    if folder is None:
        folder = _results_folders()[-1]
        if folder.parent == _PACKAGE:
            raise ValueError(
                "An installed package is not written to: pass folder=..., or run the "
                "benchmark in a checkout of the repository."
            )
    text = json.dumps(results, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    path = Path(folder) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
    return path


def load_results(name):
    """Read what a script of ``benchmarks/`` measured.

    Parameters
    ----------
    name : str
        Of the file ``results/<name>.json``, without its ending.

    Returns
    -------
    dict
        See ``run_seeds``.

    Raises
    ------
    FileNotFoundError
        If there is no such file; the message lists those that there are.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.load_results("no such thing")
    Traceback (most recent call last):
    FileNotFoundError: There are no results 'no such thing'. There are: ...
    """
    paths = {
        path.stem: path
        for folder in _results_folders()
        for path in sorted(folder.glob("*.json"))
    }
    if name not in paths:
        known = ", ".join(sorted(paths)) or "none yet; run a script of benchmarks/"
        raise FileNotFoundError(f"There are no results {name!r}. There are: {known}.")
    return json.loads(paths[name].read_text(encoding="utf-8"))
