"""What the scripts share: a chapter's definitions, and the rules of the book.

A chapter and its script use the same data, networks and recipe because the script takes
them from the chapter: from its cells with the tag "definitions". The rules are those of
the page "How we judge": five seeds with training images drawn anew, three learning
rates for each rival, a quick run and one of three times the epochs.

With ``CRNN_BENCHMARK_QUICK=1`` in the environment a script is only tried: a few images,
one epoch, two seeds, nothing stored. With ``CRNN_BENCHMARK_SHORT=1`` the longer run is
left out, and the page that shows the results says that it is missing.
"""

import ast
import hashlib
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import joblib
import nbformat
import numpy as np

import crnn_tutorial as ct

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".benchmarks"  # what is done of a benchmark that is not finished
QUICK = bool(os.environ.get("CRNN_BENCHMARK_QUICK"))
SHORT = bool(os.environ.get("CRNN_BENCHMARK_SHORT"))
SEEDS = range(2 if QUICK else 5)
RATES = (1,) if QUICK else (1 / 3, 1, 3)  # times the learning rate of the chapter
LONGER = 3
FEW = 24  # images of a try
_sources = []  # of the chapters that were asked for


# ------------------------------------------------------------ what a chapter defines


def definitions(page):
    """Run the cells tagged "definitions" of a chapter, and return their names.

    Parameters
    ----------
    page : str
        Such as "concepts/crnn_vs_rnn".

    Returns
    -------
    dict
        Name -> what the cells define, and ``ct``, ``np`` and ``run`` as after the
        first cells. The sets of digits that are composed by a loader have twice as many
        images to validate as to train: from both together a seed draws its own.
    """
    notebook = nbformat.read(ROOT / f"book/{page}.ipynb", as_version=4)
    names = {"ct": _Larger(), "np": np, "run": ct.setup(seed=0, run="quick")}
    for cell in notebook.cells:
        if "definitions" in cell.metadata.get("tags", []):
            source = cell.source
        else:
            source = _imports(cell)
        _sources.append(source)
        exec(source, names)
    return names


def _imports(cell):
    """Return what another cell imports from the package: definitions may need it."""
    if cell.cell_type != "code" or "%pip" in cell.source:
        return ""
    lines = ast.parse(cell.source).body
    wanted = [line for line in lines if isinstance(line, ast.ImportFrom)]
    return "\n".join(
        ast.unparse(line) for line in wanted if line.module.startswith("crnn_tutorial")
    )


class _Larger:
    """The package, but with more images than a chapter loads: a pool to draw from."""

    def __getattr__(self, name):
        found = getattr(ct, name)
        composed = name.startswith(("load_digit_", "load_direction", "load_moving"))
        if not composed:
            return found
        return lambda *arguments, **options: enlarge(found, *arguments, **options)


def enlarge(load, *arguments, sizes, **options):
    """Load more validation images, for seeds to draw from; the test stays as it is."""
    train, validation, test = sizes
    first = load(*arguments, sizes=sizes, **options)
    if train < 2:  # a set of which only the test is used
        return first
    sizes = train, max(validation, 2 * train), test
    pool = load(*arguments, sizes=sizes, **options)
    return replace(pool, test=first.test)


def draw_digits(page, seed):
    """Draw the digits of a chapter anew: what it makes of them is made of these."""
    from crnn_tutorial.judging.draws import draw_training

    page["digits"] = draw_training(ct.load_digits(seed=0), seed)
    return page["digits"]


# ------------------------------------------------------------ the rules


def compare(title, builders, data, ours, **recipe):
    """Train all rivals by the rules of the book, and judge ours.

    Parameters
    ----------
    title : str
        Of the comparison, unique within a script.
    builders : dict
        As for ``ct.run_seeds``.
    data : Dataset, dict of Dataset, or callable
        Images to draw from, or ``data(seed)``, which makes them.
    ours : str
        The rival that is judged against all others.
    **recipe
        For ``ct.run_seeds``. The learning rate is the middle one of three.

    Returns
    -------
    dict
        What ``ct.run_seeds`` returns.
    """
    rate = recipe.pop("learning_rate", 1e-3)
    options = {
        "validation_data": None,
        "seeds": SEEDS,
        "longer": None if SHORT else LONGER,
        "learning_rates": [float(f"{rate * times:.2g}") for times in RATES],
        "keep": _folder() / title.replace(" ", "_").replace(",", ""),
        "progress": True,
    }
    make = data if callable(data) else lambda: data
    if QUICK:
        recipe |= {"epochs": 1}
        recipe |= {
            k: _few(recipe[k]) for k in ("evaluate_on", "clusters") if k in recipe
        }
        make = _make_few(data)
    print(f"{title}:", flush=True)
    return ct.run_seeds(lambda _: builders, make, ours=ours, **options | recipe)


def each(function, jobs):
    """Call a function for each job, and keep what is done: a later run goes on there.

    Parameters
    ----------
    function : callable
        Of the script itself, with arguments of numbers and texts.
    jobs : iterable of tuple
        The arguments of each call.

    Returns
    -------
    list
        What it returned for each.
    """
    kept = joblib.Memory(_folder(), verbose=0).cache(function)
    return [kept(*job) for job in jobs]


def beside(found, scores, **options):
    """Put rivals that know no seed beside what ``ct.run_seeds`` found, and judge.

    Parameters
    ----------
    found : dict
        With several tests, from ``ct.run_seeds``. The first is the main one.
    scores : dict
        Test -> rival -> the score of each image.
    **options
        For ``ct.judge``; the clusters are those that were stored.
    """
    for test, one in found["tests"].items():
        ours = ct.stored_scores(one, found.get("ours", "CRNN"))
        for name, score in scores[test].items():
            claim = f"CRNN is better than {name}"
            judged = ct.judge(
                ours, score, claim, clusters=one.get("clusters"), **options
            )
            one["judgements"][name] = judged.as_dict()
            one["rivals"][name] = {
                "scores": [float(score.mean())] * len(SEEDS),
                "mean": float(score.mean()),
                "packed": [score.round(4).tolist()],
            }


def _make_few(data):
    if callable(data):
        return lambda seed: _few(data(seed))
    return lambda: _few(data)


def _few(data):
    """Leave a few images of each split."""
    if isinstance(data, dict):
        return {name: _few(one) for name, one in data.items()}
    if isinstance(data, ct.Dataset):
        parts = "train", "validation", "test"
        return replace(data, **{part: getattr(data, part)[:FEW] for part in parts})
    return data[:FEW]


def _script():
    return Path(sys.argv[0]).stem


def _folder():
    """Name the folder of what is done, by all code that could change it."""
    files = [*ROOT.glob("crnn_tutorial/**/*.py"), Path(sys.argv[0]), Path(__file__)]
    code = [path.read_bytes() for path in sorted(files) if path.is_file()]
    code += [source.encode() for source in _sources]
    digest = hashlib.sha256(b"\0".join(code)).hexdigest()[:12]
    return CACHE / _script() / (f"quick_{digest}" if QUICK else digest)


def finish(name, results):
    """Store what was measured, print it, and forget what was kept on the way."""
    if not QUICK:
        ct.save_results(name, results)
    tell({name: results} if "rivals" in results else results)
    shutil.rmtree(CACHE / _script(), ignore_errors=True)


def tell(results):
    """Print each judgement of {name: what ``ct.run_seeds`` returned}."""
    for name, found in results.items():
        for length in ("", "longer"):
            one = found.get(length) if length else found
            tests = one.get("tests", {"": one}) if one else {}
            for test, judged in tests.items():
                for rival, judgement in judged["judgements"].items():
                    title = ", ".join(filter(None, (name, test, length)))
                    print(f"{title}, {found['ours']} - {rival}:")
                    print(f"  {ct.Judgement.of(judgement).sentence}")
