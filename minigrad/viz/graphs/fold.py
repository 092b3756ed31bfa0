"""Folding: blocks of the same structure under one box, long stretches in parts, and what is shown.

Two blocks are the same if their operations, one by one, have the same names, shapes, dtypes and
keywords, read from the same places (their own, or the block before), and are in the same modules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from minigrad.viz.graphs.data import Box, Edge, Graph, Vertex

LONGEST = 8  # modules and operations in a block that repeats
FEWEST = 6  # operations that folding must hide
LARGEST = 120  # items in a box before it is cut into parts


class _Tree:
    """The boxes of a graph with their operations, in the order of the computation."""

    def __init__(self, graph: Graph) -> None:
        self.boxes = {box.key: box for box in graph.boxes}
        self.vertices = {v.key: v for v in graph.vertices}
        self.inputs: dict[str, list[tuple[int, str]]] = {v.key: [] for v in graph.vertices}
        for edge in graph.edges:
            self.inputs[edge.target].append((edge.slot, edge.source))
        self.home = {v.key: v.box for v in graph.vertices}
        self.order = [v.key for v in graph.vertices if v.kind == "operation"]
        self.children: dict[str, list[str]] = {}  # a box → the boxes and operations in it
        self.inside: dict[str, list[str]] = {}  # a box or operation → its operations
        self.position = {key: i for i, key in enumerate(self.order)}
        known: set[tuple[str, str]] = set()
        for key in self.order:
            self.inside[key] = [key]
            item, box = key, self.home[key]
            while True:
                if (box, item) not in known:
                    known.add((box, item))
                    self.children.setdefault(box, []).append(item)
                if not box:
                    break
                self.inside.setdefault(box, []).append(key)
                item, box = box, self.boxes[box].parent

    def operations(self, items: list[str]) -> list[str]:
        """Return the operations of some items, in the order of the computation."""
        keys = [key for item in items for key in self.inside[item]]
        return sorted(keys, key=self.position.__getitem__)

    def places(self, key: str, within: str) -> tuple[tuple[str, str], ...]:
        """Return the boxes of an operation inside another box, as kinds with descriptions."""
        found = []
        box = self.home[key]
        while box and box != within:
            found.append((self.boxes[box].kind, self.boxes[box].detail))
            box = self.boxes[box].parent
        return tuple(found)

    def alike(self, a: list[str], b: list[str], before: list[str] | None, within: str) -> bool:
        """Say whether two blocks, one right after the other, are the same; `before` is before a."""
        if len(a) != len(b):
            return False
        where_a = {key: i for i, key in enumerate(a)}
        where_b = {key: i for i, key in enumerate(b)}
        where_before = {key: i for i, key in enumerate(before or [])}
        for x, y in zip(a, b, strict=True):
            if self._looks(x, within) != self._looks(y, within):
                return False
            if len(self.inputs[x]) != len(self.inputs[y]):
                return False
            for (slot, s), (other, t) in zip(self.inputs[x], self.inputs[y], strict=True):
                if slot != other:
                    return False
                if s in where_a or t in where_b:
                    if where_a.get(s) != where_b.get(t):
                        return False
                elif t in where_a:
                    if before is not None and where_before.get(s) != where_a[t]:
                        return False
                elif s != t and not self._leaves_alike(s, t):
                    return False
        return True

    def _looks(self, key: str, within: str) -> tuple[object, ...]:
        v = self.vertices[key]
        return v.name, v.shape, v.dtype, v.detail, v.sweep, self.places(key, within)

    def _leaves_alike(self, s: str, t: str) -> bool:
        a, b = self.vertices[s], self.vertices[t]
        same = (a.kind, a.shape, a.dtype, a.role) == (b.kind, b.shape, b.dtype, b.role)
        return same and a.kind != "operation" and a.role != "output"


def with_repeats(graph: Graph) -> Graph:
    """Return the graph with boxes around blocks that repeat and around stretches of long ones."""
    tree = _Tree(graph)
    new: list[Box] = []
    moved: dict[str, str] = {}  # an item → the new box that it is in
    stack = [""]
    while stack:
        scope = stack.pop()
        items = tree.children.get(scope, [])
        stack += [item for item in items if item in tree.boxes]
        top: list[str] = []
        for run, period in _runs(tree, items, scope):
            if period == 0:
                top += run
                continue
            blocks = [run[i : i + period] for i in range(0, len(run), period)]
            key = f"r{len(new)}"
            new.append(Box(key, _title(tree, blocks[0]), "repeat", "", scope, len(blocks)))
            top.append(key)
            for i, block in enumerate(blocks):
                if len(block) == 1 and block[0] in tree.boxes:
                    moved[block[0]] = key
                    continue
                inner = f"r{len(new)}"
                new.append(Box(inner, f"{i + 1} of {len(blocks)}", "block", "", key))
                moved.update((item, inner) for item in block)
        fixed = {box.key: i for i, box in enumerate(new)}
        for i, part in enumerate(_parts(top)):
            key = f"r{len(new)}"
            new.append(Box(key, f"part {i + 1}", "part", "", scope))
            for item in part:
                if item in fixed:
                    new[fixed[item]] = replace(new[fixed[item]], parent=key)
                else:
                    moved[item] = key
    boxes = [replace(b, parent=moved.get(b.key, b.parent)) for b in graph.boxes]
    vertices = [replace(v, box=moved[v.key]) if v.key in moved else v for v in graph.vertices]
    return replace(graph, vertices=tuple(vertices), boxes=(*boxes, *new))


def _runs(tree: _Tree, items: list[str], scope: str) -> Iterator[tuple[list[str], int]]:
    """Cut the items into runs of blocks with their period, and single items with period 0."""
    i = 0
    while i < len(items):
        best = (0, 0)
        for period in range(1, min(LONGEST, (len(items) - i) // 2) + 1):
            count = _repetitions(tree, items, i, period, scope)
            block = tree.operations(items[i : i + period])
            hidden = len(block) * (count - 1)
            worth = hidden >= FEWEST or (count > 2 and len(block) > 1)
            if count > 1 and worth and count * period > best[0]:
                best = (count * period, period)
        if best[1]:
            yield items[i : i + best[0]], best[1]
            i += best[0]
        else:
            yield [items[i]], 0
            i += 1


def _repetitions(tree: _Tree, items: list[str], i: int, period: int, scope: str) -> int:
    """Return how often the block of `period` items at `i` stands there, one after the other."""
    before, a = None, tree.operations(items[i : i + period])
    count = 1
    while i + (count + 1) * period <= len(items):
        start = i + count * period
        chunk = items[start : start + period]
        if [len(tree.inside[x]) for x in chunk] != [
            len(tree.inside[x]) for x in items[i : i + period]
        ]:
            break
        b = tree.operations(chunk)
        if not tree.alike(a, b, before, scope):
            break
        before, a = a, b
        count += 1
    return count


def _title(tree: _Tree, block: list[str]) -> str:
    """Return the name of a block that repeats: its module's class, or what it consists of."""
    names = [
        tree.boxes[item].kind if item in tree.boxes else tree.vertices[item].name for item in block
    ]
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} … {names[-1]}"


def _parts(items: list[str]) -> list[list[str]]:
    """Return the stretches of a long list of items, about as many as each has items; else none."""
    if len(items) <= LARGEST:
        return []
    width = round(len(items) ** 0.5)
    return [items[i : i + width] for i in range(0, len(items), width)]


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

    Blocks of the same structure have their vertices in the same order: a leaf comes before the
    first operation that reads it.
    """
    blocks: dict[str, list[list[Vertex]]] = {}
    for box in graph.boxes:
        blocks.setdefault(box.parent, []).append(inside[box.key])
    twins: dict[str, str] = {}
    for box in graph.boxes:
        if box.kind == "repeat":
            first, *later = sorted(blocks[box.key], key=lambda block: int(block[0].key[1:]))
            for block in later:
                if len(block) == len(first):
                    twins.update((b.key, a.key) for a, b in zip(first, block, strict=True))
    return {key: _last(twins, key) for key in twins}


def _last(twins: dict[str, str], key: str) -> str:
    while key in twins:
        key = twins[key]
    return key
