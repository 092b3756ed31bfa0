"""Pictures: a computation's graph, a run's curves and its report, how methods go down, curvature.

Floor 4. Nothing is drawn, and no drawing library imported, before it is asked for.
"""

from minigrad.viz.activations import Activations, LayerActivations, activations
from minigrad.viz.curves import curves
from minigrad.viz.decision import Decision, decision
from minigrad.viz.directions import Trajectory
from minigrad.viz.graphs import Box, Edge, Graph, Trace, Vertex, graph, html, trace
from minigrad.viz.landscape import Landscape, PlanePath, landscape
from minigrad.viz.picture import Picture
from minigrad.viz.race import RATES, Race, Run, race
from minigrad.viz.render import RenderError
from minigrad.viz.reports import ReportError, report
from minigrad.viz.show import show
from minigrad.viz.spectrum import spectrum
from minigrad.viz.surfaces import SURFACES, Surface

__all__ = [
    "RATES", "SURFACES", "Activations", "Box", "Decision", "Edge", "Graph", "Landscape",
    "LayerActivations", "Picture", "PlanePath", "Race", "RenderError", "ReportError", "Run",
    "Surface", "Trace", "Trajectory", "Vertex", "activations", "curves", "decision", "graph",
    "html", "landscape", "race", "report", "show", "spectrum", "trace",
]  # fmt: skip
