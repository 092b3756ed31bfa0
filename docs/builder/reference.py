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

from sphinx.util.docutils import SphinxDirective

import minigrad

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


def directive(value):
    """Return the directive of autodoc that documents a value."""
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if callable(value) else "autodata"


def within(value, modules):
    """Say whether one of the modules, or one inside it, defines a value."""
    return any(f"{home(value)}.".startswith(f"{module}.") for module in modules)


def overridden(cls):
    """Return the members that a class in minigrad above this one has and explains already."""
    above = [base for base in cls.__mro__[1:] if within(base, ["minigrad"])]
    known = {name for base in above for name in (*vars(base), *base.__annotations__)}
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
        lines = [f".. currentmodule:: {module.__name__}", "", ".. autosummary::"]
        lines += ["   :nosignatures:", "", *(f"   {name}" for name in found), ""]
        for name, value in found.items():
            if within(value, ["numpy"]):
                lines += [f".. py:data:: {name}", "", f"   NumPy's ``{name}``.", ""]
                continue
            signature = plain(value) if within(value, ["minigrad.ops"]) else ""
            lines.append(f".. {directive(value)}:: {name}{signature}")
            if inspect.isclass(value):
                lines += ["   :members:", f"   :exclude-members: {', '.join(overridden(value))}"]
            elif not callable(value):
                lines.append("   :no-value:")
            lines.append("")
        return self.parse_text_to_nodes("\n".join(lines))


def escape(app, what, name, obj, options, lines):
    """Keep the signs of mathematics in a docstring from being read as markup."""
    for i, line in enumerate(lines):
        if line.lstrip().startswith((">>>", "...")):
            continue  # Python, which is shown as it is
        parts = CODE.split(line)
        parts[::2] = [MARKUP.sub(lambda m: "\\" + m[0], part) for part in parts[::2]]
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
