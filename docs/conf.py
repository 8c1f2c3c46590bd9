"""Sphinx configuration; `make docs` builds into build/docs, without a network."""

import inspect
import pkgutil
import re
import shutil
import sys
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

from sklearn_sparsevae.estimators._docs import parameter_groups

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_ext"))

from gallery import first_notebook_cell  # noqa: E402
from inventories import write_inventories  # noqa: E402
from package import read_project, substitutions  # noqa: E402

# -- Project: names, version and addresses stand in pyproject.toml alone ---------------

_PROJECT = read_project()
project = _PROJECT["name"]
author = _PROJECT["authors"][0]["name"]
copyright = f"2026, {author}"
release = version = _PROJECT["version"]
REPOSITORY = _PROJECT.get("urls", {}).get("Repository", "").rstrip("/")
# What is not released yet is on the main branch.
REVISION = "main" if "dev" in release else f"v{release}"

rst_epilog = substitutions()

# -- Pages -----------------------------------------------------------------------------

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.linkcode",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_nb",
    "package",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinxcontrib.bibtex",
    "results",
    "claims",
]
templates_path = ["_templates"]
# The gallery leaves notebooks beside its pages, which are downloads.
exclude_patterns = ["_*", "auto_examples/**.ipynb", "**.ipynb_checkpoints"]
exclude_patterns += ["**/*.inc.rst", "*.inc.rst"]  # parts of pages

autosummary_generate = True
# Types are in the docstrings, with shapes.
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
suppress_warnings = []

# Lists of names come from the repository, not the network: see _ext/inventories.py.
intersphinx_mapping = write_inventories(DOCS.parent / "build" / "inventories")

# Notebooks are shown as they were executed and committed.
nb_execution_mode = "off"
NOTEBOOKS = sorted((DOCS.parent / "notebooks").glob("*.ipynb"))
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"
bibtex_default_style = "plain"

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

# -- HTML ------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = project
html_baseurl = _PROJECT.get("urls", {}).get("Documentation", "")
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_show_sourcelink = False
html_domain_indices = False
# Pages of no section have nothing to show at the left.
html_sidebars = dict.fromkeys(
    ["index", "install", "quickstart", "choosing", "faq", "glossary", "references"]
    + ["changelog", "contributing"],
    [],
)
html_theme_options = {
    "logo": {
        "text": project,
        "image_light": "_static/logo.svg",
        "image_dark": "_static/logo-dark.svg",
        "alt_text": "",
    },
    # The rest of the toctree of index.rst goes under "More".
    "header_links_before_dropdown": 7,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "show_nav_level": 1,
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "secondary_sidebar_items": ["page-toc"],
}
if REPOSITORY:
    html_theme_options["icon_links"] = [
        {"name": "Source", "url": REPOSITORY, "icon": "fa-brands fa-github"}
    ]

# -- Gallery ---------------------------------------------------------------------------

# Examples run while the documentation is built; one that fails or warns fails it.
# Functions come by name, from _ext/gallery.py.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"demo\.py$",
    "subsection_order": "gallery.order_sections",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ("gallery.scrape",),
    "reset_modules": ("matplotlib", "gallery.reset"),
    "reset_modules_order": "both",
    # What a cell prints is shown, not what its last line happens to return.
    "capture_repr": (),
    "doc_module": ("sklearn_sparsevae",),
    # Lists, by name, of the examples that use it: `minigallery` on the API pages.
    "backreferences_dir": "generated/examples",
    "exclude_implicit_doc": {r"load_sample_photos$", r"random_crops$"},
    "first_notebook_cell": first_notebook_cell(_PROJECT),
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 1,
    "write_computation_times": False,
}


# -- Hooks -----------------------------------------------------------------------------


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


def address_of_source(name):
    """Return the address of the source of an object or a module, None without one."""
    try:
        value = pkgutil.resolve_name(name)
        value = inspect.unwrap(value.fget if isinstance(value, property) else value)
        path = Path(inspect.getsourcefile(value)).relative_to(DOCS.parent)
        lines, first = inspect.getsourcelines(value)
    except (ImportError, AttributeError, TypeError, ValueError, OSError):
        return None  # data, or code of another package
    anchor = f"#L{first}-L{first + len(lines) - 1}" if first else ""
    return f"{REPOSITORY}/blob/{REVISION}/{path.as_posix()}{anchor}"


def linkcode_resolve(domain, info):
    """Return the address of the source that the API pages link to."""
    if domain == "py" and REPOSITORY and info["module"]:
        return address_of_source(f"{info['module']}.{info['fullname']}")


def refer_to_source(app, env, node, content):
    """Link names of ours that have no page, such as private functions, to their source.

    A name that is nowhere is a mistake in the page.
    """
    target = node.get("reftarget") or ""
    if node.get("refdomain") != "py" or not target.startswith("sklearn_sparsevae"):
        return None
    try:
        pkgutil.resolve_name(target)
    except (ImportError, AttributeError):
        logging.getLogger(__name__).warning("there is no %s", target, location=node)
    address = address_of_source(target) if REPOSITORY else None
    if address:
        content = content.deepcopy()
        return nodes.reference("", "", content, refuri=address, internal=False)
    return None


def copy_notebooks(app):
    """Bring the executed notebooks of the repository among the pages."""
    for source in NOTEBOOKS:
        target = DOCS / "notebooks" / source.name
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copyfile(source, target)


def forgive_pictures_not_drawn(app, config):
    """Let pages show pictures of examples that ``-D plot_gallery=0`` leaves out."""
    if str(config.plot_gallery) in ("0", "False"):
        config.suppress_warnings.append("image.not_readable")


def setup(app):
    """Connect the above."""
    app.connect("config-inited", forgive_pictures_not_drawn)
    app.connect("builder-inited", copy_notebooks, priority=100)
    # After intersphinx.
    app.connect("missing-reference", refer_to_source, priority=900)
    # After numpydoc, which has the usual priority of 500.
    app.connect("autodoc-process-docstring", title_groups_of_parameters, priority=600)
