"""``python -m minigrad`` is the command line."""

import sys

from minigrad_command import run

sys.exit(run())
