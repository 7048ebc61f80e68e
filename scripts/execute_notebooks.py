"""Execute notebooks from clean kernels and store their outputs, free of noise.

No timing stamps, no version of the kernel's Python, no TensorFlow log. A chapter that
fails keeps its old outputs. `--as-on-colab`, for Colab's image, installs the package
first, with the command of the chapters' install cell, and stores nothing.
"""

import base64
import io
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

# A chapter's limits on two cores.
SECONDS, MEGABYTES = 120, 2048
# TensorFlow's first lines come before Python can silence them.
QUIET = {
    "CRNN_TUTORIAL_QUIET": "1",  # no progress bar: it would be stored step by step
    "PYTEST_CURRENT_TEST": "stored outputs",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}


def execute(path: Path, store: bool = True) -> str:
    """Execute one notebook, in place; return what it cost."""
    notebook = nbformat.read(path, as_version=4)
    seconds, memory = run_cells(notebook, path.parent)
    if store:
        clean(notebook)
        shrink(notebook)
        nbformat.validate(notebook)
        nbformat.write(notebook, path)
    return report(seconds, memory)


def run_cells(
    notebook: nbformat.NotebookNode, folder: Path, timeout: float = 600
) -> tuple[float, float]:
    """Run every cell in a clean kernel; return seconds and megabytes."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    start = time.perf_counter()
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        memory = peak_megabytes(client.km.provisioner.pid)
    return time.perf_counter() - start, memory


def peak_megabytes(pid: int) -> float:
    """Return the most memory the kernel ever held; 0 where /proc is missing."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0.0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024


def clean(notebook: nbformat.NotebookNode) -> None:
    """Keep only metadata that two machines agree on."""
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    notebook.metadata["language_info"] = {
        "name": "python",
        "pygments_lexer": "ipython3",
    }
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def shrink(notebook: nbformat.NotebookNode) -> None:
    """Store each figure with 256 colours of its own: half the size, nothing to see."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                data["image/png"] = fewer_colours(data["image/png"])


def fewer_colours(picture: str) -> str:
    """Return a base64 PNG with a palette, or as it came where that is smaller."""
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    stored = io.BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(stored, "PNG", optimize=True)
    return min(base64.b64encode(stored.getvalue()).decode(), picture, key=len)


def report(seconds: float, memory: float) -> str:
    slow = f" MORE THAN {SECONDS} s" if seconds > SECONDS else ""
    large = f" MORE THAN {MEGABYTES} MB" if memory > MEGABYTES else ""
    return f"{seconds:6.1f} s {memory:6.0f} MB{slow}{large}"


def install_as_on_colab(path: Path) -> None:
    """Run the pip command of a chapter's install cell."""
    cells = nbformat.read(path, as_version=4).cells
    first = next(cell.source for cell in cells if cell.cell_type == "code")
    command = re.search(r"%pip (install .*)", first)
    if command is None:
        raise ValueError(f"{path}: its first code cell has no %pip install")
    arguments = shlex.split(command[1])
    subprocess.run([sys.executable, "-m", "pip", *arguments], check=True)


def main(arguments: list[str]) -> int:
    on_colab = "--as-on-colab" in arguments
    paths = [argument for argument in arguments if argument != "--as-on-colab"]
    os.environ.update(QUIET)
    if on_colab:
        install_as_on_colab(Path(paths[-1]))
        # The image's checkout must not shadow what was just installed.
        os.environ["PYTHONSAFEPATH"] = "1"
    failed = []
    for name in paths:
        try:
            print(f"{name}: {execute(Path(name), store=not on_colab)}", flush=True)
        except CellExecutionError as error:
            print(f"{name}: FAILED, nothing stored\n{error}", flush=True)
            failed.append(name)
    if failed:
        print(f"{len(failed)} of {len(paths)} failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
