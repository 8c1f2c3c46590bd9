"""What a benchmark measures, as a short hash: a result of other settings is stale.

A script says what it measures by its constants (names in capitals at its top level)
and by the defaults of the options of its command line; options without one are in the
command that a result names. The hash is of these alone, and of texts with spaces in
them only that they are there: better words, or another order of functions, leave
results as they are. Standard library only, as `_results`.
"""

import ast
import copy
import hashlib
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOT_MEASURED = {"help", "metavar", "type", "json_name"}  # of an option
OUTPUT = {"--json", "--plot", "--figure", "--encoders", "--threads"}


def measures(source):
    """Hash of the settings that a script has.

    Parameters
    ----------
    source : str
        Text of the script.

    Returns
    -------
    digest : str
        Twelve hexadecimal digits.
    """
    tree = ast.parse(source)
    settings = [*_constants(tree), *_options(tree)]
    return hashlib.sha256("\n".join(settings).encode()).hexdigest()[:12]


def is_stale(content):
    """Whether a file of results was measured by other settings than its script has.

    False where the file does not say by which.
    """
    if "measures" not in content:
        return False
    script = ROOT / content["command"].split()[1]
    return not script.is_file() or measures(script.read_text()) != content["measures"]


def _constants(tree):
    """Source of the assignments to names in capitals, in their order."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            named = [n.id for t in targets for n in ast.walk(t) if hasattr(n, "id")]
            if any(name.isupper() for name in named):
                yield _settings_of(node)


def _options(tree):
    """Source of the calls that make options, sorted, without words about them."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return sorted(filter(None, map(_option, calls)))


def _option(call):
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    first = call.args[0] if call.args else None
    flag = first.value if isinstance(first, ast.Constant) else None
    is_option = isinstance(flag, str) and flag.startswith("--")
    words = [k for k in call.keywords if k.arg not in NOT_MEASURED]
    sets_defaults = name in ("parser", "set_defaults")
    has_default = is_option and any(k.arg == "default" for k in words)
    if flag in OUTPUT or not (sets_defaults or has_default):
        return None
    return f"{flag or name}({', '.join(sorted(map(_settings_of, words)))})"


def _settings_of(node):
    """Source without texts for a reader, which are those with a space."""
    node = copy.deepcopy(node)
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            part.value = "" if " " in part.value else part.value
    return ast.unparse(node)
