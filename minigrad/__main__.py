"""``python -m minigrad`` is the command `minigrad`, which begins in `minigrad_command.py`."""

import sys

from minigrad_command import run

if __name__ == "__main__":
    sys.exit(run())
