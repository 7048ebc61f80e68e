"""Check the built site: pages, what they load, figures, ids, what others show of them.

python scripts/check_site.py _build/html
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from check_book import ROOT, toc_pages

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


PICTURES = {"img", "svg", "video", "canvas"}


class Page(HTMLParser):
    """What a page loads, its ids, its meta tags, its images, figures with pictures."""

    def __init__(self, html: str):
        super().__init__()
        self.addresses: list[str] = []
        self.ids: Counter[str] = Counter()
        self.meta: list[tuple[str, str]] = []
        self.images: list[dict[str, str]] = []
        self.figures: dict[str, bool] = {}
        self.figure: str | None = None
        self.feed(html)
        self.addresses += re.findall(r"@import\s+(?:url\()?[\"']?([^\"')]+)", html)

    def handle_starttag(self, tag, attributes):
        values = {name: value or "" for name, value in attributes}
        if values.get("id"):
            self.ids[values["id"]] += 1
        if tag in LOADS:
            self.addresses.append(values.get(LOADS[tag], ""))
        elif tag == "link" and LOADING_LINKS & set(values.get("rel", "").split()):
            self.addresses.append(values.get("href", ""))
        elif tag == "meta":
            name = values.get("name") or values.get("property", "")
            self.meta.append((name, values.get("content", "")))
        elif tag == "figure":
            self.figure = values.get("id", "")
            self.figures[self.figure] = False
        if tag == "img":
            self.images.append(values)
        if tag in PICTURES and self.figure is not None:
            self.figures[self.figure] = True

    def handle_endtag(self, tag):
        if tag == "figure":
            self.figure = None


def is_outside(address: str) -> bool:
    return bool(re.match(r"(?:https?:)?//", address.strip()))


def check_site(site: Path, pages: list[str], root: Path = ROOT) -> Iterator[str]:
    """Yield what is missing, loaded from outside or left open, in words."""
    for page in pages:
        path = site / f"{page}.html"
        if not path.is_file():
            yield f"the site lacks {page}.html"
            continue
        read = Page(path.read_text("utf-8"))
        faults = [*check_head(read, site), *check_body(read)]
        faults += check_figures(read, root / f"{page}.ipynb")
        yield from (f"{page}: {fault}" for fault in faults)
    for path in sorted(site.rglob("*.html")):
        if "_static" in path.relative_to(site).parts:
            continue
        yield from check_loads(path, path.relative_to(site), site)
    for path in sorted((site / "_static").glob("*.css")):
        for address in re.findall(r"url\([\"']?([^\"')]+)", path.read_text("utf-8")):
            if is_outside(address):
                yield f"{path.name} loads {address}"


def check_loads(path: Path, name: Path, site: Path) -> Iterator[str]:
    for address in filter(None, Page(path.read_text("utf-8")).addresses):
        if is_outside(address):
            yield f"{name} loads {address} from outside"
        elif not address.startswith(("data:", "#")):
            target = (path.parent / re.split(r"[?#]", address)[0]).resolve()
            if not target.is_file():
                yield f"{name} loads {address}, which the site lacks"


def check_head(page: Page, site: Path) -> Iterator[str]:
    """What search engines and chats show of the page."""
    count = Counter(name for name, _ in page.meta)
    meta = dict(page.meta)
    for name in ("viewport", "description", "og:description", "og:site_name"):
        if count[name] != 1:
            yield f"{count[name]} meta tags {name}; expected one"
    for name in ("description", "og:description"):
        text = meta.get(name, ".")
        if not re.search(r"[.?!:][)\"\u201d]?$", text) or text.endswith("..."):
            yield f"the {name} stops in a sentence: {text[-30:]!r}"
        if "<" in text:
            yield f"the {name} holds markup: {text[:60]!r}"
        if re.match(r"cost\b", text, re.IGNORECASE):
            yield f"the {name} is the cost, not the question"
    image = meta.get("og:image", "")
    if not re.match("https?://", image):
        yield f"og:image is {image!r}; expected an absolute address"
    elif not (site / "_static" / image.rsplit("/", 1)[-1]).is_file():
        yield f"og:image is {image}, which the site lacks"


def check_body(page: Page) -> Iterator[str]:
    """Each id occurs once; each picture of ours keeps its place while it loads."""
    for name, number in page.ids.items():
        if number > 1:
            yield f"the id {name!r} occurs {number} times"
    for image in page.images:
        if "_images/" in image.get("src", "") and not {"width", "height"} <= set(image):
            yield f"{image['src']} has no width and height"


def check_figures(page: Page, notebook: Path) -> Iterator[str]:
    """Each captioned figure has a picture, on the page and in the notebook's words."""
    for name, has_picture in page.figures.items():
        if not has_picture:
            yield f"the figure {name!r} has no picture"
    for name in named_figures(notebook):
        if name not in page.figures:
            yield f"the figure {name!r} has a caption, but its cell drew no picture"


def named_figures(notebook: Path) -> list[str]:
    """List the names of figures in the metadata of cells that are shown."""
    if not notebook.is_file():
        return []
    found = []
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        figure = cell["metadata"].get("mystnb", {}).get("figure", {})
        hidden = {"remove-cell", "remove-output"} & set(
            cell["metadata"].get("tags", ())
        )
        if figure.get("name") and not hidden:
            found.append(figure["name"])
    return found


def main(folder: str) -> int:
    pages = toc_pages()
    faults = list(check_site(Path(folder), pages))
    print("\n".join(faults) or f"Site checked: {len(pages)} pages, self-contained.")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
