"""Five seeds for the chapter "Move the digit by three pixels".

    python benchmarks/crnn_vs_rnn.py    # about eight minutes on one core

Networks learn from centred digits and are tested on moved ones; the same once more,
trained on moved digits; and a memory game. Writes ``results/crnn_vs_rnn.json``.
"""

from functools import partial

from pages import definitions, tell

import crnn_tutorial as ct

SEEDS = range(5)


def main():
    page = definitions("concepts/crnn_vs_rnn")
    recipe = page["recipe"]
    on_digits = {"evaluate_on": page["tests"], **recipe, "epochs": 12}
    arguments = lambda _: page["rivals"], lambda: page["centred"], SEEDS, "CRNN"
    move = partial(ct.augment_shift, pixels=6)
    results = {
        "shifts": ct.run_seeds(*arguments, **on_digits),
        "moved": ct.run_seeds(*arguments, augment=move, **on_digits),
        "memory": ct.run_seeds(
            lambda _: page["players"],
            lambda: page["game"],
            SEEDS,
            "simple RNN",
            **recipe,
            epochs=1,
        ),
    }
    ct.save_results("crnn_vs_rnn", results)
    tell(results)


if __name__ == "__main__":
    main()
