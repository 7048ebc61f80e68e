"""Put the numbers that the chapters measured into their prose; check that they agree.

A chapter calls `ct.record(name="98.9 %")`; its prose holds `<!--=name-->...<!--/-->`,
which shows the number on the site, on Colab and on GitHub alike. Elsewhere (README.md,
another chapter) the mark names the page too: `<!--=code/model:name-->`. What is counted
over the whole book stands under `book`: `<!--=book:judged-->`. So no number in the book
is typed by hand.

    python scripts/fill_numbers.py          # fill in
    python scripts/fill_numbers.py --check  # only tell what disagrees
"""

import json
import re
import sys
from functools import cache
from pathlib import Path

import nbformat
from claims import CLAIMS, judged_claims

ROOT = Path(__file__).resolve().parent.parent
MARK = re.compile(r"<!--=([\w/]+:)?(\w+)-->(.*?)<!--/-->", re.DOTALL)
RECORD = re.compile(r"^record: (\{.*\})$", re.MULTILINE)


@cache
def records(path: Path) -> dict[str, str]:
    """Return what the stored outputs of a notebook record."""
    return recorded(nbformat.read(path, as_version=4))


def recorded(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """Return what the outputs of a notebook record."""
    found: dict[str, str] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for line in RECORD.findall(output.get("text", "")):
                found |= json.loads(line)
    return found


@cache
def counted() -> dict[str, str]:
    """Return what is counted over the whole book: `<!--=book:judged-->`."""
    return {"judged": str(len(judged_claims())), "claims": str(CLAIMS)}


def fill(text: str, own_page: Path | None, faults: list[str]) -> str:
    """Replace each marked number by the recorded one; collect what is wrong."""

    def replace(match):
        page, name, old = match.groups()
        if page == "book:":
            known = counted()
        else:
            source = ROOT / "book" / f"{page[:-1]}.ipynb" if page else own_page
            known = records(source) if source and source.exists() else {}
        if name not in known:
            faults.append(f"nothing records {(page or '') + name}")
            return match[0]
        if known[name] != old:
            faults.append(f"{(page or '') + name} is {known[name]!r}, not {old!r}")
        return f"<!--={page or ''}{name}-->{known[name]}<!--/-->"

    return MARK.sub(replace, text)


def fill_notebook(path: Path, check: bool) -> list[str]:
    """Fill one notebook's prose."""
    notebook = nbformat.read(path, as_version=4)
    faults: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = fill(cell.source, path, faults)
    if faults and not check:
        nbformat.write(notebook, path)
    return faults


def fill_text(path: Path, check: bool) -> list[str]:
    """Fill a Markdown file."""
    faults: list[str] = []
    text = fill(path.read_text("utf-8"), None, faults)
    if faults and not check:
        path.write_text(text, "utf-8")
    return faults


def pages() -> list[Path]:
    """List the files that may hold marked numbers."""
    found = [*(ROOT / "book").rglob("*.ipynb"), *(ROOT / "book").rglob("*.md")]
    found = [path for path in found if ".ipynb_checkpoints" not in path.parts]
    return sorted([*found, ROOT / "README.md"])


def faults(check: bool) -> list[str]:
    """Fill (or check) every page; tell what was filled or is wrong."""
    told = []
    for path in pages():
        act = fill_notebook if path.suffix == ".ipynb" else fill_text
        name = path.relative_to(ROOT).as_posix()
        told += [f"{name}: {fault}" for fault in act(path, check)]
    return told


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    told = faults(check)
    print("\n".join(told) or "Every number in the prose is the recorded one.")
    return int(check and bool(told))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
