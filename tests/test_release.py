"""What a release needs: one version, one set of addresses, bounds that are tested."""

import re
import tomllib
from pathlib import Path

import sklearn_sparsevae

ROOT = Path(__file__).parents[1]


def _read(path):
    return (ROOT / path).read_text(encoding="utf-8")


PROJECT = tomllib.loads(_read("pyproject.toml"))["project"]
CITATION = dict(re.findall(r"^([\w-]+): (\S.*)$", _read("CITATION.cff"), re.M))


def _newest_section():
    """Return the version and date on top of the changelog, less what is to come."""
    versions = re.findall(r"^## (\d\S*) \((\S+)\)$", _read("CHANGELOG.md"), re.M)
    return versions[0]


def test_the_version_is_the_same_everywhere():
    version, date = _newest_section()
    assert version == PROJECT["version"] == sklearn_sparsevae.__version__
    assert (CITATION["version"], CITATION["date-released"]) == (version, date)


def test_the_citation_has_the_addresses_licence_and_keywords_of_the_package():
    urls = PROJECT["urls"]
    assert CITATION["repository-code"] == urls["Repository"]
    assert CITATION["url"] == urls["Documentation"]
    assert CITATION["license"] == PROJECT["license"]
    entries = re.findall(r"^  - (?:name: )?(.+)$", _read("CITATION.cff"), re.M)
    authors = [author["name"] for author in PROJECT["authors"]]
    assert entries == [*authors, *PROJECT["keywords"]]


def test_the_oldest_versions_are_the_lower_bounds():
    extras = PROJECT["optional-dependencies"]
    groups = [
        PROJECT["dependencies"],
        *map(extras.get, ("compression", "data", "fast", "files", "plot", "scale")),
    ]
    bounds = [
        re.match(r"([\w-]+)(?:\[[\w,]+\])?>=([\d.]+)", requirement).groups()
        for requirement in sum(groups, []) + extras["tests"]
        if not requirement.startswith(PROJECT["name"])
    ]
    lowest = re.findall(r"^([\w-]+)==([\d.]+)$", _read("constraints-lowest.txt"), re.M)
    # 2.2 allows, and pip takes as the oldest, 2.2.0.
    assert {name: _three(version) for name, version in lowest} == {
        name: _three(version) for name, version in bounds
    }


def _three(version):
    return [*map(int, version.split(".")), 0, 0][:3]


def test_addresses_of_the_repository_begin_with_its_own():
    base = PROJECT["urls"]["Repository"]
    assert all(
        PROJECT["urls"][name].startswith(base)
        for name in ("Homepage", "Changelog", "Issues")
    )


def test_workflows_call_targets_of_the_makefile():
    targets = set(re.findall(r"^([a-z-]+):", _read("Makefile"), re.M))
    workflows = "".join(map(_read, (ROOT / ".github" / "workflows").glob("*.yml")))
    called = re.findall(r"run: make (.+)$", workflows, re.M)
    called = {re.sub(r"\$\{\{.*?\}\}|\S+=\S+", "", names) for names in called}
    named = set(" ".join(called).split())
    assert {"lint", "coverage", "docs", "dist", "test-lowest"} <= named <= targets


def test_the_oldest_python_is_tested():
    oldest = PROJECT["requires-python"].removeprefix(">=")
    matrix = re.search(r"python: \[(.+)\]", _read(".github/workflows/tests.yml"))[1]
    assert matrix.split(", ")[0] == f'"{oldest}"'
    tools = tomllib.loads(_read("pyproject.toml"))["tool"]
    assert tools["mypy"]["python_version"] == oldest
    assert tools["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
