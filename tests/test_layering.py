"""Imports run one way: the layout of CONTRIBUTING.md, read from the source."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = "sklearn_sparsevae"
ROOT = Path(__file__).parents[1] / PACKAGE

# What each room may import: rooms of the package and libraries. All may use numpy and
# the standard library.
TORCH_ROOMS = {
    "perceptual": {"torch", "torch_fidelity"},
    "_ranks": {"torch"},
    "sparse": {"torch", "numba", "_ahead", "_progress"},
    "bottlenecks": {"torch", "sparse", "_ranks"},
    "backbones": {"torch", "sparse"},
    "training": {"torch", "skorch", "constriction", "onnx", "onnxscript", "_arguments"}
    | {"images", "perceptual", "sparse", "bottlenecks", "backbones", "_usage"}
    | {"_ahead", "_container", "_files", "_progress", "_ranks"},
}
ARRAY_LIBRARIES = {"sklearn", "scipy", "skimage", "joblib"}
ARRAY_ROOMS = {
    "_ahead": {"threadpoolctl"},
    "images": {"sklearn", "scipy", "_arguments", "_ahead", "_progress"},
    "_parameters": set(),
    "_progress": {"tqdm"},
    "recipes": set(),
    "_arguments": {"sklearn"},
    "_typing": set(),
    "_usage": set(),
    "_files": set(),
    "_container": {"_files"},
    "_doc_links": set(),
    "codes": ARRAY_LIBRARIES | {"_arguments", "_container", "PIL"},
    "metrics": ARRAY_LIBRARIES
    | {"_arguments", "_usage", "codes", "perceptual", "flip_evaluator"},
    "datasets": ARRAY_LIBRARIES | {"_arguments", "_files", "PIL", "pooch", "tifffile"},
    "_image_arrays": {"_arguments"},
    "degrade": ARRAY_LIBRARIES | {"_arguments", "_image_arrays"},
    "noise": {"scipy", "_image_arrays"},
    "estimators": ARRAY_LIBRARIES
    | {"codes", "metrics", "images", "sparse", "bottlenecks"}
    | {"backbones", "training", "noise"}
    | {"_arguments", "_doc_links", "_parameters", "_progress"},
    "segmentation": ARRAY_LIBRARIES
    | {"threadpoolctl", "numba", "codes", "metrics"}
    | {"_arguments", "_doc_links", "_parameters", "_ahead", "_progress"},
    "persistence": {"sklearn", "scipy", "skops", "_container", "__version__"},
    "commands": {"click", "sklearn", "codes", "datasets", "persistence"}
    | {"_files", "_progress", "__version__"},
    "__main__": {"commands"},
    "plotting": {"matplotlib", "codes", "metrics", "_arguments"},
}
ALLOWED = {**TORCH_ROOMS, **ARRAY_ROOMS}
# Dense scipy is fine below the estimators; sparse matrices are theirs to make.
DENSE_SCIPY = {"linalg", "fft", "special"}

MODULES = sorted(ROOT.rglob("*.py"))


def room_of(path):
    """First part of a module's place in the package; "" for the package itself."""
    part = path.relative_to(ROOT).parts[0].removesuffix(".py")
    return "" if part == "__init__" else part


def imports_of(path):
    """All modules that a file imports, wherever in it, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_allowed(name, room):
    """Whether a module of a room may import a dotted name."""
    first, second, *_ = [*name.split("."), ""]
    if first in sys.stdlib_module_names or first == "numpy":
        return True
    if first == PACKAGE:
        return second in (room, "_typing") or second in ALLOWED[room]
    if first == "scipy" and room in TORCH_ROOMS:
        return second in DENSE_SCIPY
    return first in ALLOWED[room]


def test_every_room_has_a_rule():
    assert {room_of(path) for path in MODULES} - {""} <= set(ALLOWED)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path):
    room = room_of(path)
    if room == "":
        firsts = {name.split(".")[0] for name in imports_of(path)}
        assert firsts <= {PACKAGE, *sys.stdlib_module_names}
        return
    wrong = [name for name in imports_of(path) if not is_allowed(name, room)]
    assert not wrong, f"{room} must not import {wrong}; see CONTRIBUTING.md"


def test_no_module_imports_itself_by_a_detour():
    names = {
        ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
            ".__init__"
        ): path
        for path in MODULES
    }
    graph = {
        name: {
            found
            for imported in imports_of(path)
            for found in (imported, imported.rpartition(".")[0])
            if found in names and found != name and not name.startswith(f"{found}.")
        }
        for name, path in names.items()
    }
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_no_constructor_is_longer_than_fifteen_parameters():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                n_own = len(node.args.args) - 1 + len(node.args.kwonlyargs)
                assert n_own <= 15, f"{path}:{node.lineno}"
            if isinstance(node, ast.ClassDef):
                fields = [n for n in node.body if isinstance(n, ast.AnnAssign)]
                assert len(fields) <= 15, f"{path}: {node.name}"


def test_long_modules_say_why():
    for path in MODULES:
        source = path.read_text(encoding="utf-8")
        docstring = ast.get_docstring(ast.parse(source)) or ""
        assert source.count("\n") <= 300 or "\n" in docstring, (
            f"{path} has more than 300 lines: split it, or say at its top why not."
        )


# What several bottlenecks, or the parts of one, share.
SHARED_FILES = {"dead_atoms", "base", "divergences", "probabilistic", "selection"} | {
    "spike_priors",
    "thresholds",
}


def _bottlenecks():
    return sorted((ROOT / "bottlenecks").glob("[a-z]*.py"))


@pytest.mark.parametrize("path", _bottlenecks(), ids=lambda p: p.name)
def test_bottlenecks_do_not_import_one_another(path):
    siblings = {f"{PACKAGE}.bottlenecks.{other.stem}" for other in _bottlenecks()}
    # What several share, and the file itself.
    for name in SHARED_FILES | {path.stem}:
        siblings.discard(f"{PACKAGE}.bottlenecks.{name}")
    assert not [n for n in imports_of(path) if n.startswith(tuple(siblings))]


def test_the_rules_reject_what_they_should():
    assert not is_allowed("torch.nn", "estimators")
    assert not is_allowed("torch", "segmentation")
    assert not is_allowed("skorch.NeuralNet", "estimators")
    assert not is_allowed("scipy.sparse", "training")
    assert not is_allowed("sklearn.base.clone", "training")
    assert not is_allowed(f"{PACKAGE}.estimators.base", "training")
    assert not is_allowed(f"{PACKAGE}.training", "bottlenecks")
    assert not is_allowed(f"{PACKAGE}.training", "metrics")
    assert not is_allowed("torch", "metrics")
    assert is_allowed(f"{PACKAGE}.training", "estimators")
    assert is_allowed("scipy.fft", "sparse")


ARRAYS_ONLY = ["segmentation", "codes", "metrics", "plotting", "degrade", "recipes"]


@pytest.mark.parametrize("room", ARRAYS_ONLY)
def test_array_rooms_start_without_torch(room):
    code = f"import sys, {PACKAGE}.{room}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT.parent)


# Imported when they are needed, so that the rest works without them.
OPTIONAL = {"pooch", "torch_fidelity", "flip_evaluator", "onnx", "onnxscript"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_optional_libraries_are_imported_when_used(path):
    top = ast.parse(path.read_text(encoding="utf-8")).body
    names = [a.name for n in top if isinstance(n, ast.Import) for a in n.names]
    names += [n.module for n in top if isinstance(n, ast.ImportFrom)]
    assert not OPTIONAL & {name.split(".")[0] for name in names}


def test_drawing_is_imported_when_something_is_drawn():
    code = f"import sys, {PACKAGE}.plotting; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT.parent)
