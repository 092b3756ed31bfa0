"""The derivative of an operation as its code says it, and as a formula.

A rule is a lambda beside its operation, or a small function. The text is cut out of the source file
by its place in the syntax tree; the formula is that text in the signs of mathematics.
"""

from __future__ import annotations

import ast
import inspect
import linecache
from functools import cache
from typing import Any

from minigrad.primitive import Primitive
from minigrad.rule import Rule

_SIGNS = {
    ast.Add: " + ", ast.Sub: " − ", ast.Mult: " · ", ast.Div: " / ", ast.MatMult: " ",
    ast.Gt: " > ", ast.GtE: " ≥ ", ast.Lt: " < ", ast.LtE: " ≤ ", ast.Eq: " = ", ast.NotEq: " ≠ ",
}  # fmt: skip
_AFTER = {"mT": "ᵀ", "square": "²", "_inv": "⁻¹"}
_CALLED = {"sigmoid": "σ", "sqrt": "√"}
_PRODUCTS = (ast.Mult, ast.MatMult)


def described(op: Primitive) -> dict[str, Any]:
    """Return an operation's kind, documentation's first paragraph and rules, as JSON can hold them.

    Each rule has the ``input`` it differentiates by, its ``source`` and its ``formula``.
    """
    rules = [
        {"input": name, "source": source(rule), "formula": formula(op, rule, name)}
        for name, rule in zip(op.inputs, op.rules, strict=True)
        if rule is not None
    ]
    return {"kind": op.kind, "doc": _doc(op), "rules": rules, "source": _forward(op)}


def _doc(op: Primitive) -> str:
    """Return what an operation does; it may say so in the function of its name that calls it."""
    public = op.forward.__globals__.get(op.__name__)
    text = op.__doc__ or getattr(public, "__doc__", None) or ""
    return " ".join(text.strip().split("\n\n")[0].split())


def _forward(op: Primitive) -> str:
    try:
        return inspect.getsource(op.forward).rstrip()
    except (OSError, TypeError):
        return ""


def source(rule: Rule) -> str:
    """Return the text of a rule as it stands in its file; of a constant, the constant."""
    if rule.function is None:
        return repr(rule.scale)
    return _text(rule.function)


def formula(op: Primitive, rule: Rule, name: str) -> str:
    """Return the gradient of an input, as a formula in g, the gradient of the result."""
    left = f"∂L/∂{name} = "
    if rule.function is None:
        assert rule.scale is not None
        return left + {1: "g", -1: "−g", 0: "0"}.get(rule.scale, f"{rule.scale} · g")
    node = _parsed(rule.function)
    if not isinstance(node, ast.Lambda):
        body = _summary(rule.function)
        return left + (f"g · {body}" if op.kind == "elementwise" else body)
    body = _math(node.body)
    if op.kind != "elementwise":
        return left + body
    return left + f"g · {body if isinstance(node.body, (ast.Name, ast.Call)) else f'({body})'}"


def _summary(function: Any) -> str:
    """Return what a function's docstring says that it returns, else how it is called."""
    line = (function.__doc__ or "").strip().split("\n")[0].removesuffix(".")
    if line.startswith("Return "):
        return line.removeprefix("Return ")
    if line.startswith("Pass nothing"):
        return "nothing"
    return f"{function.__name__.strip('_')}({', '.join(inspect.signature(function).parameters)})"


@cache
def _tree(file: str) -> tuple[str, ast.Module | None]:
    text = "".join(linecache.getlines(file))
    try:
        return text, ast.parse(text)
    except SyntaxError:
        return text, None


def _parsed(function: Any) -> Any:
    """Return the node of a function in its file's syntax tree, or None."""
    code = function.__code__
    _, tree = _tree(code.co_filename)
    if tree is None:
        return None
    positions = [p for p in code.co_positions() if p[0] and p[2] is not None and p[3]]
    inside = positions[-1] if positions else None
    names = list(code.co_varnames[: code.co_argcount])
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Lambda, ast.FunctionDef)):
            continue
        arguments = [a.arg for a in node.args.args]
        if isinstance(node, ast.FunctionDef):
            if node.name == function.__name__ and node.lineno >= code.co_firstlineno:
                return node
        elif arguments == names and node.lineno == code.co_firstlineno:
            if inside is None:  # a constant, whose place Python 3.12.1 does not know
                return node
            start = (node.body.lineno, node.body.col_offset)
            end = (node.body.end_lineno or 0, node.body.end_col_offset or 0)
            if start <= (inside[0], inside[2]) <= end:
                return node
    return None


def _text(function: Any) -> str:
    node = _parsed(function)
    text, _ = _tree(function.__code__.co_filename)
    found = None if node is None else ast.get_source_segment(text, node)
    return found or str(getattr(function, "__name__", function))


def _math(node: Any) -> str:
    """Return an expression in the signs of mathematics; what has none is left as code."""
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Pow):
            return f"{_inner(node.left)}^{_inner(node.right)}"
        sign = _SIGNS.get(type(node.op), " ? ")
        if isinstance(node.op, ast.Add):
            return f"{_math(node.left)}{sign}{_math(node.right)}"
        if isinstance(node.op, ast.Sub):
            return f"{_math(node.left)}{sign}{_inner(node.right, _PRODUCTS)}"
        negated = isinstance(node.left, ast.UnaryOp)  # a sign in front is the product's
        left = _math(node.left) if negated else _inner(node.left, _PRODUCTS)
        return f"{left}{sign}{_inner(node.right)}"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return f"−{_inner(node.operand)}"
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        sign = _SIGNS.get(type(node.ops[0]), " ? ")
        return f"{_inner(node.left)}{sign}{_inner(node.comparators[0])}"
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return f"{_inner(node.value)}ᵀ"
    if isinstance(node, ast.Constant) and node.value is None:
        return "nothing"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _called(node, node.func.id)
    if isinstance(node, ast.IfExp):
        return f"{_math(node.body)} if {_math(node.test)}, else {_math(node.orelse)}"
    if isinstance(node, ast.Name):
        return node.id.strip("_")
    return ast.unparse(node).replace("math.", "")


def _called(node: ast.Call, name: str) -> str:
    """Return a call; a keyword that is given what it is called needs no name."""
    named = {key.arg: key.value for key in node.keywords if key.arg != "keepdims"}
    if name in _AFTER:
        return _inner(node.args[0]) + _AFTER[name]
    if name == "_matmul":  # a product of three needs no brackets
        return " ".join(_math(x) if _is_product(x) else _inner(x) for x in node.args)
    if name == "power":
        return f"{_inner(node.args[0])}^{_inner(named['exponent'])}"
    shown = [_math(x) for x in node.args]
    for key, value in named.items():
        same = isinstance(value, ast.Name) and value.id == key
        shown.append(_math(value) if same else f"{key}={_math(value)}")
    arguments = ", ".join(shown)
    name = name.strip("_")
    return f"|{arguments}|" if name == "abs" else f"{_CALLED.get(name, name)}({arguments})"


def _inner(node: Any, bare: tuple[type, ...] = ()) -> str:
    """Return an expression as part of a larger one: in brackets, unless it binds more tightly."""
    text = _math(node)
    if isinstance(node, ast.BinOp):
        return text if isinstance(node.op, bare) else f"({text})"
    compound = _is_product(node) or isinstance(node, (ast.Compare, ast.UnaryOp))
    return f"({text})" if compound else text


def _is_product(node: Any) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_matmul"
