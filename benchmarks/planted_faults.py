"""Plant faults in a copy of the package: which tests, which cells of chapters see them?

    python benchmarks/planted_faults.py [number of a fault ...]

Each fault changes one place. The unit tests that concern it and the quickest chapters
that could see it run in the copy; what fails there and passes without the fault is
written to `results/planted_faults.json`. A fault that nothing sees asks for a test.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from crnn_tutorial.judging.results import describe_run

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results/planted_faults.json"
SKIP = shutil.ignore_patterns(".*", "__pycache__", "_build", "dist")
NO_TESTS = 5  # what pytest returns for a file without any
QUIET = "-q --tb=no -p no:cacheprovider -o addopts=--doctest-modules"
NOTEBOOKS = "-o addopts= --nbval --nbval-current-env --nbval-cell-timeout 600"


class Fault(NamedTuple):
    """What is changed where, and who could notice."""

    name: str
    file: str
    before: str
    after: str
    tests: str
    pages: str


FAULTS = [
    Fault(
        "MapToSequence reads along the wrong axis",
        "network/layers.py",
        'if self.along == "width":\n            # The step',
        'if self.along == "height":\n            # The step',
        "layers models",
        "concepts/components code/model",
    ),
    Fault(
        "the labels of digit strings are shifted by one image",
        "data/digit_strings.py",
        "split.targets[i])) for i in chosen])",
        "split.targets[i])) for i in [*chosen[1:], chosen[0]]])",
        "datasets",
        "sequences/text",
    ),
    Fault(
        "the LSTM forgets the mask of padding",
        "network/backbones.py",
        "return layers.Bidirectional(cell, name=recurrence)(x, mask=mask)\n"
        '    if recurrence == "order_blind"',
        "return layers.Bidirectional(cell, name=recurrence)(x)\n"
        '    if recurrence == "order_blind"',
        "backbones models",
        "sequences/text sequences/your_own_text",
    ),
    Fault(
        "the edit distance of a training counts padding",
        "metrics/keras_text.py",
        "return ops.where(wanted != 0, best, row)",
        "return best",
        "text_metrics",
        "sequences/your_own_text",
    ),
    Fault(
        "max pooling takes the mean",
        "equations/pooling.py",
        "return windows.max(axis=(3, 4))",
        "return windows.mean(axis=(3, 4))",
        "equations_pooling",
        "equations/pooling",
    ),
    Fault(
        "the LSTM's input and forget gates change places",
        "equations/recurrence.py",
        "z_i, z_f, z_g, z_o = np.split",
        "z_f, z_i, z_g, z_o = np.split",
        "equations_recurrence",
        "equations/lstm",
    ),
    Fault(
        "a digit is to train on and to test with",
        "data/classics.py",
        "order[:1257], order[1257:1437], order[1437:]",
        "order[:1257], order[1257:1437], order[1077:1437]",
        "datasets",
        "code/training appendix/how_we_judge",
    ),
    Fault(
        "uint8 is divided by 256",
        "data/images.py",
        "np.divide(images, peak,",
        "np.divide(images, peak + 1,",
        "images",
        "code/preprocessing appendix/errata",
    ),
    Fault(
        "CTC's reading does not merge repeats",
        "network/heads.py",
        "[[k for k, _ in groupby(row)] for row",
        "[list(row) for row",
        "heads reading",
        "sequences/text",
    ),
    Fault(
        "the detectable difference forgets the test's power",
        "judging/verdict.py",
        "t * error, (t + power) * error",
        "t * error, t * error",
        "metrics",
        "appendix/how_we_judge",
    ),
    Fault(
        "a judgement forgets that the same images were answered",
        "judging/verdict.py",
        "detectable = _half_widths(difference)",
        "detectable = _half_widths(ours - np.roll(control, 1, axis=1))",
        "metrics",
        "appendix/how_we_judge",
    ),
]


def copy_tree(folder):
    """Copy what tests and chapters need."""
    for name in ("crnn_tutorial", "tests", "scripts", "book", "results", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, ignore=SKIP)
    for name in ("conftest.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)


def run_pytest(folder, path):
    """Run the tests in one file of the copy; return the names of those that failed."""
    options = NOTEBOOKS.split() if path.endswith(".ipynb") else []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *QUIET.split(), *options, path],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    failed = re.findall(
        r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", done.stdout, re.MULTILINE
    )
    if not failed and done.returncode not in (0, NO_TESTS):
        raise RuntimeError(f"pytest could not run {path}:\n{done.stdout}{done.stderr}")
    return failed


def check_import(folder):
    """Make sure that the copy is imported, not the installed package."""
    command = [sys.executable, "-c", "import crnn_tutorial as c; print(c.__file__)"]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    found = subprocess.check_output(command, cwd="/", env=environment, text=True)
    if not found.startswith(str(folder)):
        raise RuntimeError(f"{found.strip()} is imported, not the copy in {folder}.")


def plant(fault, folder):
    """Change the one place."""
    path = folder / "crnn_tutorial" / fault.file
    source = path.read_text("utf-8")
    if source.count(fault.before) != 1:
        raise ValueError(f"{fault.file} has changed: write anew {fault.name!r}.")
    path.write_text(source.replace(fault.before, fault.after), "utf-8")


@cache
def fails_anyway(path):
    """Return what fails in a file without any fault."""
    with tempfile.TemporaryDirectory() as name:
        copy_tree(Path(name))
        return run_pytest(name, path)


def find_test(name):
    """Return where a file of tests stands: in the folder of its wing."""
    return next(Path("tests").rglob(f"test_{name}.py")).as_posix()


def examine(fault):
    """Return what a fault makes fail: unit tests and examples, cells of chapters."""
    units = [find_test(name) for name in fault.tests.split()]
    units.append(f"crnn_tutorial/{fault.file}")
    pages = [f"book/{name}.ipynb" for name in fault.pages.split()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        copy_tree(folder)
        check_import(folder)
        plant(fault, folder)
        failed = {path: run_pytest(folder, path) for path in units + pages}
    for path, names in failed.items():
        failed[path] = [one for one in names if one not in fails_anyway(path)]
    return {
        "ran": units + pages,
        "unit_tests": [name for path in units for name in failed[path]],
        "cells": [name for path in pages for name in failed[path]],
    }


def store(name, found):
    """Put what was found of one fault beside the others."""
    stored = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    faults = stored.get("faults", {}) | {name: found}
    known = {fault.name: faults[fault.name] for fault in FAULTS if fault.name in faults}
    text = json.dumps(describe_run() | {"faults": known}, indent=1)
    RESULTS.write_text(text + "\n", "utf-8")


def main(numbers):
    """Examine the faults, print a line for each and store what was found."""
    for number, fault in enumerate(FAULTS, start=1):
        if not numbers or str(number) in numbers:
            found = examine(fault)
            units, cells = len(found["unit_tests"]), len(found["cells"])
            print(f"{number} {fault.name}: {units} tests, {cells} cells", flush=True)
            store(fault.name, found)


if __name__ == "__main__":
    main(sys.argv[1:])
