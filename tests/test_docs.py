"""What the documents say is so: equations, API page, docstrings, commands, versions."""

import ast
import inspect
import io
import pkgutil
import re
import textwrap
import tokenize
from pathlib import Path

import pytest
from numpydoc.validate import validate

import sklearn_sparsevae

PACKAGE = sklearn_sparsevae.__name__
ROOT = Path(__file__).parents[1]
USER_MODULES = (
    *("", "codes", "metrics", "datasets", "degrade", "noise", "plotting"),
    *("recipes", "segmentation"),
)
# numpydoc's codes: no docstring, no summary, parameters missing, unknown or out of
# order, no description, returns missing.
DOCSTRING_ERRORS = {"GL08", "SS01", "PR01", "PR02", "PR03", "PR07", "RT01", "RT03"}

# Tokens of which a line of code has more: comments, white space, docstrings.
NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER),
    *(tokenize.INDENT, tokenize.DEDENT, tokenize.STRING),
}


def _read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def equation_rows():
    """Return (paper, equations, target) of each row of the table of equations."""
    text = _read("docs/methods/equations.rst").split("Papers\n------")[0]
    rows = re.split(r"^   \* - ", text, flags=re.MULTILINE)[2:]
    for row in rows:
        paper, equation, _, where = re.split(r"^     - ", row, flags=re.MULTILINE)
        for target in re.findall(r":\w+:`~?([\w.]+)`", where):
            yield paper.strip(), equation.strip(), target


def user_names():
    """Return the full names of everything that users are meant to import."""
    for room in USER_MODULES:
        name = f"{PACKAGE}.{room}".rstrip(".")
        module = pkgutil.resolve_name(name)
        yield from (f"{name}.{public}" for public in module.__all__)


def documented_objects():
    """Return the user's functions and classes, and the methods that are our own."""
    for name in user_names():
        value = pkgutil.resolve_name(name)
        if inspect.isclass(value):
            inherited = set(dir(value.__base__))
            own = [m for m in vars(value) if m[0] != "_" and m not in inherited]
            yield from (f"{name}.{m}" for m in own if callable(getattr(value, m)))
        # numpydoc reads the parameters of __new__ where there is one.
        if callable(value) and "__new__" not in vars(value):
            yield name


def code_blocks(path, language):
    return re.findall(
        rf"^```{language}\n(.*?)^```", _read(path), re.MULTILINE | re.DOTALL
    )


def tags_on_code(source):
    """Return the (paper, equation) of the tags that end lines of code.

    A comment on a line of its own, a docstring or a string does not count.
    """
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    code = {token.end[0] for token in tokens if token.type not in NO_CODE}
    for token in tokens:
        if token.type == tokenize.COMMENT and token.start[0] in code:
            yield from tags_in(token.string)


def tags_in(comment):
    """Read ``[SC-VAE Eq. 2]``; ``[LASERS Eq. 3, 13]`` stands for two."""
    for tag in re.findall(r"\[([A-Z][^\]]* [^\]]+)\]", comment):
        numbered = re.fullmatch(r"(.+) (Eq\.|Alg\.|Section) ([\d., ]+)", tag)
        if numbered:
            paper, kind, numbers = numbered.groups()
            yield from ((paper, f"{kind} {n}") for n in numbers.split(", "))
        else:
            yield re.fullmatch(r"(\S+(?: \d{4})?) (.+)", tag).groups()


def test_the_table_of_equations_is_read():
    papers = {paper for paper, _, _ in equation_rows()}
    assert papers >= {"SC-VAE", "Zhu 2014", "Hoyer 2004"}
    listed = _read("docs/methods/equations.rst").split("Papers\n------")[1]
    assert papers == set(re.findall(r"^(\S.*)\n   \S", listed, re.MULTILINE))


def test_only_tags_on_code_count():
    source = textwrap.dedent('''
        """[SC-VAE Eq. 1]"""
        # [SC-VAE Eq. 2]
        def f(x):
            """# [SC-VAE Eq. 3]"""
            y = "# [SC-VAE Eq. 4]"
            return sum(  # [SC-VAE Eq. 5] in words
                # [SC-VAE Eq. 6]
                x
            )  # [LASERS Eq. 3, 4.1] [Yu 2020 Section 2]
    ''')
    assert set(tags_on_code(source)) == {
        ("SC-VAE", "Eq. 5"),
        ("LASERS", "Eq. 3"),
        ("LASERS", "Eq. 4.1"),
        ("Yu 2020", "Section 2"),
    }


@pytest.mark.parametrize(("paper", "equation", "target"), list(equation_rows()))
def test_equations_are_where_the_table_says(paper, equation, target):
    source = textwrap.dedent(inspect.getsource(pkgutil.resolve_name(target)))
    assert (paper, equation) in set(tags_on_code(source)), (
        f"{target} computes {equation} of {paper}: end the line that does with "
        f"`# [{paper} {equation}]`, or correct docs/methods/equations.rst."
    )


def test_every_tag_is_in_the_table():
    rows = {(paper, equation) for paper, equation, _ in equation_rows()}
    for path in (ROOT / PACKAGE).rglob("*.py"):
        unknown = set(tags_on_code(path.read_text(encoding="utf-8"))) - rows
        assert not unknown, f"{path}: add {unknown} to docs/methods/equations.rst"


def test_api_page_lists_every_public_name():
    page = _read("docs/api.rst")
    entries = re.findall(r"^   ([A-Za-z][\w.]*)$", page, re.MULTILINE)
    entries += re.findall(rf"^\.\. auto\w+:: {PACKAGE}\.(.+)$", page, re.MULTILINE)
    listed = [pkgutil.resolve_name(f"{PACKAGE}.{entry}") for entry in entries]
    public = {name: pkgutil.resolve_name(name) for name in user_names()}
    missing = [name for name, value in public.items() if value not in listed]
    assert not missing, f"add {missing} to docs/api.rst"


@pytest.mark.parametrize("name", list(documented_objects()))
def test_docstrings_document_every_parameter(name):
    errors = validate(name)["errors"]
    assert not [error for error in errors if error[0] in DOCSTRING_ERRORS]


@pytest.mark.parametrize("path", ["README.md", "CONTRIBUTING.md"])
def test_commands_and_python_in_the_pages_exist(path):
    targets = set(re.findall(r"^([a-z-]+):", _read("Makefile"), re.M))
    commands = "\n".join(code_blocks(path, "(?:bash|sh|console)"))
    named = set(re.findall(r"^(?:\$ )?make ([a-z-]+)", commands, re.MULTILINE))
    assert named and named <= targets
    for block in code_blocks(path, "python"):
        ast.parse(block)


def test_hooks_have_the_pinned_versions():
    pins = dict(re.findall(r"^([\w-]+)==(.+)$", _read("constraints.txt"), re.M))
    hooks = dict(
        re.findall(r"/([\w-]+)\n +rev: v(.+)$", _read(".pre-commit-config.yaml"), re.M)
    )
    assert hooks == {"ruff-pre-commit": pins["ruff"], "codespell": pins["codespell"]}
