"""Every operation with its derivative beside it, a file a kind.

An operation returns what it is given: a Tensor if an input is a Tensor, else an array. Floor 2.
"""

from minigrad.calls import tell
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
tell(globals(), __all__)
