"""The directive and the role of results, in a small document of their own."""

import io
import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

EXTENSIONS = Path(__file__).parents[1] / "_ext"
PAGE = """
Title
=====

.. results-table:: reconstruction
   :table: codes
   :rows: sparsecodingvae
   :columns: psnr

It has :result:`reconstruction.codes.sparsecodingvae.nonzeros .2f` non-zeros.
"""
WRONG = """
.. results-table:: nowhere

.. results-table:: reconstruction
   :table: nothing

It has :result:`reconstruction.nothing` and :result:`reconstruction.spread xyz`.
"""


def build(folder, text, monkeypatch):
    """Build one page; return its HTML, and the warnings."""
    monkeypatch.syspath_prepend(str(EXTENSIONS))
    source, warnings = folder / "source", io.StringIO()
    source.mkdir()
    (source / "index.rst").write_text(text)
    settings = {"extensions": ["results"], "html_theme": "basic"}
    places = folder / "html", folder / "doctrees", "html", settings
    with docutils_namespace():
        Sphinx(source, None, *places, status=None, warning=warnings).build()
    return (folder / "html" / "index.html").read_text(), warnings.getvalue()


def test_a_page_shows_the_table_with_its_source_and_the_figure(tmp_path, monkeypatch):
    """Only what was asked for, and as the files have it."""
    monkeypatch.syspath_prepend(str(EXTENSIONS.parents[1] / "benchmarks"))
    import _results

    html, warnings = build(tmp_path, PAGE, monkeypatch)
    assert warnings == ""
    text = re.sub(r"<[^>]+>", "", html)
    path = "reconstruction.codes.sparsecodingvae"
    assert _results.figure(f"{path}.psnr") in text
    assert f"It has {_results.figure(f'{path}.nonzeros', '.2f')} non-zeros" in text
    assert _results.read("reconstruction")["command"] in text
    assert "DictionaryLearningVAE" not in text  # rows that were not asked for


def test_whatever_is_not_there_is_a_warning_with_its_place(tmp_path, monkeypatch):
    """File, table, figure and format."""
    _, warnings = build(tmp_path, PAGE + WRONG, monkeypatch)
    lines = [line for line in warnings.splitlines() if "WARNING" in line]
    assert len(lines) == 4
    assert all("index.rst:" in line for line in lines)
    for what in ("nowhere.json", "'nothing'", "xyz"):
        assert what in warnings
