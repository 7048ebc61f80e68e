"""What several seeds have measured: stored as JSON in ``results``, and read again."""

import base64
import datetime
import importlib
import json
import os
import platform
import re
import shlex
import sys
from pathlib import Path

import keras
import numpy as np

_PACKAGE = Path(__file__).parents[1]
# A list of nothing but numbers, which stands in one line. No text holds a line's end.
_NUMBERS = re.compile(r"\[\n([-+.\deE,\s]+)\]")


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


def _pack(scores):
    """Write eight right or wrong answers as one byte, other scores as they are."""
    if not np.isin(scores, (0, 1)).all():
        return np.asarray(scores, float).tolist()
    return base64.b64encode(np.packbits(np.asarray(scores, bool)).tobytes()).decode()


def _unpack(packed, images):
    if not isinstance(packed, str):
        return np.array(packed)
    bits = np.frombuffer(base64.b64decode(packed), np.uint8)
    return np.unpackbits(bits, count=images).astype(float)


def describe_run():
    """Say when, on what machine, with which versions and by what it is measured.

    Returns
    -------
    dict
        "date", "machine" (no name, address or path), "versions" and "command": the
        beginning of what `run_seeds` returns, for benchmarks of another form.

    Examples
    --------
    >>> from crnn_tutorial.judging.results import describe_run
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
    ...     print(path.name, path.read_text().splitlines())
    digits.json ['{', '  "seeds": [0, 1]', '}']
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
    text = _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)
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
