"""Five seeds for the chapter "2015, or how the CNN learnt to read".

    python benchmarks/background.py    # about half an hour on one core

Lines of digits of other lengths than in training, films forward and backward, two
digits far apart, and digits with all pixels mixed. Writes
``results/background.json``.
"""

from dataclasses import replace
from functools import partial

from pages import definitions, tell

import crnn_tutorial as ct

SEEDS = range(5)


def run(builders, views, ours, recipe):
    """Train each rival on its view of the data with each seed, and judge ours."""
    options = {"validation_data": None} | recipe
    # Some views have other training images (filled, all lengths): no drawing alike.
    options |= {"redraw": not isinstance(views, dict)}
    return ct.run_seeds(lambda _: builders, lambda: views, SEEDS, ours, **options)


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
    count = len(page["four"].train)
    four = replace(page["four"], test=page["tests"]["other"])
    every = ct.load_digit_strings(length=(1, 8), sizes=(count, 1, 1), width=160)
    views = dict.fromkeys(readers, four) | {
        "fixed": replace(four, train=page["filled"].train),
        "fixed, all lengths": replace(four, train=every.train),
    }
    return run(readers, views, "CRNN + CTC", page["reading"])


def read_longer(page):
    """Train the two best on twice the lines for twice as long."""
    readers = {name: page["readers"][name] for name in ("CRNN + CTC", page["far"])}
    count = len(page["four"].train)
    more = ct.load_digit_strings(length=(4, 4), sizes=(2 * count, 1, 1))
    lines = replace(more, test=page["tests"]["other"])
    recipe = page["reading"] | {"epochs": 2 * page["reading"]["epochs"]}
    return run(readers, lines, "CRNN + CTC", recipe)


def main():
    page = definitions("background")
    recipe = page["recipe"]
    results = {
        "lines": read_lines(page),
        "lines, four times the training": read_longer(page),
        "clips": run(page["video"], page["views"], "CRNN", recipe),
        "pairs": run(page["sight"], page["pairs"], "CRNN", recipe),
    }
    for name, builder in page["testers"].items():
        rivals = {"as it is": builder, "mixed": builder}
        views = {"as it is": page["roaming"], "mixed": page["mixed"]}
        results[f"{name}, mixed"] = run(rivals, views, "as it is", recipe)
    ct.save_results("background", results)
    tell(results)


if __name__ == "__main__":
    main()
