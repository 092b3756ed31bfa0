"""What a name of PyTorch, NumPy or JAX is called here, for the errors of those who look for it.

Floor 0: a table for each module that has such a name looked up in it. Not here: the methods of
Tensor and the keywords of operations (`ops/methods.py`).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

_CONVOLUTION = "nn.Flatten() and nn.Linear(...): there are no convolutions and no pooling"
_MODULE = "a subclass of nn.Module with a forward of your own"
_SCHEDULES = "optim.StepLR, optim.CosineAnnealingLR, …: they are in optim itself"
_CLIP = "optim.clip_grad_norm_(parameters, max_norm)"

# module → name elsewhere → what it is here
HERE = {
    "minigrad": {
        "DataLoader": "datasets.Dataset(x, y).loader(batch_size, shuffle=True)",
        "FloatTensor": "mg.tensor(data)",
        "array": "mg.tensor(data)", "as_tensor": "mg.Tensor(array), which shares its memory",
        "asarray": "mg.Tensor(array), which shares its memory", "atan": "mg.arctan",
        "bfloat16": "mg.float16: NumPy has no bfloat16", "bmm": "a @ b", "bool": "mg.bool_",
        "cat": "mg.concatenate(tensors, axis=0)", "clamp": "mg.clip",
        "compile": "mg.tune() and the extra [fast]: nothing is compiled ahead",
        "concat": "mg.concatenate(tensors, axis=0)",
        "cuda": 'device="cuda", such as in mg.tensor(data, device="cuda")',
        "device": 'the name itself: device="cpu" or device="cuda"', "double": "mg.float64",
        "empty": "mg.zeros", "empty_like": "mg.zeros_like", "eq": "mg.equal",
        "float": "mg.float32", "from_numpy": "mg.Tensor(array), which shares its memory",
        "ge": "a >= b", "gt": "a > b", "half": "mg.float16", "inference_mode": "mg.no_grad()",
        "int": "mg.int32",
        "jacfwd": 'mg.jacobian(f, sweep="forward")', "jacrev": 'mg.jacobian(f, sweep="reverse")',
        "jit": "the function as it is: nothing is compiled ahead", "le": "a <= b",
        "linalg": "mg.solve, mg.inv, mg.det, mg.slogdet, mg.cholesky, mg.norm",
        "load": "training.load_checkpoint(path)", "long": "mg.int64", "lt": "a < b", "mm": "a @ b",
        "multiply": "mg.mul", "mv": "a @ b", "ne": "mg.not_equal",
        "normal": "mean + std * mg.randn(shape)", "numel": "x.size",
        "permutation": "mg.random.generator().permutation(n)", "power": "mg.pow",
        "randint": "mg.tensor(mg.random.generator().integers(low, high, shape))",
        "randperm": "mg.tensor(mg.random.generator().permutation(n))",
        "save": "training.save_checkpoint(path, model=model)",
        "subtract": "mg.sub", "t": "x.T", "true_divide": "mg.div",
        "utils": "datasets.Dataset(x, y).loader(batch_size) for torch.utils.data",
        "vmap": "operations on a whole batch: the first axis is the batch's",
    },
    "minigrad.nn": {
        "AvgPool2d": _CONVOLUTION, "BCELoss": "nn.BCEWithLogitsLoss(), which takes logits",
        "BatchNorm1d": "nn.BatchNorm(features)", "BatchNorm2d": _CONVOLUTION,
        "Conv1d": _CONVOLUTION, "Conv2d": _CONVOLUTION, "Conv3d": _CONVOLUTION,
        "ConvTranspose2d": _CONVOLUTION, "Dropout1d": "nn.Dropout(p)", "Dropout2d": "nn.Dropout(p)",
        "Embedding": _MODULE, "GRU": _MODULE, "GroupNorm": "nn.LayerNorm(features)",
        "Identity": "nn.Sequential()", "LSTM": _MODULE, "Lambda": _MODULE,
        "LazyLinear": "nn.Linear(in_features, out_features)", "MaxPool2d": _CONVOLUTION,
        "ModuleDict": "nn.ModuleList", "MultiheadAttention": _MODULE, "RNN": _MODULE,
        "RMSNorm": "nn.LayerNorm(features)", "SmoothL1Loss": "nn.HuberLoss()", "Swish": "nn.SiLU()",
        "Transformer": _MODULE, "utils": _CLIP,
    },
    "minigrad.nn.functional": {
        "binary_cross_entropy": "binary_cross_entropy_with_logits, which takes logits",
        "conv2d": _CONVOLUTION, "max_pool2d": _CONVOLUTION,
        "normalize": "x / x.norm(axis=1, keepdims=True)",
        "one_hot": "mg.eye(classes)[index]", "pad": "mg.pad", "smooth_l1_loss": "huber_loss",
    },
    "minigrad.optim": {
        "clip_grad_norm": _CLIP, "lr_scheduler": _SCHEDULES, "swa_utils": "optim.EMA(parameters)",
    },
    "minigrad.datasets": {
        "DataLoader": "datasets.Dataset(x, y).loader(batch_size, shuffle=True)",
        "TensorDataset": "datasets.Dataset(x, y)",
    },
}  # fmt: skip


def missing(module: str, parts: tuple[str, ...] = ()) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module: it says what a name is called here.

    `parts` are its modules that are imported when they are first asked for.
    """

    def look_up(name: str) -> Any:
        if name in parts:
            return importlib.import_module(f"{module}.{name}")
        said = f"module {module!r} has no attribute {name!r}"
        if name in HERE[module]:
            said = f"{module} has no {name}; use {HERE[module][name]}"
        raise AttributeError(said, name=name, obj=sys.modules[module])

    return look_up
