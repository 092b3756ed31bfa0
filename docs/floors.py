"""Draws docs/images/floors.svg, the picture of the house: ``python docs/floors.py``.

One file serves light and dark pages: its colors are classes, which a media query exchanges.
"""

from html import escape
from pathlib import Path

# Each floor: its number, its name, and its cards (name, what lives there). "→" between two cards
# says that the left one imports the right one; "|" says that neither imports the other.
FLOORS = [
    (5, "command", [("cli/", "the command line: minigrad train, watch, report, doctor")]),
    (
        4,
        "training",
        [
            ("training/", "the loop, callbacks, checkpoints, run folders"),
            "→",
            ("viz/", "graphs, curves, reports of runs"),
            "|",
            ("datasets/", "digits, IDX files, points in the plane, batches"),
        ],
    ),
    (
        3,
        "learning",
        [
            ("nn/", "modules, losses, initial weights"),
            "|",
            ("optim/", "every method, schedules, clipping"),
        ],
    ),
    (
        2,
        "functions",
        [
            ("testing.py", "checks by finite differences"),
            "→",
            ("curvature/", "spectra, operators, traces"),
            "→",
            ("func.py", "gradients, Hessians, H·v"),
            "→",
            ("products.py", "H·v, forward over reverse"),
            "→",
            ("forward.py", "the sweep forward"),
        ],
    ),
    (
        2,
        "calculus",
        [
            ("dual.py", "a value and its tangent"),
            "→",
            ("autograd.py", "the sweep back"),
            "|",
            ("batch.py", "many values as one"),
            "→",
            ("ops/", "the rules"),
            "|",
            ("creation.py", "zeros, eye, arange, randn"),
            "|",
            ("trees.py", "nested lists"),
        ],
    ),
    (
        1,
        "graph",
        [
            ("interchange.py", "other libraries' arrays"),
            "|",
            ("primitive.py", "operations and their rules"),
            "→",
            ("tensor.py", "the value you hold"),
            "→",
            ("node.py", "how it was made"),
            "→",
            ("mode.py", "modes, errors"),
            "|",
            ("random.py", "seeded generators"),
            "|",
            ("rule.py", "∂out/∂in"),
        ],
    ),
    (
        0,
        "arrays",
        [
            ("fuse/", "formulas"),
            "→",
            ("backend/", "numpy.py and cupy.py"),
            "|",
            ("machine/", "memory and kernels"),
            "|",
            ("calls.py", "wrong calls"),
            "→",
            ("elsewhere.py", "other names"),
            "|",
            ("legal.py", "legal numbers"),
        ],
    ),
]

# One hue a floor, from warm to cool on the way down: (fill, edge) on light, (fill, edge) on dark.
COLORS = {
    5: ("#fdebdc", "#d98b4a", "#3a2a1c", "#c98a52"),
    4: ("#fcf1cf", "#c9a227", "#352e17", "#bfa045"),
    3: ("#e9f3d5", "#86a83a", "#27301a", "#8fab52"),
    2: ("#d9f1e6", "#3fa37c", "#17312a", "#4da685"),
    1: ("#dcedfa", "#4a8fc7", "#182c3d", "#5b97c6"),
    0: ("#e8e4f8", "#7d6cc0", "#272240", "#8d80c6"),
}

WIDTH, LEFT, RIGHT = 980, 128, 64
TOP, HEIGHT, CARD, GAP = 18, 96, 76, 24
LETTER = 8.4  # the width of a letter of a name: monospace, 14 px
PANEL = TOP + HEIGHT * len(FLOORS) + 50


def style():
    """Return the style sheet: light, and what differs in the dark."""
    light = [
        "text { font-family: Inter, 'Helvetica Neue', Helvetica, Arial, sans-serif }",
        ".code { font-family: ui-monospace, 'SF Mono', Menlo, Consolas, monospace;"
        " font-size: 14px; font-weight: 600; fill: #1c1f24 }",
        ".text { font-size: 12.5px; fill: #3f454d }",
        ".floor { font-size: 12px; letter-spacing: 0.06em; fill: #5c636c }",
        ".number { font-size: 30px; font-weight: 300; fill: #31363d }",
        ".left { text-anchor: start }",
        ".panel { fill: #ffffff; stroke: #d8dce1 }",
        ".rule { stroke: #e4e7eb }",
        ".arrow { stroke: #6b727b; fill: none; stroke-width: 1.4 }",
        ".head { fill: #6b727b }",
    ]
    dark = [
        ".code { fill: #f0f2f4 }",
        ".text { fill: #c3c9d0 }",
        ".floor { fill: #a2a9b1 }",
        ".number { fill: #d6dade }",
        ".panel { fill: #14171b; stroke: #363c44 }",
        ".rule { stroke: #2a2f36 }",
        ".arrow { stroke: #98a0a9 }",
        ".head { fill: #98a0a9 }",
    ]
    for floor, (fill, edge, dark_fill, dark_edge) in COLORS.items():
        light.append(f".f{floor} {{ fill: {fill}; stroke: {edge} }}")
        dark.append(f".f{floor} {{ fill: {dark_fill}; stroke: {dark_edge} }}")
    query = "@media (prefers-color-scheme: dark) {"
    return "\n".join(["<style>", *light, query, *(f"  {line}" for line in dark), "}", "</style>"])


def wrapped(text, width):
    """Return text in lines of about `width` pixels."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and len(longer) * 6.5 > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def card(x, y, width, floor, name, text):
    """Return a module: its name, and below it what lives there, centred as one."""
    lines = wrapped(text, width - 20)
    first = y + CARD / 2 - (len(lines) * 16 + 4) / 2 + 6
    shapes = [
        f'<rect class="f{floor}" x="{x:g}" y="{y:g}" width="{width:g}" height="{CARD}" rx="8"/>',
        f'<text class="code" x="{x + width / 2:g}" y="{first:g}">{escape(name)}</text>',
    ]
    for i, line in enumerate(lines):
        height = first + 20 + 16 * i
        shapes.append(
            f'<text class="text" x="{x + width / 2:g}" y="{height:g}">{escape(line)}</text>'
        )
    return shapes


def widths(names):
    """Yield the widths of a floor's cards: the same for all, or a name's and an equal rest."""
    room = WIDTH - LEFT - RIGHT - GAP * (len(names) - 1)
    if max(map(len, names)) * LETTER + 16 <= room / len(names):
        yield from [room / len(names)] * len(names)
        return
    rest = (room - sum(map(len, names)) * LETTER) / len(names)
    yield from [len(name) * LETTER + rest for name in names]


def row(i, floor, name, items):
    """Return a floor: its number and name, its cards, the arrows between them."""
    y = TOP + HEIGHT * i + (HEIGHT - CARD) / 2
    middle = y + CARD / 2
    shapes = [
        f'<text class="number" x="36" y="{middle + 10:g}">{floor}</text>',
        f'<text class="floor left" x="54" y="{middle + 5:g}">{name}</text>',
    ]
    space = widths([item[0] for item in items if isinstance(item, tuple)])
    x = LEFT
    for item in items:
        if isinstance(item, tuple):
            width = next(space)
            shapes += card(x, y, width, floor, *item)
            x += width + GAP
        elif item == "→":
            start, end = x - GAP + 5, x - 5
            shapes.append(f'<path class="arrow" d="M{start:g} {middle:g}H{end - 5:g}"/>')
            shapes.append(f'<path class="head" d="M{end:g} {middle:g}l-7 -4v8z"/>')
    return shapes


def picture():
    """Return the whole SVG."""
    x, bottom = WIDTH - 38, TOP + HEIGHT * len(FLOORS)
    shapes = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {PANEL}" '
        f'width="{WIDTH}" height="{PANEL}" text-anchor="middle" role="img">',
        "<title>The floors of minigrad: imports only go down</title>",
        style(),
        f'<rect class="panel" x="0.5" y="0.5" width="{WIDTH - 1}" height="{PANEL - 1}" rx="12"/>',
    ]
    for i, (floor, name, items) in enumerate(FLOORS):
        if i:
            y = TOP + HEIGHT * i
            shapes.append(f'<path class="rule" d="M24 {y}H{WIDTH - RIGHT}"/>')
        shapes += row(i, floor, name, items)
    middle = (TOP + bottom) / 2
    shapes += [
        f'<path class="arrow" d="M{x} {TOP + 14}V{bottom - 20}"/>',
        f'<path class="head" d="M{x} {bottom - 12}l-5 -9h10z"/>',
        f'<text class="floor" transform="translate({x + 19} {middle:g}) rotate(90)">'
        "imports only go down</text>",
        f'<path class="rule" d="M24 {bottom}H{WIDTH - 24}"/>',
        f'<text class="floor" x="{WIDTH / 2:g}" y="{bottom + 31}">'
        "only floor 0 imports an array library; within a floor, imports follow the arrows</text>",
        "</svg>",
    ]
    return "\n".join(shapes) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "images" / "floors.svg").write_text(picture(), "utf-8")
