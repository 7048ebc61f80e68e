"""What a chapter defines, for the script that trains it with several seeds.

A chapter and its script use the same data, networks and recipe because the script takes
them from the chapter: from its cells with the tag "definitions".
"""

from pathlib import Path

import nbformat
import numpy as np

import crnn_tutorial as ct

BOOK = Path(__file__).resolve().parents[1] / "book"


def definitions(page):
    """Run the cells tagged "definitions" of a chapter, and return their names.

    Parameters
    ----------
    page : str
        Such as "concepts/crnn_vs_rnn".

    Returns
    -------
    dict
        Name -> what the cells define, and ``ct``, ``np`` and ``run`` as after the
        first cells.
    """
    notebook = nbformat.read(BOOK / f"{page}.ipynb", as_version=4)
    names = {"ct": ct, "np": np, "run": ct.setup(seed=0, run="quick")}
    for cell in notebook.cells:
        if "definitions" in cell.metadata.get("tags", []):
            exec(cell.source, names)
    return names


def tell(results):
    """Print each judgement of {name: what ``ct.run_seeds`` returned}."""
    for name, found in results.items():
        for test, one in found.get("tests", {name: found}).items():
            for rival, judgement in one["judgements"].items():
                title = name if test == name else f"{name}, {test}"
                print(f"{title}, {one.get('ours', found['ours'])} - {rival}:")
                print(f"  {ct.Judgement.of(judgement).sentence}")
