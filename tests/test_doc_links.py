"""What notebooks show of estimators leads to their pages in our documentation."""

import importlib.metadata
import re
import tomllib
from email.message import Message
from pathlib import Path
from urllib.parse import quote

import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline

import sklearn_sparsevae
from sklearn_sparsevae import VQVAE, KMeansSegmenter
from sklearn_sparsevae._doc_links import documentation_url

ROOT = Path(__file__).parents[1]
ESTIMATORS = [
    found
    for found in (getattr(sklearn_sparsevae, n) for n in sklearn_sparsevae.__all__)
    if isinstance(found, type) and issubclass(found, BaseEstimator)
]


def install(monkeypatch, *urls):
    """Let the metadata of the package have these addresses."""
    found = Message()
    for url in urls:
        found["Project-URL"] = url
    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: found)
    documentation_url.cache_clear()


@pytest.fixture
def address(monkeypatch):
    """Metadata as pyproject.toml gives it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    install(monkeypatch, *(f"{k}, {v}" for k, v in project["urls"].items()))
    yield project["urls"]["Documentation"]
    documentation_url.cache_clear()


def listed_in_the_reference():
    """Full names of the entries of the API pages that have a page of their own."""
    pages = [ROOT / "docs" / "api.rst", *(ROOT / "docs" / "api").glob("*.rst")]
    for page in pages:
        if page.exists():
            for entry in re.findall(r"^   ([A-Za-z][\w.]*)$", page.read_text(), re.M):
                yield f"sklearn_sparsevae.{entry}"


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_every_estimator_links_to_its_page(cls, address):
    link = cls()._get_doc_link()
    page = link.removeprefix(f"{address}generated/").removesuffix(".html")
    assert page in set(listed_in_the_reference())
    assert page.endswith(f".{cls.__name__}")
    assert f'href="{link}"' in cls()._repr_html_()


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_parameters_link_to_their_description_and_show_it(cls, address):
    """As scikit-learn does from 1.9 on."""
    html = cls()._repr_html_()
    if "param-doc-link" not in html:
        pytest.skip("this scikit-learn has no links of parameters")
    link = re.escape(cls()._get_doc_link())
    linked = set(re.findall(rf'href="{link}#:~:text=(\w+),-', html))
    assert linked == {quote(name) for name in cls().get_params(deep=False)}
    assert html.count("random_state: int, RandomState instance or None") == 1


def test_steps_of_a_pipeline_have_their_links(address):
    html = make_pipeline(VQVAE(), KMeansSegmenter())._repr_html_()
    for page in ("VQVAE", "segmentation.KMeansSegmenter"):
        assert f'href="{address}generated/sklearn_sparsevae.{page}.html"' in html


def test_a_class_of_somebody_else_has_no_page(address):
    class Mine(VQVAE):
        """A subclass outside the package."""

    assert Mine()._get_doc_link() == ""


@pytest.mark.parametrize("urls", [(), ("Homepage, https://example.org",)])
def test_without_an_address_there_is_no_link(monkeypatch, urls):
    install(monkeypatch, *urls)
    try:
        assert documentation_url() == ""
        assert VQVAE()._get_doc_link() == ""
        assert "generated/sklearn_sparsevae" not in VQVAE()._repr_html_()
    finally:
        documentation_url.cache_clear()


def test_a_package_that_is_not_installed_has_no_address(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "metadata", missing)
    documentation_url.cache_clear()
    assert documentation_url() == ""
    documentation_url.cache_clear()
