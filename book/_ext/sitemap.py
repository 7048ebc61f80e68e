"""Write sitemap.xml: the address of every page of the book."""

from html import escape
from pathlib import Path

HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
SCHEMA = "http://www.sitemaps.org/schemas/sitemap/0.9"


def write_sitemap(app, error):
    """Write it beside the pages, once they are built."""
    if error or app.builder.name != "html":
        return
    base = app.config.html_baseurl.rstrip("/")
    pages = sorted(app.env.found_docs)
    addresses = [app.builder.get_target_uri(page) for page in pages]
    lines = [
        f"  <url><loc>{escape(f'{base}/{address}')}</loc></url>"
        for address in addresses
    ]
    text = [HEAD, f'<urlset xmlns="{SCHEMA}">', *lines, "</urlset>\n"]
    target = Path(app.outdir) / "sitemap.xml"
    target.write_text("\n".join(text), "utf-8")


def setup(app):
    """Register with Sphinx."""
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
