"""The memory of this machine, and sizes as text."""

from __future__ import annotations

import os


def memory(pages: str = "SC_PHYS_PAGES") -> int | None:
    """Return the bytes of memory there are, or of other pages; None where the system is silent."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf(pages)
    except (AttributeError, ValueError, OSError):  # Windows; macOS for what is free
        return None


def readable(size: float) -> str:
    """Return a number of bytes as text, in the unit that fits."""
    units = ["bytes", "kB", "MB", "GB", "TB", "PB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.4g} {units[0]}"
