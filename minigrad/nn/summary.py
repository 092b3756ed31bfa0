"""How a module is written out: its `repr`, and the table of `Module.summary`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minigrad.mode import no_grad
from minigrad.tensor import Tensor

if TYPE_CHECKING:
    from minigrad.nn.module import Module


def describe(module: Module) -> str:
    """Return the module and those below it, a line each, with their numbers of parameters."""
    lines = [_line("", module)]
    children = list(module.named_children())
    if not module.extra_repr():  # else it is the module that says what it has
        lines += [f"  ({name}): Parameter{p.shape}" for name, p in _own(module)]
    if not children and len(lines) == 1:
        return lines[0]
    lines[0] = _noted(f"{type(module).__name__}({module.extra_repr()}", module)
    for name, child in children:
        text = describe(child).split("\n")
        lines += [f"  ({name}): {text[0]}", *("  " + line for line in text[1:])]
    return "\n".join([*lines, ")"])


def _own(module: Module) -> list[tuple[str, Any]]:
    """Return the parameters that are attributes of this very module, with their names."""
    from minigrad.nn.module import Parameter

    return [(name, value) for name, value in module._members() if isinstance(value, Parameter)]


def _line(name: str, module: Module) -> str:
    return _noted(f"{name}{type(module).__name__}({module.extra_repr()})", module)


def _noted(text: str, module: Module) -> str:
    count = module.count()
    return f"{text}  # {count:,} parameters" if count else text


def tabulate(module: Module, example: Any) -> str:
    """Return the table of `Module.summary`."""
    shapes: dict[int, str] = {}
    if example is not None:
        _trace(module, example if isinstance(example, tuple) else (example,), shapes)
    rows = [["layer", "output shape", "parameters"]]
    counted: set[int] = set()
    for name, child in module.named_modules():
        own = [
            value for _, value in child._members() if value is not None and _is_new(value, counted)
        ]
        depth = name.count(".") + 1 if name else 0
        label = f"{name.rpartition('.')[2]}: " if name else ""
        kind = type(child).__name__ + ("" if any(child.children()) else f"({child.extra_repr()})")
        count = sum(value.size for value in own)
        shape = shapes.get(id(child), "")
        rows.append(["  " * depth + label + kind, shape, f"{count:,}" if own else ""])
    if example is None:
        rows = [[layer, count] for layer, _, count in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_cells(row, widths)).rstrip() for row in rows]
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:], rule, _totals(module)])


def _is_new(value: Any, counted: set[int]) -> bool:
    """Say whether a value is a parameter that was not counted before."""
    from minigrad.nn.module import Parameter

    if not isinstance(value, Parameter) or id(value) in counted:
        return False
    counted.add(id(value))
    return True


def _cells(row: list[str], widths: list[int]) -> list[str]:
    """Return the cells of a row at their widths, the numbers of the last column to the right."""
    left = [cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
    return [*left, row[-1].rjust(widths[-1])]


def _totals(module: Module) -> str:
    parameters = list(module.parameters())
    trainable = sum(p.size for p in parameters if p.requires_grad)
    size = sum(p.data.nbytes for p in parameters)
    return f"{module.count():,} parameters, {trainable:,} trainable, {size / 1024:,.1f} KiB"


def _trace(module: Module, inputs: tuple[Any, ...], shapes: dict[int, str]) -> None:
    """Run the module in eval mode and note the shape of every module's output."""

    def note(child: Module, _: Any, output: Any) -> None:
        shapes[id(child)] = str(output.shape) if isinstance(output, Tensor) else ""

    modules = list(module.modules())
    modes = [child.training for child in modules]
    removers = [child.register_forward_hook(note) for child in modules]
    try:
        module.eval()
        with no_grad():
            module(*inputs)
    finally:
        for child, training, remove in zip(modules, modes, removers, strict=True):
            child.training = training
            remove()
