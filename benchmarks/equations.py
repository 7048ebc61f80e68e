"""How fast the NumPy formulas are, on one thread; prints, and stores nothing.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/equations.py

The limits are those that keep them usable in a lesson: a photograph of 256 x 256 x 3
through 16 kernels in 0.2 s, 64 steps of an LSTM of 64 units for a batch of 32 in 0.1 s.
"""

import timeit

import numpy as np

from crnn_tutorial.equations import (
    adam_step,
    conv2d,
    conv2d_backward,
    lstm,
    lstm_backward,
    max_pool2d,
    max_pool2d_backward,
)

draw = np.random.default_rng(0).normal


def seconds(call, rounds=5):
    """Return the best of some rounds."""
    return min(timeit.repeat(call, number=1, repeat=rounds))


def measure(kind):
    """Print a line for each function."""
    photo = draw(size=(1, 256, 256, 3)).astype(kind)
    kernel = draw(size=(3, 3, 3, 16)).astype(kind)
    features = conv2d(photo, kernel, padding="same")
    sequence = draw(size=(32, 64, 64)).astype(kind)
    weights = [
        draw(0, 0.1, shape).astype(kind) for shape in [(64, 256), (64, 256), 256]
    ]
    states = lstm(sequence, *weights).h
    pooled = max_pool2d(features)
    rows = {
        "conv2d": (lambda: conv2d(photo, kernel, padding="same"), 0.2),
        "conv2d_backward": (
            lambda: conv2d_backward(features, photo, kernel, padding="same"),
            None,
        ),
        "max_pool2d": (lambda: max_pool2d(features), None),
        "max_pool2d_backward": (lambda: max_pool2d_backward(pooled, features), None),
        "lstm": (lambda: lstm(sequence, *weights), 0.1),
        "lstm_backward": (lambda: lstm_backward(states, sequence, *weights), None),
        "adam_step": (lambda: adam_step(weights, weights), None),
    }
    for name, (call, limit) in rows.items():
        taken = seconds(call)
        word = "" if limit is None else f", limit {limit} s: {taken < limit}"
        print(f"{kind} {name:20} {taken:7.4f} s{word}")


if __name__ == "__main__":
    for kind in ("float32", "float64"):
        measure(kind)
