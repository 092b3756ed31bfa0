"""The tables of contents, which make the side bar; on a code host the pages do without.

A page of docs/ that is not named here comes last in the guide, by its file's name.
"""

GUIDE = [
    "quickstart",
    "runs",
    "how-it-works",
    "derivatives",
    "curvature",
    "second-order-methods",
    "graphs",
    "pictures",
    "one-formula-three-machines",
    "add-an-operation",
    "add-an-optimizer",
    "backends-and-devices",
    "performance",
    "*",
]
# By page: captions, and what is below them.
CONTENTS = {
    "index": {"Course": ["course/README"], "Guide": GUIDE, "Reference": ["api/index"]},
    "course/README": {"Chapters": ["[0-9]*"]},
}


def append(app, docname, source):
    """Add its tables to a page."""
    for caption, pages in CONTENTS.get(docname, {}).items():
        options = f":hidden:\n:glob:\n:caption: {caption}"
        source[0] += f"\n```{{toctree}}\n{options}\n\n" + "\n".join(pages) + "\n```\n"


def setup(app):
    """Look at every page when it is read."""
    app.connect("source-read", append)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
