"""The options of the commands: names, legal values, defaults, help.

Only the options that were given come out of the parser; `DEFAULTS` fills in the rest. So a resumed
run can tell which options the user wants changed. What they do is in `train.py`.
"""

from __future__ import annotations

import argparse
from typing import Any

from minigrad import __version__, datasets, optim
from minigrad.cli.architecture import ACTIVATIONS, INITS
from minigrad.cli.schedules import SCHEDULES
from minigrad.cli.values import (
    Parser,
    UsageError,
    integer,
    name,
    number,
    path,
    setting,
    suggestion,
    widths,
)

DEFAULTS: dict[str, Any] = {
    "dataset": "digits",
    "data_dir": None,
    "download": False,
    "hidden": [128, 64],
    "activation": "relu",
    "init": "default",
    "batch_norm": True,
    "layer_norm": False,
    "dropout": 0.2,
    "l1": 0.0,
    "l2": 1e-4,
    "optimizer": "adam",
    "lr": None,
    "momentum": None,
    "weight_decay": None,
    "set": {},
    "clip": None,
    "schedule": "constant",
    "epochs": 30,
    "batch_size": None,
    "early_stopping": None,
    "seed": 0,
    "device": "cpu",
    "tensorboard": False,
}
# What may be given beside --resume.
RESUMABLE = ("data_dir", "epochs", "tensorboard", "quiet", "no_tune", "resume")
COMMANDS = ("train", "watch", "report", "doctor")

_EXAMPLES = """examples:
  minigrad train
  minigrad train --optimizer momentum --lr 0.05 --schedule cosine
  minigrad train --optimizer newton-cg --set damping=0.1 --set max_inner=50
  minigrad train --dataset spirals --hidden 64,64 --activation tanh --epochs 100
  minigrad train --dataset fashion-mnist --download --epochs 10 --lr 0.003 --schedule cosine
  minigrad train --resume runs/digits-adam-1 --epochs 60
"""


def parser() -> Parser:
    """Return the parser of the whole command line."""
    top = Parser(
        prog="minigrad",
        description="An autograd engine with built-in optimizers, on NumPy and CuPy.",
        epilog="minigrad COMMAND --help explains a command.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"minigrad {__version__}")
    commands = top.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    train = commands.add_parser(
        "train",
        help="train a network and leave a run folder",
        description="Train a multilayer perceptron and leave a run folder: metrics, curves, "
        "checkpoint,\nconfiguration, and the model's graph.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    _data(train)
    _model(train)
    _method(train)
    _run(train)
    watch = commands.add_parser(
        "watch",
        help="show a run in the terminal while it trains",
        description="Show where a run stands until it ends: epoch, speed, time left, and the "
        "curves of loss and accuracy. It reads the run's folder only; to stop watching, Ctrl-C.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    watch.add_argument("run", metavar="RUN", help="a folder that training left, or writes to")
    watch.add_argument(
        "--interval",
        type=number(1.0),
        metavar="SECONDS",
        help="between two looks (default: 1)",
    )
    report = commands.add_parser(
        "report",
        help="show runs side by side on one page of HTML",
        description="Write the report of a run anew, or one page that compares several: their "
        "curves overlaid, and what differs in their configurations.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    report.add_argument("runs", nargs="+", metavar="RUN", help="a folder that training left")
    report.add_argument(
        "--output",
        type=path("file", "comparison.html"),
        metavar="FILE",
        help="where to write it, in place of what is there (default: report.html in the run's "
        "folder; of several runs, comparison.html here, or with the next free number)",
    )
    doctor = commands.add_parser(
        "doctor",
        help="say what this machine computes with, and what would make it faster",
        description="Print the processor, the BLAS and its kernels, the allocator, the threads, "
        "the GPU and the optional packages, with what to install or set. What would be gained is "
        "measured here, in some seconds. Nothing is changed.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    doctor.add_argument("--json", action="store_true", help="print it as JSON")
    return top


def parse(argv: list[str]) -> dict[str, Any]:
    """Return the options that were given, and the command.

    Raises UsageError for what is no command, no option or no legal value.
    """
    top = parser()
    first = next((word for word in argv if not word.startswith("-")), None)
    if first is not None and argv[0] == first and first not in COMMANDS:
        raise UsageError(
            f"{first!r} is no command; there is {', '.join(COMMANDS)}"
            f"{suggestion(first, COMMANDS) or '; try minigrad train'}"
        )
    given, unknown = top.parse_known_args(argv)
    if unknown:
        word = unknown[0].partition("=")[0]
        command = first if first in COMMANDS else None
        legal = command_options(top, command) if command else ["--help", "--version", *COMMANDS]
        near = suggestion(word, legal) if word.startswith("-") else ""
        raise UsageError(
            f"{unknown[0]!r} is no option"
            f"{near or f'; minigrad {command or COMMANDS[0]} --help lists them'}"
        )
    if given.command is None:
        raise UsageError("a command is missing; try minigrad train, or minigrad --help")
    if "set" in given:
        given.set = dict(given.set)  # of a name that is given twice the last, as of an option
    return vars(given)


def words(options: dict[str, Any]) -> list[str]:
    """Return the command line that gives these options: the inverse of `parse`."""
    line = ["train"]
    for key, value in options.items():
        flag = "--" + key.replace("_", "-")
        if isinstance(value, bool):
            negative = [f"--no-{flag[2:]}"] if key.endswith("_norm") else []
            line += [flag] if value else negative
        elif isinstance(value, list):
            line.append(f"{flag}={','.join(map(str, value)) or 'none'}")
        elif isinstance(value, dict):
            line += [f"{flag}={name}={item!r}" for name, item in value.items()]
        elif value is not None:
            line.append(f"{flag}={value}")
    return line


def command_options(top: Parser, command: str) -> list[str]:
    """Return the long options of a command."""
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            return list(action.choices[command].options())
    return []


def _data(train: argparse.ArgumentParser) -> None:
    group = train.add_argument_group("data")
    names = datasets.NAMES
    group.add_argument(
        "--dataset", type=name(names), metavar="NAME", help=f"{', '.join(names)} (default: digits)"
    )
    group.add_argument(
        "--data-dir",
        type=path("folder", "data"),
        metavar="DIR",
        help="folder with the IDX files of mnist or fashion-mnist, gzipped or not",
    )
    group.add_argument(
        "--download", action="store_true", help="fetch the files of mnist or fashion-mnist"
    )


def _model(train: argparse.ArgumentParser) -> None:
    group = train.add_argument_group("model")
    group.add_argument(
        "--hidden",
        type=widths,
        metavar="WIDTHS",
        help="widths of the hidden layers between commas, or the word none (default: 128,64)",
    )
    group.add_argument(
        "--activation",
        type=name(tuple(ACTIVATIONS)),
        metavar="NAME",
        help=f"{', '.join(ACTIVATIONS)} (default: relu)",
    )
    group.add_argument(
        "--init",
        type=name(tuple(INITS)),
        metavar="NAME",
        help=f"initial weights: {', '.join(INITS)} (default: the layer's own)",
    )
    group.add_argument(
        "--batch-norm",
        action=argparse.BooleanOptionalAction,
        help="batch normalization after each hidden layer (default: on)",
    )
    group.add_argument(
        "--layer-norm",
        action=argparse.BooleanOptionalAction,
        help="layer normalization instead (default: off)",
    )
    group.add_argument(
        "--dropout",
        type=number(0.2, 0, 1, closed=True),
        metavar="P",
        help="probability of dropping a hidden unit (default: 0.2)",
    )
    group.add_argument(
        "--l1", type=number(1e-5, closed=True), metavar="λ", help="L1 penalty (default: 0)"
    )
    group.add_argument(
        "--l2", type=number(1e-4, closed=True), metavar="λ", help="L2 penalty (default: 0.0001)"
    )


def _method(train: argparse.ArgumentParser) -> None:
    group = train.add_argument_group("method")
    methods = tuple(optim.METHODS)
    group.add_argument(
        "--optimizer",
        type=name(methods, "adam"),
        metavar="NAME",
        help=f"{', '.join(methods)} (default: adam)",
    )
    group.add_argument(
        "--lr", type=number(0.001), metavar="α", help="learning rate (default: the method's own)"
    )
    group.add_argument(
        "--momentum",
        type=number(0.9, 0, 1, closed=True),
        metavar="μ",
        help="momentum, for the methods that have one",
    )
    group.add_argument(
        "--weight-decay",
        type=number(1e-4, closed=True),
        metavar="λ",
        help="weight decay inside the optimizer (default: the method's own)",
    )
    group.add_argument(
        "--set",
        type=setting,
        action="append",
        metavar="NAME=VALUE",
        help="any other hyperparameter of the method, such as damping=0.1 or betas=0.9,0.99, once "
        "for each; a name that is none lists them",
    )
    group.add_argument(
        "--clip", type=number(1.0), metavar="NORM", help="clip the gradient to this global norm"
    )
    group.add_argument(
        "--schedule",
        type=name(tuple(SCHEDULES)),
        metavar="NAME",
        help=f"of the learning rate, over all epochs: {', '.join(SCHEDULES)} (default: constant)",
    )
    group.add_argument("--epochs", type=integer(1, 30), metavar="N", help="(default: 30)")
    group.add_argument(
        "--batch-size",
        type=integer(1, 32),
        metavar="N",
        help="(default: 32; all rows for second-order methods)",
    )
    group.add_argument(
        "--early-stopping",
        type=integer(1, 5),
        nargs="?",
        const=5,
        metavar="PATIENCE",
        help="stop when the test loss has not improved for so many epochs (5 if not given), and "
        "keep the best weights",
    )


def _run(train: argparse.ArgumentParser) -> None:
    group = train.add_argument_group("run")
    group.add_argument(
        "--seed", type=integer(0, 0), metavar="N", help="decides every random number (default: 0)"
    )
    group.add_argument("--device", metavar="NAME", help='"cpu", "cuda", "cuda:1", … (default: cpu)')
    group.add_argument(
        "--run",
        type=path("folder", "runs/mine"),
        metavar="DIR",
        help="the run folder (default: runs/<dataset>-<optimizer>-<number>)",
    )
    group.add_argument(
        "--resume",
        type=path("folder", "runs/mine"),
        metavar="RUN",
        help="go on with an interrupted run, or with a finished one up to more --epochs, to which "
        "a schedule is then fitted anew",
    )
    group.add_argument(
        "--tensorboard",
        action="store_true",
        help="also write event files for TensorBoard into the run folder (needs the extra "
        "[tensorboard])",
    )
    group.add_argument("--quiet", action="store_true", help="print nothing but errors")
    group.add_argument(
        "--no-tune",
        action="store_true",
        help="leave the process as it is; by default it runs the BLAS's kernels for AVX-512 where "
        "they are passed over (so the last digits may differ), keeps the memory of large arrays, "
        "and lets the BLAS's threads sleep between updates; MINIGRAD_NO_TUNE=1 in the environment "
        "does the same",
    )
