"""The built site: no warning, no broken link, and answers near the landing page."""

import os
import pkgutil
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

from inventories import read_names  # noqa: E402

BUILT = shutil.ignore_patterns(
    "generated", "auto_examples", "sg_execution_times.rst", "*.ipynb", "__pycache__"
)

# What a newcomer asks, and what a page has to say that answers it.
QUESTIONS = {
    "how do I install it with a GPU": ["pip install", "CUDA", "pytorch.org"],
    "which estimator do I take": ["SparseCodingVAE", "DictionaryLearningVAE", "VQVAE"],
    "how do I use a folder of TIFFs": ["load_image_folder", "TIFF", "uint16"],
    "how do I keep a model": ["sv.save", "sv.load", "pickle"],
    "how good is it against BM3D": ["BM3D", "DictionaryLearningVAE", "PSNR"],
    "how good is it against scikit-learn": ["scikit-learn", "SparseCodingVAE", "PSNR"],
}
# Pictures of the gallery are there only where it runs.
NOT_DRAWN = "images/sphx_glr_"


class Page(HTMLParser):
    """Links, anchors and text of a page, and references that lead nowhere."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors, self.lost = [], set(), []
        self._pieces, self._open, self._skip, self._plain_name = [], 0, 0, False
        self.feed(path.read_text(encoding="utf-8"))
        self.text = " ".join("".join(self._pieces).split())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes.get("id"), attributes.get("name")}
        self.links += [attributes[n] for n in ("href", "src") if attributes.get(n)]
        self._open += tag == "a"
        self._skip += tag in ("script", "style", "nav")
        if tag == "code" and "xref" in (attributes.get("class") or ""):
            self._plain_name = not self._open

    def handle_endtag(self, tag):
        self._open -= tag == "a"
        self._skip -= tag in ("script", "style", "nav")
        self._plain_name = self._plain_name and tag != "code"

    def handle_data(self, data):
        if self._plain_name:
            self.lost.append(data)
        if not self._skip:
            self._pieces.append(data)


def follow(path, link):
    """Return the file and the anchor that a link of a page leads to, None outside."""
    address = urlsplit(link)
    if address.scheme or address.netloc:
        return None
    target = (path.parent / unquote(address.path)).resolve() if address.path else path
    return target, unquote(address.fragment)


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Build the site of a copy that has nothing built, without running the gallery."""
    copy = tmp_path_factory.mktemp("project")
    for item in ROOT.iterdir():
        if item.name not in ("docs", "build", ".venv", ".git"):
            (copy / item.name).symlink_to(item)
    shutil.copytree(ROOT / "docs", copy / "docs", ignore=BUILT)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"]
    command += ["-D", "plot_gallery=0", "-b", "html", "docs", "html"]
    environment = {**os.environ, "PYTHONPATH": str(copy), "MPLBACKEND": "Agg"}
    done = subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True
    )
    return copy / "html", done


@pytest.fixture(scope="module")
def pages(build):
    folder = build[0].resolve()
    paths = [path for path in folder.rglob("*.html") if "_static" not in path.parts]
    return {path: Page(path) for path in paths}


def test_builds_from_empty_without_warnings(build):
    _, done = build
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_no_internal_link_is_broken(pages):
    broken = []
    for path, page in pages.items():
        for link in page.links:
            found = follow(path, link)
            if not found or NOT_DRAWN in link:
                continue
            target, anchor = found
            missing = not target.exists()
            if target in pages and anchor:
                missing = anchor not in pages[target].anchors
            if missing:
                broken.append(f"{path.name}: {link}")
    assert len(pages) > 100
    assert not broken


def test_no_reference_to_a_name_leads_nowhere(pages):
    lost = {f"{path.name}: {n}" for path, page in pages.items() for n in page.lost}
    assert not lost, (
        "no page has these names; those of other projects belong into "
        "docs/_ext/inventories.txt"
    )


def test_answers_are_two_clicks_from_the_landing_page(build, pages):
    near = {build[0].resolve() / "index.html"}
    for _ in range(2):
        links = [(path, link) for path in near for link in pages[path].links]
        found = [follow(path, link) for path, link in links]
        near |= {target for target, _ in filter(None, found) if target in pages}
    # Pages of single functions and classes are no answers.
    texts = {
        path: " ".join([pages[path].text, *pages[path].links])
        for path in near
        if path.parent.name != "generated"
    }
    answers = {
        question: [p.name for p, text in texts.items() if all(w in text for w in words)]
        for question, words in QUESTIONS.items()
    }
    assert all(answers.values()), answers


def test_names_of_other_projects_exist():
    absent = []
    for project, (address, entries) in read_names().items():
        assert address.startswith("https://") and address.endswith("/")
        for name, kind, _ in entries:
            # Builtins; halving searches are imported after enable_halving_search_cv.
            if not kind.startswith("py:") or "." not in name or "Halving" in name:
                continue
            try:
                pkgutil.resolve_name(name)
            except (ImportError, AttributeError):
                absent.append(name)
    assert not absent


def test_pictures_are_small():
    pictures = [*(ROOT / "docs").glob("images/**/*.*g")]
    assert pictures
    large = {p.name: p.stat().st_size for p in pictures if p.stat().st_size > 200_000}
    assert not large
