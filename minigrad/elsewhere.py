"""What a name of PyTorch, NumPy or JAX is called here, for the errors of those who look for it.

Floor 0: a table for each module that has such a name looked up in it, and one of the names of
arguments, for calls that do not fit. Not here: the methods of Tensor (`ops/methods.py`).
"""

from __future__ import annotations

import functools
import importlib
import inspect
import numbers
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

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


def told(
    function: Function, advice: dict[str, str] | None = None, method: bool = False
) -> Function:
    """Return a function that says which of a call's arguments it does not take, and what it takes.

    `advice` for names goes before this file's. Of a `method`, an ``__init__`` too, the first
    argument is not the user's.
    """
    made = function.__name__ == "__init__"

    @functools.wraps(function, updated=())
    def call(*arguments: Any, **given: Any) -> Any:
        try:
            return function(*arguments, **given)
        except (TypeError, AttributeError, ValueError) as error:
            kind = type(arguments[0]) if made else None
            name = kind.__name__ if kind else function.__name__
            # An optimizer's class has a signature of its own, with what its formula takes.
            signature = getattr(kind, "__signature__", None)
            if signature is None:
                signature = inspect.signature(function)
                if made or method:
                    mine = list(signature.parameters.values())[1:]
                    signature = signature.replace(parameters=mine)
            own = arguments[1:] if made or method else arguments
            said = isinstance(error, TypeError) and misused(name, signature, own, given, advice)
            said = said or mistaken(name, signature, own, given, error)
            if said:
                raise TypeError(said) from None
            raise

    setattr(call, "__told__", True)
    return cast(Function, call)


def tell(namespace: dict[str, Any], names: Iterable[str]) -> None:
    """Make what has these names in a module `told`: functions, and the making of classes."""
    for name in names:
        value = namespace[name]
        if inspect.isfunction(value):
            namespace[name] = value if hasattr(value, "__told__") else told(value)
        for kind in inspect.getmro(value) if inspect.isclass(value) else ():
            made = vars(kind).get("__init__")
            if inspect.isfunction(made) and not hasattr(made, "__told__"):
                setattr(kind, "__init__", told(made))


def misused(
    name: str,
    signature: inspect.Signature,
    arguments: tuple[Any, ...],
    given: dict[str, Any],
    advice: dict[str, str] | None = None,
) -> str:
    """Return what is wrong with the arguments of a call, or "" if they fit the signature."""
    try:
        signature.bind(*arguments, **given)
        return ""
    except TypeError:
        parameters = list(signature.parameters.values())
    kinds = inspect.Parameter
    places = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = [p.name for p in parameters if p.kind is kinds.KEYWORD_ONLY]
    unnamed = [p.name for p in parameters if p.kind is kinds.POSITIONAL_ONLY]
    several = [f"*{p.name}" for p in parameters if p.kind is kinds.VAR_POSITIONAL]
    takes = ", ".join([*places, *several, *(f"{key}=" for key in named)]) or "nothing"
    for key in given:
        if unnamed and key in (*unnamed, "input", "other"):
            return f"{name} takes {', '.join(unnamed)} by position, not as {key}="
        if key not in places and key not in named:
            here = advised(key, [*places, *several, *named], advice)
            return f"{name} has no {key}=; {here or f'it takes {takes}'}"
    for key in places[: len(arguments)]:
        if key in given:
            return f"{name}: {key} is given twice, by position and by name; it takes {takes}"
    if len(arguments) > len(places) and not several:
        were = "1 value was" if len(arguments) == 1 else f"{len(arguments)} values were"
        return f"{name} takes {takes}, and {were} given by position"
    missing = [
        p.name
        for p in parameters
        if p.default is p.empty and p.name not in given and p.name not in places[: len(arguments)]
        if p.kind is not p.VAR_POSITIONAL
    ]
    return f"{name} needs {', '.join(missing)}; it takes {takes}"


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


# what Python and NumPy say of a value that is not of the kind that an expression takes
_RAW = re.compile(
    "not supported between|unsupported operand|bad operand|not iterable|not callable|has no len|"
    "cannot be interpreted as|truth value of an array|can't multiply|argument must be|ambiguous|"
    "not subscriptable|could not (convert|broadcast)|argument expected|unhashable|^ufunc|"
    "scalar (index|arrays)|can be converted"
)
_TENSOR, _LIST = "a tensor, as of mg.tensor(...)", "a list, such as list(model.parameters())"
# a part of an annotation → what it is called, and whether a value is one
_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "None": ("None", lambda x: x is None),
    "bool": ("True or False", lambda x: isinstance(x, bool)),
    "str": ("a string", lambda x: isinstance(x, str)),
    "int": ("an integer", lambda x: _number(x, "iu", numbers.Integral)),
    "float": ("a number", lambda x: _number(x, "fiub", numbers.Real)),
    "Tensor": (_TENSOR, lambda x: hasattr(x, "requires_grad")),
    "Sequence": ("a list or tuple", lambda x: _several(x, "__getitem__")),
    "Iterable": (_LIST, lambda x: _several(x, "__iter__")),
    "Parameters": (_LIST, lambda x: _several(x, "__iter__")),
    "Module": ("a module", lambda x: hasattr(x, "named_parameters")),
    "Optimizer": ("an optimizer", lambda x: hasattr(x, "param_groups")),
    "Callable": ("a function", callable),
}


def _number(x: Any, kinds: str, plain: type) -> bool:
    """Say whether x is a number of Python's, or a tensor or array of one, of kinds of dtype."""
    if isinstance(x, plain):
        return True
    return getattr(x, "size", 0) == 1 and getattr(x.dtype, "kind", "") in tuple(kinds)


def _several(x: Any, attribute: str) -> bool:
    return hasattr(x, attribute) and not isinstance(x, (str, bytes, type))


def mistaken(
    name: str,
    signature: inspect.Signature,
    arguments: tuple[Any, ...],
    given: dict[str, Any],
    error: Exception,
) -> str:
    """Return which argument is not of the kind that is annotated, or "" if all seem to be.

    That is looked for only where an `error` is Python's or NumPy's own, for those do not say it,
    and no function or module of the user's was called on the way.
    """
    missing = isinstance(error, AttributeError)
    if not (missing or _RAW.search(str(error))) or not _within(error):
        return ""
    try:
        bound = signature.bind(*arguments, **given)
    except TypeError:  # what an optimizer has not got, it says itself
        return ""
    for key, value in bound.arguments.items():
        annotation = signature.parameters[key].annotation
        parts = [part.split("[")[0] for part in str(annotation).split(" | ")]
        if missing and value is getattr(error, "obj", None) and not hasattr(value, "dtype"):
            return f"{name}: {key}={_brief(value)} is not {_KINDS.get(parts[0], (_TENSOR,))[0]}"
        if all(part in _KINDS for part in parts) and not any(_KINDS[p][1](value) for p in parts):
            legal = " or ".join(_KINDS[part][0] for part in parts)
            return f"{name}: {key}={_brief(value)} is not {legal}"
    return ""


def _within(error: Exception) -> bool:
    """Say whether all calls on the way to an error were minigrad's or an array library's."""
    trace = error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__"))
        if module.split(".")[0] not in ("minigrad", "numpy", "cupy"):
            return False
        trace = trace.tb_next
    return True


def _brief(value: Any) -> str:
    """Return a value as one short line."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:  # a class of numbers has another thing of that name
        return f"a {type(value).__name__} of shape {shape}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
