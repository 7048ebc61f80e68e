"""Run chapters with `RUN = "full"`, one after the other, and keep what came out.

    python scripts/run_full.py [--run quick] [--timeout SECONDS] [page.ipynb ...]

Time, device and the recorded numbers of every page go to `results/full.json`, one entry
for each device and backend; a page that fails is kept there with its error. The
chapters themselves stay as they are. `--run quick` tries a backend and writes nothing.
"""

import argparse
import json
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from check_book import notebooks
from execute_notebooks import QUIET, run_cells
from fill_numbers import recorded
from nbclient.exceptions import CellExecutionError, CellTimeoutError

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results/full.json"


def run_page(path: Path, run: str, timeout: float) -> dict:
    """Run one chapter as `run`; return its seconds and numbers, or its error."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = re.sub(
                r'^RUN = "quick"', f'RUN = "{run}"', cell.source, flags=re.MULTILINE
            )
    start = time.perf_counter()
    try:
        seconds, memory = run_cells(notebook, path.parent, timeout)
    except (CellExecutionError, CellTimeoutError) as error:
        seconds = round(time.perf_counter() - start, 1)
        return {"failed": last_lines(str(error)), "seconds": seconds}
    numbers = recorded(notebook)
    return {
        "seconds": round(seconds, 1),
        "megabytes": round(memory),
        "recorded": numbers,
    }


def last_lines(error: str) -> str:
    """Return the last words of a traceback, without colours and paths."""
    plain = re.sub(r"\x1b\[[\d;]*m", "", error)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    return re.sub(r"(/[\w.-]+){2,}", "...", " ".join(lines[-2:]))[-300:]


def device() -> str:
    """Return the name of the GPU that Keras' backend uses, or "CPU"."""
    import keras

    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        first = jax.devices()[0]
        return first.device_kind if first.platform != "cpu" else "CPU"
    if backend == "torch":
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return (
        tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
        if gpus
        else "CPU"
    )


def describe() -> dict:
    """Say on what the pages run."""
    from crnn_tutorial.judging.results import describe_run

    return {"device": device(), "backend": os.environ["KERAS_BACKEND"]} | (
        describe_run()
    )


def merged(old: list[dict], new: dict) -> list[dict]:
    """Put a run into the list; pages that it did not run keep their older result."""
    same = [run for run in old if all(run[k] == new[k] for k in ("device", "backend"))]
    pages = {**(same[0]["pages"] if same else {}), **new["pages"]}
    rest = [run for run in old if run not in same]
    return [*rest, new | {"pages": dict(sorted(pages.items()))}]


def store(run: dict) -> None:
    """Write one run into results/full.json, beside those of other devices."""
    old = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else []
    text = json.dumps(merged(old, run), indent=1, ensure_ascii=False)
    RESULTS.write_text(text + "\n", "utf-8")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--run", choices=["quick", "full"], default="full")
    parser.add_argument("--timeout", type=float, default=3600, help="of one cell")
    options = parser.parse_args(arguments)
    os.environ.update(QUIET)
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    failed = 0
    for path in options.pages or notebooks():
        page = path.resolve().relative_to(ROOT / "book").with_suffix("").as_posix()
        found = run_page(path, options.run, options.timeout)
        failed += "failed" in found
        print(f"{page}: {found['seconds']} s {found.get('failed', '')}", flush=True)
        if options.run == "full":
            store(describe() | {"pages": {page: found}})
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
