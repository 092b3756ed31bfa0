"""The directive ``public``: what a module offers, by the names that a user imports.

    .. public:: minigrad.optim
       :of: minigrad.optim.schedules minigrad.optim.plateau

lists the names in the module's ``__all__``, first as a table, then each with its docstring: those
that the modules `of` (and what is in them) define and the modules `without` do not, and that the
page does not have already. So the last one on a page, without `of`, takes what is new.

Docstrings are prose: their ``|λ|`` and ``a*b`` are no markup.
"""

import importlib
import inspect
import re
import sys

from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

import minigrad

SHORT = {"mg": "minigrad"} | {
    name: f"minigrad.{name}" for name in ("datasets", "nn", "optim", "training", "viz")
}
CODE = re.compile(r"(``.*?``|`[^`]+`)")
MARKUP = re.compile(r"([|*\\])|(?<=\w)_(?=\W|$)")


def names(module):
    """Return the public names of a module."""
    found = getattr(module, "__all__", None)
    if found is None:
        found = [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and home(value) == module.__name__
        ]
    return sorted(set(found), key=str.lower)


def home(value):
    """Return the name of the module that defines something: of an operation, its forward's."""
    return getattr(getattr(value, "forward", value), "__module__", "")


def entry(name, value):
    """Return the lines of reStructuredText that document a public name."""
    if within(value, ["numpy"]):
        return [f".. py:data:: {name}", "", f"   NumPy's ``{name}``.", ""]
    if inspect.isclass(value):
        kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
        options = ["   :members:", f"   :exclude-members: {', '.join(overridden(value))}"]
        return [f".. {kind}:: {name}", *options, ""]
    if callable(value):
        signature = plain(value) if within(value, ["minigrad.ops"]) else ""
        return [f".. autofunction:: {name}{signature}", ""]
    return [f".. py:data:: {name}", "", *(f"   {line}" for line in comment(name, value)), ""]


def comment(name, value):
    """Return the comment (``#:``) above a variable, in whichever module it is written."""
    for module in list(sys.modules.values()):
        if module.__name__.startswith("minigrad.") and vars(module).get(name) is value:
            found = ModuleAnalyzer.for_module(module.__name__).find_attr_docs()
            if ("", name) in found:
                return found["", name]
    return []


def within(value, modules):
    """Say whether one of the modules, or one inside it, defines a value."""
    return any(f"{home(value)}.".startswith(f"{module}.") for module in modules)


def overridden(cls):
    """Return the members that a class in minigrad above this one has and explains already."""
    above = [base for base in cls.__mro__[1:] if within(base, ["minigrad"])]
    known = {name for base in above for name in vars(base)}
    known |= {name for base in above for name in getattr(base, "__annotations__", ())}
    return sorted(name for name in vars(cls) if name in known and not name.startswith("_"))


class Public(SphinxDirective):
    """Documents the public names of a module."""

    required_arguments = 1
    option_spec = {"of": str.split, "without": str.split}  # noqa: RUF012

    def run(self):
        """Write what autosummary and autodoc understand, and have it read."""
        module = importlib.import_module(self.arguments[0])
        of, without = self.options.get("of"), self.options.get("without", [])
        done = self.env.current_document.setdefault("public", set())
        found = {name: getattr(module, name) for name in names(module)}
        found = {
            name: value
            for name, value in found.items()
            if f"{module.__name__}.{name}" not in done
            and not inspect.ismodule(value)
            and (of is None or within(value, of))
            and not within(value, without)
        }
        if not found:
            raise self.error(f"{module.__name__} has no public names left, of {of}")
        done.update(f"{module.__name__}.{name}" for name in found)
        listed = [name for name, value in found.items() if callable(value)]
        lines = [f".. currentmodule:: {module.__name__}", "", ".. autosummary::"]
        lines += ["   :nosignatures:", "", *(f"   {name}" for name in listed), ""]
        for name, value in found.items():
            lines += entry(name, value)
        return self.parse_text_to_nodes("\n".join(lines))


def reference(code):
    """Make a name that begins as a user's does, `mg.grad`, lead to the whole name's entry."""
    name = code.strip("`")
    module, _, rest = name.partition(".")
    if code.startswith("``") or module not in SHORT or not rest.replace(".", "").isidentifier():
        return code
    return f":py:obj:`{name} <{SHORT[module]}.{rest}>`"


def escape(app, what, name, obj, options, lines):
    """Keep the signs of mathematics in a docstring from being read as markup; link its names."""
    for i, line in enumerate(lines):
        if line.lstrip().startswith((">>>", "...")):
            continue  # Python, which is shown as it is
        parts = CODE.split(line)
        parts[::2] = [MARKUP.sub(lambda m: "\\" + m[0], part) for part in parts[::2]]
        parts[1::2] = [reference(part) for part in parts[1::2]]
        lines[i] = "".join(parts)


def plain(operation, method=False):
    """Return an operation's signature without types: all are tensors, arrays or numbers."""
    found = inspect.signature(operation)
    parameters = [p.replace(annotation=p.empty) for p in found.parameters.values()]
    parameters = parameters[1:] if method else parameters
    return str(found.replace(parameters=parameters, return_annotation=found.empty))


def attached(app, what, name, obj, options, signature, returned):
    """Give a method of Tensor that is an operation the signature of that."""
    module, _, last = name.rpartition(".")
    if module == "minigrad.Tensor" and "*arguments" in (signature or ""):
        return plain(getattr(minigrad.ops, last, minigrad.ops.shape.to), method=True), None
    return None


def setup(app):
    """Register the directive."""
    app.connect("autodoc-process-signature", attached)
    app.add_directive("public", Public)
    app.connect("autodoc-process-docstring", escape)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
