"""The root conftest.py lets nbval accept decimals that differ by rounding noise."""

import subprocess
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbval")

ROOT = Path(__file__).resolve().parent.parent

# What a cell prints now, what is stored, and whether that is the same answer.
CASES = [
    ("loss 0.50004", "loss 0.5000", True),
    ("loss 0.51", "loss 0.50", False),
    ("steps 1001", "steps 1000", False),
    ("version 2.21.1", "version 2.21.0", False),
    ("gain 0.50004", "loss 0.5000", False),
    ("1e-06 left", "1.0003e-06 left", True),
    ("took 0.50004s", "took 0.5s", True),
    ("one 0.5 two 0.7", "one 0.5", False),
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Run one notebook with a cell for each case through nbval, once."""
    folder = tmp_path_factory.mktemp("nbval")
    cells = []
    for count, (printed, stored, _) in enumerate(CASES, start=1):
        output = nbformat.v4.new_output("stream", name="stdout", text=stored + "\n")
        cells.append(
            nbformat.v4.new_code_cell(
                f"print({printed!r})", outputs=[output], execution_count=count
            )
        )
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "page.ipynb")
    (folder / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    options = "-rA -p no:cacheprovider -p no:xdist --nbval --nbval-current-env"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options.split(), "page.ipynb"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return run.stdout


@pytest.mark.parametrize("index", range(len(CASES)))
def test_nbval_compares_decimals_with_a_tolerance(outcomes, index):
    passes = CASES[index][2]
    word = "PASSED" if passes else "FAILED"
    lines = [line for line in outcomes.splitlines() if line.startswith(word)]
    assert any(f"::Cell {index}" in line for line in lines), outcomes
