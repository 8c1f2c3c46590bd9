"""Every example of the gallery runs as the notebook that its page offers."""

import copy
import os
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from sphinx_gallery.gen_gallery import DEFAULT_GALLERY_CONF
from sphinx_gallery.notebook import jupyter_notebook
from sphinx_gallery.py_source_parser import split_code_and_text_blocks

from docs._ext.gallery import SECTIONS, first_notebook_cell
from docs.tests.reduced import reduced

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").rglob("plot_*.py"))
SEEN_WIDTH = 88  # a longer line that is printed has to be scrolled


def name_of(path):
    return path.relative_to(ROOT / "examples").with_suffix("").as_posix()


every_example = pytest.mark.parametrize("path", EXAMPLES, ids=name_of)


def notebook_of(path):
    """Return the notebook that sphinx-gallery makes of an example, at reduced size."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    conf = copy.deepcopy(DEFAULT_GALLERY_CONF)
    conf["first_notebook_cell"] = first_notebook_cell(settings["project"])
    _, blocks = split_code_and_text_blocks(path)
    notebook = jupyter_notebook(blocks, conf, path.parent)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["source"] = reduced("".join(cell["source"]))
    return nbformat.from_dict(notebook)


@every_example
def test_the_download_runs_in_an_empty_folder(path, tmp_path):
    # Elsewhere Agg is chosen, for scripts; a notebook shows what it draws.
    environment = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
    environment["PYTHONPATH"] = str(ROOT)
    notebook = notebook_of(path)
    NotebookClient(
        notebook, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute(env=environment)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = [o for o in outputs if o.output_type == "stream"]
    warned = "".join(o.text for o in printed if o.name == "stderr")
    assert not warned
    assert any("image/png" in output.get("data", {}) for output in outputs)
    # What the last line of a cell happens to return is not for readers.
    assert not [o for o in outputs if o.output_type == "execute_result"]
    lines = "".join(o.text for o in printed).splitlines()
    assert max(map(len, lines), default=0) <= SEEN_WIDTH
    assert not list(tmp_path.iterdir())  # and leaves nothing behind


@every_example
def test_an_example_is_one_of_the_gallery(path):
    assert path.parent.name in {"examples", *SECTIONS}
    source = path.read_text(encoding="utf-8")
    _, blocks = split_code_and_text_blocks(path)
    assert "argparse" not in source and "__main__" not in source
    assert "plt.show()" in source
    assert len(blocks) > 4 and blocks[0][0] == "text"


def test_titles_and_file_names_are_unique():
    titles = [
        split_code_and_text_blocks(path)[1][0][1].strip().splitlines()[0]
        for path in EXAMPLES
    ]
    assert len(EXAMPLES) > 10
    assert len(set(titles)) == len({path.stem for path in EXAMPLES}) == len(EXAMPLES)
