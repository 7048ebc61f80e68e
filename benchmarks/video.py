"""Five seeds for the chapter "Which way does time run?".

    python benchmarks/video.py    # about a quarter of an hour on one core

Three questions about films, each asked of films in order and of films whose frames are
shuffled in time. Writes ``results/video.json``.
"""

from pages import definitions, tell

import crnn_tutorial as ct

SEEDS = range(5)
# Everybody in "order"; elsewhere those whose answer is not certain beforehand.
WITHOUT_MAPS = "CRNN", "CNN along time", "CNN, stacked", "order-blind", "attention"
PLAYERS = {
    "order": (*WITHOUT_MAPS, "ConvLSTM"),
    "bounce": WITHOUT_MAPS,
    "digit": ("CRNN", "CNN, one frame"),
}


def run(page, task, names, longer=1):
    """Train the page's rivals with each seed, and judge the CRNN."""
    data = page["films"][task]
    rivals = {name: page["rivals"][name] for name in names}
    tests = {"in order": data.test, "shuffled": page["shuffle"](data.test)}
    recipe = page["recipe"] | {"epochs": longer * page["recipe"]["epochs"]}
    options = recipe | {"evaluate_on": tests}
    return ct.run_seeds(lambda _: rivals, lambda: data, SEEDS, "CRNN", **options)


def main():
    page = definitions("sequences/video")
    results = {task: run(page, task, names) for task, names in PLAYERS.items()}
    # The CRNN has not begun to learn "bounce" by then.
    results["bounce, longer"] = run(page, "bounce", ("CRNN", "CNN, stacked"), longer=3)
    ct.save_results("video", results)
    tell(results)


if __name__ == "__main__":
    main()
