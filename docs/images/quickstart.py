"""Run the code of quickstart.rst, and write the pictures and outputs that it shows.

    python docs/images/quickstart.py

Blocks of code run one after another, in one namespace. A ``NAME.txt`` that the page
includes gets what was printed since the last one, a ``NAME.jpg`` the figure drawn last.
"""

import contextlib
import io
import os
import re
import tempfile
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt

PAGE = Path(__file__).parents[1] / "quickstart.rst"
STEP = re.compile(
    r"^\.\. code-block:: python\n(?P<code>(?:\n|   .*\n)+)"
    r"|^\.\. literalinclude:: (?P<text>\S+)$"
    r"|^\.\. image:: (?P<image>\S+)$",
    re.MULTILINE,
)


def run(folder):
    """Run the page and write its files into a folder.

    Returns
    -------
    names : dict
        What the code has defined.
    """
    names, printed, here = {}, io.StringIO(), os.getcwd()
    with tempfile.TemporaryDirectory() as elsewhere, contextlib.chdir(elsewhere):
        for step in STEP.finditer(PAGE.read_text(encoding="utf-8")):
            if code := step["code"]:
                with contextlib.redirect_stdout(printed):
                    exec(compile(textwrap.dedent(code), PAGE.name, "exec"), names)
                continue
            path = Path(here, folder, step["text"] or step["image"])
            path.parent.mkdir(parents=True, exist_ok=True)
            if step["text"]:
                path.write_text(printed.getvalue(), encoding="utf-8")
                printed = io.StringIO()
            else:
                options = {"quality": 85, "optimize": True}
                plt.gcf().savefig(path, dpi=80, pil_kwargs=options)
                plt.close("all")
    return names


if __name__ == "__main__":
    run(PAGE.parent)
