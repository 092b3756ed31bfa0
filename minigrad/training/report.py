"""Report: leaves the picture of the graph and the page that shows all of a run.

What is not here: the page (`minigrad.viz.reports`), the numbers (`logs.py`, `layer_log.py`), what a
classifier gets wrong (`mistakes.py`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from minigrad.nn import Module
from minigrad.training.callback import Callback
from minigrad.training.logs import finite
from minigrad.training.store import write_atomically

if TYPE_CHECKING:
    from minigrad.training.loop import Loop


class DrawGraph(Callback):
    """Draw the graph of the model's first forward pass: ``graph.svg`` of the run folder.

    The pass is repeated after the first step, watched, and leaves no trace in model or generators.
    Where no program draws it, ``graph.dot`` is left, and a note says what to install. A folder that
    has the graph already keeps it. Whatever goes wrong is a note: training goes on.
    """

    order: ClassVar[int] = 5  # before those that measure the next step

    def __init__(self) -> None:
        self._inputs: Any = None
        self._remove: Callable[[], None] | None = None

    def on_train_begin(self, loop: Loop) -> None:
        """Wait for the first input."""
        if loop.run is None:
            raise ValueError("DrawGraph() needs fit(..., run=FOLDER)")
        drawn = loop.run.graph.exists() or loop.run.graph.with_suffix(".dot").exists()
        if isinstance(loop.model, Module) and not drawn:
            self._remove = loop.model.register_forward_pre_hook(self._keep)

    def _keep(self, model: Module, inputs: Any) -> None:
        self._inputs = inputs
        self.close()

    def on_step_end(self, loop: Loop) -> None:
        """Draw the graph, after the first step."""
        if self._inputs is None:
            return
        inputs, self._inputs = self._inputs, None
        assert loop.run is not None
        from minigrad import viz  # here, so that training without a run loads nothing of it
        from minigrad.viz.render import render

        file = loop.run.graph
        try:
            graph = viz.graph(loop.model, *inputs)
            try:
                write_atomically(file, render(graph.dot))
            except viz.RenderError as error:
                write_atomically(file.with_suffix(".dot"), graph.dot.encode())
                loop.note(f"graph.dot instead of graph.svg: {error}")
        except Exception as error:  # no picture is worth a run
            loop.note(f"no graph: {error}")

    def close(self) -> None:
        """Stop waiting."""
        if self._remove is not None:
            self._remove()
            self._remove = None


class Report(Callback):
    """Leave ``report.html`` of the run folder, and at the end ``mistakes.json`` of a classifier.

    The page is written anew while training goes on, at most every `interval` seconds and rarely
    enough to cost less than a hundredth of the time, and when training ends, in whatever way. It is
    of what the other files say; ``minigrad report RUN`` writes it again. Whatever goes wrong is a
    note: training goes on.
    """

    order: ClassVar[int] = 95

    def __init__(self, interval: float = 15.0) -> None:
        self.interval = interval
        self._due = 0.0
        self._loop: Loop | None = None

    def on_train_begin(self, loop: Loop) -> None:
        """Forget the mistakes of a run that goes on."""
        if loop.run is None:
            raise ValueError("Report() needs fit(..., run=FOLDER)")
        self._loop = loop
        self._due = time.monotonic() + self.interval
        if loop.unfinished:
            loop.run.mistakes.unlink(missing_ok=True)

    def on_epoch_end(self, loop: Loop) -> None:
        """Write the page, if it is time."""
        if time.monotonic() >= self._due:
            begin = time.monotonic()
            self._write(loop)
            end = time.monotonic()
            self._due = end + max(self.interval, 100 * (end - begin))

    def on_train_end(self, loop: Loop) -> None:
        """Look at the mistakes of the final weights."""
        from minigrad.training.mistakes import of_run

        assert loop.run is not None
        try:
            found = of_run(loop)
            if found is not None:
                write_atomically(loop.run.mistakes, json.dumps(finite(found)).encode())
        except Exception as error:  # of data or a model that are not as others are
            loop.note(f"no mistakes.json: {error}")

    def close(self) -> None:
        """Write the page of all there is."""
        if self._loop is not None:
            self._write(self._loop)
            self._loop = None

    def _write(self, loop: Loop) -> None:
        from minigrad import viz

        assert loop.run is not None
        try:
            write_atomically(loop.run.report, viz.report(loop.run.path).encode())
        except Exception as error:  # files that others changed meanwhile, a full disk
            loop.note(f"no report.html: {error}")
