"""``python -m minigrad`` is the command line."""

import sys

from minigrad.cli.entry import run

sys.exit(run())
