"""In a notebook pictures show themselves: in a real kernel, cell by cell."""

import pytest

pytestmark = pytest.mark.site

BEGIN = """
import matplotlib.pyplot as plt
import minigrad as mg
from minigrad import viz
x = mg.tensor([1.0, 2.0], requires_grad=True)
y = (mg.sin(x) * x).sum()
"""
CELLS = {
    "viz.graph(y)": ("execute_result", "image/svg+xml"),
    "viz.race('saddle', ['sgd'], budget=5)": ("execute_result", "image/png"),
    "viz.show(viz.graph(y), 'graph.svg')": ("display_data", "image/svg+xml"),
    "viz.show(viz.race('saddle', ['sgd'], budget=5), 'race.png')": ("display_data", "image/png"),
    "plt.plot([1, 2]); viz.show(plt.gcf(), 'plot.png')": ("display_data", "image/png"),
    # Nothing that draws: the text says what to install.
    "import os; os.environ['PATH'] = ''; import sysconfig; sysconfig.get_path = lambda name: ''\n"
    "viz.graph(y)": ("execute_result", "text/plain"),
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Return what each cell of a notebook shows, and the folder that it ran in."""
    nbclient = pytest.importorskip("nbclient", reason="needs the extra docs")
    nbformat = pytest.importorskip("nbformat", reason="needs the extra docs")
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(text) for text in (BEGIN, *CELLS)]
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=120, resources=resources).execute()
    return [cell.outputs for cell in notebook.cells[1:]], folder


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_pictures_show_themselves(outputs):
    shown, folder = outputs
    for code, cell in zip(CELLS, shown, strict=True):
        (output,) = cell
        kind, best = CELLS[code]
        assert output["output_type"] == kind, code
        assert best in output["data"], code
        if best == "image/svg+xml":
            assert "<svg" in output["data"][best]
    (last,) = shown[-1]
    assert "image/svg+xml" not in last["data"]
    assert "pip install graphviz-pure" in last["data"]["text/plain"]
    assert list(folder.iterdir()) == []
