"""Five seeds for the chapter "Preprocessing".

    python benchmarks/preprocessing.py

Pixels up to 1 or up to 255, with and without batch normalisation; and rows of digits,
squashed or padded. Writes ``results/preprocessing.json``.
"""

from dataclasses import replace

from common import compare, definitions, draw_digits, finish


def scale(page, title, norm):
    networks = page["networks"]
    pair = {name: networks[name] for name in (f"up to 1{norm}", f"up to 255{norm}")}
    recipe = page["recipe"] | {"epochs": 5}
    return compare(title, pair, page["digits"], f"up to 1{norm}", **recipe)


def squash(page, title, longest):
    def make(seed):
        digits = draw_digits(page, seed)
        return {
            how: replace(
                page["first_digit"](longest, how),
                validation=page["rows"](digits.validation, 400, longest, how),
            )
            for how in page["hows"]
        }

    recipe = page["recipe"] | {"epochs": 6}
    return compare(title, page["hows"], make, "pad", **recipe)


def main():
    page = definitions("code/preprocessing")
    results = {
        "plain": scale(page, "plain", ""),
        "batch norm": scale(page, "batch norm", ", batch norm"),
    }
    for longest in page["views"]:
        title = f"{longest} digits"
        results[title] = squash(page, title, longest)
    finish("preprocessing", results)


if __name__ == "__main__":
    main()
