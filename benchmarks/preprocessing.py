"""Five seeds for the chapter "Preprocessing".

    python benchmarks/preprocessing.py    # about five minutes on one core

Pixels up to 1 or up to 255, with and without batch normalisation; and rows of digits,
squashed or padded. Writes ``results/preprocessing.json``.
"""

from pages import definitions, tell

import crnn_tutorial as ct

SEEDS = range(5)


def main():
    page = definitions("code/preprocessing")
    networks, results = page["networks"], {}
    for name, norm in (("plain", ""), ("batch norm", ", batch norm")):
        pair = {who: networks[who] for who in (f"up to 1{norm}", f"up to 255{norm}")}
        results[name] = ct.run_seeds(
            lambda _, pair=pair: pair,
            lambda: page["digits"],
            SEEDS,
            f"up to 1{norm}",
            epochs=5,
            **page["recipe"],
        )
    for longest, view in page["views"].items():
        results[f"{longest} digits"] = ct.run_seeds(
            lambda _: page["hows"],
            lambda view=view: view,
            SEEDS,
            "pad",
            epochs=6,
            **page["recipe"],
        )
    ct.save_results("preprocessing", results)
    tell(results)


if __name__ == "__main__":
    main()
