"""A math renderer for Sphinx that writes MathML, which browsers draw by themselves.

Nothing is loaded, no script runs, and a screen reader reads it. latex2mathml converts; a command
that it does not know, and would pass through, ends the build.
"""

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.errors import ExtensionError


def converted(node, display):
    """Return the MathML of a formula in TeX."""
    tex = node.astext()
    found = convert(tex, display=display)
    if "\\" in found or "&amp;" in found or ">&<" in found:
        raise ExtensionError(f"{node.source}: latex2mathml does not know all of {tex}")
    return found


def inline(self, node):
    """Write a formula that stands in a line."""
    self.body.append(converted(node, "inline"))
    raise nodes.SkipNode


def displayed(self, node):
    """Write a formula that stands by itself."""
    self.body.append(f'<div class="math">{converted(node, "block")}</div>')
    raise nodes.SkipNode


def setup(app):
    """Register the renderer, and choose it."""
    app.add_html_math_renderer("mathml", (inline, None), (displayed, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
