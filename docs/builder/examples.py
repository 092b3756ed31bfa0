"""The examples on the site: their code below the page docs/examples.md, and links that go there.

On a code host that page's links open the files themselves, which are not in the folder of the site.
"""

import re
from pathlib import Path

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


def append(app, docname, source):
    """Add each example's code to their page; in other pages, turn the links to examples there."""
    if docname == "examples":
        text = source[0].replace("[examples](../examples)", "examples")
        text = re.sub(r"\]\(\.\./examples/(\w+)\.py\)", r"](#\1py)", text)
        source[0] = text + "".join(map(section, EXAMPLES))
        return
    source[0] = re.sub(r"\]\((?:\.\./)+examples\)", f"]({up(docname)}examples.md)", source[0])
    pattern = r"\]\((?:\.\./)+examples/(\w+)\.py\)"
    source[0] = re.sub(pattern, rf"]({up(docname)}examples.md#\1py)", source[0])


def up(docname):
    """Return the way from a page to the folder docs."""
    return "../" * docname.count("/")


def section(path):
    """Return the part of the page that shows an example."""
    return f"\n## {path.name}\n\n```{{literalinclude}} ../examples/{path.name}\n```\n"


def setup(app):
    """Look at every page when it is read."""
    app.connect("source-read", append)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
