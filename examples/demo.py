"""Run the first example and keep its figures: what ``make demo`` does.

``python examples/demo.py [FOLDER]`` writes ``quickstart.png`` and ``atoms.png`` to
``build/demo`` or the folder given. ``python examples/demo.py --readme`` writes the
picture of README.md, ``docs/images/quickstart.jpg``, instead.
"""

import runpy
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[1]
FIGURES = ("quickstart", "atoms")


def main(arguments):
    """Run the example, then save what is open."""
    warnings.filterwarnings("ignore", message=".*is non-interactive")
    print("training on photos, about a minute on two cores ...", flush=True)
    runpy.run_path(str(ROOT / "examples" / "plot_quickstart.py"))
    figures = dict(zip(FIGURES, map(plt.figure, plt.get_fignums()), strict=True))
    if arguments == ["--readme"]:
        path = ROOT / "docs" / "images" / "quickstart.jpg"
        figures["quickstart"].savefig(path, dpi=120, pil_kwargs={"quality": 85})
        print(f"picture: {path}")
        return
    folder = Path(*arguments) if arguments else Path("build", "demo")
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=110)
    print(f"pictures: {folder / 'quickstart.png'}, atoms.png beside it")


if __name__ == "__main__":
    main(sys.argv[1:])
