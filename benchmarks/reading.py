"""Five seeds for the chapter "Reading without cutting letters apart".

    python benchmarks/reading.py    # about ten minutes on one core

Lines of two to five handwritten digits, for readers with and without an LSTM and with
and without CTC. Writes ``results/reading.json``.
"""

from pages import definitions, tell

import crnn_tutorial as ct

SEEDS = range(5)


def compare(page, *names):
    """Train these readers of the page with each seed."""
    builders = {name: page["readers"][name] for name in names}
    options = {"validation_data": None} | page["recipe"]
    return ct.run_seeds(
        lambda _: builders, lambda: page["strings"], SEEDS, "CRNN", **options
    )


def main():
    page = definitions("sequences/text")
    deeper = page["deeper"]
    others = [name for name in page["readers"] if name != deeper]
    results = {
        "lines": compare(page, *others),
        "deeper": compare(page, "CRNN", deeper),
    }
    ct.save_results("reading", results)
    tell(results)


if __name__ == "__main__":
    main()
