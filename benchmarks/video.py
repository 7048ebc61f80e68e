"""Five seeds for the chapter "Which way does time run?".

    python benchmarks/video.py

Three questions about films, each asked of films in order and of films whose frames are
shuffled in time. Writes ``results/video.json``.
"""

from common import compare, definitions, finish

# Everybody in "order"; elsewhere those whose answer is not certain beforehand.
WITHOUT_MAPS = "CRNN", "CNN along time", "CNN, stacked", "order-blind", "attention"
PLAYERS = {
    "order": (*WITHOUT_MAPS, "ConvLSTM"),
    "bounce": WITHOUT_MAPS,
    "digit": ("CRNN", "CNN, one frame"),
}


def run(page, task):
    """Train the page's rivals with each seed, and judge the CRNN."""
    films = page["films"][task]
    rivals = {name: page["rivals"][name] for name in PLAYERS[task]}
    tests = {"in order": films.test, "shuffled": page["shuffle"](films.test)}
    recipe = page["recipe"] | {"evaluate_on": tests}
    return compare(task, rivals, films, "CRNN", **recipe)


def main():
    page = definitions("sequences/video")
    results = {task: run(page, task) for task in PLAYERS}
    # The chapter reads the longer run under this name.
    results["bounce, longer"] = results["bounce"]["longer"] | {
        "ours": results["bounce"]["ours"],
        "seeds": results["bounce"]["seeds"],
        "hours": 0,  # they are counted above
    }
    finish("video", results)


if __name__ == "__main__":
    main()
