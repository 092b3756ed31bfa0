"""The command line: ``minigrad train``, ``watch``, ``report`` and ``doctor``.

Floor 5. `main` is the entry point. Whatever the user got wrong ends in one line on stderr and exit
status 2; an interrupt in status 130; a run that diverged in status 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from minigrad.cli.values import DivergedError, UsageError, one_line

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0; 1 if the run diverged; 2 for a wrong use; 130 if interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        # Imported here, so that an interrupt during the import is caught as well.
        from minigrad.cli import compare, doctor, options, train, watch

        given = options.parse(words)
        commands = {
            "train": train.train,
            "watch": watch.watch,
            "report": compare.compare,
            "doctor": doctor.doctor,
        }
        commands[given["command"]](given)
    except DivergedError as error:
        print(f"minigrad: {one_line(error)}", file=sys.stderr)
        return 1
    except UsageError as error:
        print(f"minigrad: {one_line(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        raise
    except OSError as error:  # of a file or folder that may not be read, say
        where = f"{error.filename}: " if error.filename else ""
        print(f"minigrad: {where}{one_line(error.strerror or error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        bar = "\n" if sys.stderr.isatty() else ""  # below the progress bar
        print(f"{bar}minigrad: interrupted{interrupt}", file=sys.stderr)
        return 130
    except SystemExit as leave:  # argparse leaves so after --help and --version
        return int(leave.code or 0)
    return 0
