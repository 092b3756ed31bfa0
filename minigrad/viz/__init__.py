"""Pictures: a computation's graph, a run's curves and its report, how methods go down, curvature.

Floor 4. Nothing is drawn, and no drawing library imported, before it is asked for.
"""

from minigrad.viz.curves import curves
from minigrad.viz.graphs import Box, Edge, Graph, Trace, Vertex, graph, html, trace
from minigrad.viz.picture import Picture
from minigrad.viz.race import RATES, Race, Run, race
from minigrad.viz.render import RenderError
from minigrad.viz.report import ReportError, report
from minigrad.viz.spectrum import spectrum
from minigrad.viz.surfaces import SURFACES, Surface

__all__ = [
    "RATES", "SURFACES", "Box", "Edge", "Graph", "Picture", "Race", "RenderError", "ReportError",
    "Run", "Surface", "Trace", "Vertex", "curves", "graph", "html", "race", "report", "spectrum",
    "trace",
]  # fmt: skip
