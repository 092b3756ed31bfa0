"""A graph as text in DOT, Graphviz's language.

Kinds differ in shape and in color. The colors are tints of Okabe and Ito's palette, apart from each
other to color-blind readers too. Operations of the three sweeps share a shape, and are the darker
the higher their order, so that grey tells them apart. Text on all of them has contrast.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable

from minigrad.viz.graphs.data import Box, Edge, Graph, Statistics, Vertex, count
from minigrad.viz.graphs.fold import View

_STYLE = {
    "operation": 'shape=box style="rounded,filled" fillcolor="#cfe8f7" color="#0072b2"',
    "parameter": 'shape=cylinder margin="0.14,0.1" fillcolor="#fde9bf" color="#9c6000"',
    "tensor": 'shape=ellipse fillcolor="#f1f1f1" color="#666666"',
    "gradient": 'shape=box style="rounded,filled" fillcolor="#f9c3a2" color="#b34700"',
    "second": 'shape=box style="rounded,filled" fillcolor="#c9a9dc" color="#6d2f86"',
    "module": 'shape=box3d style="filled" fillcolor="#b5e6d0" color="#00694f"',
}
_SWEEPS = ("operation", "gradient", "second", "second")
_BOXES = {
    "sweep": 'style="rounded,filled" color="#cccccc" fillcolor="#fafafa"',
    "repeat": 'style="rounded,bold" color="#00785a"',
    "block": 'style="rounded,dotted" color="#999999"',
    "part": 'style="rounded,dashed" color="#999999"',
}
_BOX = 'style="rounded" color="#aaaaaa"'
_KEPT, _KEPT_LEAF = "#0072b2", "#b06f00"  # of lines from one sweep to another
LINES = 24  # of them that are drawn; more would be a tangle
# A scale of one hue from light to dark, on which dark text stays legible.
_HEAT = ("#fff7ea", "#fee8c4", "#fdd49e", "#fdbb84", "#fc9a68", "#f0805a")
_HEAD = """digraph {
  graph [rankdir=TB nodesep=0.3 ranksep=0.35 labelloc=t compound=true]
  graph [fontname="Helvetica" fontsize=11 fontcolor="#555555"]
  node [fontname="Helvetica" fontsize=13 fontcolor="#1a1a1a" style=filled penwidth=1.2]
  node [margin="0.14,0.06" height=0.4]
  edge [color="#555555" arrowsize=0.7]
"""


def write(graph: Graph) -> str:
    """Return the text of a graph, folded as its `depth` and `repeats` say."""
    return _Writer(graph).text()


class _Writer:
    """Writes one graph.

    Few edges from one sweep to another are lines. More would be a tangle: then an operation has a
    number, in `numbers`, and what goes from it to another sweep is a note beside what reads it.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.view = View(graph, graph.depth, graph.repeats)
        self.show = set(graph.show)
        self.vertices = {v.key: v for v in graph.vertices}
        norms = [v.gradient.norm for v in graph.vertices if v.gradient and v.gradient.norm > 0]
        self.range = (min(norms), max(norms)) if norms else (1.0, 1.0)
        shown = self.view.shown
        # What reads from an earlier sweep → what it reads there, each once.
        self.read: dict[str, dict[str, Edge]] = {}
        for e in graph.edges:
            if self._crosses(e) and shown[e.source] != shown[e.target]:
                self.read.setdefault(shown[e.target], {}).setdefault(shown[e.source], e)
        ties = {(shown[v.of], shown[v.key]) for v in graph.vertices if v.of}
        self.numbers: dict[str, int] = {}
        if sum(map(len, self.read.values())) + len(ties) > LINES:
            wanted = {a for a, _ in ties}.union(*self.read.values())
            for key in shown.values():
                plain = key in self.vertices and self.vertices[key].kind != "operation"
                if key in wanted and not plain:
                    self.numbers.setdefault(key, len(self.numbers) + 1)

    def _crosses(self, e: Edge) -> bool:
        return self.vertices[e.target].sweep > self.vertices[e.source].sweep

    def text(self) -> str:
        """Return the whole text."""
        caption = self.graph.caption()
        title = f"{_escape(self.graph.title)}<BR/>" if self.graph.title else ""
        if self.numbers:
            caption += "<BR/>dashed: what another pass has computed, and its operation's number"
        lines = [_HEAD, f"  label=<{title}{caption}>\n"]
        lines += self._contents("", "  ")
        lines += self._edges()
        return "".join([*lines, "}\n"])

    def _contents(self, top: str, indent: str) -> list[str]:
        """Return what is in a box, boxes as clusters; by a loop, since boxes nest."""
        inside: dict[str, list[str]] = {}
        seen = set()
        for v in self.graph.vertices:
            key = self.view.shown[v.key]
            if key in seen:
                continue
            seen.add(key)
            if key in self.vertices:
                box, line = self.view.home[key], self._vertex(self.vertices[key])
            else:
                box, line = self.view.parents[key], self._folded(self.view.boxes[key])
            inside.setdefault(box, []).append(line)
            inside[box] += self._notes(key)
            while box:  # a cluster stands where its first vertex does
                parent = self.view.parents[box]
                if box in inside.setdefault(parent, []):
                    break
                inside[parent].append(box)
                box = parent
        lines: list[str] = []
        stack: list[tuple[str, str, bool]] = [(top, indent, True)]
        while stack:
            item, space, opening = stack.pop()
            if not opening:
                lines.append(f"{space}}}\n")
            elif item in self.view.boxes or item == top:
                deeper = space if item == top else space + "  "
                if item != top:
                    style = self._box(self.view.boxes[item])
                    lines.append(f"{space}subgraph cluster_{item} {{\n{deeper}{style}\n")
                    stack.append((item, space, False))
                stack += [(x, deeper, True) for x in reversed(inside.get(item, []))]
            else:
                lines.append(f"{space}{item}\n")
        return lines

    def _vertex(self, v: Vertex) -> str:
        style = _STYLE[_SWEEPS[v.sweep] if v.kind == "operation" else v.kind]
        if "gradients" in self.show and v.gradient is not None:
            style += f' fillcolor="{self._heat(v.gradient.norm)}"'
        return f"{v.key} [{style} label=<{self._label(v)}>]"

    def _heat(self, norm: float) -> str:
        low, high = self.range
        if not norm > 0:
            return "#ffffff"
        share = (math.log(norm) - math.log(low)) / (math.log(high) - math.log(low) or 1.0)
        return _HEAT[min(int(share * len(_HEAT)), len(_HEAT) - 1)]

    def _label(self, v: Vertex) -> str:
        """Return a vertex's label in Graphviz's subset of HTML: its name, the rest in small."""
        name = _escape(_short(v.name, 60)) + self._number(v.key)
        small = [v.detail] if v.detail else []
        if self.numbers and v.of and self.view.shown[v.of] != v.key:
            note = self._reference(self.view.shown[v.of])
            small.append(f"for {note}")
        device = v.device if "device" in self.show else ""
        parts = (
            shape(v.shape) if "shape" in self.show and v.dtype else "",
            v.dtype if "dtype" in self.show else "",
            device,
        )
        small += [" ".join(part for part in parts if part)]
        if v.kind == "parameter" and "parameters" in self.show:
            small.append(count(v.size, "number"))
        if v.value is not None and v.value.numbers is not None and "values" in self.show:
            small += _rows(v.value)
        elif v.value is not None and not self.show.isdisjoint(("values", "statistics")):
            small.append(statistics(v.value))
        if v.gradient is not None and "gradients" in self.show:
            small.append(f"‖gradient‖ {number(v.gradient.norm)}")
        own = sum({s.memory: s.bytes for s in v.saved}.values())
        if v.kind == "operation" and "bytes" in self.show:
            small.append(f"keeps {size(own)}" if own else "keeps nothing")
        if v.kind == "operation" and "flops" in self.show:
            small.append(f"{amount(v.flops)} flops")
        if v.line and "line" in self.show:
            small.append(_short(v.line.rpartition("/")[2], 60))
        first = f"<B>{name}</B>" if v.kind == "operation" else name
        return "<BR/>".join([first, *(_small(_escape(line)) for line in small if line)])

    def _folded(self, box: Box) -> str:
        totals = self.graph.totals(self.view.inside[box.key])
        small = [count(totals.operations, "operation")]
        if totals.numbers:
            small[-1] += f", {count(totals.numbers, 'parameter')}"
        if "bytes" in self.show:
            small.append(f"keeps {size(totals.kept)}")
        if "flops" in self.show:
            small.append(f"{amount(totals.flops)} flops")
        name = _box_name(box) + self._number(box.key)
        text = "<BR/>".join([f"<B>{name}</B>", *(_small(_escape(x)) for x in small)])
        return f"{box.key} [{_STYLE['module']} label=<{text}>]"

    def _box(self, box: Box) -> str:
        style = _BOXES.get(box.kind, _BOX)
        totals = self.graph.totals(self.view.inside[box.key])
        notes = [count(totals.numbers, "parameter")] if totals.numbers else []
        if "bytes" in self.show and totals.kept:
            notes.append(f"keeps {size(totals.kept)}")
        lines = [f"<B>{_box_name(box)}</B>", *([_small(", ".join(notes))] if notes else [])]
        label = "".join(f'{line}<BR ALIGN="LEFT"/>' for line in lines)
        return f"graph [{style} label=<{label}> labeljust=l labelloc=t]"

    def _edges(self) -> Iterable[str]:
        merged = bool(self.view.twins or self.view.folded)
        drawn: set[tuple[str, str]] = set()
        for e in self.graph.edges:
            source, target = self.view.shown[e.source], self.view.shown[e.target]
            if merged and ((source, target) in drawn or self.view.between_blocks(e)):
                continue
            if source != target:
                drawn.add((source, target))
                if not (self.numbers and self._crosses(e)):
                    yield self._edge(e, source, target)
        for v in self.graph.vertices:
            a, b = self.view.shown.get(v.of, ""), self.view.shown[v.key]
            one = v.sweep == 1 and a != b and (b, a) not in drawn
            if v.of and one and not self.numbers:
                drawn.add((b, a))
                yield f'  {a} -> {b} [constraint=false dir=none style=dotted color="#999999"]\n'

    def _number(self, key: str) -> str:
        return f" ({self.numbers[key]})" if key in self.numbers else ""

    def _reference(self, key: str) -> str:
        """Return what an operation, a leaf or a folded box is called where it does not stand."""
        box = self.view.boxes.get(key)
        name = _box_name(box) if box else _escape(_short(self.vertices[key].name, 60))
        return name + self._number(key)

    def _notes(self, key: str) -> list[str]:
        """Return notes of what an item reads from an earlier sweep, and the edges from them."""
        found = []
        for i, (source, e) in enumerate(self.read.get(key, {}).items() if self.numbers else ()):
            made = self.vertices[e.source].kind == "operation"
            color = _KEPT if made else _KEPT_LEAF
            found.append(
                f'{key}_{i} [shape=box style="rounded,dashed" color="{color}" height=0.25 '
                f'margin="0.08,0.03" label=<{_small(self._reference(source))}>]'
            )
            ends = f"{key} -> {key}_{i} [dir=back " if self._upwards(e) else f"{key}_{i} -> {key} ["
            found.append(f'{ends}style=dashed color="{color}"]')
        return found

    def _upwards(self, e: Edge) -> bool:
        """Say whether an edge is drawn upwards: a way back is, beside the way there."""
        return self.vertices[e.target].sweep in (1, 3)

    def _edge(self, e: Edge, source: str, target: str) -> str:
        a, b = self.vertices[e.source], self.vertices[e.target]
        if b.sweep > a.sweep:  # what the forward pass has kept for this
            color = _KEPT if a.kind == "operation" else _KEPT_LEAF
            return f'  {source} -> {target} [constraint=false style=dashed color="{color}"]\n'
        # A chain of operations is drawn straight, what feeds it beside it.
        weight = "weight=9" if a.kind == "operation" else "weight=1"
        if self._upwards(e):
            return f"  {target} -> {source} [dir=back {weight}]\n"
        return f"  {source} -> {target} [{weight}]\n"


def _box_name(box: Box) -> str:
    if box.kind == "repeat":
        return f"{_escape(_short(box.name, 60))} × {box.count:,}"
    if box.kind in ("sweep", "block", "part"):
        return _escape(box.name)
    made = f"{box.kind}({box.detail})" if box.detail else box.kind
    return _escape(_short(f"{box.name}: {made}" if box.name else made, 60))


def _rows(value: Statistics) -> list[str]:
    """Return the numbers of a small array, a line a row."""
    if not value.shape:
        return [number(value.numbers)]
    if len(value.shape) == 1:
        return [_line(value.numbers)]
    if len(value.shape) == 2:
        rows = [_line(row) for row in value.numbers[:8]]
        return rows + (["…"] if len(value.numbers) > 8 else [])
    return [statistics(value)]


def _line(numbers: list[float]) -> str:
    return "  ".join(map(number, numbers[:8])) + ("  …" if len(numbers) > 8 else "")


def statistics(value: Statistics) -> str:
    """Return the statistics of an array in a line."""
    mean, std, low, high = map(number, (value.mean, value.std, value.min, value.max))
    bad = f", {value.bad} NaN or ∞" if value.bad else ""
    return f"{mean} ± {std} in [{low}, {high}]{bad}"


def number(value: float) -> str:
    """Return a number in three digits."""
    if isinstance(value, (bool, int)):
        return str(value)
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e+")


def amount(value: float) -> str:
    """Return a number of things in three digits with a prefix: ``1.05 M``."""
    return _prefixed(value, 1000, ("", " k", " M", " G", " T"))


def size(value: float) -> str:
    """Return a number of bytes with a prefix: ``1.5 KiB``."""
    return _prefixed(value, 1024, (" B", " KiB", " MiB", " GiB", " TiB"))


def _prefixed(value: float, step: int, prefixes: tuple[str, ...]) -> str:
    power = 0
    while value >= step and power < len(prefixes) - 1:
        value /= step
        power += 1
    digits = f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
    return digits + prefixes[power]


def _small(text: str) -> str:
    return f'<FONT POINT-SIZE="10" COLOR="#333333">{text}</FONT>'


def shape(sizes: tuple[int, ...]) -> str:
    """Return a shape as text: ``8 × 5``."""
    return " × ".join(map(str, sizes)) if sizes else "scalar"


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _escape(text: str) -> str:
    """Return text that a label shows as it is: no markup, no control characters."""
    visible = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return html.escape(visible).replace("\\", r"\\") or "&#8203;"
