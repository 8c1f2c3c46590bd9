"""Make the notebooks from their scripts: ``python notebooks/build.py [names...]``.

The script is the source: cells begin with ``# %%``, those of prose with ``# %%
[markdown]`` (jupytext's "py:percent"). The notebook has the same cells, executed, and
two more below the title: links to run it elsewhere, and the line that installs the
package there. ``--check`` says which notebooks are not what their scripts make;
``--prose`` renews the prose alone of those whose code is still the same.
"""

import argparse
import base64
import copy
import io
import json
import os
import re
import resource
import sys
import time
import tomllib
from itertools import zip_longest
from pathlib import Path

FOLDER = Path(__file__).parent
WORK = FOLDER.parent / "build" / "notebooks"
MAX_BYTES = 500_000
JPEG_QUALITIES = (90, 80, 70)  # the first with which a notebook is small enough
METADATA = {
    "kernelspec": {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}
# A piece of tqdm's bar, "epoch 2/5: 40%|####   | 12/30 [00:03<00:05, 3.6it/s]".
PROGRESS = re.compile(r"\d%\|.*\||\d+it \[")
ADDRESS = re.compile(r"0x[0-9a-f]{8,}")
BADGES = """\
[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](\
https://colab.research.google.com/github/{project}/blob/main/notebooks/{name}.ipynb)
[![Launch Binder](https://mybinder.org/badge_logo.svg)](\
https://mybinder.org/v2/gh/{project}/main?labpath=notebooks/{name}.ipynb)"""
INSTALL = """\
# On Colab: remove the "# " before %pip, and run this cell first.
# %pip install --quiet "sklearn-sparsevae[fast,plot] @ git+{repository}"
"""


def script_paths(names=()):
    """Return the scripts of all notebooks, or of those whose names begin so."""
    paths = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
    if not names:
        return paths
    chosen = [p for p in paths if p.stem.startswith(tuple(Path(n).stem for n in names))]
    if not chosen:
        known = ", ".join(p.stem for p in paths)
        raise SystemExit(f"Got {names}; expected the beginnings of some of {known}.")
    return chosen


def repository():
    """Read the address of the repository, which is set in pyproject.toml alone."""
    settings = (FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(settings)["project"]["urls"]["Repository"]


def cells_of(script):
    """Return (type, source) of each cell that the notebook of a script has."""
    import jupytext

    text = script.read_text(encoding="utf-8")
    cells = [
        (cell.cell_type, cell.source)
        for cell in jupytext.reads(text, fmt="py:percent").cells
    ]
    if not cells or cells[0][0] != "markdown" or not cells[0][1].startswith("# "):
        raise SystemExit(f"{script.name}: expected a first cell of prose, its title.")
    address = repository()
    project = address.removeprefix("https://github.com/")
    generated = [
        ("markdown", BADGES.format(project=project, name=script.stem)),
        ("code", INSTALL.format(repository=address).rstrip()),
    ]
    return cells[:1] + generated + cells[1:]


def make(cells):
    """Make a notebook of cells, not executed."""
    from nbformat import v4

    makers = {"markdown": v4.new_markdown_cell, "code": v4.new_code_cell}
    return v4.new_notebook(
        metadata=METADATA,
        cells=[
            makers[kind](source, id=f"cell-{i:02}")
            for i, (kind, source) in enumerate(cells)
        ],
    )


def execute(notebook):
    """Run the cells in their order, and keep their outputs."""
    from nbclient import NotebookClient

    # Elsewhere Agg is chosen, for scripts; a notebook shows what it draws.
    environment = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
    NotebookClient(
        notebook,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(FOLDER)}},
        on_cell_executed=lambda **_: print(".", end="", flush=True),
    ).execute(env=environment)
    notebook.metadata = METADATA


def tidy(notebook, quality=JPEG_QUALITIES[0]):
    """Leave progress bars out, and make pictures JPEGs."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata = {}
            cell.outputs = [o for o in cell.outputs if not is_progress(o)]
            for output in cell.outputs:
                if png := output.get("data", {}).pop("image/png", None):
                    output.data["image/jpeg"] = as_jpeg(png, quality)
                    output.metadata = {}


def is_progress(output):
    """Whether an output is a progress bar and nothing else."""
    if output.output_type == "stream" and output.name == "stderr":
        pieces = re.split(r"[\r\n]+", output.text)
        return all(PROGRESS.search(piece) for piece in pieces if piece.strip())
    return "application/vnd.jupyter.widget-view+json" in output.get("data", {})


def as_jpeg(png, quality):
    """Convert a picture, base64 to base64."""
    from PIL import Image

    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    jpeg = io.BytesIO()
    Image.alpha_composite(paper, picture).convert("RGB").save(
        jpeg, "JPEG", quality=quality, optimize=True
    )
    return base64.b64encode(jpeg.getvalue()).decode() + "\n"


def faults_of_outputs(notebook):
    """List what should not be in an executed notebook, given as nbformat's dicts."""
    code = code_cells(notebook)
    counts = [cell["execution_count"] for cell in code]
    if counts != list(range(1, len(code) + 1)):
        yield f"its cells were not executed in their order: {counts}"
    for i, cell in enumerate(code, 1):
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                yield f"cell [{i}] ends in {output['ename']}: {output['evalue']}"
            elif output.get("name") == "stderr":
                yield f"cell [{i}] warns: {''.join(output['text'])}"
            data = output.get("data", {})
            if "image/png" in data:
                yield f"cell [{i}] has a picture that is a PNG"
            if ADDRESS.search("".join(data.get("text/plain", []))):
                yield f"cell [{i}] shows an address in memory: end it in plt.show()"


def faults(script):
    """List how the notebook of a script differs from what the script makes."""
    path = script.with_suffix(".ipynb")
    if not path.exists():
        return ["there is no notebook"]
    found = []
    if path.stat().st_size >= MAX_BYTES:
        found.append(f"it has {path.stat().st_size} bytes; expected < {MAX_BYTES}")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    expected = cells_of(script)
    cells = [(c["cell_type"], "".join(c["source"])) for c in notebook["cells"]]
    if len(cells) != len(expected):
        found.append(f"it has {len(cells)} cells, its script {len(expected)}")
    for i, (is_, should) in enumerate(zip(cells, expected, strict=False)):
        if is_ != should:
            found.append(f"cell {i} differs from its script: {should[1][:60]!r}")
            break
    if notebook["metadata"] != METADATA:
        found.append(f"its metadata are {notebook['metadata']}")
    return found + list(faults_of_outputs(notebook))


def build(script):
    """Execute a script's notebook, and put it in its place if nothing is wrong."""
    import nbformat

    start, cpu = time.perf_counter(), cpu_of_children()
    executed = make(cells_of(script))
    execute(executed)
    wall, cpu = time.perf_counter() - start, cpu_of_children() - cpu
    for quality in JPEG_QUALITIES:
        notebook = copy.deepcopy(executed)
        tidy(notebook, quality)
        content = (nbformat.writes(notebook) + "\n").encode()
        if len(content) < MAX_BYTES:
            break
    size = f"{len(content) / 1000:.0f} KB"
    print(f" {script.stem}: {wall:.0f} s, {cpu:.0f} s of CPU, {size}", flush=True)
    aside = write_aside(script, content)
    found = list(faults_of_outputs(notebook))
    if len(content) >= MAX_BYTES:
        found.append(
            f"it has {size}; expected < {MAX_BYTES // 1000}: draw fewer or smaller "
            "pictures"
        )
    if found:
        return [*found, f"what came of it is {aside}"]
    aside.replace(script.with_suffix(".ipynb"))
    return []


def renew_prose(script):
    """Put a script's prose into its notebook, which keeps its outputs."""
    import nbformat

    path = script.with_suffix(".ipynb")
    if not path.exists():
        return ["there is no notebook; leave out --prose"]
    notebook = make(cells_of(script))
    old = nbformat.read(path, as_version=4)
    pairs = list(zip_longest(*map(code_cells, (old, notebook)), fillvalue={}))
    if any(before.get("source") != now.get("source") for before, now in pairs):
        return ["its code is not its script's; leave out --prose"]
    for before, now in pairs:
        now.outputs, now.execution_count = before.outputs, before.execution_count
    write_aside(script, (nbformat.writes(notebook) + "\n").encode()).replace(path)
    return faults(script)


def code_cells(notebook):
    """Return the cells of code of a notebook, given as nbformat's dicts."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def write_aside(script, content):
    """Write what is to be a notebook beside its place, and say where."""
    WORK.mkdir(parents=True, exist_ok=True)
    path = WORK / f"{script.stem}.ipynb"
    path.write_bytes(content)
    return path


def cpu_of_children():
    """CPU-seconds of the kernels that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(arguments=None):
    """Build or check, and say what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="which, such as 01 03; default: all")
    work = parser.add_mutually_exclusive_group()
    for option, function, text in (
        ("--check", faults, "only compare"),
        ("--prose", renew_prose, "keep the outputs, execute nothing"),
    ):
        work.add_argument(
            option, action="store_const", const=function, dest="work", help=text
        )
    parser.set_defaults(work=build)
    arguments = parser.parse_args(arguments)
    found = [
        f"{script.stem}: {fault}"
        for script in script_paths(arguments.names)
        for fault in arguments.work(script)
    ]
    sys.exit("\n".join(found) or 0)


if __name__ == "__main__":
    main()
