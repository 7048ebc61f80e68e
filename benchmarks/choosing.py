"""Five seeds for the chapter "Which one shall I use?".

    python benchmarks/choosing.py

A CRNN without its convolutions, without its poolings and without both, on digits that
may be anywhere. Writes ``results/choosing.json``.
"""

from functools import partial

from common import compare, definitions, draw_digits, finish

import crnn_tutorial as ct


def main():
    page = definitions("faq/choosing")
    recipe = {
        "batch_size": 32,
        "epochs": 10,
        "learning_rate": 3e-3,
        "augment": partial(ct.augment_shift, pixels=4),  # anywhere, anew each epoch
    }
    found = compare(
        "space",
        page["variants"],
        lambda seed: page["roaming"](draw_digits(page, seed)),
        "both",
        **recipe,
    )
    finish("choosing", found)


if __name__ == "__main__":
    main()
