"""Give each figure its place before it is loaded, as wide as the text.

Without width and height attributes a page jumps when an image arrives.
Notebooks store their figures at two pixels a dot, 480 dots wide: they
may grow to the text's width and stay sharp.
"""

import re

STYLED = re.compile(
    r'style="width: (\d+(?:\.\d+)?)px; height: (\d+(?:\.\d+)?)px;"'
)
TEXT_WIDTH = 688  # dots, at the width of a desktop
TALLEST = (
    900  # a taller figure does not grow: it would leave the screen
)
GROWTH = 1.45  # what two pixels a dot bear without looking soft


def shown_size(width, height):
    """Return the size in dots at which a figure is shown."""
    widest = max(width, TALLEST * width / height)
    shown = min(TEXT_WIDTH, GROWTH * width, widest)
    return round(shown), round(shown * height / width)


def as_attributes(match):
    """Write width and height where the browser looks before loading."""
    width, height = shown_size(float(match[1]), float(match[2]))
    return f'width="{width}" height="{height}"'


def size_images(app, pagename, templatename, context, doctree):
    """Work on the finished HTML."""
    if "body" in context:
        context["body"] = STYLED.sub(as_attributes, context["body"])


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", size_images)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
