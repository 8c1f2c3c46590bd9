"""Links from the pictures that notebooks show of estimators to our documentation."""

import functools
import importlib.metadata
from typing import Any

_DISTRIBUTION, _PACKAGE = "sklearn-sparsevae", "sklearn_sparsevae"


@functools.cache
def documentation_url():
    """Address of the documentation, or an empty string where it is not known.

    It is what the metadata of the installed package has as its "Documentation", which
    comes from pyproject.toml.

    Returns
    -------
    url : str
        With a slash at its end.
    """
    try:
        urls = importlib.metadata.metadata(_DISTRIBUTION).get_all("Project-URL", [])
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        return ""
    for url in urls:
        label, _, address = url.partition(",")
        if label.strip().lower() == "documentation":
            return address.strip().rstrip("/") + "/"
    return ""


class DocumentationLinks:
    """Lets scikit-learn's HTML link to the page of an estimator in our documentation.

    A class of somebody else, though it inherits from ours, has no page there and gets
    no link.
    """

    # The page is named for the module under which docs/api.rst lists the estimator.
    _doc_page_module = _PACKAGE

    def _first_module(self):
        """First part of the module of what has a link; of no class without a site."""
        return _PACKAGE if documentation_url() else ""

    def _template(self):
        return documentation_url() + "generated/{module}.{name}.html"

    def _url_parameters(self, *_):
        # scikit-learn 1.6 passes the estimator once more.
        return {"module": self._doc_page_module, "name": type(self).__name__}

    # scikit-learn has attributes here; to a type checker nothing else may replace them.
    _doc_link_module: Any = property(_first_module)
    _doc_link_template: Any = property(_template)
    _doc_link_url_param_generator: Any = _url_parameters
