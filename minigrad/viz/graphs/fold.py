"""Folding: what of a graph is drawn. Deep modules are folded, of blocks that repeat one is shown.

How blocks that repeat are found is in `repeats.py`.
"""

from __future__ import annotations

from dataclasses import replace

from minigrad.viz.graphs.data import Edge, Graph, Vertex


class View:
    """What of a graph is drawn: some boxes folded, of blocks that repeat only the first.

    `shown` maps every vertex and box to what stands for it: itself, or a folded box, or its like in
    the first block.
    """

    def __init__(self, graph: Graph, depth: int | None, repeats: bool, most: int = 250) -> None:
        self.graph = graph
        self.boxes = {box.key: box for box in graph.boxes}
        self.parents = {key: box.parent for key, box in self.boxes.items()}
        self.home = {v.key: v.box for v in graph.vertices}
        self.inside = members(graph)  # by box, the vertices of all its blocks
        self.twins = _twins(graph, self.inside) if repeats else {}
        self.blocks: dict[str, dict[str, str]] = {}  # of a vertex, by repeat
        for v in graph.vertices:
            blocks, box = {}, v.box
            while box:
                parent = self.parents[box]
                if parent and self.boxes[parent].kind == "repeat":
                    blocks[parent] = box
                box = parent
            self.blocks[v.key] = blocks
        if depth is not None:
            self._fold(depth)
            return
        deepest = max([self._depth(key) for key in self.boxes], default=0)
        for limit in range(deepest, -1, -1):  # the deepest that is small enough
            self._fold(limit)
            if len(set(self.shown.values())) <= most:
                break

    def _depth(self, box: str) -> int:
        """Return how many modules and parts a box is deep; sweeps and repeats do not count."""
        found = 0
        while box:
            found += self.boxes[box].kind not in ("sweep", "repeat", "block")
            box = self.parents[box]
        return found

    def _fold(self, depth: int) -> None:
        self.folded = {
            key
            for key, box in self.boxes.items()
            if box.kind not in ("sweep", "repeat", "block") and self._depth(key) > depth
        }
        self.shown: dict[str, str] = {}
        for v in self.graph.vertices:
            twin = self.twins.get(v.key, v.key)
            box = self.home[twin]
            top = ""
            while box:
                if box in self.folded:
                    top = box
                box = self.parents[box]
            self.shown[v.key] = top or twin

    def between_blocks(self, edge: Edge) -> bool:
        """Say whether an edge goes from one block of a repeat to another."""
        return bool(self.twins) and any(
            self.blocks[edge.source].get(repeat, block) != block
            for repeat, block in self.blocks[edge.target].items()
        )


def members(graph: Graph) -> dict[str, list[Vertex]]:
    """Return the vertices in each box and in those within, in the order of the computation."""
    parents = {box.key: box.parent for box in graph.boxes}
    found: dict[str, list[Vertex]] = {box.key: [] for box in graph.boxes}
    for v in graph.vertices:
        box = v.box
        while box:
            found[box].append(v)
            box = parents[box]
    return found


def _twins(graph: Graph, inside: dict[str, list[Vertex]]) -> dict[str, str]:
    """Return for each vertex in a later block of a repeat its like in the first block.

    Blocks of the same structure have their operations in the same order. A leaf that only one block
    reads is the like of what stands in its place in the first block, wherever that is; so is an
    output that is in its block.
    """
    sources = _sources(graph)
    kinds = {v.key: v.kind for v in graph.vertices}
    outputs = _outputs(graph)
    twins: dict[str, str] = {}
    for repeat, blocks in _repeats(graph, inside).items():
        own = {v.key for v in inside[repeat]}
        for block in blocks[1:]:
            for a, b in zip(blocks[0], block, strict=True):
                twins[b] = a
                if outputs.get(b, a) in own and a in outputs:
                    twins[outputs[b]] = outputs[a]
                for slot, leaf in sources[b].items():
                    like = sources[a].get(slot, leaf)
                    if leaf in own and "operation" not in (kinds[leaf], kinds[like]):
                        twins[leaf] = like
    return {key: _last(twins, key) for key in twins}


def _repeats(graph: Graph, inside: dict[str, list[Vertex]]) -> dict[str, list[list[str]]]:
    """Return the operations of every repeat's blocks, in the order of the computation."""
    blocks: dict[str, list[list[str]]] = {b.key: [] for b in graph.boxes if b.kind == "repeat"}
    for box in graph.boxes:
        if box.parent in blocks:
            operations = [v.key for v in inside[box.key] if v.kind == "operation"]
            blocks[box.parent].append(operations)
    for found in blocks.values():
        found.sort(key=lambda operations: int(operations[0][1:]))
    return blocks


def _last(twins: dict[str, str], key: str) -> str:
    while twins.get(key, key) != key:
        key = twins[key]
    return key


def _sources(graph: Graph) -> dict[str, dict[int, str]]:
    """Return what every vertex reads, by slot."""
    sources: dict[str, dict[int, str]] = {v.key: {} for v in graph.vertices}
    for edge in graph.edges:
        sources[edge.target][edge.slot] = edge.source
    return sources


def _outputs(graph: Graph) -> dict[str, str]:
    """Return the outputs by the operations that make them."""
    outputs = {v.key for v in graph.vertices if v.role == "output"}
    return {edge.source: edge.target for edge in graph.edges if edge.target in outputs}


def placed(graph: Graph) -> Graph:
    """Return the graph with every leaf in the innermost box that has all that read it.

    What the forward pass reads is in a box of the forward pass, whoever reads it later. What a loop
    begins with is not in its first round: in the others, the round before stands in its place. An
    output that every round has is in it.
    """
    boxes = {box.key: box for box in graph.boxes}
    by_key = {v.key: v for v in graph.vertices}
    begins, each_round = _begins(graph), _each_round(graph)
    first: dict[str, int] = {}
    for edge in graph.edges:
        number = by_key[edge.target].sweep
        first[edge.source] = min(number, first.get(edge.source, number))
    readers: dict[str, list[str]] = {}
    for edge in graph.edges:
        if by_key[edge.target].sweep == first[edge.source]:
            box = begins.get((edge.source, edge.target), by_key[edge.target].box)
            readers.setdefault(edge.source, []).append(box)

    def path(box: str) -> list[str]:
        found = []
        while box:
            found.append(box)
            box = boxes[box].parent
        return found[::-1]

    sweeps = [box.key for box in graph.boxes if box.kind == "sweep"]
    placed = []
    for v in graph.vertices:
        if v.role == "input" and sweeps:
            v = replace(v, box=sweeps[0])
        elif v.key in each_round:
            v = replace(v, box=each_round[v.key])
        elif v.kind != "operation" and v.key in readers and v.role not in ("input", "output"):
            common = path(readers[v.key][0])
            for box in readers[v.key][1:]:
                other = path(box)
                common = [a for a, b in zip(common, other, strict=False) if a == b]
            v = replace(v, box=common[-1] if common else "", sweep=first[v.key])
        placed.append(v)
    return replace(graph, vertices=tuple(placed))


def _begins(graph: Graph) -> dict[tuple[str, str], str]:
    """Return the leaves that a loop begins with: leaf and reader → the box around the loop."""
    sources = _sources(graph)
    kinds = {v.key: v.kind for v in graph.vertices}
    around = {box.key: box.parent for box in graph.boxes}
    found: dict[tuple[str, str], str] = {}
    for repeat, (first, second, *_) in _repeats(graph, members(graph)).items():
        for reader, later in zip(first, second, strict=True):
            for slot, source in sources[later].items():
                leaf = sources[reader].get(slot, source)
                if kinds[source] == "operation" and kinds[leaf] != "operation":
                    found.setdefault((leaf, reader), around[repeat])
    return found


def _each_round(graph: Graph) -> dict[str, str]:
    """Return the outputs that every block of a repeat has at the same place, with their boxes."""
    homes = {v.key: v.box for v in graph.vertices}
    outputs = _outputs(graph)
    return {
        outputs[key]: homes[key]
        for blocks in _repeats(graph, members(graph)).values()
        for place in zip(*blocks, strict=True)
        if all(key in outputs for key in place)
        for key in place
    }
