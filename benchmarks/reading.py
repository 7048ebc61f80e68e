"""Five seeds for the chapter "Reading without cutting letters apart".

    python benchmarks/reading.py

Lines of two to five handwritten digits, for readers with and without an LSTM and with
and without CTC. Writes ``results/reading.json``.
"""

from common import compare, definitions, finish


def main():
    page = definitions("sequences/text")
    readers, deeper = page["readers"], page["deeper"]
    parts = {
        "lines": [name for name in readers if name != deeper],
        "deeper": ["CRNN", deeper],
    }
    results = {
        title: compare(
            title,
            {name: readers[name] for name in names},
            page["strings"],
            "CRNN",
            **page["recipe"],
        )
        for title, names in parts.items()
    }
    finish("reading", results)


if __name__ == "__main__":
    main()
