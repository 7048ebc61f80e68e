"""The root conftest.py lets nbval accept decimals that differ by rounding noise.

All cases are the cells of one notebook, which nbval compares as it compares a chapter.
"""

import subprocess
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbval")

ROOT = Path(__file__).resolve().parents[2]

# What a cell prints now, what is stored, and whether that is the same answer.
CASES = [
    # One unit of the last digit, where that is noise.
    ("loss 0.50004", "loss 0.50003", True),
    ("loss -0.5001", "loss -0.5000", True),
    ("[0.6651 0.2447]", "[0.6652 0.2447]", True),
    ("2.2673e+05 left", "2.2674e+05 left", True),
    ("sum 39.62149048", "sum 39.62150002", True),
    ("sum 0.4881", "sum 0.48810001", True),
    # More than that.
    ("loss 0.50005", "loss 0.50003", False),
    ("[0.6651 0.2447]", "[0.6653 0.2447]", False),
    ("sum 39.62149048", "sum 39.62159002", False),
    ("1.001e-06 left", "1.001e-05 left", False),
    ("-0.5001", "0.5001", False),
    # Too few digits.
    ("loss 0.51", "loss 0.50", False),
    ("+0.051 points", "+0.050 points", False),
    ("1.0e-06 left", "1.1e-06 left", False),
    ("1e-06 left", "1.0003e-06 left", False),
    ("took 0.50004 s", "took 0.5 s", False),
    # What was counted.
    ("steps 1001", "steps 1000", False),
    ("area 3274.", "area 3275.", False),
    ("area 3274.0", "area 3275.0", False),
    ("accuracy 99.9%", "accuracy 100.0%", False),
    ("accuracy 97.45 %", "accuracy 97.46 %", False),
    ("accuracy 99.9", "accuracy 100.0", False),
    ("accuracy 99.99", "accuracy 100.00", False),
    # Other words, other versions, another length.
    ("version 2.21.1", "version 2.21.0", False),
    ("gain 0.50004", "loss 0.50003", False),
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
    assert any(line.split(" - ")[0].endswith(f"::Cell {index}") for line in lines), (
        outcomes
    )
