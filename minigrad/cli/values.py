"""The values that options take: a converter returns the value, or says in one line what is legal.

What is not here: the options themselves (`options.py`).
"""

from __future__ import annotations

import argparse
import ast
import difflib
import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn


class UsageError(Exception):
    """What the user asked for cannot be done: what was given, what is legal, what to try."""


class DivergedError(Exception):
    """A run that ended with a loss that is no number: where, and what to try."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, with a suggestion."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of printing the usage and leaving."""
        raise UsageError(one_line(message.removeprefix("argument ")))

    def options(self) -> list[str]:
        """Return the long options."""
        return [s for s in self._option_string_actions if s.startswith("--")]


def one_line(text: object) -> str:
    """Return text without line breaks and runs of spaces."""
    return " ".join(str(text).split())


def suggestion(given: str, legal: Iterable[str]) -> str:
    """Return ``; did you mean x?`` for the nearest legal name, or nothing."""
    near = difflib.get_close_matches(given.lower(), list(legal), 1, 0.5)
    return f"; did you mean {near[0]}?" if near else ""


def refuse(given: str, legal: str, attempt: str) -> NoReturn:
    """Raise the error of one option's value."""
    raise argparse.ArgumentTypeError(f"{given!r} given; legal is {legal}; try {attempt}")


def name(legal: Sequence[str], attempt: str = "") -> Callable[[str], str]:
    """Return a converter to one of the legal names."""

    def convert(text: str) -> str:
        if text.lower() not in legal:
            near = difflib.get_close_matches(text.lower(), legal, 1, 0.5)
            refuse(text, "one of " + ", ".join(legal), near[0] if near else attempt or legal[0])
        return text.lower()

    return convert


def integer(low: int, attempt: int) -> Callable[[str], int]:
    """Return a converter to an integer from `low` on, of 64 bits."""
    high = 2**63 - 1
    legal = f"an integer from {low} to {high}"

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            refuse(text, legal, str(attempt))
        if not low <= value <= high:
            refuse(text, legal, str(attempt))
        return value

    return convert


def number(
    attempt: float, above: float = 0.0, below: float = math.inf, closed: bool = False
) -> Callable[[str], float]:
    """Return a converter to a finite number between two bounds, `closed` including the lower."""
    relation = "≥" if closed else ">"
    bounds = f"{relation} {above:g}" + (f" and < {below:g}" if below < math.inf else "")
    legal = f"a finite number {bounds}" if below == math.inf else f"a number {bounds}"

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            refuse(text, legal, f"{attempt:g}")
        if not (above <= value < below) or (value == above and not closed):
            refuse(text, legal, f"{attempt:g}")
        return value

    return convert


def path(kind: str, attempt: str) -> Callable[[str], str]:
    """Return a converter to a path; it refuses none at all, and one that no terminal can show."""

    def convert(text: str) -> str:
        if not text.strip() or any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
            refuse(text, f"the path of a {kind}, without control characters", attempt)
        return text

    return convert


def setting(text: str) -> tuple[str, Any]:
    """Convert ``damping=0.1`` to a name and a value: what Python reads, else the text as it is."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip().isidentifier() or not value.strip():
        refuse(text, "NAME=VALUE, a hyperparameter of the method", "damping=0.1")
    return name.strip(), _literal(value.strip())


def _literal(text: str) -> Any:
    words = {"true": True, "false": False, "none": None, "inf": math.inf}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def widths(text: str) -> list[int]:
    """Convert ``128,64`` to the widths of the hidden layers; ``none`` to no hidden layer."""
    if text.strip().lower() == "none":
        return []
    try:
        values = [int(part) for part in text.split(",")]
    except ValueError:
        values = [0]
    if min(values) < 1 or max(values) > 1_000_000 or len(values) > 1000:
        refuse(text, "widths between commas, each from 1 to 1000000, or none", "128,64")
    return values
