"""Five seeds for the chapter "When are rows enough?".

    python benchmarks/crnn_vs_lstm.py    # about twenty minutes on one core

Digits zoomed to and roaming on larger pictures, and a memory game: cards of four suits
pass by, asked is the first. Writes ``results/crnn_vs_lstm.json``.
"""

import keras
from keras import layers
from pages import definitions, tell

import crnn_tutorial as ct

SEEDS = range(5)
ALL = ("CRNN", "LSTM", "CNN", "order-blind", "attention")
DUELS = {
    ("zoom", 8): ALL,
    ("zoom", 16): ALL[:2],
    ("zoom", 32): ALL[:2],
    ("roam", 16): ALL,
    ("roam", 32): ALL[:4],
}
CARDS = (10, 20, 40, 80)


def duel(page, way, side, names):
    data, augment = page["grown"](way, side)
    return ct.run_seeds(
        lambda _: {name: page["line_up"](side)[name] for name in names},
        lambda: data,
        SEEDS,
        "CRNN",
        epochs=10,
        augment=augment,
        **page["recipe"],
    )


def play(page, cards, ours, players):
    return ct.run_seeds(
        lambda _: players,
        lambda: page["game"](cards),
        SEEDS,
        ours,
        **page["recipe"] | {"batch_size": 64, "epochs": 1},
    )


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
        results[f"{cards} cards"] = play(page, cards, "LSTM", players)
        two = {name: players[name] for name in ("LSTM, open gate", "RNN")}
        results[f"{cards} cards, open gate"] = play(page, cards, "LSTM, open gate", two)
    ct.save_results("crnn_vs_lstm", results)
    tell(results)


if __name__ == "__main__":
    main()
