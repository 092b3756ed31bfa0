"""Where the program `minigrad` begins, as a command and as ``python -m minigrad``.

An interrupt while the program is loaded is one line, too. What it then does: `cli/entry.py`.
"""

import os
import signal
import sys
from types import FrameType


def run() -> int:
    """Run the command line of this process and return its exit status; 130 if interrupted."""
    try:
        loading = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if loading:  # no exception: what is being imported might take it for one of its own
            signal.signal(signal.SIGINT, _leave)
        from minigrad.cli import entry

        if loading:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return entry.run()
    except KeyboardInterrupt:
        print("minigrad: interrupted", file=sys.stderr)
        return 130


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, b"minigrad: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    sys.exit(run())
