"""Load MathJax, more than a megabyte, on pages that have formulas.

A notebook counts as one that may have formulas, whatever it holds.
"""


def is_mathjax(script):
    """Tell MathJax and its settings from other scripts."""
    attributes = getattr(script, "attributes", {})
    name = str(getattr(script, "filename", script))
    body = attributes.get("body") or ""
    return "mathjax" in name or "window.MathJax" in body


def drop_mathjax(app, pagename, templatename, context, doctree):
    """Drop it where the page's body has no formula."""
    body = context.get("body", "")
    if 'class="math' in body or "text_latex" in body:
        return
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if not is_mathjax(script)
    ]


def setup(app):
    """Register with Sphinx, after those that add scripts."""
    app.connect("html-page-context", drop_mathjax, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
