"""Write the page that the server shows for a wrong address.

It is shown at any depth, so its links start from a base: the path of
the site, which the template takes from `html_baseurl`.
"""

from urllib.parse import urlparse


def not_found_page(app):
    """Add 404.html, where GitHub Pages looks for it."""
    path = urlparse(app.config.html_baseurl).path.rstrip("/") + "/"
    context = {"title": "There is no such page", "base": path}
    yield "404", context, "404.html"


def setup(app):
    """Register with Sphinx."""
    app.connect("html-collect-pages", not_found_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
