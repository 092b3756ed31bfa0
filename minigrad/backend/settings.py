"""Two switches of the arithmetic of this process: TF32 for products, and sums in a fixed order.

Floor 0. Each acts when it is called, and as a context manager until its end.
"""

from __future__ import annotations

values = {"tf32": False, "deterministic": False}
chosen: set[str] = set()  # what was asked for; the rest is CuPy's own choice


class Switch:
    """A switch that was turned; leaving it as a context manager turns it back."""

    def __init__(self, name: str, enabled: bool) -> None:
        self.name = name
        self.before = values[name]
        _turn(name, bool(enabled))

    def __enter__(self) -> None:
        """Do nothing: the switch acts from when it was made."""

    def __exit__(self, *exception: object) -> None:
        _turn(self.name, self.before)


def _turn(name: str, enabled: bool) -> None:
    from minigrad import backend  # which imports this file

    values[name] = enabled
    chosen.add(name)
    backend.switched()


def allow_tf32(enabled: bool = True) -> Switch:
    """Let float32 products of matrices on a GPU use TF32: several times faster, 3 digits.

    TF32 keeps float32's range and sums in float32, and rounds the factors to 10 bits (relative
    errors of 1e-3 in place of 1e-7). GPUs since Ampere have it; others, and the CPU, compute as
    before, and so do batches of matrices, of which CuPy makes another call. The default is off,
    unless the environment has ``CUPY_TF32=1``.
    """
    return Switch("tf32", enabled)


def deterministic(enabled: bool = True) -> Switch:
    """Add what meets in one place in a fixed order, so that the same call gives the same bits.

    On a GPU the gradients of an index and `mg.scatter_add` add by atomic operations, as they come,
    and floating sums depend on the order. With this each place adds in the order of the index, as
    NumPy does: more slowly, the more often an index is repeated. The CPU always does.
    """
    return Switch("deterministic", enabled)
