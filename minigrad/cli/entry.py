"""What the program `minigrad` does: it fits its process to the machine, then runs a command.

A program may do to its own process what a library must not do to its user's: choose the BLAS's
kernels, let the C library keep the memory of large arrays, and let the BLAS's threads leave their
cores soon. `main` in ``__init__.py``, which other code may call, does none of it. What loads this:
`minigrad/__main__.py`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from minigrad.cli import main
from minigrad.machine import allocator, kernels, spinning
from minigrad.machine.openblas import openblas

SWITCH = "MINIGRAD_NO_TUNE"
_AS_THEY_ARE = ("doctor", "watch", "report")


def run() -> int:
    """Run the command line of this process and return its exit status."""
    if wanted(sys.argv[1:], os.environ):
        _choose_kernels()
        if not allocator.chosen(os.environ):
            allocator.keep()
        spinning.shorten()
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has enough, such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def wanted(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Say whether a command line is to be run with the remedies.

    It is unless ``--no-tune`` or the variable says no, it only asks for help, or it is `doctor`,
    which reports what the user's own scripts meet, or `watch` or `report`, which compute nothing.
    """
    if environment.get(SWITCH, "0") not in ("", "0"):
        return False
    if not arguments or arguments[0].startswith("-") or arguments[0] in _AS_THEY_ARE:
        return False
    return not {"--no-tune", "--help", "-h"} & set(arguments)


def _choose_kernels() -> None:
    """Begin anew with the faster kernels, if there are any; else change nothing.

    OpenBLAS has been loaded by now, so that only a new start of the program can choose. That costs
    some 0.1 s, and nothing where there is nothing to choose. It keeps the process: its number, its
    parent, its files. Once the variable is set this is never done again, and what the user set
    stays. Windows knows no such start; /proc/cpuinfo is Linux's.
    """
    if os.name != "posix" or kernels.VARIABLE in os.environ or not sys.executable:
        return
    choice = kernels.remedy(kernels.processor_flags(), openblas())
    if choice:
        environment = {spinning.VARIABLE: str(spinning.SHORT), **os.environ}
        environment[kernels.VARIABLE] = choice
        try:
            os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
        except OSError:
            return  # slower, but as right
