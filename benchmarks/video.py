"""Five seeds for the chapter "Which way does time run?".

    python benchmarks/video.py                     # half an hour on one core
    python benchmarks/video.py "bounce, longer"    # this part only, the rest stays

Three questions about films, each asked of films in order and of films whose frames are
shuffled in time. Writes ``results/video.json``.
"""

import sys

from pages import definitions, tell

import crnn_tutorial as ct

SEEDS = range(5)
# Everybody in "order"; elsewhere those whose answer is not certain beforehand.
WITHOUT_MAPS = "CRNN", "CNN along time", "CNN, stacked", "order-blind", "attention"
LONGER = ", longer"  # three times the epochs of the page: by then the CRNN has learnt
PLAYERS = {
    "order": (*WITHOUT_MAPS, "ConvLSTM"),
    "bounce": WITHOUT_MAPS,
    "digit": ("CRNN", "CNN, one frame"),
    "bounce" + LONGER: ("CRNN", "CNN along time", "CNN, stacked", "attention"),
}


def run(page, part):
    """Train the page's rivals with each seed, and judge the CRNN."""
    data = page["films"][part.removesuffix(LONGER)]
    rivals = {name: page["rivals"][name] for name in PLAYERS[part]}
    tests = {"in order": data.test, "shuffled": page["shuffle"](data.test)}
    times = 3 if part.endswith(LONGER) else 1
    recipe = page["recipe"] | {"epochs": times * page["recipe"]["epochs"]}
    options = recipe | {"evaluate_on": tests}
    return ct.run_seeds(lambda _: rivals, lambda: data, SEEDS, "CRNN", **options)


def main(*parts):
    page = definitions("sequences/video")
    results = ct.load_results("video") if parts else {}
    for part in parts or PLAYERS:
        results[part] = run(page, part)
    ct.save_results("video", results)
    tell(results)


if __name__ == "__main__":
    main(*sys.argv[1:])
