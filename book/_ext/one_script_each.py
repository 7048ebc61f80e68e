"""Emit each inline script once.

The theme and sphinx-thebe both add the same `const` declarations to every page; the
browser refuses the second one with "Identifier has already been declared".
"""


def drop_repeated_scripts(app, pagename, templatename, context, doctree):
    """Keep the first of several script entries with the same inline body."""
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
    """Register with Sphinx, after the extensions that add the scripts."""
    app.connect("html-page-context", drop_repeated_scripts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
