"""Every operation with its derivative beside it, a file a kind.

An operation returns what it is given: a Tensor if an input is a Tensor, else an array. Floor 2.
"""

import inspect

from minigrad.ops import elementwise, indexing, linalg, methods, reduce, shape
from minigrad.ops.elementwise import *  # noqa: F403
from minigrad.ops.indexing import *  # noqa: F403
from minigrad.ops.linalg import *  # noqa: F403
from minigrad.ops.reduce import *  # noqa: F403
from minigrad.ops.shape import *  # noqa: F403
from minigrad.tensor import Tensor

__all__ = [
    *elementwise.__all__, *indexing.__all__, *linalg.__all__, *reduce.__all__, *shape.__all__,
]  # fmt: skip

methods.attach(Tensor)
for _name in __all__:
    _code = getattr(inspect.unwrap(globals()[_name]), "__code__", None)
    if _code is not None and "axis" in _code.co_varnames:
        globals()[_name] = methods.told(globals()[_name])
