"""Give the content of each exercise and solution an id of its own.

sphinx-exercise calls every one of them "exercise-content" or
"solution-content"; an id may occur once on a page.
"""

from docutils import nodes


def rename_contents(app, doctree):
    """Name each content after its exercise or solution."""
    for section in doctree.findall(nodes.section):
        if section["ids"] in (
            ["exercise-content"],
            ["solution-content"],
        ):
            section["ids"] = [f"{section.parent['label']}-content"]


def setup(app):
    """Register with Sphinx."""
    app.connect("doctree-read", rename_contents)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
