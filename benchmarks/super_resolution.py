"""Five seeds for the page "Super-resolution: sharper or truer?".

    python benchmarks/super_resolution.py

Photographs in grey, made twice as high and wide again. Writes
``results/super_resolution.json``: what ``ct.run_seeds`` returns, with the bicubic
filter and that of Lanczos beside it. Its tests: "photographs", and "JPEG", where the
small images went through a JPEG file.
"""

from dataclasses import replace

from common import FEW, QUICK, beside, compare, definitions, finish

import crnn_tutorial as ct

MARGIN = 0.1  # dB: less is not seen


def make_tests(page):
    photographs = page["halve"](page["large"].test.images)
    return {"photographs": photographs, "JPEG": page["through_jpeg"](photographs)}


def main():
    page = definitions("faq/super_resolution")
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
    finish("super_resolution", found)


if __name__ == "__main__":
    main()
