"""Pictures: a computation's graph, a run's curves and its report, the spectrum of a Hessian.

Floor 4. Nothing is drawn, and no drawing library imported, before it is asked for.
"""

from minigrad.viz.curves import curves
from minigrad.viz.graph import Edge, Graph, Vertex, graph
from minigrad.viz.render import RenderError
from minigrad.viz.report import ReportError, report
from minigrad.viz.spectrum import spectrum

__all__ = [
    "Edge", "Graph", "RenderError", "ReportError", "Vertex", "curves", "graph", "report",
    "spectrum",
]  # fmt: skip
