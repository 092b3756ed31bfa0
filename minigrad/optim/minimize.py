"""minimize: SciPy's manner, on the optimizers of this folder, their directions and step rules."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.legal import count, not_negative
from minigrad.mode import enable_grad
from minigrad.optim.hyper import HyperparameterError, unknown
from minigrad.optim.second_order import (
    BFGS,
    LBFGS,
    ConjugateGradient,
    LevenbergMarquardt,
    Newton,
    NewtonCG,
)
from minigrad.optim.second_order.descent import SecondOrder
from minigrad.optim.second_order.objective import BudgetSpentError, Objective
from minigrad.optim.second_order.step_rules import Rule, rule_of
from minigrad.tensor import Tensor, tensor
from minigrad.trees import Tree, like, tree_leaves

# SciPy's names, each with the keywords that it implies; those of optim.METHODS are added to them.
SOLVERS: dict[str, tuple[type[SecondOrder], dict[str, Any]]] = {
    "CG": (ConjugateGradient, {}),
    "BFGS": (BFGS, {}),
    "L-BFGS": (LBFGS, {}),
    "L-BFGS-B": (LBFGS, {}),  # there are no bounds here; the name is SciPy's only one
    "Newton-CG": (NewtonCG, {}),
    "trust-ncg": (NewtonCG, {"line_search": "trust-region"}),
    "trust-exact": (Newton, {"line_search": "trust-region"}),
    "lm": (LevenbergMarquardt, {"scaling": True}),  # least_squares' name, for MINPACK's scaling
}

_DIFFERENTIATED = "f is differentiated as it stands, so leave it out"
_SCIPYS = {  # keywords of SciPy's minimize that are not needed here, or not there
    "args": "give a function of x alone: lambda x: f(x, *args)",
    "jac": _DIFFERENTIATED,
    "hess": _DIFFERENTIATED,
    "hessp": _DIFFERENTIATED,
    "bounds": "change variables (x = mg.exp(u) is positive), or use SciPy with mg.value_and_grad",
    "constraints": "add a penalty to f, or use SciPy with mg.value_and_grad",
}
_FREE = "it takes no derivatives: SciPy's minimize has it; with derivatives try 'BFGS'"
_METHODS_ELSEWHERE = {
    "dogleg": "try 'trust-exact'",
    "trust-krylov": "try 'trust-ncg'",
    "trust-constr": "there are no constraints here; try 'trust-ncg'",
    "slsqp": "there are no constraints here; try 'BFGS'",
    "tnc": "there are no bounds here; try 'Newton-CG'",
    **dict.fromkeys(("nelder-mead", "powell", "cobyla", "cobyqa"), _FREE),
}
_OPTIONS_ELSEWHERE = {
    **dict.fromkeys(("maxfev", "maxfun"), "try max_evaluations"),
    **dict.fromkeys(("ftol", "xtol", "xrtol", "fatol", "xatol"), "the gradient decides: try gtol"),
    **dict.fromkeys(("disp", "iprint", "return_all"), "try callback=print"),
    **dict.fromkeys(("eps", "finite_diff_rel_step", "workers"), "derivatives are exact: omit it"),
    "norm": "the gradient's largest component decides: omit it",
    "hess_inv0": "the first step gives the scale: omit it",
    "maxcor": "try history_size, which 'L-BFGS' has",
    "maxls": "try line_search=optim.StrongWolfe(max_trials=20)",
    "initial_trust_radius": "try line_search=optim.TrustRegion(radius=1.0)",
    "max_trust_radius": "try line_search=optim.TrustRegion(max_radius=1000.0)",
    "eta": "try line_search=optim.TrustRegion(eta=0.15)",
    **dict.fromkeys(("inexact", "subproblem_maxiter"), "try max_inner, which 'trust-ncg' has"),
}


@dataclass
class Result:
    """What `minimize` found; the fields are those of SciPy's ``OptimizeResult``.

    ``x`` and ``jac``, the gradient there, are Tensors, or trees of them as `x0` was; ``fun`` is the
    value. ``status``: 0 converged, 1 too many iterations or evaluations, 2 no further progress, 3
    not finite at the start, 4 not finite where a step ended (the result is where it started), 99
    stopped by the callback. ``success`` is status 0.
    """

    x: Any
    fun: float
    jac: Any
    nit: int
    nfev: int
    njev: int
    nhev: int
    status: int
    message: str

    @property
    def success(self) -> bool:
        """Whether the gradient's tolerance was reached."""
        return self.status == 0


def minimize(
    f: Callable[..., Tensor],
    x0: Any,
    method: str | type[SecondOrder] = "BFGS",
    tol: float | None = None,
    options: dict[str, Any] | None = None,
    callback: Callable[..., Any] | None = None,
    **others: Any,
) -> Result:
    """Minimize a function of one or several tensors, in the manner of ``scipy.optimize.minimize``.

    - `f` takes Tensors and returns a Tensor of one element, computed by minigrad's operations; for
      least squares ("gauss-newton", "levenberg-marquardt", "lm", "hessian-free") the vector of
      residuals r, for ½‖r‖², as for ``scipy.optimize.least_squares``, or the pair of loss and
      outputs;
    - `x0`: where to start: a Tensor, an array, a number or nested list of numbers; a list or tuple
      of such with an array among them, for a function of as many arguments; a dict of them, for a
      function of such a dict, and so on inward. All have one dtype and device, which the search
      keeps; numbers and lists of them become float64, as SciPy's users expect, not float32. x0
      itself is not changed.
    - `method`: SciPy's name (``"CG"``, ``"BFGS"``, ``"L-BFGS"``, …), a name of `optim.METHODS`, or
      a subclass of `SecondOrder`;
    - `tol`: the search ends where no component of the gradient exceeds it: ``options["gtol"]``;
    - `options`: ``gtol`` (1e-5), ``maxiter`` (200 for each variable), ``max_evaluations`` of f (no
      limit), ``c1`` and ``c2`` of the line search, and every hyperparameter of the method;
    - `callback`: called after each iteration with x, or with ``intermediate_result=``, a `Result`,
      if that is its parameter's name; it ends the search by returning True (NumPy's, or a Tensor
      of it) or raising StopIteration.

    Raises HyperparameterError for a method or an option that there is not, ClosureError for a
    function that returns no Tensor, TypeError for an x0 that is no number and for what SciPy's has
    and this has not (derivatives and ``args`` are not needed; there are no bounds).
    """
    for name in others:
        advice = _SCIPYS.get(name, "its arguments are f, x0, method, tol, options and callback")
        raise TypeError(f"minimize has no {name}=; {advice}")
    if not callable(f):
        raise TypeError(f"minimize: f is a function of x that returns a Tensor, not {f!r}")
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(
            f"minimize: options is a dict, such as {{'maxiter': 100}}, not {type(options).__name__}"
        )
    if tol is not None and not not_negative(tol):
        raise HyperparameterError(f"minimize: tol={tol!r} is not a number ≥ 0; try 1e-5")
    tree = _variables(x0)
    arguments: list[Tree] = list(tree) if isinstance(tree, (list, tuple)) else [tree]
    tensors = tree_leaves(tree)
    if not sum(x.size for x in tensors):
        raise ValueError("minimize: x0 is empty; give a starting point of one number or more")
    kinds = list(dict.fromkeys(f"{x.dtype} on {x.device}" for x in tensors))
    if len(kinds) > 1:
        raise ValueError(
            f"minimize: x0 is of {' and '.join(kinds)} (numbers and lists of them are float64); "
            "legal is one dtype on one device: give each as an array or a Tensor of that"
        )
    solver, implied = _solver(method)
    given = {**implied, **(options or {})}
    gtol = _option(given, "gtol", 1e-5 if tol is None else tol, not_negative, "a number ≥ 0")
    maxiter = _option(given, "maxiter", 200 * sum(x.size for x in tensors), count, "an integer ≥ 1")
    limit = _option(given, "max_evaluations", math.inf, count, "an integer ≥ 1")
    optimizer = _optimizer(solver, method, tensors, given)
    at = Objective(
        optimizer.flat,
        _squared(f, arguments) if solver.needs_outputs else lambda: f(*arguments),
        curvature=solver.curvature,
        freeze_random=optimizer.param_groups[0]["freeze_random"],
        strict=False,
        limit=limit,
        name="the function",
    )

    def result(nit: int, x: Array, f: float, g: Array, status: int, message: str) -> Result:
        numbers, c = range(len(tensors)), at.counts
        point, slope = (
            like(tree, [Tensor.of(at.flat.shaped(i, v).copy()) for i in numbers]) for v in (x, g)
        )
        return Result(point, f, slope, nit, c.nfev, c.njev, c.nhev, status, message)

    with enable_grad():
        return _search(optimizer, at, gtol, maxiter, _called(callback), result)


def _search(
    optimizer: SecondOrder,
    at: Objective,
    gtol: float,
    maxiter: float,
    stops: Callable[[Callable[[], Result]], bool],
    result: Callable[..., Result],
) -> Result:
    """Iterate until something ends it."""
    f, g = at.here()
    x, nit = at.x, 0
    if not math.isfinite(f):
        return result(0, x, f, g, 3, at.lacks())
    try:
        while not float(at.xp.abs(g).max()) <= gtol:
            if nit >= maxiter:
                return result(nit, x, f, g, 1, f"{maxiter} iterations were not enough")
            report = optimizer.advance(at)
            if not report.step_length and not report.again:
                return result(nit, x, f, g, 2, f"no further progress: {report.reason}")
            value, gradient = at.here()
            if not math.isfinite(value):
                where = "where the value or its gradient is not finite"
                return result(nit, x, f, g, 4, f"iteration {nit + 1} ended {where}")
            x, f, g, nit = at.x, value, gradient, nit + 1
            if stops(lambda: result(nit, x, f, g, 99, "under way, or stopped by the callback")):  # noqa: B023
                return result(nit, x, f, g, 99, "stopped by the callback")
    except BudgetSpentError:
        return result(nit, x, f, g, 1, f"{at.limit} evaluations were not enough")
    return result(nit, x, f, g, 0, f"no component of the gradient exceeds {gtol:g}")


def _squared(f: Callable[..., Any], arguments: list[Tree]) -> Callable[[], Any]:
    """Return a closure for Gauss–Newton methods: residuals r become the pair of ½‖r‖² and r."""

    def closure() -> Any:
        result = f(*arguments)
        if isinstance(result, Tensor) and result.ndim:
            return 0.5 * (result * result).sum(), result
        return result

    return closure


def _called(callback: Callable[..., Any] | None) -> Callable[[Callable[[], Result]], bool]:
    """Return a function that calls back with what is wanted, and says whether to stop."""
    if callback is None:
        return lambda result: False
    if not callable(callback):
        raise TypeError(
            f"minimize: callback is a function of x, such as print, not {type(callback).__name__}"
        )
    whole = "intermediate_result" in inspect.signature(callback).parameters

    def stops(result: Callable[[], Result]) -> bool:
        found = result()
        try:
            return _is_true(callback(intermediate_result=found) if whole else callback(found.x))
        except StopIteration:
            return True

    return stops


def _is_true(answer: Any) -> bool:
    """Say whether an answer is True: Python's, NumPy's, a Tensor's. Other things are no answer."""
    if isinstance(answer, bool):
        return answer
    kind = getattr(getattr(answer, "dtype", None), "kind", "")
    return kind == "b" and answer.size == 1 and bool(answer)


def _variables(x0: Any) -> Tree:
    """Return a tree of leaf Tensors of their own memory; a list of numbers only is one of them."""
    if isinstance(x0, dict):
        return {key: _variables(x) for key, x in x0.items()}
    if isinstance(x0, (list, tuple)) and any(_has_array(x) for x in x0):
        items = [_variables(x) for x in x0]
        return type(x0)(*items) if hasattr(x0, "_fields") else type(x0)(items)
    x = x0.data if isinstance(x0, Tensor) else x0
    whole = not backend.is_array(x) or x.dtype.kind in "iub"
    try:
        return tensor(x, dtype="float64" if whole else None).requires_grad_()
    except TypeError:
        raise TypeError(
            f"minimize: in x0 stands {x!r:.40}, which is no real number; legal are numbers, arrays "
            "and Tensors, and lists and dicts of them; try x0=[0.0, 0.0]"
        ) from None


def _has_array(x: Any) -> bool:
    """Say whether x is a variable by itself, or has one in it: an array, a Tensor, a dict."""
    if isinstance(x, (list, tuple)):
        return any(_has_array(item) for item in x)
    return isinstance(x, (Tensor, dict)) or backend.is_array(x)


def _solver(method: Any) -> tuple[type[SecondOrder], dict[str, Any]]:
    if isinstance(method, type) and issubclass(method, SecondOrder):
        return method, {}
    from minigrad.optim import METHODS  # here, as that module imports this one

    solvers = dict(SOLVERS)
    for name, kind in METHODS.items():
        if issubclass(kind, SecondOrder):
            solvers.setdefault(name, (kind, {}))
    names = {name.lower(): name for name in solvers}
    if not isinstance(method, str) or method.lower() not in names:
        near = difflib.get_close_matches(str(method).lower(), list(names), 1)
        advice = f"; try {names[near[0]]!r}" if near else ""
        if str(method).lower() in _METHODS_ELSEWHERE:
            advice = f"; {_METHODS_ELSEWHERE[str(method).lower()]}"
        elif method in (*METHODS, *METHODS.values()):
            advice = "; a first-order optimizer steps in a loop of your own; here try 'BFGS'"
        raise HyperparameterError(
            f"minimize: method={method!r} is not one of {', '.join(solvers)}, or a subclass of "
            f"optim.SecondOrder{advice}"
        )
    return solvers[method if method in solvers else names[method.lower()]]


def _optimizer(
    solver: type[SecondOrder], method: Any, tensors: list[Tensor], given: dict[str, Any]
) -> SecondOrder:
    """Return the method with the options that are its hyperparameters."""
    wolfe: dict[str, Any] = {name: given.pop(name) for name in ("c1", "c2") if name in given}
    legal = solver.class_defaults
    if "max_iter" in given:
        raise HyperparameterError("minimize: max_iter is an optimizer's own; try maxiter")
    for name in given:
        if name not in legal:
            own = ["gtol", "maxiter", "max_evaluations", "c1", "c2", *legal]
            said = unknown(f"minimize with {method!r}", name, [x for x in own if x != "max_iter"])
            if name in _OPTIONS_ELSEWHERE:
                said = f"{said.partition('; try')[0]}; {_OPTIONS_ELSEWHERE[name]}"
            raise HyperparameterError(said)
    if wolfe:
        given["line_search"] = _rule(solver, f"minimize with {method!r}", given, wolfe)
    rule: Any = given.get("line_search")
    if hasattr(rule, "memory"):  # it may remember another search
        given["line_search"] = dataclasses.replace(rule, memory={})
    return solver(tensors, **given)


def _rule(
    solver: type[SecondOrder], where: str, given: dict[str, Any], wolfe: dict[str, Any]
) -> Rule:
    """Return the step rule with c1 and c2, or raise HyperparameterError where they say nothing."""
    search = given.get("line_search", solver.class_defaults["line_search"])
    rule = rule_of(search, **(solver.wolfe | wolfe))
    for name, value in wolfe.items():
        if isinstance(search, str) and hasattr(rule, name) and "line_search" not in solver.without:
            continue
        why = f"as {solver.without.get('line_search', f'the step rule is {search!r}')}"
        raise HyperparameterError(
            f"{where}: {name}={value!r} has no effect, {why}; leave it out, or set it in the rule, "
            "such as line_search=optim.StrongWolfe(c1=1e-4, c2=0.9)"
        )
    return rule


def _option(
    given: dict[str, Any], name: str, default: Any, legal: Callable[[Any], bool], range_: str
) -> Any:
    """Take an option out of those given, or raise HyperparameterError."""
    value = given.pop(name, default)
    if value is not default and not legal(value):
        raise HyperparameterError(f"minimize: {name}={value!r} is not {range_}; try {default!r}")
    return value
