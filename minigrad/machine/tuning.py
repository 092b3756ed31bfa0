"""Tuning: what a program may do to its own process for speed, in one call."""

from __future__ import annotations

from dataclasses import dataclass

from minigrad.machine import allocator, spinning


@dataclass(frozen=True, slots=True)
class Tuning:
    """What `tune` did.

    Attributes:
        allocator: what was done to the C library's malloc, see `minigrad.machine.allocator.Kept`.
        spinning: why the threads of OpenBLAS spin as long as before; empty if they do not.
    """

    allocator: allocator.Kept
    spinning: str

    def __str__(self) -> str:
        """Return it as two lines."""
        ticks = f"2^{spinning.SHORT} ticks after a product"
        return f"{self.allocator}\nOpenBLAS: " + (
            f"threads spin as before ({self.spinning})"
            if self.spinning
            else f"threads spin for {ticks}"
        )


def tune() -> Tuning:
    """Fit the process to work on large arrays; return what was done. A program may call it once.

    The C library keeps the memory of large arrays for the next ones (`allocator.keep`), and
    the threads of OpenBLAS leave their cores soon after a product (`spinning.shorten`). Both last
    until the process ends. What the user has set in the environment for OpenBLAS stays.

    Call it at the start of a program, before large arrays are made and other threads started. A
    second call changes nothing. Where nothing can be done, nothing is, and the result says so. It
    never raises. docs/performance.md has figures for what both gain and cost.
    """
    return Tuning(allocator.keep(), spinning.shorten())
