"""Five seeds for the last question of the page "Patches: a page in pieces".

    python benchmarks/far_patches.py

Two digits in patches far apart: are they the same? Writes ``results/far_patches.json``.
"""

from common import compare, definitions, finish

import crnn_tutorial as ct
from crnn_tutorial.judging.draws import draw_training


def main():
    page = definitions("faq/patches")

    def draw(seed):
        """Draw other digits and other pages of them, and always the same test."""
        return page["digit_pages"](draw_training(ct.load_digits(seed=0), seed), seed)

    found = compare(
        "far patches", page["page_rivals"](), draw, "CRNN", **page["page_recipe"]
    )
    finish("far_patches", {"far patches": found})


if __name__ == "__main__":
    main()
