"""The appendix leaves nothing out: claims, questions, terms, modules."""

import pkgutil
import re
from pathlib import Path

import pytest

import crnn_tutorial

pytest.importorskip("nbformat")

import check_book  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
APPENDIX = ROOT / "book" / "appendix"


def read(name):
    return (APPENDIX / name).read_text("utf-8")


# ------------------------------------------------------------ the article's map


def numbered(text, letter):
    """List the numbers of C01, C02-C05 and so on, ranges spelt out."""
    found = set()
    for first, last in re.findall(rf"\b{letter}(\d+)(?:-{letter}(\d+))?\b", text):
        found |= set(range(int(first), int(last or first) + 1))
    return found


def test_ranges_are_spelt_out():
    assert numbered("C01, C03-C05; Q7", "C") == {1, 3, 4, 5}


def test_the_map_names_every_claim_and_every_question():
    page = read("article_map.md")
    rows = "\n".join(line for line in page.splitlines() if line.startswith("|"))
    assert numbered(rows, "C") == set(range(1, 80))
    assert re.findall(r"^\| \*\*Q(\d+)\*\*", page, re.M) == [
        str(number) for number in range(1, 32)
    ]


def test_what_the_map_calls_planned_is_not_there_yet():
    """A page that exists is linked: this fails on the day on which one is written."""
    written = check_book.toc_pages()
    for cell in re.findall(r"planned: ([^|]+)", read("article_map.md")):
        for page in cell.split(","):
            assert f"book/{page.strip()}" not in written, f"link {page.strip()}"


# ------------------------------------------------------------ the glossary


def plain(name):
    return re.sub(r"</?span[^>]*>", "", name).strip()


def glossary():
    """Return term -> Chinese name twice: from A to Z, and from the index by pinyin."""
    body, index = read("glossary.md").split(":::{glossary}\n")[1].split("\n:::")
    entries = re.findall(r"^(\S[^\n]*)\n  (.+?)\. ", body, re.M)
    listed = re.findall(r"(?:^\*\*\w\*\*|·) +([^·\n]+?) \{term\}`([^`]+)`", index, re.M)
    return (
        {term: plain(name) for term, name in entries},
        {term: plain(name) for name, term in listed},
    )


def test_the_glossary_is_in_order_and_its_index_complete():
    terms, index = glossary()
    assert len(terms) > 100
    assert list(terms) == sorted(terms, key=str.lower)
    assert index == terms


# ------------------------------------------------------------ the package's page


def test_the_api_pages_have_every_public_module_and_name():
    pages = "\n".join(read(path) for path in sorted(APPENDIX.glob("api/*.md")))
    shown = re.findall(r"^\.\. automodule:: (\S+)$", pages, re.M)
    assert len(shown) == len(set(shown))
    found = list(pkgutil.iter_modules(crnn_tutorial.__path__))
    wings = {one.name for one in found if one.ispkg} - {"equations"}
    modules = {one.name for one in found} - wings
    for name in set(crnn_tutorial.__all__) - wings:
        if name in modules:
            assert f"crnn_tutorial.{name}" in shown, (
                f"no API page has the module {name}"
            )
        else:
            home = getattr(crnn_tutorial, name).__module__
            assert home in shown, f"no API page shows {name} of {home}"
