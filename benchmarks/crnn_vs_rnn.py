"""Five seeds for the chapter "Move the digit by three pixels".

    python benchmarks/crnn_vs_rnn.py

Networks learn from centred digits and are tested on moved ones; the same once more,
trained on moved digits; and a memory game. Writes ``results/crnn_vs_rnn.json``.
"""

from dataclasses import replace
from functools import partial

from common import compare, definitions, draw_digits, finish

import crnn_tutorial as ct


def main():
    page = definitions("concepts/crnn_vs_rnn")

    def make_centred(seed):
        digits, place = draw_digits(page, seed), page["place"]
        parts = {
            name: getattr(digits, name) for name in ("train", "validation", "test")
        }
        return replace(digits, **{name: place(part) for name, part in parts.items()})

    def make_game(seed):  # the chapter deals with seeds below 100
        counts = {"train": len(page["game"].train), "validation": 1000}
        dealt = {
            part: page["deal"](count, 10, 100 + 2 * seed + i)
            for i, (part, count) in enumerate(counts.items())
        }
        return replace(page["game"], **dealt)

    recipe = page["recipe"]
    on_digits = recipe | {"evaluate_on": page["tests"], "epochs": 12}
    moved = on_digits | {"augment": partial(ct.augment_shift, pixels=6)}
    rivals, players = page["rivals"], page["players"]
    results = {
        "shifts": compare("shifts", rivals, make_centred, "CRNN", **on_digits),
        "moved": compare("moved", rivals, make_centred, "CRNN", **moved),
        "memory": compare(
            "memory", players, make_game, "simple RNN", **recipe, epochs=1
        ),
    }
    finish("crnn_vs_rnn", results)


if __name__ == "__main__":
    main()
