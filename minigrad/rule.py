"""Rule: the derivative of an operation in one of its inputs, as a function that says what it reads.

Floor 1. Not here: the operations, and what their rules mean (`primitive.py`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from minigrad import backend
from minigrad.fuse.chain import LARGE, Chain


class Rule:
    """The derivative of a primitive with respect to one input, called with just what it names.

    A rule is a plain function. The names of its parameters say what it needs: ``g`` the incoming
    gradient (or ``t``, the input's tangent), ``out`` the result, an input's name that input, a
    keyword's name that keyword. What a rule does not name is not kept for it.
    """

    __slots__ = ("call", "chain", "function", "keys", "scale", "slots")

    def __init__(
        self, rule: Any, inputs: list[str], elementwise: bool, one_pass: bool = False
    ) -> None:
        self.function: Callable[..., Any] | None = rule if callable(rule) else None
        self.scale = None if callable(rule) else rule  # a constant partial derivative
        names = list(inspect.signature(rule).parameters) if callable(rule) else []
        names = ["g" if name == "t" else name for name in names]
        frame = ["g", "out", *inputs]
        self.slots = [frame.index(name) for name in names if name in frame]
        self.keys = [name for name in names if name not in frame]
        if self.keys != names[len(self.slots) :]:
            raise TypeError(f"a rule names the operation's keywords last, not {names}")
        # On large arrays a chain of elementwise operations is one pass.
        self.chain: Chain | None = None
        if self.function is not None and (elementwise or (one_pass and self.slots)):
            self.chain = Chain(self._product if elementwise else self.function)
        # ``call(frame, params)`` returns the input's gradient; the frame is [g, out, *inputs].
        self.call = self._written_out(elementwise)

    def _written_out(self, partial: bool) -> Callable[[list[Any], dict[str, Any]], Any]:
        """Return the call with its arguments in their places.

        Picking them in a loop in each call would take as long as a small array operation.
        """
        if self.function is None:
            text = "frame[0]" if self.scale == 1 else "frame[0] * scale"
        else:
            arguments = [f"frame[{slot}]" for slot in self.slots]
            arguments += [f"{key}=params[{key!r}]" for key in self.keys]
            text = f"function({', '.join(arguments)})"
            if partial:  # the function is ∂out/∂input
                text = f"frame[0] * {text}"
            if self.chain is not None:
                lifted = "hasattr(frame[0], '__primitive__')"  # a dual: an operation at a time
                small = f"frame[0].size < LARGE if type(frame[0]) is Array else {lifted}"
                text = f"{text} if ({small}) else one_pass(frame, params)"
        names = {"function": self.function, "scale": self.scale, "one_pass": self._one_pass}
        names |= {"Array": backend.cpu.Array, "LARGE": LARGE}
        return eval(f"lambda frame, params: {text}", names)  # type: ignore[no-any-return]

    def _one_pass(self, frame: list[Any], params: dict[str, Any]) -> Any:
        """Return the same as the text, in one pass if that can be."""
        assert self.chain is not None
        reads = self.slots if self.chain.formula is self.function else [0, *self.slots]
        inputs = [frame[slot] for slot in reads]
        keywords = {key: params[key] for key in self.keys}
        out = self.chain.run(inputs, keywords)
        return self.chain.formula(*inputs, **keywords) if out is None else out

    def _product(self, g: Any, *inputs: Any, **params: Any) -> Any:
        return g * self.function(*inputs, **params)  # type: ignore[misc]
