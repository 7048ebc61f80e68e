"""Check the built site: every page is there, and nothing is loaded from outside.

python scripts/check_site.py _build/html
"""

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from check_book import toc_pages

# What a browser fetches by itself when it shows the page.
LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
}
LOADING_LINKS = {
    "stylesheet",
    "icon",
    "preload",
    "modulepreload",
    "prefetch",
    "manifest",
}


class Resources(HTMLParser):
    """Collect the addresses that a page loads, links to other pages left out."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attributes):
        values = {name: value or "" for name, value in attributes}
        if tag in LOADS:
            self.addresses.append(values.get(LOADS[tag], ""))
        elif tag == "link" and LOADING_LINKS & set(values.get("rel", "").split()):
            self.addresses.append(values.get("href", ""))


def resources(html: str) -> list[str]:
    parser = Resources()
    parser.feed(html)
    in_styles = re.findall(r"@import\s+(?:url\()?[\"']?([^\"')]+)", html)
    return [address for address in parser.addresses + in_styles if address]


def is_outside(address: str) -> bool:
    return bool(re.match(r"(?:https?:)?//", address.strip()))


def check_site(site: Path, pages: list[str]) -> Iterator[str]:
    """Yield what is missing or loaded from outside, in words."""
    for page in pages:
        if not (site / f"{page}.html").is_file():
            yield f"the site lacks {page}.html"
    for path in sorted(site.rglob("*.html")):
        if "_static" in path.relative_to(site).parts:
            continue
        yield from check_page(path, path.relative_to(site), site)
    for path in sorted((site / "_static").glob("*.css")):
        for address in re.findall(r"url\([\"']?([^\"')]+)", path.read_text("utf-8")):
            if is_outside(address):
                yield f"{path.name} loads {address}"


def check_page(path: Path, name: Path, site: Path) -> Iterator[str]:
    for address in resources(path.read_text("utf-8")):
        if is_outside(address):
            yield f"{name} loads {address} from outside"
        elif not address.startswith(("data:", "#")):
            target = (path.parent / re.split(r"[?#]", address)[0]).resolve()
            if not target.is_file():
                yield f"{name} loads {address}, which the site lacks"


def main(folder: str) -> int:
    pages = toc_pages()
    faults = list(check_site(Path(folder), pages))
    print("\n".join(faults) or f"Site checked: {len(pages)} pages, self-contained.")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
