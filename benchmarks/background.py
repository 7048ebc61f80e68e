"""Five seeds for the chapter "2015, or how the CNN learnt to read".

    python benchmarks/background.py

Lines of digits of other lengths than in training, films forward and backward, two
digits far apart, and digits with all pixels mixed. Writes
``results/background.json``.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from common import compare, definitions, draw_digits, enlarge, finish

import crnn_tutorial as ct


def read_lines(page):
    """The page's readers, and three more."""
    builder = ct.build_text_recognizer
    arguments = page["crnn"].args, page["crnn"].keywords
    twins = {
        "CNN + CTC, 258 px": ct.twin(builder, "convolution"),
        "attention + CTC": ct.twin(builder, "attention"),
    }
    readers = page["readers"] | {
        name: partial(twin, *arguments[0], **arguments[1])
        for name, twin in twins.items()
    }
    readers["fixed, all lengths"] = readers["fixed"]
    four = replace(page["four"], test=page["tests"]["other"])
    sizes = len(four.train), len(four.validation), 1
    every = ct.load_digit_strings(length=(1, 8), sizes=sizes, width=160)
    views = dict.fromkeys(readers, four) | {
        "fixed": fill(page, four),
        "fixed, all lengths": replace(every, test=four.test),
    }
    return compare("lines", readers, views, "CRNN + CTC", **page["reading"])


def fill(page, lines):
    """Fill all up to the width of the fixed reader."""
    parts = {
        name: page["pad"](getattr(lines, name)) for name in ("train", "validation")
    }
    return replace(lines, **parts)


def read_longer(page):
    """Train the two best on twice the lines for twice as long."""
    readers = {name: page["readers"][name] for name in ("CRNN + CTC", page["far"])}
    count = 2 * len(page["four"].train)
    more = enlarge(ct.load_digit_strings, length=(4, 4), sizes=(count, 1, 1))
    lines = replace(more, test=page["tests"]["other"])
    recipe = page["reading"] | {"epochs": 2 * page["reading"]["epochs"]}
    title = "lines, four times the training"
    return compare(title, readers, lines, "CRNN + CTC", **recipe)


def mix(page, who, builder):
    """Train one network on digits as they are, and with all pixels mixed."""

    def make(seed):
        roaming = page["change"](draw_digits(page, seed), page["roam"], repeat=2)
        return {"as it is": roaming, "mixed": page["change"](roaming, page["mix"])}

    rivals = {"as it is": builder, "mixed": builder}
    sources = np.repeat(
        np.arange(len(page["digits"].test)), 2
    )  # each digit roams twice
    recipe = page["recipe"] | {"clusters": sources.tolist()}
    return compare(f"{who}, mixed", rivals, make, "as it is", **recipe)


def main():
    page = definitions("background")
    recipe = page["recipe"]
    results = {
        "lines": read_lines(page),
        "lines, four times the training": read_longer(page),
        "clips": compare("clips", page["video"], page["views"], "CRNN", **recipe),
        "pairs": compare("pairs", page["sight"], page["pairs"], "CRNN", **recipe),
    }
    for who, builder in page["testers"].items():
        results[f"{who}, mixed"] = mix(page, who, builder)
    finish("background", results)


if __name__ == "__main__":
    main()
