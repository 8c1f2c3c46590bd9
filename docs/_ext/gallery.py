"""What the gallery of examples needs beyond sphinx-gallery's options.

Sphinx keeps its configuration between builds, and can only keep names of functions.
"""

import warnings

from sphinx_gallery.scrapers import matplotlib_scraper
from sphinx_gallery.sorting import ExplicitOrder

# Photos take a tenth of the bytes that PNG has for them.
PICTURE = {"format": "jpg", "dpi": 100, "pil_kwargs": {"quality": 88}}
SECTIONS = ("codes", "segmentation", "restoration", "generation", "tuning")
_FILTERS = []

order_sections = ExplicitOrder([f"../examples/{name}" for name in SECTIONS])


def scrape(block, block_vars, gallery_conf):
    """Save the figures of a cell."""
    return matplotlib_scraper(block, block_vars, gallery_conf, **PICTURE)


def reset(gallery_conf, name, when):
    """Let an example fail that warns, as readers cannot act on a warning."""
    if when == "after":
        warnings.filters[:] = _FILTERS
        return
    _FILTERS[:] = warnings.filters
    warnings.simplefilter("error")
    # What a figure says that is shown without a window.
    warnings.filterwarnings("ignore", message=".*is non-interactive")


def first_notebook_cell(project):
    """Return the cell on top of each notebook, from the settings in pyproject.toml."""
    repository = project["urls"]["Repository"]
    return (
        '# On Colab: remove the "# " before %pip, and run this cell first.\n'
        f'# %pip install --quiet "{project["name"]}[fast,plot] @ git+{repository}"'
    )
