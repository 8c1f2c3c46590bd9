"""Every notebook runs: at reduced size, from its script, and without a warning."""

import pytest

from docs.tests.reduced import reduced
from notebooks.build import (
    cells_of,
    execute,
    faults_of_outputs,
    make,
    script_paths,
    tidy,
)


@pytest.mark.parametrize("script", script_paths(), ids=lambda path: path.stem)
def test_a_notebook_runs(script):
    cells = [(kind, reduced(source)) for kind, source in cells_of(script)]
    notebook = make(cells)
    execute(notebook)
    tidy(notebook)
    assert not list(faults_of_outputs(notebook))


def test_a_literal_is_replaced_by_the_quick_one():
    source = "n = 5  # quick: 1\nif n:\n    sizes = [3, 4]  # quick: [1]\nm = 2  # b"
    assert reduced(source) == "n = 1\nif n:\n    sizes = [1]\nm = 2  # b"


@pytest.mark.parametrize(
    "line", ["fit(5)  # quick: 1", "n = f(5)  # quick: 1", "n = 5 # quick: m"]
)
def test_what_is_no_literal_is_refused(line):
    with pytest.raises(ValueError, match="expected 'name = literal  # quick: literal'"):
        reduced(line)
