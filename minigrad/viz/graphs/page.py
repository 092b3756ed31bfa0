"""The page: one HTML file with the graph's data, its script and its style, that needs nothing else.

The script and style are built from `viz/frontend/` into `viz/assets`. Names are the user's: they
are in the page as JSON, in which no character can end the element, and the script shows them as
text.
"""

from __future__ import annotations

import html
import json
import math
from dataclasses import fields, is_dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from minigrad.viz.graphs.data import Box, Graph, Statistics
from minigrad.viz.graphs.fold import members
from minigrad.viz.graphs.repeats import parts

LARGE = 300  # operations; a larger graph's page has the numbers of very small arrays only
FEW = 8

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title} <small>{caption}</small></h1>
<div class="group"><label for="colors">color by</label>
<select id="colors"><option value="kind">kind</option>
<option value="gradient">gradient norm</option>
<option value="value">value norm</option><option value="kept">bytes kept</option>
<option value="flops">flops</option></select></div>
<div class="group"><button id="fold-all">fold all</button><button id="unfold">unfold</button></div>
<div class="group"><button id="zoom-out" aria-label="zoom out">−</button>
<button id="fit">fit</button><button id="zoom-in" aria-label="zoom in">+</button></div>
<div class="group"><button id="step-mode" aria-pressed="false">step backward</button>
<button id="theme">light / dark</button></div>
</header>
<nav aria-label="search and outline">
<div><input id="search" type="search" placeholder="search: name, operation, 8x5"
 aria-label="search by name, operation, shape or dtype" autocomplete="off" spellcheck="false">
<span id="hits" role="status"></span><ul id="found" hidden></ul></div>
<ul id="outline" role="tree" aria-label="outline of the graph"></ul>
</nav>
<main>
<svg id="picture" tabindex="0" role="group" aria-label="the graph; arrow keys move along its edges">
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.8L8 4L0 7.2Z"/></marker></defs>
<g id="view"></g></svg>
<div id="legend" aria-hidden="true"><span class="row operation">operation</span>
{legend}<span class="row parameter">parameter</span><span class="row tensor">tensor</span>
<span class="row module">folded</span><span id="scale" hidden>low <i></i> high</span></div>
</main>
<div id="steps" role="region" aria-label="backward pass, step by step" hidden>
<span id="step-text"></span>
<button id="first">first</button><button id="back">previous</button>
<button id="next" class="primary">next</button><button id="last">last</button>
<input id="step" type="range" min="0" value="0" aria-label="step of the backward pass">
<button id="leave">leave</button></div>
<aside id="facts" aria-label="what is known of it" tabindex="0"></aside>
<div id="said" class="visually-hidden" role="status" aria-live="polite"></div>
<script type="application/json" id="graph-data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def page(graph: Graph) -> str:
    """Return the page of a graph."""
    sweeps = {v.sweep for v in graph.vertices}
    legend = '<span class="row gradient">gradient</span>\n' if 1 in sweeps else ""
    legend += '<span class="row second">second derivative</span>\n' if 2 in sweeps else ""
    text = {
        "title": html.escape(_printable(graph.title or "Computational graph")),
        "caption": html.escape(graph.caption()),
        "style": asset("graph.css"),
        "script": asset("graph.js"),
        "legend": legend,
        "data": embedded(data(graph)),
    }
    parts = _PAGE.split("{")  # not str.format, which would read the style's braces
    found = [parts[0]]
    for part in parts[1:]:
        name, _, rest = part.partition("}")
        found += [text[name], rest]
    return "".join(found)


def data(graph: Graph) -> dict[str, Any]:
    """Return all that is known of a graph, as JSON can hold it."""
    graph = _with_few_in_a_box(graph)
    inside = members(graph)
    totals = graph.totals()
    small = totals.operations <= LARGE
    return {
        "title": graph.title,
        "caption": graph.caption(),
        "depth": graph.depth,
        "repeats": graph.repeats,
        "totals": _plain(totals, small),
        "vertices": [_plain(v, small) for v in graph.vertices],
        "edges": [[e.source, e.target, e.slot] for e in graph.edges],
        "boxes": [
            _plain(box, small) | {"totals": _plain(graph.totals(inside[box.key]), small)}
            for box in graph.boxes
        ],
        "memories": [_plain(memory, small) for memory in graph.memories],
        "steps": [_plain(step, small) for step in graph.steps],
        "rules": graph.rules,
    }


def _with_few_in_a_box(graph: Graph) -> Graph:
    """Return the graph with the blocks of long repeats in parts, which can be unfolded one by one.

    A thousand blocks side by side would keep the browser busy for minutes.
    """
    blocks: dict[str, list[str]] = {}
    for box in graph.boxes:
        blocks.setdefault(box.parent, []).append(box.key)
    new, homes = [], {}
    for box in graph.boxes:
        if box.kind == "repeat":
            found, start = blocks[box.key], 1
            for i, part in enumerate(parts(found)):
                key = f"{box.key}p{i}"
                end = start + len(part) - 1
                new.append(Box(key, f"{start:,} to {end:,}", "part", "", box.key))
                homes.update(dict.fromkeys(part, key))
                start = end + 1
    boxes = [replace(box, parent=homes.get(box.key, box.parent)) for box in graph.boxes]
    return replace(graph, boxes=(*boxes, *new))


def embedded(value: Any) -> str:
    """Return JSON that may stand in a script element: ASCII, and nothing that looks like markup."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _plain(value: Any, small: bool) -> Any:
    """Return a record as a dictionary: numbers in seven digits, NaN and infinities by name."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else _NAMES[str(value)]
    if isinstance(value, (list, tuple)):
        return [_plain(x, small) for x in value]
    if not is_dataclass(value):
        return value
    if isinstance(value, Statistics) and not small and math.prod(value.shape) > FEW:
        value = replace(value, numbers=None)
    return {field.name: _plain(getattr(value, field.name), small) for field in fields(value)}


_NAMES = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


@cache
def asset(name: str) -> str:
    """Return the text of a file that the page is built with."""
    text = (files("minigrad.viz") / "assets" / name).read_text("utf-8")
    assert "</s" not in text  # it would end the element that it is in
    return text
