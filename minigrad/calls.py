"""What is wrong with a call that failed: arguments that do not fit, or are of another kind.

Floor 0. Functions and classes are wrapped, and a call that goes well pays for nothing but that. Not
here: what an argument is called elsewhere and what to do instead (`elsewhere.py`).
"""

from __future__ import annotations

import dis
import functools
import inspect
import numbers
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from minigrad.elsewhere import advised

Function = TypeVar("Function", bound=Callable[..., Any])


def told(
    function: Function, advice: dict[str, str] | None = None, method: bool = False
) -> Function:
    """Return a function that says which of a call's arguments it does not take, and what it takes.

    `advice` for names goes before what is known of them. Of a `method`, an ``__init__`` too, the
    first argument is not the user's.
    """
    made = function.__name__ == "__init__"

    @functools.wraps(function, updated=())
    def call(*arguments: Any, **given: Any) -> Any:
        try:
            return function(*arguments, **given)
        except (TypeError, AttributeError, ValueError) as error:
            kind = type(arguments[0]) if made else None
            name = kind.__name__ if kind else function.__name__
            # An optimizer's class has a signature of its own, with what its formula takes.
            signature = getattr(kind, "__signature__", None)
            if signature is None:
                signature = inspect.signature(function)
                if made or method:
                    mine = list(signature.parameters.values())[1:]
                    signature = signature.replace(parameters=mine)
            own = arguments[1:] if made or method else arguments
            said = isinstance(error, TypeError) and misused(name, signature, own, given, advice)
            said = said or mistaken(name, signature, own, given, error)
            if said:
                raise TypeError(said) from None
            raise

    setattr(call, "__told__", True)
    return cast(Function, call)


def tell(namespace: dict[str, Any], names: Iterable[str]) -> None:
    """Make what has these names in a module `told`: functions, and the making of classes."""
    for name in names:
        value = namespace[name]
        if inspect.isfunction(value):
            namespace[name] = value if hasattr(value, "__told__") else told(value)
        for kind in inspect.getmro(value) if inspect.isclass(value) else ():
            made = vars(kind).get("__init__")
            if inspect.isfunction(made) and not hasattr(made, "__told__"):
                setattr(kind, "__init__", told(made))


def misused(
    name: str,
    signature: inspect.Signature,
    arguments: tuple[Any, ...],
    given: dict[str, Any],
    advice: dict[str, str] | None = None,
) -> str:
    """Return what is wrong with the arguments of a call, or "" if they fit the signature."""
    try:
        signature.bind(*arguments, **given)
        return ""
    except TypeError:
        parameters = list(signature.parameters.values())
    kinds = inspect.Parameter
    places = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = [p.name for p in parameters if p.kind is kinds.KEYWORD_ONLY]
    unnamed = [p.name for p in parameters if p.kind is kinds.POSITIONAL_ONLY]
    several = [f"*{p.name}" for p in parameters if p.kind is kinds.VAR_POSITIONAL]
    takes = ", ".join([*places, *several, *(f"{key}=" for key in named)]) or "nothing"
    for key in given:
        if unnamed and key in (*unnamed, "input", "other"):
            return f"{name} takes {', '.join(unnamed)} by position, not as {key}="
        if key not in places and key not in named:
            here = advised(key, [*places, *several, *named], advice)
            return f"{name} has no {key}=; {here or f'it takes {takes}'}"
    for key in places[: len(arguments)]:
        if key in given:
            return f"{name}: {key} is given twice, by position and by name; it takes {takes}"
    if len(arguments) > len(places) and not several:
        were = "1 value was" if len(arguments) == 1 else f"{len(arguments)} values were"
        return f"{name} takes {takes}, and {were} given by position"
    missing = [
        p.name
        for p in parameters
        if p.default is p.empty and p.name not in given and p.name not in places[: len(arguments)]
        if p.kind is not p.VAR_POSITIONAL
    ]
    return f"{name} needs {', '.join(missing)}; it takes {takes}"


_RAISE = dis.opmap["RAISE_VARARGS"]
_TENSOR, _LIST = "a tensor, as of mg.tensor(...)", "a list, such as list(model.parameters())"
# a part of an annotation → what it is called, and whether a value is one
_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "None": ("None", lambda x: x is None),
    "bool": ("True or False", lambda x: isinstance(x, bool)),
    "str": ("a string", lambda x: isinstance(x, str)),
    "int": ("an integer", lambda x: _number(x, "iu", numbers.Integral)),
    "float": ("a number", lambda x: _number(x, "fiub", numbers.Real)),
    "Tensor": (_TENSOR, lambda x: hasattr(x, "requires_grad")),
    "Sequence": ("a list or tuple", lambda x: _several(x, "__getitem__")),
    "Iterable": (_LIST, lambda x: _several(x, "__iter__")),
    "Parameters": (_LIST, lambda x: _several(x, "__iter__")),
    "Module": ("a module", lambda x: hasattr(x, "named_parameters")),
    "Optimizer": ("an optimizer", lambda x: hasattr(x, "param_groups")),
    "Callable": ("a function", callable),
}


def _number(x: Any, kinds: str, plain: type) -> bool:
    """Say whether x is a number of Python's, or a tensor or array of one, of kinds of dtype."""
    kind = getattr(getattr(x, "dtype", None), "kind", "?")
    return isinstance(x, plain) or (kind in kinds and x.size == 1)


def _several(x: Any, attribute: str) -> bool:
    return hasattr(x, attribute) and not isinstance(x, (str, bytes, type))


def mistaken(
    name: str,
    signature: inspect.Signature,
    arguments: tuple[Any, ...],
    given: dict[str, Any],
    error: Exception,
) -> str:
    """Return which argument is not of the kind that is annotated, or "" if all seem to be.

    That is looked for only where an `error` is Python's or an array library's own: those name a
    type, and not the argument.
    """
    if not _raw(error):
        return ""
    try:
        bound = signature.bind(*arguments, **given)
    except TypeError:  # what an optimizer has not got, it says itself
        return ""
    asked = error.obj if isinstance(error, AttributeError) and error.name else object()
    for key, value in bound.arguments.items():
        parts = [p.split("[")[0] for p in str(signature.parameters[key].annotation).split(" | ")]
        if value is asked and not hasattr(value, "dtype"):
            return f"{name}: {key}={_brief(value)} is not {_KINDS.get(parts[0], (_TENSOR,))[0]}"
        if all(part in _KINDS for part in parts) and not any(_KINDS[p][1](value) for p in parts):
            legal = " or ".join(_KINDS[part][0] for part in parts)
            return f"{name}: {key}={_brief(value)} is not {legal}"
    return ""


def _raw(error: Exception) -> bool:
    """Say whether an error is Python's or an array library's own, met in minigrad's code.

    Then nothing of the user's was called on the way, and it does not come from a ``raise`` of
    minigrad's, whose message says enough: the last instruction tells. Only in a method by which an
    expression asks a value for its truth, its length or an attribute it is not known for whom.
    """
    trace = error.__traceback__
    while trace is not None:
        code, last = trace.tb_frame.f_code, trace.tb_lasti
        library = str(trace.tb_frame.f_globals.get("__name__")).split(".")[0]
        if library not in ("minigrad", "numpy", "cupy"):
            return False
        trace = trace.tb_next
    special = code.co_name.startswith("__") and code.co_name not in ("__init__", "__call__")
    return special or library != "minigrad" or code.co_code[last] != _RAISE


def _brief(value: Any) -> str:
    """Return a value as one short line."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:  # a class of numbers has another thing of that name
        return f"a {type(value).__name__} of shape {shape}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
