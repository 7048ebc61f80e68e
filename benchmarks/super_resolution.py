"""Five seeds for the page "Super-resolution: sharper or truer?".

    python benchmarks/super_resolution.py                  # all
    python benchmarks/super_resolution.py discriminator    # this alone

Photographs in grey, made twice as high and wide again. Writes
``results/super_resolution.json``: what ``ct.run_seeds`` returns, with the bicubic
filter and that of Lanczos beside it. Its tests: "photographs", and "JPEG", where the
small images went through a JPEG file. "discriminator": networks that go on with one
that has more and more to say.
"""

import sys
from dataclasses import replace

from common import FEW, QUICK, beside, compare, definitions, finish
from discriminator import RESTORERS, Restorer, run_discriminator

import crnn_tutorial as ct

MARGIN = 0.1  # dB: less is not seen


def make_tests(page):
    photographs = page["halve"](page["large"].test.images)
    return {"photographs": photographs, "JPEG": page["through_jpeg"](photographs)}


def compare_networks(page):
    """Compare twins of the network, and filters."""
    tests, large = make_tests(page), page["large"]
    validation = page["halve"](large.validation.images)

    def data(seed):
        parts = {"validation": validation, "test": tests["photographs"]}
        return replace(page["photos"], train=page["draw"](seed), **parts)

    found = compare(
        "twice as large",
        ct.rivals(ct.build_restorer, (None, None, 1), **page["network"]),
        data,
        "CRNN",
        evaluate_on=tests,
        clusters=dict.fromkeys(tests, large.test.targets),
        margin=MARGIN,
        **page["recipe"],
    )
    if QUICK:
        tests = {name: split[:FEW] for name, split in tests.items()}
    scores = {
        test: {name: page["score_filter"](name, split) for name in page["FILTERS"]}
        for test, split in tests.items()
    }
    for part in filter(None, (found, found.get("longer"))):
        beside(part, scores, margin=MARGIN)
    return found


def go_on_with_discriminator(page):
    """Train further, with a discriminator that has more and more to say."""
    RESTORERS["twice as large"] = Restorer(
        build=lambda: ct.build_restorer((None, None, 1), **page["network"]),
        draw=page["draw"],
        test=make_tests(page)["photographs"],
        clusters=page["large"].test.targets,
        recipe=page["recipe"],
    )
    return run_discriminator("twice as large")


def main():
    page = definitions("faq/super_resolution")
    alone = sys.argv[1:] == ["discriminator"]
    found = ct.load_results("super_resolution") if alone else compare_networks(page)
    finish(
        "super_resolution", found | {"discriminator": go_on_with_discriminator(page)}
    )


if __name__ == "__main__":
    main()
