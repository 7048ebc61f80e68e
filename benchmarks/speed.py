"""How long the import, the loaders and the augmentation take; prints, stores nothing.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/speed.py

Tests count calls instead, as a busy machine would fail them for nothing. The limits are
those of a reader: an import that nobody notices, an epoch of augmentation that is short
beside an epoch of training.
"""

import subprocess
import sys
import timeit

import numpy as np

import crnn_tutorial as ct
from crnn_tutorial.tasks.text import ReadText

random = np.random.default_rng(0).random

IMPORT = """
import time
start = time.perf_counter()
import crnn_tutorial
print(time.perf_counter() - start)
"""


def import_seconds():
    """Import the package in a fresh process, and return its own seconds."""
    command = [sys.executable, "-c", IMPORT]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


def seconds(work):
    """Return the best of three."""
    return min(timeit.repeat(work, number=1, repeat=3))


def augment(function, images, times):
    """Augment the same batch over and over."""
    for _ in range(times):
        function(images, np.random.default_rng(0))


def main():
    """Print a line for each: the best of three, and the limit."""
    digits = random((128, 28, 28, 1), dtype="float32")
    lines = random((16, 32, 96, 1), dtype="float32")
    head, steps = ReadText(ct.Alphabet("abc")), random((500, 25, 4))
    measured = {
        "import crnn_tutorial": (min(import_seconds() for _ in range(3)), 0.15),
        "load_digit_strings, 3,000 lines": (
            seconds(lambda: ct.load_digit_strings(sizes=(2000, 500, 500))),
            2,
        ),
        "augment_affine, 60,000 digits": (
            seconds(lambda: augment(ct.augment_affine, digits, 47)) * 10,
            10,
        ),
        "augment_text_images, 5,000 lines": (
            seconds(lambda: augment(ct.augment_text_images, lines, 31)) * 10,
            5,
        ),
        "decode 500 words of 25 steps": (seconds(lambda: head.decode(steps)), 0.1),
    }
    for what, (took, limit) in measured.items():
        print(f"{what:34}{took:8.3f} s, limit {limit} s")


if __name__ == "__main__":
    main()
