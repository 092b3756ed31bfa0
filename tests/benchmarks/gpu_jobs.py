"""What `gpu.py` measures: a job for each library, run in a process of its own.

    python tests/benchmarks/gpu_jobs.py JOB [--dry] [--fashion FOLDER]

Each figure is printed as soon as it is there, as a line of JSON: its name, and its value or why
there is none. So a job that dies, or is stopped, loses what it had not measured yet, and no more.
With --dry all is tiny, minigrad computes on the stand-in for CuPy and the others on the CPU: what
it prints means nothing, but that every line of this file runs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import steps

DRY = "--dry" in sys.argv
ROUNDS, SPAN = (1, 0.0) if DRY else (7, 0.1)  # how often a time is taken, and over how many seconds
ADAM = 1_000 if DRY else 100_000_000  # parameters
NETWORKS = {
    "large": ((784, 4096, 4096, 10), 1024, 0),
    "medium": ((784, 512, 256, 10), 128, 0),
    "tiny": ((64, 32, 10), 32, 0),
}
if DRY:
    NETWORKS = dict.fromkeys(NETWORKS, ((6, 5, 4), 8, 0))
steps.NETWORKS.update(NETWORKS)
DEVICE = "cpu" if DRY else "cuda"  # PyTorch's


def seconds(call: Callable[[], Any], wait: Callable[[Any], Any]) -> float:
    """Return the median time of a call, of as many in a row as take a tenth of a second."""
    for _ in range(3):
        wait(call())
    begin = time.perf_counter()
    wait(call())
    repeats = max(1, min(1000, int(SPAN / max(time.perf_counter() - begin, 1e-6))))
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(repeats):
            last = call()
        wait(last)
        times.append((time.perf_counter() - begin) / repeats)
    return statistics.median(times)


def say(name: str, measure: Callable[..., Any], *arguments: Any) -> None:
    """Print one figure, measured by a function of these arguments, or why there is none."""
    try:
        line = {"name": name, "value": measure(*arguments)}
    except Exception as error:  # unattended: the others go on
        reason = (str(error).strip() or "no message").splitlines()[0]
        line = {"name": name, "error": f"{type(error).__name__}: {reason}"}
    print(json.dumps(line), flush=True)


# minigrad ----------------------------------------------------------------------------------------


def minigrad(fashion: str | None) -> None:
    """Measure the machine, a copy, Adam and the networks."""
    import minigrad as mg
    from minigrad import optim

    backend = mg.backend.get("cuda")
    done = lambda result: backend.synchronize()  # noqa: E731

    def machine() -> str:
        import cupy

        device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
        runtime, driver = (
            f"{number // 1000}.{number % 1000 // 10}"
            for number in (
                cupy.cuda.runtime.runtimeGetVersion(), cupy.cuda.runtime.driverGetVersion()
            )
        )  # fmt: skip
        return f"{device}, CuPy {cupy.__version__}, CUDA {runtime}, driver for CUDA {driver}"

    def copy() -> float:
        source, target = (mg.zeros(ADAM, device="cuda").data for _ in range(2))
        return seconds(lambda: backend.copyto(target, source), done)

    def adam() -> float:
        p = mg.zeros(ADAM, device="cuda", requires_grad=True)
        optimizer = optim.Adam([p])
        p.grad = mg.ones(ADAM, device="cuda")
        return seconds(optimizer.step, done)

    def network(name: str) -> float:
        return seconds(steps.minigrad_step(name, True, "cuda"), done)

    say("machine", machine)
    say("copy", copy)
    say("adam minigrad", adam)
    for name in NETWORKS:
        say(f"{name} minigrad", network, name)
    mg.allow_tf32()
    say("large TF32 minigrad", network, "large")


# Others ------------------------------------------------------------------------------------------


def torch(fashion: str | None) -> None:
    """Measure PyTorch: Adam by default and fused, the networks, and the large one with TF32."""
    import torch

    say("version PyTorch", lambda: torch.__version__)

    def done(result: Any) -> None:
        if not DRY:
            torch.cuda.synchronize()

    def adam(**options: Any) -> float:
        p = torch.zeros(ADAM, device=DEVICE, requires_grad=True)
        p.grad = torch.ones_like(p)
        return seconds(torch.optim.Adam([p], **options).step, done)

    def network(name: str, fused: bool) -> float:
        return seconds(steps.torch_step(name, True, fused, DEVICE), done)

    say("adam PyTorch", adam)
    say("adam PyTorch, fused", lambda: adam(fused=True))
    for name in NETWORKS:
        say(f"{name} PyTorch", network, name, False)
        say(f"{name} PyTorch, fused", network, name, True)
    torch.backends.cuda.matmul.allow_tf32 = True
    say("large TF32 PyTorch", network, "large", False)


def jax(fashion: str | None) -> None:
    """Measure JAX and optax, compiled: Adam, which may write over its arrays, and the networks."""
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    import jax
    import jax.numpy as jnp
    import optax

    if not DRY and jax.default_backend() == "cpu":
        raise RuntimeError("JAX sees no GPU; pip install jax[cuda13]")
    say("version JAX", lambda: jax.__version__)
    # By default JAX multiplies float32 in TF32 where a GPU has it; the others do not.
    jax.config.update("jax_default_matmul_precision", "float32")

    def adam() -> float:
        method, p = optax.adam(1e-3), jnp.zeros(ADAM)
        g, state = jnp.ones(ADAM), [p, method.init(p)]

        def update(p: Any, state: Any, g: Any) -> Any:
            change, state = method.update(g, state)
            return optax.apply_updates(p, change), state

        compiled = jax.jit(update, donate_argnums=(0, 1))

        def step() -> Any:
            state[:] = compiled(*state, g)
            return state[0]

        return seconds(step, jax.block_until_ready)

    def network(name: str) -> float:
        return seconds(steps.jax_step(name, True, waiting=False), jax.block_until_ready)

    say("adam JAX", adam)
    for name in NETWORKS:
        say(f"{name} JAX", network, name)
    jax.config.update("jax_default_matmul_precision", "tensorfloat32")
    say("large TF32 JAX", network, "large")


def kernels(fashion: str | None) -> None:
    """Count what a step launches, minigrad's and PyTorch's, by PyTorch's profiler."""
    import torch

    from minigrad import optim
    from minigrad import tensor as made

    def launched(step: Callable[[], Any]) -> int:
        for _ in range(3):
            step()
        if DRY:
            return 0
        torch.cuda.synchronize()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as seen:
            step()
            torch.cuda.synchronize()
        kind = torch.autograd.DeviceType.CUDA
        return sum(event.device_type == kind for event in seen.events())

    def adam() -> int:
        p = made(np.zeros(1000, "float32"), device="cuda", requires_grad=True)
        p.grad = made(np.ones(1000, "float32"), device="cuda")
        return launched(optim.Adam([p]).step)

    say("kernels adam minigrad", adam)
    for name in NETWORKS:
        say(f"kernels {name} minigrad", lambda name: launched(
            steps.minigrad_step(name, True, "cuda")), name)  # fmt: skip
        say(f"kernels {name} PyTorch", lambda name: launched(
            steps.torch_step(name, True, False, DEVICE)), name)  # fmt: skip


# Accuracy ----------------------------------------------------------------------------------------


def accuracy(fashion: str | None) -> None:
    """Train the same network on the CPU and on the GPU, from the same seed."""
    import minigrad as mg
    from minigrad import datasets, nn, optim, training

    def trained(load: Callable[[], Any], where: str, epochs: int) -> list[float]:
        train, test = load()
        mg.manual_seed(0)
        width = int(np.prod(train.x.shape[1:]))
        model = nn.Sequential(nn.Flatten(), nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, 10))
        model.to(where)
        history = training.fit(
            model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()), train, test,
            epochs=epochs, batch_size=64, seed=0, progress=False,
        )  # fmt: skip
        last = history.rows[-1]
        return [epochs, 100 * last["test_accuracy"], last["seconds"]]

    sets: list[tuple[str, Callable[[], Any], int]] = [
        ("digits", lambda: datasets.digits().split(test=0.2, seed=0), 1 if DRY else 10)
    ]
    if fashion:
        sets.append(("Fashion-MNIST", lambda: datasets.load("fashion-mnist", data_dir=fashion), 5))
    for name, load, epochs in sets:
        for where in ("cpu", "cuda"):
            say(f"{name} {where}", trained, load, where, epochs)


JOBS = {job.__name__: job for job in (minigrad, torch, kernels, accuracy, jax)}


def main() -> None:
    """Run the job that is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("--dry", action="store_true", help="tiny, without a GPU")
    parser.add_argument("--fashion", help="the folder of Fashion-MNIST's files")
    given = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    if given.dry:
        from tests.fake_cupy import install

        install()
    say(f"job {given.job}", JOBS[given.job], given.fashion)


if __name__ == "__main__":
    main()
