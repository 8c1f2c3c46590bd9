"""Notebooks are what their scripts make, executed, small, and refer to their figures.

That they run is tested by `make test-docs`.
"""

import json
import re

import pytest

from notebooks import build
from notebooks.build import cells_of, faults, make, repository, script_paths

SCRIPTS = script_paths()


@pytest.fixture(params=SCRIPTS, ids=lambda path: path.stem)
def script(request):
    return request.param


@pytest.fixture
def notebook(script):
    return read(script.with_suffix(".ipynb"))


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def prose(notebook):
    cells = [c for c in notebook["cells"] if c["cell_type"] == "markdown"]
    return ["".join(cell["source"]) for cell in cells]


def outputs(notebook):
    for cell in notebook["cells"]:
        yield from cell.get("outputs", [])


def printed(notebook):
    """Return all text that the cells of a notebook put out."""
    parts = [
        part
        for output in outputs(notebook)
        for part in (output.get("text", []), output.get("data", {}).get("text/plain"))
    ]
    return "\n".join("".join(part) for part in parts if part)


def test_a_notebook_is_what_its_script_makes(script):
    found = faults(script)
    assert not found, f"run: python notebooks/build.py {script.stem}"


def test_a_notebook_shows_pictures(notebook):
    kinds = [kind for output in outputs(notebook) for kind in output.get("data", {})]
    assert "image/jpeg" in kinds


def test_a_notebook_ends_in_an_exercise_with_a_hint(notebook):
    exercise = prose(notebook)[-1]
    assert exercise.startswith("## Exercise") and "Hint" in exercise


def test_prose_does_not_type_what_cells_print(notebook):
    # The next run would print something else.
    typed = set(re.findall(r"\b\d+\.\d+\b", "\n".join(prose(notebook))))
    assert not typed & set(re.findall(r"\b\d+\.\d+\b", printed(notebook)))


def test_links_lead_to_the_repository_of_pyproject(script, notebook):
    project = repository().removeprefix("https://github.com/")
    links = prose(notebook)[1]
    assert f"/github/{project}/blob/main/notebooks/{script.stem}.ipynb)" in links
    assert f"/gh/{project}/main?labpath=notebooks/{script.stem}.ipynb)" in links


@pytest.fixture
def small(tmp_path):
    """Write a script and the notebook that it makes, as if that had been executed."""
    path = tmp_path / "00_small.py"
    path.write_text("# %% [markdown]\n# # Title\n\n# %%\n1 + 1\n", encoding="utf-8")
    notebook = make(cells_of(path))
    code = (cell for cell in notebook.cells if cell.cell_type == "code")
    for i, cell in enumerate(code, 1):
        cell.execution_count = i
    path.with_suffix(".ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return path


def set_output(output):
    def edit(notebook):
        cell = next(c for c in notebook["cells"] if c["cell_type"] == "code")
        cell["outputs"] = [output]

    return edit


def swap_two_cells(notebook):
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    code[0]["execution_count"] = 2
    code[1]["execution_count"] = 1


def change_prose(notebook):
    notebook["cells"][0]["source"] += "more"


def drop_a_cell(notebook):
    notebook["cells"].pop()


def add_bytes(notebook):
    set_output({"output_type": "stream", "name": "stdout", "text": "-" * 10**6})(
        notebook
    )


@pytest.mark.parametrize(
    "edit, fault",
    [
        (change_prose, "cell 0 differs"),
        (drop_a_cell, "cells, its script"),
        (swap_two_cells, "not executed in their order"),
        (add_bytes, "bytes; expected < 500000"),
        (
            set_output({"output_type": "error", "ename": "E", "evalue": "why"}),
            "ends in E: why",
        ),
        (
            set_output({"output_type": "stream", "name": "stderr", "text": ["Care"]}),
            "warns: Care",
        ),
        (
            set_output({"output_type": "display_data", "data": {"image/png": ""}}),
            "is a PNG",
        ),
        (
            set_output(
                {
                    "output_type": "display_data",
                    "data": {"text/plain": "<at 0x7f0123456789>"},
                }
            ),
            "address in memory",
        ),
    ],
)
def test_a_spoilt_notebook_is_found(small, edit, fault):
    assert not faults(small)
    path = small.with_suffix(".ipynb")
    notebook = read(path)
    edit(notebook)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    (found,) = faults(small)
    assert fault in found


def test_a_missing_notebook_is_found(small):
    small.with_suffix(".ipynb").unlink()
    assert faults(small) == ["there is no notebook"]


def test_the_command_says_whether_all_is_well(small, monkeypatch):
    address = repository()
    monkeypatch.setattr(build, "FOLDER", small.parent)
    monkeypatch.setattr(build, "repository", lambda: "https://github.com/a/b")
    with pytest.raises(SystemExit, match="cell 1 differs"):
        build.main(["--check"])
    monkeypatch.setattr(build, "repository", lambda: address)
    with pytest.raises(SystemExit) as stop:
        build.main(["--check", "00"])
    assert stop.value.code == 0


def test_prose_is_renewed_and_outputs_are_kept(small, monkeypatch, tmp_path):
    monkeypatch.setattr(build, "WORK", tmp_path / "work")
    path = small.with_suffix(".ipynb")
    notebook = read(path)
    set_output(
        {
            "output_type": "execute_result",
            "execution_count": 1,
            "metadata": {},
            "data": {"text/plain": "2"},
        }
    )(notebook)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    small.write_text(small.read_text().replace("Title", "Name"), encoding="utf-8")
    assert build.renew_prose(small) == []
    assert prose(read(path))[0] == "# Name" and printed(read(path)) == "2"
    small.write_text(small.read_text().replace("1 + 1", "1 + 2"), encoding="utf-8")
    (fault,) = build.renew_prose(small)
    assert "code is not its script's" in fault
