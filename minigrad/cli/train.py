"""`minigrad train`: the options become data, model and optimizer; the run leaves its folder.

What is not here: the options (`options.py`), the network (`architecture.py`), the loop
(`minigrad.training`).
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import minigrad as mg
from minigrad import backend, datasets, nn, optim, training, viz
from minigrad.backend import DeviceError
from minigrad.cli import folder, report, schedules
from minigrad.cli.architecture import build
from minigrad.cli.options import DEFAULTS, RESUMABLE
from minigrad.cli.values import DivergedError, UsageError, suggestion
from minigrad.machine import kernels
from minigrad.training.store import library

# Errors that say in one sentence what the user got wrong.
_EXPLAINED = (
    datasets.DatasetError,
    DeviceError,
    optim.HyperparameterError,
    training.CheckpointError,
    training.RunError,
    ImportError,  # of an extra: progress bar, checkpoint
)


def train(given: dict[str, Any]) -> None:
    """Train as the given options say; raise UsageError for what cannot be done.

    Raises DivergedError, when everything is written and printed, if the loss ended as no number.
    """
    try:
        if "resume" in given:
            options = _resumed(given)
        else:
            options = DEFAULTS | {key: given[key] for key in DEFAULTS if key in given}
            if options["layer_norm"] and "batch_norm" not in given:
                options["batch_norm"] = False
        _check(options)
        data = datasets.load(
            options["dataset"], data_dir=options["data_dir"], download=options["download"]
        )
        with backend.cpu.errstate(all="ignore"):  # a run that diverges is told of in words
            _fit(options, data, given)
    except _EXPLAINED as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise UsageError(f"{where}{error.strerror or error}") from None
    except MemoryError as error:
        said = str(error) if type(error) is MemoryError else ""  # NumPy's is a subclass
        raise UsageError(
            said
            or "not enough memory for this network and batch; try smaller --hidden or --batch-size"
        ) from None


def _resumed(given: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the run to resume, with those changed that may be."""
    fixed = [key for key in given if key in DEFAULTS and key not in RESUMABLE] + [
        key for key in ("run",) if key in given
    ]
    if fixed:
        flag = "--" + fixed[0].replace("_", "-")
        legal = ", ".join("--" + key.replace("_", "-") for key in RESUMABLE if key != "resume")
        raise UsageError(
            f"{flag} cannot be changed in a run that is resumed; legal beside --resume are "
            f"{legal}; try without {flag}, or a new run"
        )
    options = folder.read_options(given["resume"])
    before, after = options["epochs"], given.get("epochs", options["epochs"])
    if before != after and options["schedule"] not in schedules.ENDLESS and "quiet" not in given:
        print(
            f"minigrad: --epochs: the {options['schedule']} schedule spans all epochs; with "
            f"{after} in place of {before} it is fitted anew, and the learning rate jumps; for one "
            f"smooth schedule try a new run with --epochs {after}",
            file=sys.stderr,
        )
    return options | {key: given[key] for key in RESUMABLE if key in given and key in DEFAULTS}


def _check(options: dict[str, Any]) -> None:
    """Raise UsageError for options that contradict each other, before anything is made."""
    if options["batch_norm"] and options["layer_norm"]:
        raise UsageError(
            "--batch-norm and --layer-norm given; legal is one of them; try --layer-norm alone"
        )
    method = optim.METHODS[options["optimizer"]]
    legal = method.class_defaults
    for key in ("momentum", "weight_decay"):
        if options[key] is not None and key not in legal:
            having = [m for m, method in optim.METHODS.items() if key in method.class_defaults]
            raise UsageError(
                f"--{key.replace('_', '-')}: {options['optimizer']} has none; legal with "
                f"{', '.join(having)}; try --optimizer {having[0]}"
            )
    flags = ("lr", "momentum", "weight_decay")
    settable = [key for key in legal if key not in (*flags, *method.without)]
    for key in options["set"]:
        if key in flags:
            flag = "--" + key.replace("_", "-")
            raise UsageError(f"--set: {key} has an option of its own; try {flag}")
        if key not in settable:
            raise UsageError(
                f"--set: {options['optimizer']} has no {key!r}; legal are {', '.join(settable)}"
                f"{suggestion(key, settable)}"
            )
    fixed = method.without.get("lr")
    scheduled = options["schedule"] != "constant"
    if fixed and (options["lr"] is not None or scheduled):
        flag = "--schedule" if options["lr"] is None else "--lr"
        raise UsageError(
            f"{flag}: {options['optimizer']} has no learning rate, as {fixed}; legal with methods "
            f"that have one; try without {flag}, or --optimizer gauss-newton"
        )
    if options["clip"] is not None and method.needs_closure:
        raise UsageError(
            f"--clip: {options['optimizer']} takes its gradients itself, and its step rule keeps "
            "steps in bounds; legal with first-order methods; try without --clip"
        )
    backend.get(options["device"])


def _model(options: dict[str, Any], data: datasets.Dataset) -> nn.Sequential:
    """Return the network, its weights decided by the seed."""
    mg.manual_seed(options["seed"])
    features = 1
    for length in data.x.shape[1:]:
        features *= length
    return build(options, features, len(data.classes)).to(options["device"])


def _optimizer(options: dict[str, Any], model: nn.Module) -> optim.Optimizer:
    keys = [key for key in ("lr", "momentum", "weight_decay") if options[key] is not None]
    method = optim.METHODS[options["optimizer"]]
    return method(model.parameters(), **{key: options[key] for key in keys}, **options["set"])


def _penalties(options: dict[str, Any], model: nn.Module) -> list[nn.Module]:
    kinds = [(nn.L1Penalty, options["l1"]), (nn.L2Penalty, options["l2"])]
    return [kind(model.parameters(), factor) for kind, factor in kinds if factor]


class _Frame(training.Callback):
    """Prints the heading when training begins, and leaves the curves however it ends."""

    def __init__(self, heading: str, title: str) -> None:
        self._heading = heading
        self._title = title
        self._loop: Any = None

    def on_train_begin(self, loop: Any) -> None:
        """Print the heading."""
        self._loop = loop
        if self._heading:
            print(self._heading, flush=True)

    def close(self) -> None:
        """Draw the curves of the epochs there are."""
        if self._loop is not None and self._loop.history.rows:
            path = self._loop.run.path / "curves.png"
            try:
                viz.curves(self._loop.history, path, self._title)
            except viz.RenderError as error:
                self._loop.note(f"no curves.png: {error}")
            except OSError as error:  # a full disk
                self._loop.note(f"no curves.png: {error.strerror or error}")
                with suppress(OSError):
                    path.unlink(missing_ok=True)


def _batch_size(options: dict[str, Any], rows: int) -> int:
    """Return the batch size that was given, or the method's own."""
    given: int | None = options["batch_size"]
    method = optim.METHODS[options["optimizer"]]
    return training.default_batch_size(method, rows) if given is None else given


def _check_batches(options: dict[str, Any], rows: int) -> None:
    """Raise UsageError if batch normalization would meet a batch of one row, without variance."""

    def lonely(size: int) -> bool:
        return min(size, rows) == 1 or rows % size == 1

    size = _batch_size(options, rows)
    if options["batch_norm"] and options["hidden"] and lonely(size):
        other = next(other for other in range(size + 1, size + 4) if not lonely(other))
        raise UsageError(
            f"--batch-size: {size} leaves a batch of one of the {rows} rows; batch normalization "
            f"needs two; try --batch-size {other}, or --no-batch-norm"
        )


def _say_if_kernels_differ(run: training.Run) -> None:
    """Say on stderr if the run to resume was begun with other kernels: the last digits differ."""
    environment = run.read_config().get("environment")
    before = environment.get("kernels") if isinstance(environment, dict) else None
    now = kernels.kernels()
    if before not in (None, "unknown", now):
        print(
            f"minigrad: {run.path} was begun with the BLAS's kernels for {before} and goes on with "
            f"those for {now}: its last digits will not be those of a run without a break; for the "
            f"same ones set {kernels.VARIABLE}={before}",
            file=sys.stderr,
        )


def _folder(options: dict[str, Any], given: dict[str, Any]) -> Path:
    """Return the run folder: that of the run to resume, or a new one."""
    if "resume" in given:
        path = Path(given["resume"])
        training.Run(path).check_resumable()
        return path
    return folder.make(given.get("run"), f"{options['dataset']}-{options['optimizer']}")


def _fit(options: dict[str, Any], data: tuple[Any, Any], given: dict[str, Any]) -> None:
    """Train, and report unless `quiet`. The folder is made when all else has been found right."""
    train_data, test_data = data
    quiet = given.get("quiet", False)
    _check_batches(options, len(train_data))
    library()  # without it there is no checkpoint, so no run
    model = _model(options, train_data)
    optimizer = _optimizer(options, model)
    loss_fn = nn.CrossEntropyLoss()
    size = _batch_size(options, len(train_data))
    epoch = -(-len(train_data) // size)
    callbacks = schedules.callbacks(options["schedule"], optimizer, options["epochs"], epoch)
    title = f"{options['dataset']}, {options['optimizer']}, seed {options['seed']}"
    heading = "" if quiet else report.heading(options, train_data, test_data, model, size)
    callbacks.append(_Frame(heading, title))
    if options["early_stopping"] is not None:
        callbacks.append(training.EarlyStopping(patience=options["early_stopping"]))
    if options["tensorboard"]:
        callbacks.append(training.TensorBoard())
    path = _folder(options, given)
    if "resume" in given and not quiet:
        _say_if_kernels_differ(training.Run(path))
    try:
        history = training.fit(
            model,
            loss_fn,
            optimizer,
            train_data,
            test_data,
            epochs=options["epochs"],
            batch_size=size,
            penalties=_penalties(options, model),
            callbacks=callbacks,
            clip=options["clip"],
            seed=options["seed"],
            run=path,
            resume="resume" in given,
            config={"options": options},
            progress=not quiet,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"; go on with: minigrad train --resume {path}") from None
    except OSError as error:
        again = f"; when that is mended, go on with: minigrad train --resume {path}"
        raise UsageError(
            f"{error.filename or path}: {error.strerror or error}"
            f"{again if training.Run(path).checkpoint.exists() else ''}"
        ) from None
    if not quiet:
        parts = {"train": train_data, "test": test_data}
        scores = {part: training.evaluate(model, loss_fn, parts[part]) for part in parts}
        print(report.table(history, scores, path))
    if history.diverged:
        raise DivergedError(
            f"{path}: the run diverged, its weights are of no use; try a smaller --lr, a smaller "
            "--l1 or --l2 if given, or --clip 1"
        )
