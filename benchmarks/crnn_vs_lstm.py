"""Five seeds for the chapter "When are rows enough?".

    python benchmarks/crnn_vs_lstm.py

Digits zoomed to and roaming on larger pictures, and a memory game: cards of four suits
pass by, asked is the first. Writes ``results/crnn_vs_lstm.json``.
"""

from dataclasses import replace

import keras
from common import compare, definitions, draw_digits, finish
from keras import layers

ALL = ("CRNN", "LSTM", "CNN", "plain CNN", "order-blind", "attention")
DUELS = {
    ("zoom", 8): ALL,
    ("zoom", 16): ALL[:2],
    ("zoom", 32): ALL[:2],
    ("roam", 16): ALL,
    ("roam", 32): ALL[:5],
}
CARDS = (10, 20, 40, 80)


def duel(page, way, side, names):
    _, augment = page["grown"](way, side)

    def make(seed):
        draw_digits(page, seed)
        return page["grown"](way, side)[0]

    rivals = {name: page["line_up"](side)[name] for name in names}
    recipe = page["recipe"] | {"epochs": 10, "augment": augment}
    return compare(f"{way} {side}", rivals, make, "CRNN", **recipe)


def play(page, title, cards, ours, players):
    game = page["game"](cards)

    def make(seed):  # the chapter deals with seeds below 100
        counts = {"train": len(game.train), "validation": 1000}
        dealt = {
            part: page["deal"](count, cards, 100 + 2 * seed + i)
            for i, (part, count) in enumerate(counts.items())
        }
        return replace(game, **dealt)

    recipe = page["recipe"] | {"batch_size": 64, "epochs": 1}
    return compare(title, players, make, ours, **recipe)


def small_start():
    """Make a simple RNN whose recurrent weights start small, as they once did."""
    small = keras.initializers.RandomNormal(stddev=0.05)
    return layers.SimpleRNN(66, recurrent_initializer=small)


def make_players(page, cards):
    """Return the page's three, and two that start with a bad memory."""
    player = page["player"]
    return page["players"](cards) | {
        "LSTM, bias 0": lambda: player(layers.LSTM(32, unit_forget_bias=False), cards),
        "RNN, small start": lambda: player(small_start(), cards),
    }


def main():
    page = definitions("concepts/crnn_vs_lstm")
    results = {
        f"{way} {side}": duel(page, way, side, names)
        for (way, side), names in DUELS.items()
    }
    for cards in CARDS:
        players = make_players(page, cards)
        title = f"{cards} cards"
        results[title] = play(page, title, cards, "LSTM", players)
        two = {name: players[name] for name in ("LSTM, open gate", "RNN")}
        title += ", open gate"
        results[title] = play(page, title, cards, "LSTM, open gate", two)
    finish("crnn_vs_lstm", results)


if __name__ == "__main__":
    main()
