"""Five seeds for the page "Patches: a page in pieces".

    python benchmarks/patches.py

Blocks of a page and textures, read in patches, and other sizes of a patch. Writes
``results/patches.json``; two patches far apart have a script of their own.
"""

from dataclasses import replace

import numpy as np
from common import compare, definitions, finish

import crnn_tutorial as ct

SIZE = 48, 48  # pixels of an image
POOL = 3  # times the images of a training: what a seed draws from


def draw_from(load, sizes):
    """Return seed -> the dataset with other images to train on, and the same test.

    Textures of all seeds come from the same regions, blocks of a page are drawn with
    the same fonts and words: neither is ever used in the test.
    """
    train, validation, test = sizes
    first = load(sizes=sizes, size=SIZE)
    pool = load(sizes=(POOL * train, POOL * validation, test), size=SIZE)

    def draw(seed):
        rng = np.random.default_rng(seed)
        chosen = (
            split[rng.permutation(len(split))[:count]]
            for split, count in ((pool.train, train), (pool.validation, validation))
        )
        return replace(first, **dict(zip(("train", "validation"), chosen, strict=True)))

    return draw


def main():
    page = definitions("faq/patches")
    recipe = page["recipe"]
    blocks = draw_from(ct.load_page_blocks, page["sizes"])
    textures = draw_from(ct.load_textures, page["sizes"])
    # Drawn in a figure, and not judged: one learning rate for all, and no longer run.
    one_rate = recipe | {"learning_rates": None, "longer": None}
    results = {
        "blocks": compare("blocks", page["block_rivals"](), blocks, "CRNN", **recipe),
        "textures": compare(
            "textures",
            page["texture_rivals"](),
            textures,
            "CRNN",
            **recipe | page["longer_for_textures"],
        ),
        "sizes": compare("sizes", page["by_size"](), blocks, "48 px", **one_rate),
    }
    finish("patches", results)


if __name__ == "__main__":
    main()
