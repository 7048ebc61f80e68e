"""Take the solutions of the exercises out of the chapters, and run them."""

import re
from pathlib import Path

import nbformat

BOOK = Path(__file__).resolve().parents[2] / "book"


def solution(page: str, label: str) -> dict:
    """Run the Python of a folded solution; return the names it defines.

    The code that a reader unfolds is the code that is tested.
    """
    notebook = nbformat.read(BOOK / f"{page}.ipynb", as_version=4)
    prose = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    body = re.search(
        rf"^(`{{3,}}|:{{3,}})\{{solution\}} {re.escape(label)}\s*\n(.*?)^\1[ \t]*$",
        prose,
        re.MULTILINE | re.DOTALL,
    )
    assert body, f"book/{page}.ipynb has no solution of {label!r}"
    blocks = re.findall(
        r"^```(?:\{code-block\} )?python\n(.*?)^```", body[2], re.M | re.S
    )
    assert blocks, f"the solution of {label!r} holds no Python"
    names: dict = {}
    exec("\n".join(blocks), names)
    return names
