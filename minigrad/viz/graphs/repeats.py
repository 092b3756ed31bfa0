"""Blocks of the same structure are found and put under one box, long stretches cut into parts.

Two blocks are the same if their operations, one by one, have the same names, shapes, dtypes and
keywords, read from the same places (their own, the block before, or that block of another repeat
which is next too), and are in the same modules. What of it is drawn is in `fold.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from minigrad.viz.graphs.data import Box, Graph

LONGEST = 100  # modules and operations in a block that repeats
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
        self.places: dict[str, dict[str, tuple[int, int]]] = {}  # operation → repeat → block, place
        self._numbers: dict[Any, int] = {}
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
        self.looks = {key: self._look(key) for key in self.order}

    def _look(self, key: str) -> int:
        """Return a number that all operations of the same looks have."""
        v = self.vertices[key]
        return self._number((v.name, v.shape, v.dtype, v.detail, v.sweep))

    def _number(self, what: Any) -> int:
        return self._numbers.setdefault(what, len(self._numbers))

    def labels(self, items: list[str], scope: str) -> list[int]:
        """Return a number for each item of a box, the same for items of the same looks."""
        return [
            self._number(tuple((self.looks[key], self._modules(key, scope)) for key in inside))
            for inside in (self.inside[item] for item in items)
        ]

    def _modules(self, key: str, within: str) -> tuple[tuple[str, str], ...]:
        """Return the boxes of an operation inside another box, as kinds with descriptions."""
        found = []
        box = self.home[key]
        while box and box != within:
            found.append((self.boxes[box].kind, self.boxes[box].detail))
            box = self.boxes[box].parent
        return tuple(found)

    def operations(self, items: list[str]) -> list[str]:
        """Return the operations of some items, in the order of the computation."""
        keys = [key for item in items for key in self.inside[item]]
        return sorted(keys, key=self.position.__getitem__)

    def wired_alike(
        self, a: list[str], b: list[str], before: list[str] | None, shifts: dict[str, int]
    ) -> bool:
        """Say whether two blocks, one right after the other, read from the same places.

        `before` is the block before a. `shifts` has for other repeats how many of their blocks
        further the next block reads; the first pair of blocks settles it.
        """
        if len(a) != len(b):
            return False
        where_a = {key: i for i, key in enumerate(a)}
        where_b = {key: i for i, key in enumerate(b)}
        where_before = {key: i for i, key in enumerate(before or [])}
        for x, y in zip(a, b, strict=True):
            mine, its = dict(self.inputs[x]), dict(self.inputs[y])
            if self.looks[x] != self.looks[y] or not mine.keys() <= its.keys():
                return False
            for slot, t in its.items():
                s = mine.get(slot)
                if s is None:  # what the loop began with was a number
                    if before is not None or t not in where_a:
                        return False
                elif s in where_a or t in where_b:
                    if where_a.get(s) != where_b.get(t):
                        return False
                elif t in where_a:
                    if before is not None and where_before.get(s) != where_a[t]:
                        return False
                elif s != t and not self._leaves_alike(s, t) and not self._shifted(s, t, shifts):
                    return False
        return True

    def _leaves_alike(self, s: str, t: str) -> bool:
        a, b = self.vertices[s], self.vertices[t]
        same = (a.kind, a.shape, a.dtype, a.role) == (b.kind, b.shape, b.dtype, b.role)
        return same and a.kind != "operation" and a.role != "output"

    def _shifted(self, s: str, t: str, shifts: dict[str, int]) -> bool:
        """Say whether two operations are at the same place of two blocks of another repeat."""
        places = self.places.get(t, {})
        for repeat, (block, place) in self.places.get(s, {}).items():
            if repeat in places and places[repeat][1] == place:
                shift = places[repeat][0] - block
                return shifts.setdefault(repeat, shift) == shift
        return False


def with_repeats(graph: Graph) -> Graph:
    """Return the graph with boxes around blocks that repeat and around stretches of long ones."""
    tree = _Tree(graph)
    new: dict[str, Box] = {}
    moved: dict[str, str] = {}  # an item → the new box that it is in
    # A module's box (or none), the box to put new ones into, and what is looked at.
    stack = [("", "", tree.children.get("", []))]
    while stack:
        scope, parent, items = stack.pop()
        top, deeper = [], []
        for run, period in _runs(tree, items, scope):
            if period == 0:
                top += run
                continue
            blocks = [run[i : i + period] for i in range(0, len(run), period)]
            key = f"r{len(new)}"
            new[key] = Box(key, _title(tree, blocks[0]), "repeat", "", parent, len(blocks))
            top.append(key)
            for i, block in enumerate(blocks):
                for place, operation in enumerate(tree.operations(block)):
                    tree.places.setdefault(operation, {})[key] = (i, place)
                if len(block) == 1 and block[0] in tree.boxes:
                    moved[block[0]] = key
                    continue
                inner = f"r{len(new)}"
                new[inner] = Box(inner, f"{i + 1} of {len(blocks)}", "block", "", key)
                moved.update((item, inner) for item in block)
                deeper.append((scope, inner, block))
        if parent == scope:  # not in a block, which is short
            for i, part in enumerate(parts(top)):
                key = f"r{len(new)}"
                new[key] = Box(key, f"part {i + 1}", "part", "", scope)
                for item in part:
                    if item in new:
                        new[item] = replace(new[item], parent=key)
                    else:
                        moved[item] = key
        # What is computed first is looked at first: what follows may repeat along with it.
        deeper += [(x, x, tree.children[x]) for x in items if parent == scope and x in tree.boxes]
        stack += sorted(deeper, key=lambda d: tree.position[tree.inside[d[2][0]][0]], reverse=True)
    boxes = [replace(b, parent=moved.get(b.key, b.parent)) for b in graph.boxes]
    vertices = [replace(v, box=moved[v.key]) if v.key in moved else v for v in graph.vertices]
    return replace(graph, vertices=tuple(vertices), boxes=(*boxes, *new.values()))


def _runs(tree: _Tree, items: list[str], scope: str) -> Iterator[tuple[list[str], int]]:
    """Cut the items into runs of blocks with their period, and single items with period 0."""
    labels = tree.labels(items, scope)

    @cache
    def longest(i: int) -> tuple[int, int]:
        """Return how many items from the i-th on repeat, and their period."""
        best = (0, 0)
        for period in range(1, min(LONGEST, (len(items) - i) // 2) + 1):
            known = 2 * period <= best[0] and period % best[1] == 0  # no more than has been found
            if known or labels[i] != labels[i + period]:
                continue
            count = _repetitions(tree, items, labels, i, period)
            if count * period > best[0] and _worth(tree, items[i : i + period], count):
                best = (count * period, period)
        return best

    i = 0
    while i < len(items):
        length, period = longest(i)
        # A first round that lacks an operation is like a part of the second, where more begins.
        later = range(i + 1, i + length) if length == 2 * period else ()
        if not period or any(longest(j)[0] > length for j in later):
            length, period = 1, 0
        yield items[i : i + length], period
        i += length


def _worth(tree: _Tree, block: list[str], count: int) -> bool:
    size = sum(len(tree.inside[item]) for item in block)
    return count > 1 and (size * (count - 1) >= FEWEST or (count > 2 and size > 1))


def _repetitions(tree: _Tree, items: list[str], labels: list[int], i: int, period: int) -> int:
    """Return how often the block of `period` items at `i` stands there, one after the other."""
    first = labels[i : i + period]
    before, a = None, tree.operations(items[i : i + period])
    shifts: dict[str, int] = {}
    count = 1
    while True:
        start = i + count * period
        if labels[start : start + period] != first:
            return count
        b = tree.operations(items[start : start + period])
        if not tree.wired_alike(a, b, before, shifts):
            return count
        before, a = a, b
        count += 1


def _title(tree: _Tree, block: list[str]) -> str:
    """Return the name of a block that repeats: its module's class, or what it consists of."""
    names = [
        tree.boxes[item].kind if item in tree.boxes else tree.vertices[item].name for item in block
    ]
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} … {names[-1]}"


def parts(items: list[str]) -> list[list[str]]:
    """Return the stretches of a long list of items, about as many as each has items; else none."""
    if len(items) <= LARGEST:
        return []
    width = round(len(items) ** 0.5)
    return [items[i : i + width] for i in range(0, len(items), width)]
