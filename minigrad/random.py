"""The one source of randomness: a seeded generator for each device, whose state can be saved.

Floor 1. Initializers, dropout and shuffling draw from here, so that `manual_seed` decides them all.
"""

from __future__ import annotations

from typing import Any

from minigrad import backend
from minigrad.backend import Device

_generators: dict[Device, Any] = {}
_seed: int | None = None


def manual_seed(seed: int | None) -> None:
    """Start every device's generator anew from an integer; None draws a seed from the system."""
    global _seed
    if seed is not None and (not isinstance(seed, int) or seed < 0):
        raise ValueError(f"a seed is a non-negative integer or None, not {seed!r}")
    _seed = seed
    _generators.clear()


def generator(device: Device | None = None) -> Any:
    """Return the generator of a device, NumPy's or CuPy's `Generator`."""
    name = backend.canonical(device)
    if name not in _generators:
        _generators[name] = backend.get(name).generator(_seed)
    return _generators[name]


def get_state() -> dict[str, Any]:
    """Return the state of the CPU's generator, as JSON can hold it."""
    return dict(generator("cpu").bit_generator.state)


def set_state(state: dict[str, Any]) -> None:
    """Restore the CPU's generator to a state that `get_state` returned."""
    generator("cpu").bit_generator.state = state
