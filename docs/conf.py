"""Sphinx configuration; `make docs` builds into build/docs."""

from importlib.metadata import version as installed_version

project = "sklearn-sparsevae"
copyright = "2026, the sklearn-sparsevae developers"
release = version = installed_version(project)

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
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
