"""The one source of randomness: a seeded generator for each device, whose state can be saved.

Floor 1. Initializers, dropout and shuffling draw from here, so that `manual_seed` decides them all.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from minigrad import backend
from minigrad.backend import Device, DeviceError

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
    global _seed
    name = backend.canonical(device)
    xp = backend.get(name)  # which makes the device the current one, also for what is drawn
    if name not in _generators:
        if _seed is None:
            _seed = int.from_bytes(os.urandom(8), "little")
        _generators[name] = xp.generator(_seed)
    return _generators[name]


def get_state() -> dict[str, Any]:
    """Return the state of the CPU's generator, as JSON can hold it."""
    return dict(generator("cpu").bit_generator.state)


def set_state(state: dict[str, Any]) -> None:
    """Restore the CPU's generator to a state that `get_state` returned."""
    generator("cpu").bit_generator.state = state


def save() -> dict[str, Any]:
    """Return what `load` needs to go on from here, on all devices, as JSON can hold it.

    The state of a device's generator cannot be read. It starts anew here, from a seed that is drawn
    now and saved: who goes on and who loads it draw the same numbers.
    """
    seeds = _drawn_seeds()
    _start_anew(seeds)
    return {**get_state(), "devices": seeds}


def load(state: dict[str, Any]) -> None:
    """Go on from what `save` returned; a device that is not here is left out."""
    seeds = state.get("devices", {})
    set_state({name: value for name, value in state.items() if name != "devices"})
    for name in _generators.keys() - {"cpu"}:
        del _generators[name]
    _start_anew(seeds)


def _drawn_seeds() -> dict[Device, int]:
    """Draw a seed for each device whose generator is in use, the CPU aside."""
    draw = generator("cpu").integers  # which is made here, if nobody has asked for it before
    return {name: int(draw(2**63)) for name in _generators if name != "cpu"}


def _start_anew(seeds: dict[Device, int]) -> None:
    for name, seed in seeds.items():
        try:
            _generators[name] = backend.get(name).generator(seed)
        except DeviceError:  # saved on another machine
            continue


def snapshot() -> Callable[[], None]:
    """Return a function that winds every generator back to where it stands now, again and again.

    A generator on a device whose state cannot be read is started anew instead, from a seed that is
    drawn now: what it gives next is then the same each time. One that is first used later on starts
    anew as it did then.
    """
    seeds = _drawn_seeds()
    state = get_state()

    def rewind() -> None:
        set_state(state)
        for name in _generators.keys() - seeds.keys() - {"cpu"}:
            del _generators[name]
        _start_anew(seeds)

    return rewind
