"""Times chains of elementwise operations, norms and losses beside PyTorch, forward and back.

Where the extra `fast` compiles a part, that is timed too, in the same run.

    python tests/benchmarks/chains.py [--write docs/performance.md] [--quick] [--only NAME …]

The processes take turns as in `run.py`, whose helpers these are. Each computes with one thread, of
which the processor's time is taken: what else runs on the machine disturbs that little.

Needs: pip install ".[parity,benchmark]"
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from run import PLAIN, middle, options, paired, ratio, table, tuned, write

SIZES = {(128, 512): 50, (256, 2048): 10, (1024, 4096): 3}  # (rows, columns): steps in a round

# Each chain: what is computed of x and a bias or a weight (columns), and the losses' target.
ACTIVATIONS = (
    "relu", "leaky_relu", "elu", "selu", "sigmoid", "tanh", "softplus", "silu", "gelu", "gelu_tanh",
)  # fmt: skip
OTHERS = (
    "erf", "dropout", "batch_norm", "layer_norm", "softmax", "log_softmax", "cross_entropy",
    "bce_with_logits",
)  # fmt: skip
COMPILED = ("batch_norm", "layer_norm", "softmax")  # in part, with the extra `fast`


def minigrad_chain(name: str, rows: int, columns: int, fast: bool = False) -> Callable[[], object]:
    """Return a chain forward and back in minigrad."""
    os.environ["MINIGRAD_FAST"] = str(int(fast))
    import minigrad as mg
    from minigrad.nn import functional

    x = mg.randn(rows, columns, requires_grad=True)
    w, b = (mg.randn(columns, requires_grad=True) for _ in range(2))
    g, t = mg.randn(rows, columns), mg.rand(rows, columns)
    classes = mg.arange(rows) % columns
    f = function(name, mg, functional, {"axis": 1})
    if name == "batch_norm":
        f = lambda x: functional.batch_norm(x, None, None, w, b, True)  # noqa: E731
    elif name == "layer_norm":
        f = lambda x: functional.layer_norm(x, (columns,), w, b)  # noqa: E731
    return step(name, f, mg.autograd.grad, x, w, b, g, t, classes)


def torch_chain(name: str, rows: int, columns: int) -> Callable[[], object]:
    """Return the same in PyTorch."""
    import torch
    from torch.nn import functional

    x = torch.randn(rows, columns, requires_grad=True)
    w, b = (torch.randn(columns, requires_grad=True) for _ in range(2))
    g, t = torch.randn(rows, columns), torch.rand(rows, columns)
    classes = torch.arange(rows) % columns
    f = function(name, torch, functional, {"dim": 1})
    if name == "batch_norm":
        f = lambda x: functional.batch_norm(x, None, None, w, b, True)  # noqa: E731
    elif name == "layer_norm":
        f = lambda x: functional.layer_norm(x, (columns,), w, b)  # noqa: E731
    return step(name, f, torch.autograd.grad, x, w, b, g, t, classes)


def function(name: str, library: Any, functional: Any, axis: dict[str, int]) -> Any:
    """Return the function that a chain is named after, from a library that has PyTorch's names."""
    if name == "gelu_tanh":
        return lambda x: functional.gelu(x, approximate="tanh")
    if name == "erf":
        return library.erf
    if name == "bce_with_logits":
        return functional.binary_cross_entropy_with_logits
    if name.endswith("softmax"):
        return lambda x: getattr(functional, name)(x, **axis)
    return getattr(functional, name, None)


def step(
    name: str, f: Any, grad: Any, x: Any, w: Any, b: Any, g: Any, t: Any, classes: Any
) -> Callable[[], object]:
    """Return one step: the value and the gradients of all that it depends on."""
    if name in ACTIVATIONS:
        return lambda: grad(f(x + b), (x, b), g)
    if name.endswith("_norm"):
        return lambda: grad(f(x), (x, w, b), g)
    if name == "cross_entropy":
        return lambda: grad(f(x, classes), x)
    if name == "bce_with_logits":
        return lambda: grad(f(x, t), x)
    return lambda: grad(f(x), x, g)


THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS")}


Lines = dict[str, str]  # of a table: of each chain its line


def chains(rounds: int, names: list[str]) -> dict[str, Lines]:
    """Time chains in every size; return the lines of the tables."""
    tables: dict[str, Lines] = {section: {} for section in HEADS}
    environment = PLAIN | tuned() | THREAD
    for name in names:
        line, compiled = [f"`{name}`"], [f"`{name}`"]
        for (n, m), steps in SIZES.items():
            calls = [f"{library}_chain({name!r}, {n}, {m})" for library in ("minigrad", "torch")]
            calls += [f"minigrad_chain({name!r}, {n}, {m}, True)"] if name in COMPILED else []
            ours, theirs, *fast = paired(calls, rounds, steps, "chains", environment, "thread_time")
            line += [middle(ours), middle(theirs), ratio(ours, theirs)]
            for times in fast:
                compiled += [middle(ours), middle(times), ratio(times, ours), ratio(times, theirs)]
        tables["chains"][name] = " | ".join(line)
        print(tables["chains"][name], flush=True)
        if name in COMPILED:
            tables["compiled chains"][name] = " | ".join(compiled)
            print("compiled:", tables["compiled chains"][name], flush=True)
    return tables


HEADS = {
    "chains": ("minigrad", "PyTorch", "ratio"),
    "compiled chains": ("NumPy", "compiled", "ratio", "/ PyTorch"),
}


def merged(page: Path, section: str, lines: Lines) -> str:
    """Return a table with new lines in their places, and the page's for what was not timed."""
    text = page.read_text().split(f"<!-- begin {section} -->")[1].split("<!-- end")[0]
    old = {row.split("`")[1]: row.strip("| ") for row in text.splitlines() if row.startswith("| `")}
    every = old | lines
    head = ["forward and back, µs"]
    for n, m in SIZES:
        first, *others = HEADS[section]
        head += [f"{n} × {m}: {first}", *others]
    rows = [every[name].split(" | ") for name in (*ACTIVATIONS, *OTHERS) if name in every]
    return table(head, rows)


def main() -> None:
    """Run everything and print it."""
    parser = options(__doc__)
    parser.add_argument("--only", nargs="+", default=[*ACTIVATIONS, *OTHERS], help="these chains")
    arguments = parser.parse_args()
    tables = chains(3 if arguments.quick else 9, arguments.only)
    if arguments.write:
        for section, lines in tables.items():
            write(arguments.write, section, merged(arguments.write, section, lines))


if __name__ == "__main__":
    main()
