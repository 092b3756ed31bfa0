"""Trees: nested lists, tuples and dictionaries of tensors, and functions that are given them.

Floor 2. Not here: derivatives of such functions (`func.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minigrad.tensor import Tensor

Tree = Any  # a Tensor, or lists, tuples and dictionaries of trees


def tree_map(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """Return the tree with `function` applied to every leaf."""
    if isinstance(tree, dict):
        return {key: tree_map(function, value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        items = [tree_map(function, item) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    return function(tree)


def tree_leaves(tree: Tree) -> list[Any]:
    """Return the leaves of a tree, in order."""
    leaves: list[Any] = []
    tree_map(leaves.append, tree)
    return leaves


def like(tree: Tree, leaves: Sequence[Any]) -> Tree:
    """Return a tree of the shape of `tree` with other leaves."""
    rest = iter(leaves)
    return tree_map(lambda _: next(rest), tree)


def called(
    f: Callable[..., Any], arguments: Sequence[Tree], keywords: Mapping[str, Any] | None = None
) -> Any:
    """Return ``f(*arguments, **keywords)``; an error that lists of numbers explain says so.

    A list is a tree, so ``[1.0, 2.0]`` reaches f as a list of two Tensors, or as two arguments.
    That is legal, and seldom what is meant.
    """
    if not callable(f):
        raise TypeError(
            f"what is differentiated is a function, given by its name, not {type(f).__name__}; of "
            "a Tensor that was computed, mg.autograd.grad(outputs, inputs)"
        )
    try:
        return f(*arguments, **(keywords or {}))
    except (TypeError, AttributeError) as error:
        given = [*arguments, list(arguments)] if len(arguments) > 1 else arguments
        lists = [x for x in given if isinstance(x, (list, tuple)) and _is_of_numbers(x)]
        if not lists or type(error) not in (TypeError, AttributeError):
            raise
        numbers = tree_map(lambda x: x.item(), list(lists[0]))
        raise type(error)(
            f"{error}; here the numbers of a list are a Tensor each: for one Tensor of them give "
            f"mg.tensor({numbers!r:.60})"
        ) from error


def _is_of_numbers(tree: Tree) -> bool:
    """Say whether all leaves are Tensors of no axes, as numbers become."""
    leaves = tree_leaves(list(tree))
    return bool(leaves) and all(isinstance(x, Tensor) and x.ndim == 0 for x in leaves)
