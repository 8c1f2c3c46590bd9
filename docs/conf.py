"""Sphinx configuration; `make docs` builds into build/docs."""

import inspect
import pathlib
import re
import sys
from importlib.metadata import version as installed_version

from sklearn_sparsevae.estimators._docs import parameter_groups

sys.path.insert(0, str(pathlib.Path(__file__).parent / "_ext"))

project = "sklearn-sparsevae"
copyright = "2026, the sklearn-sparsevae developers"
release = version = installed_version(project)

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "results",
]
templates_path = ["_templates"]
exclude_patterns = ["_templates", "auto_examples/*.ipynb"]
html_theme = "alabaster"

autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
# Docstrings inherited from scikit-learn refer to pages and terms of its documentation.
suppress_warnings = ["ref.ref", "ref.term"]
# Examples named plot_* run while the documentation is built; the others train for
# minutes and are only shown.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "download_all_examples": False,
}


def title_groups_of_parameters(app, what, name, obj, options, lines):
    """Put a title above each group of an estimator's parameters.

    An estimator's own parameters come first, and stand with those of the model.
    """
    ours = inspect.isclass(obj) and "sklearn_sparsevae.estimators." in obj.__module__
    if what != "class" or not ours:
        return
    titles, above = {}, None
    for title, names in parameter_groups(obj):
        title = title or "Model"
        if title != above:
            titles[names[0]] = above = title
    for i in reversed(range(len(lines))):
        entry = re.match(r"( +)\*\*(\w+)\*\* : ", lines[i])
        if entry and entry[2] in titles:
            title = f"{entry[1]}.. rubric:: {titles.pop(entry[2])}"
            lines[i:i] = ["", title, ""]
    if titles:
        raise ValueError(f"{name}: found no parameters {list(titles)} in its docstring")


def setup(app):
    """Run after numpydoc, which has the usual priority of 500."""
    app.connect("autodoc-process-docstring", title_groups_of_parameters, priority=600)
