"""Count the claims of the article that have a verdict on some page."""

import re
from pathlib import Path

import nbformat
from check_book import notebooks, prose

CLAIMS = 79
CLAIM = re.compile(r"\bC\d\d\b")
VERDICT = re.compile(r"\b(?:supported|false)\b", re.IGNORECASE)


def judged_claims(paths: list[Path] | None = None) -> set[str]:
    """Return the numbers of all claims that a verdict names, with its word."""
    found: set[str] = set()
    for path in notebooks() if paths is None else paths:
        found |= in_page(prose(nbformat.read(path, as_version=4).cells))
    return found


def in_page(text: str) -> set[str]:
    """Return the claims judged in a page: verdict boxes, and rows of verdict tables."""
    found: set[str] = set()
    box = r"^(`{3,}|:{3,})\{admonition\} Verdict([^\n]*)\n(.*?)^\1[ \t]*$"
    for _, title, body in re.findall(box, text, re.MULTILINE | re.DOTALL):
        leads = {
            claim
            for part in body.split("\n\n")
            if VERDICT.search(part)
            for claim in CLAIM.findall(lead(part))
        }
        # A title counts for the claims that its box does not name one by one.
        found |= leads | (set(CLAIM.findall(title)) - set(CLAIM.findall(body)))
    for row in re.findall(r"^\| *\**(C\d\d)\b(.*)$", text, re.MULTILINE):
        found |= {row[0]} if VERDICT.search(row[1]) else set()
    return found


def lead(paragraph: str) -> str:
    """Return what a paragraph says before its first verdict."""
    return VERDICT.split(paragraph, maxsplit=1)[0]


if __name__ == "__main__":
    print(len(judged_claims()), "of", CLAIMS, *sorted(judged_claims()))
