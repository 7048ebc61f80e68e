"""Comparisons over several seeds: run them, store them, read them."""

import datetime
import importlib
import json
import os
import platform
import re
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from crnn_tutorial.judging import evaluation
from crnn_tutorial.judging.verdict import judge

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
    **options,
):
    """Train every rival with every seed, and judge ours against each other one.

    The data are made once: all seeds share the same training and test images, so that
    the comparison is paired by image. What varies with the seed is where the weights
    start, the order of the batches and the augmentation.

    Parameters
    ----------
    make_builders : callable
        ``make_builders(dataset)`` -> builders as for ``train_and_evaluate``.
    make_dataset : callable
        Without arguments, with a seed of its own -> ``Dataset``, or one for each rival
        as for ``train_and_evaluate``.
    seeds : sequence of int
        At least two; a verdict of the book has five.
    ours : str
        The rival that is judged against all others.
    batch_size, epochs : int
        For the Keras models.
    name : str, optional
        Saves the results as ``results/<name>.json``.
    **options
        For ``train_and_evaluate`` and ``train_crnn_model``. With several tests, the
        first is the main one.

    Returns
    -------
    dict
        As ``load_results`` gives it: "date", "machine", "versions", "settings",
        "metric", "images", "seeds", "ours"; "rivals": name -> "scores" (one for each
        seed), "mean", "parameters", "multiplications", "seconds" (mean); "judgements":
        name -> the fields of ``Judgement`` and its "sentence". With several tests,
        ``evaluate_on={name: split}``, also "tests": name -> the same four of each,
        "metric", "images", "rivals" and "judgements".

    Raises
    ------
    ValueError
        If there are fewer than two different seeds, or ``ours`` is no rival.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> import crnn_tutorial as ct
    >>> rivals = {"ours": DummyClassifier(), "control": DummyClassifier()}
    >>> found = ct.run_seeds(lambda data: rivals, ct.load_digits, [0, 1], "ours", 32, 1)
    >>> found["judgements"]["control"]["verdict"]
    'not supported'
    """
    seeds = [int(seed) for seed in seeds]
    if len(set(seeds)) < max(2, len(seeds)):
        raise ValueError(f"Expected at least two different seeds, but got {seeds}.")
    dataset = make_dataset()
    builders = make_builders(dataset)
    if ours not in builders:
        raise ValueError(f"ours is one of {list(builders)}, but got {ours!r}.")
    runs = []
    for seed in seeds:
        keras.utils.clear_session()  # else the graphs of all models pile up
        schedule = {"batch_size": batch_size, "epochs": epochs, "seed": seed}
        runs.append(
            evaluation.train_and_evaluate(builders, dataset, **schedule, **options)
        )
    several = isinstance(options.get("evaluate_on"), dict)
    tests = list(options["evaluate_on"]) if several else [None]
    found = {
        test: _judge_runs([run[test] if several else run for run in runs], ours)
        for test in tests
    }
    results = {
        **describe_run(),
        "settings": {"batch_size": batch_size, "epochs": epochs},
        "seeds": seeds,
        "ours": ours,
        **found[tests[0]],
    }
    if several:
        results["tests"] = found
    if name is not None:
        save_results(name, results)
    return results


def _judge_runs(runs, ours):
    """Sum up one test: the scores of each rival over the seeds, and who is better."""
    first = runs[0][ours]
    return {
        "metric": first.metric,
        "images": first.images,
        "rivals": {rival: _summary([run[rival] for run in runs]) for rival in runs[0]},
        "judgements": _judgements(runs, ours),
    }


def _summary(evaluations):
    first, scores = evaluations[0], [e.score for e in evaluations]
    return {
        "scores": scores,
        "mean": float(np.mean(scores)),
        "parameters": first.parameters,
        "multiplications": first.multiplications,
        "seconds": round(float(np.mean([e.seconds for e in evaluations])), 2),
    }


def _judgements(runs, ours):
    scores = {name: np.stack([run[name].per_image for run in runs]) for name in runs[0]}
    judged = {}
    for name in scores:
        if name != ours:
            claim = f"{ours} is better than {name}"
            judgement = judge(scores[ours], scores[name], claim)
            judged[name] = {**asdict(judgement), "sentence": judgement.sentence}
    return judged


def describe_run():
    """Say when, on what machine and with which versions something is measured.

    Returns
    -------
    dict
        "date", "machine" (no name, address or path) and "versions": the beginning of
        what `run_seeds` returns, for benchmarks of another form.

    Examples
    --------
    >>> from crnn_tutorial.judging.seeds import describe_run
    >>> list(describe_run())
    ['date', 'machine', 'versions']
    """
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": _machine(),
        "versions": _versions(),
    }


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
