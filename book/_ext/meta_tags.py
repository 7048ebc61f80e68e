"""Write one viewport tag, and descriptions that are whole sentences.

The description is how a page begins: its question. Left alone,
sphinxext-opengraph cuts it in the middle of a word.
"""

import html
import re

from docutils import nodes

VIEWPORT = re.compile(r'<meta name="viewport"[^>]*>\s*')
LONGEST = 250  # letters; what search engines and chats show


def first_paragraph(doctree):
    """Return the text below the title, without comments in HTML."""
    section = doctree.next_node(nodes.section)
    if section is None:
        return ""
    found = section.next_node(nodes.paragraph, descend=True)
    if found is None:
        return ""
    pieces = [
        text.astext()
        for text in found.findall(nodes.Text)
        if not isinstance(text.parent, nodes.raw)
    ]
    return " ".join("".join(pieces).split())


def whole_sentences(text):
    """Keep the first sentence, and those after it that fit."""
    kept = ""
    for sentence in re.split(r"(?<=[.?!])\s+", text):
        if kept and len(kept) + len(sentence) >= LONGEST:
            break
        kept = f"{kept} {sentence}".strip()
    return kept


def describe(app, pagename, templatename, context, doctree):
    """Set the description, before opengraph looks for one."""
    tags = VIEWPORT.sub("", context.get("metatags", ""))
    text = whole_sentences(first_paragraph(doctree)) if doctree else ""
    if text:
        quoted = html.escape(text)
        tags += f'\n<meta name="description" content="{quoted}" />\n'
        fields = {"og:description": html.escape(text, quote=False)}
        context["meta"] = {**(context.get("meta") or {}), **fields}
    context["metatags"] = tags


def setup(app):
    """Register with Sphinx, before those that add tags."""
    app.connect("html-page-context", describe, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
