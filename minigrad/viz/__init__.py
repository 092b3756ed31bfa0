"""Pictures: a computation's graph, a run's curves and its report, the spectrum of a Hessian.

Floor 4. Nothing is drawn, and no drawing library imported, before it is asked for.
"""

from minigrad.viz.curves import curves
from minigrad.viz.graphs import Box, Edge, Graph, Trace, Vertex, graph, html, trace
from minigrad.viz.render import RenderError
from minigrad.viz.report import ReportError, report
from minigrad.viz.spectrum import spectrum

__all__ = [
    "Box", "Edge", "Graph", "RenderError", "ReportError", "Trace", "Vertex", "curves", "graph",
    "html", "report", "spectrum", "trace",
]  # fmt: skip
