"""The documentation as a site: ``sphinx-build -W docs site`` makes it, with the extra `docs`.

The pages are docs/*.md, the chapters docs/course/*.py (which are run while it is built), the API
pages docs/api/*.rst. What Sphinx does not do by itself is in docs/builder: the API from the
docstrings (`reference.py`), formulas as MathML (`mathml.py`), the examples (`examples.py`), the
order of the pages (`contents.py`).
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "builder"))
# What is documented is this copy; the chapters are run in processes of their own.
sys.path.insert(0, str(HERE.parent))
paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
os.environ["MATPLOTLIBRC"] = str(HERE / "builder" / "matplotlibrc")
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # or a kernel complains of its own modules

import minigrad  # noqa: E402

project = "minigrad"
release = version = minigrad.__version__
copyright = "the minigrad authors"
extensions = [
    "myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary",
    "contents", "examples", "mathml", "reference",
]  # fmt: skip
# README.md is the list of pages for who reads the folder; scripts draw what the pages show.
exclude_patterns = ["*.py", "README.md", "builder"]

html_theme = "furo"
html_title = "minigrad"
html_static_path = ["builder/static"]
html_css_files = ["style.css"]
html_show_sourcelink = html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0061a4", "color-brand-content": "#0061a4"},
    "dark_css_variables": {"color-brand-primary": "#7cc4f5", "color-brand-content": "#7cc4f5"},
}
pygments_style = "friendly"
pygments_dark_style = "github-dark"

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4  # a heading's address is the one that it has on code hosts

# A chapter is a program in cells, which jupytext reads as a notebook. An error in it, or a warning,
# ends the build.
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_output_stderr = "warn"

default_role = (
    "py:obj"  # a name in single backticks, with a link where there is something to link to
)
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
