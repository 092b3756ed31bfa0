"""What a name of PyTorch, NumPy or JAX is called here, for the errors of those who look for it.

Floor 0: a table for each module that has such a name looked up in it, one for the methods of
modules, and two for the names of arguments. Not here: the methods of Tensor (`ops/methods.py`), and
what else may be wrong with a call (`calls.py`).
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
        "FloatTensor": "mg.tensor(data)", "allclose": "numpy.allclose(a.numpy(), b.numpy())",
        "amax": "x.max(axis)", "amin": "x.min(axis)",
        "array": "mg.tensor(data)", "as_tensor": "mg.Tensor(array), which shares its memory",
        "asarray": "mg.Tensor(array), which shares its memory", "atan": "mg.arctan",
        "bfloat16": "mg.float16: NumPy has no bfloat16", "bmm": "a @ b", "bool": "mg.bool_",
        "cat": "mg.concatenate(tensors, axis=0)", "chunk": "mg.split(x, size, axis)",
        "ceil": "-mg.floor(-x)", "clamp": "mg.clip",
        "compile": "mg.tune() and the extra [fast]: nothing is compiled ahead",
        "concat": "mg.concatenate(tensors, axis=0)",
        "cuda": 'device="cuda", such as in mg.tensor(data, device="cuda")',
        "device": 'the name itself: device="cpu" or device="cuda"', "double": "mg.float64",
        "empty": "mg.zeros", "empty_like": "mg.zeros_like", "eq": "mg.equal",
        "exp2": "mg.exp(x * math.log(2))", "float": "mg.float32",
        "from_numpy": "mg.Tensor(array), which shares its memory",
        "full_like": "mg.full(x.shape, value)",
        "ge": "a >= b", "gt": "a > b", "half": "mg.float16", "inference_mode": "mg.no_grad()",
        "index_select": "mg.take(x, index, axis)", "int": "mg.int32", "inverse": "mg.inv",
        "is_tensor": "isinstance(x, mg.Tensor)", "isinf": "~mg.isfinite(x) & ~mg.isnan(x)",
        "jacfwd": 'mg.jacobian(f, sweep="forward")', "jacrev": 'mg.jacobian(f, sweep="reverse")',
        "jit": "the function as it is: nothing is compiled ahead", "le": "a <= b",
        "linalg": "mg.solve, mg.inv, mg.det, mg.slogdet, mg.cholesky, mg.norm",
        "load": "training.load_checkpoint(path)", "log10": "mg.log(x) / math.log(10)",
        "log2": "mg.log(x) / math.log(2)", "logdet": "mg.slogdet(x)[1]", "long": "mg.int64",
        "lt": "a < b", "masked_select": "x[mask]", "mm": "a @ b", "movedim": "mg.permute",
        "multiply": "mg.mul", "mv": "a @ b", "ne": "mg.not_equal",
        "normal": "mean + std * mg.randn(shape)", "numel": "x.size",
        "permutation": "mg.random.generator().permutation(n)", "power": "mg.pow",
        "rand_like": "mg.rand(x.shape)", "randn_like": "mg.randn(x.shape)",
        "randint": "mg.tensor(mg.random.generator().integers(low, high, shape))",
        "randperm": "mg.tensor(mg.random.generator().permutation(n))",
        "reciprocal": "1 / x", "repeat_interleave": "x[index], an index with repetitions",
        "rsqrt": "x ** -0.5", "save": "training.save_checkpoint(path, model=model)",
        "set_grad_enabled": "mg.no_grad() or mg.enable_grad()",
        "subtract": "mg.sub", "t": "x.T", "tile": "mg.concatenate([x] * times, axis)",
        "true_divide": "mg.div", "unbind": "list(x)",
        "vstack": "mg.concatenate(tensors, axis=0)", "hstack": "mg.concatenate(tensors, axis=-1)",
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
        "conv2d": _CONVOLUTION, "max_pool2d": _CONVOLUTION, "avg_pool2d": _CONVOLUTION,
        "embedding": "weight[index]", "logsigmoid": "-softplus(-x)", "relu6": "mg.clip(x, 0, 6)",
        "hardtanh": "mg.clip(x, -1, 1)", "mish": "x * tanh(softplus(x))",
        "softmin": "softmax(-x, axis)", "softsign": "x / (1 + mg.abs(x))",
        "normalize": "x / x.norm(axis=1, keepdims=True)",
        "one_hot": "mg.eye(classes)[index]", "pad": "mg.pad", "smooth_l1_loss": "huber_loss",
    },
    "minigrad.nn.init": {
        "dirac_": "constant_ and an assignment", "eye_": "tensor.data[...] = mg.eye(n).data",
        "sparse_": "normal_ and an assignment of zeros", "trunc_normal_": "normal_ and mg.clip",
    },
    "minigrad.optim": {
        "ASGD": "optim.SGD and optim.EMA(parameters)", "Adafactor": "optim.Adam",
        "CosineAnnealingWarmRestarts": "optim.LambdaLR(optimizer, function)",
        "CyclicLR": "optim.OneCycleLR", "MultiplicativeLR": "optim.LambdaLR(optimizer, function)",
        "RAdam": "optim.Adam with optim.LinearWarmup", "Rprop": "optim.RMSprop",
        "SparseAdam": "optim.Adam",
        "clip_grad_norm": _CLIP, "lr_scheduler": _SCHEDULES, "swa_utils": "optim.EMA(parameters)",
    },
    "minigrad.datasets": {
        "DataLoader": "datasets.Dataset(x, y).loader(batch_size, shuffle=True)",
        "TensorDataset": "datasets.Dataset(x, y)",
    },
}  # fmt: skip

# class of modules → name of a method elsewhere → what it is here
OF_MODULES = {
    "Module": {
        "add_module": "setattr(module, name, child)", "bfloat16": ".to(mg.float16)",
        "cpu": '.to("cpu")', "cuda": '.to("cuda")', "double": ".to(mg.float64)",
        "float": ".to(mg.float32)", "get_parameter": "dict(module.named_parameters())[name]",
        "half": ".to(mg.float16)", "register_full_backward_hook": "tensor.register_hook",
        "register_module": "setattr(module, name, child)",
        "register_parameter": "setattr(module, name, nn.Parameter(tensor))",
    },
    "ModuleList": {"extend": ".append(module) for each", "insert": "a new list"},
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


# Arguments ---------------------------------------------------------------------------------------

# an argument's name elsewhere → what it may be called here, of which the function has one
_ARGUMENTS = {
    "a": ("low",), "b": ("high",), "diagonal": ("k", "offset"), "dim": ("axis",),
    "dim0": ("first",), "dim1": ("second",), "axis0": ("first",), "axis1": ("second",),
    "dims": ("axis", "*order"), "end": ("stop",), "end_dim": ("end",), "exponent": ("b",),
    "fill_value": ("value",), "input": ("x", "a", "logits", "logp"), "keepdim": ("keepdims",),
    "line_search_fn": ("line_search",), "max": ("high",), "min": ("low",),
    "decoupled_weight_decay": ("decoupled",), "metrics": ("metric",),
    "negative_slope": ("slope",), "other": ("b",), "p": ("ord",), "param": ("slope",),
    "shape": ("*shape",), "size": ("shape", "*shape"), "split_size": ("sizes",),
    "split_size_or_sections": ("sizes",), "src": ("values",), "start_dim": ("start",),
    "steps": ("count",), "unbiased": ("correction",),
    "val": ("value",),
}  # fmt: skip
_AS_IN_NUMPY = {"dim", "dims", "keepdim", "unbiased"}
_HOW = "how a step is computed is chosen here: leave it out"
_REDUCTION = 'use reduction="mean", "sum" or "none"'
_WEIGHTS = 'weigh what reduction="none" returns, such as (losses * weights[target]).mean()'

# an argument's name elsewhere → what to do about it here
_ADVICE = {
    "alpha": "multiply first: a + alpha * b", "amsgrad": "use optim.AMSGrad",
    "capturable": _HOW, "decimals": "use mg.round(x * 10**n) / 10**n",
    "differentiable": _HOW, "epochs": "use total_steps=epochs * steps_per_epoch",
    "foreach": _HOW, "fused": _HOW, "generator": "mg.manual_seed(seed) decides all random numbers",
    "inplace": "nothing is changed in place here: leave it out",
    "last_epoch": "a schedule goes on by load_state_dict",
    "layout": "leave it out", "m": "the matrix is square; for a part of it index it, [:, :m]",
    "max_eval": "limit the trials, line_search=optim.StrongWolfe(max_trials=25)",
    "out": "assign what it returns", "pin_memory": "leave it out",
    "pos_weight": 'use reduction="none", times mg.where(target > 0, pos_weight, 1)',
    "reduce": _REDUCTION,
    "rounding_mode": "use mg.floor_divide", "size_average": _REDUCTION,
    "threshold": "it needs none: leave it out",
    "tolerance_change": "compare optimizer.report.loss between steps",
    "tolerance_grad": "look at optimizer.report.gradient_norm after a step", "weight": _WEIGHTS,
}  # fmt: skip


def advised(key: str, legal: list[str], advice: dict[str, str] | None = None) -> str:
    """Return what to do instead of giving an argument that there is not, or "" if nobody knows."""
    if advice and key in advice:
        return advice[key]
    for here in _ARGUMENTS.get(key, ()):
        if here in legal:
            if here[0] == "*":
                return "give it by position"
            return f"use {here}={', as in NumPy' if key in _AS_IN_NUMPY else ''}"
    return _ADVICE.get(key, "")
