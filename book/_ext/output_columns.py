"""Tell the stylesheet how many columns a printed table has.

book.css makes the letters of a table as small as they must be for its
lines to fit the box. Printed prose wraps, at a size that reads well.
"""

import html
import re
import unicodedata

PRINTED = re.compile(
    r'<div class="output (?:stream|text_plain)[^"]*"(?=>)'
    r"(?=.*?<pre>(?:<span></span>)?(.*?)</pre>)",
    re.DOTALL,
)
TAG = re.compile(r"<[^>]+>")
GAP = re.compile(r"\S {2,}\S")


def columns(line):
    """Count columns: a Chinese character takes two."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in line)
    return len(line) + wide


def name_columns(match):
    """Add the number of columns to an output that holds a table."""
    lines = html.unescape(TAG.sub("", match[1])).splitlines()
    if not any(GAP.search(line) for line in lines):
        return match[0]
    widest = max(columns(line.rstrip()) for line in lines)
    return f'{match[0]} style="--columns: {widest}"'


def name_all_columns(app, pagename, templatename, context, doctree):
    """Work on the finished HTML: docutils knows no styles."""
    if "body" in context:
        context["body"] = PRINTED.sub(name_columns, context["body"])


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", name_all_columns)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
