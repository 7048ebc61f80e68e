"""Emit each inline script once.

Every page gets the same `const` declarations twice; the browser
refuses the second with "Identifier has already been declared".
"""


def drop_repeated_scripts(
    app, pagename, templatename, context, doctree
):
    """Keep the first of several scripts with the same body."""
    seen = set()
    kept = []
    for script in context.get("script_files", []):
        body = getattr(script, "attributes", {}).get("body")
        if body and body in seen:
            continue
        seen.add(body)
        kept.append(script)
    if "script_files" in context:
        context["script_files"] = kept


def setup(app):
    """Register with Sphinx, after those that add the scripts."""
    app.connect(
        "html-page-context", drop_repeated_scripts, priority=900
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
