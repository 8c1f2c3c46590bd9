"""Claims of the papers: verdicts follow from the files, and nothing is stale."""

import importlib
import json
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def from_the_folders(monkeypatch):
    """Import as the scripts do, from their own folders."""
    for folder in ("benchmarks", "benchmarks/claims"):
        monkeypatch.syspath_prepend(str(ROOT / folder))


def module(name):
    return importlib.import_module(name)


def all_claims():
    return [claim for own in module("_papers").PAPERS.values() for claim in own]


def a_claim(**changed):
    same = {"name": "a", "says": "B.", "place": "Table 1", "printed": "2"}
    return module("_registry").Claim(**same | changed)


def a_file(folder, **rows):
    """Results with a table whose rows have one column."""
    record = module("_record")
    columns = record.columns(psnr=("PSNR", ".1f"))
    rows = [{"label": key, "psnr": value} for key, value in rows.items()]
    content = {
        "command": "python benchmarks/features.py --data a.zip",
        "version": "1",
        "date": "2026-11-26",
        "machine": {},
        "settings": {},
        "seeds": [0],
        "cpu_seconds": 1,
        "tables": {"t": record.table("x", columns, rows)},
        "figures": {},
    }
    record.write("f", content, folder)


# What the page says -------------------------------------------------------------------


def test_there_are_enough_claims_and_no_name_is_used_twice():
    names = [claim.name for claim in all_claims()]
    assert len(set(names)) == len(names) > 35


def test_every_claim_has_a_verdict_and_figures_that_are_there():
    verdicts = module("_registry").VERDICTS
    for claim in all_claims():
        assert claim.verdict() in verdicts
        assert claim.shown() or claim.tests, claim.name
        assert claim.says.endswith(".") and claim.place and claim.printed, claim.name


def test_commands_name_scripts_and_tests_that_are_there():
    for claim in all_claims():
        for words in claim.commands():
            assert words[0] == "python", claim.name
            paths = claim.tests if words[1] == "-m" else words[1:2]
            for path in paths:
                file, *names = path.split("::")
                text = (ROOT / file).read_text()
                assert all(f"def {name}" in text for name in names), path


def test_the_page_shows_every_paper():
    page = (ROOT / "docs" / "claims.rst").read_text()
    shown = [line[11:] for line in page.splitlines() if line.startswith(".. claims:: ")]
    assert [name.strip() for name in shown] == list(module("_papers").PAPERS)


# Verdicts -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ours, verdict",
    [(5.0, "holds"), (2.0, "holds in part"), (1.0, "does not hold")],
)
def test_a_verdict_follows_from_the_file(tmp_path, ours, verdict):
    a_file(tmp_path, ours=ours, peer=1.5)
    claim = a_claim(
        here="{f.t.ours.psnr} and {f.t.peer.psnr .2f}",
        holds=lambda r: r("f.t.ours.psnr") > 2 * r("f.t.peer.psnr"),
        in_part=lambda r: r("f.t.ours.psnr") > r("f.t.peer.psnr"),
    )
    assert claim.verdict(tmp_path) == verdict
    assert claim.shown(tmp_path) == f"{ours:.1f} and 1.50"
    assert claim.files(tmp_path) == ["f"]
    assert claim.commands(tmp_path) == [
        shlex.split("python benchmarks/features.py --data a.zip")
    ]


def test_a_difference_within_two_deviations_is_none(tmp_path):
    spread = module("_record").spread
    a_file(tmp_path, clear=spread([3.0, 3.1]), wide=spread([1.0, 5.0]), peer=2.0)
    figures = module("_registry").Figures(tmp_path)
    assert figures.above("f.t.clear.psnr", "f.t.peer.psnr")
    assert not figures.above("f.t.clear.psnr", "f.t.peer.psnr", by=1.5)
    assert not figures.above("f.t.wide.psnr", "f.t.peer.psnr")
    assert figures.close("f.t.wide.psnr", "f.t.clear.psnr", within=0.1)


def test_a_claim_is_decided_in_one_way():
    with pytest.raises(ValueError, match="claim a: give one of"):
        a_claim()
    with pytest.raises(ValueError, match="claim a: give one of"):
        a_claim(cannot="no data", tests=("tests/test_claims.py",))
    assert a_claim(cannot="no data").verdict() == "cannot be tested here"
    assert a_claim(cannot="no data").commands() == []


# Stale results ------------------------------------------------------------------------

SCRIPT = '''"""Words."""
N, RATES = 100, (1, 2)
LABEL = "a few words"
path = "where"


def main():
    options = parser(__doc__, n_train=10, json_name="a.json")
    options.set_defaults(n_test=50)
    options.add_argument("--steps", type=int, default=3, help="how many")
    options.add_argument("--all", action="store_true")
'''


@pytest.mark.parametrize(
    "old, new",
    [
        ("N, RATES = 100", "N, RATES = 200"),
        ("(1, 2)", "(1, 3)"),
        ("n_train=10", "n_train=20"),
        ("n_test=50", "n_test=60"),
        ("default=3", "default=4"),
    ],
)
def test_other_settings_have_another_hash(old, new):
    measures = module("_measures").measures
    assert measures(SCRIPT) != measures(SCRIPT.replace(old, new))


@pytest.mark.parametrize(
    "old, new",
    [
        ("Words", "Better words"),
        ("a few words", "other few words"),
        ("how many", "number of steps"),
        ("where", "elsewhere"),
        ("def main", "def first(): return 1\n\ndef main"),
        ('    options.add_argument("--all", action="store_true")\n', ""),
    ],
)
def test_words_and_order_leave_the_hash(old, new):
    measures = module("_measures").measures
    assert measures(SCRIPT) == measures(SCRIPT.replace(old, new))


def test_a_result_of_other_settings_is_stale_and_says_so(tmp_path):
    a_file(tmp_path, ours=1.0)
    path = tmp_path / "f.json"
    content = json.loads(path.read_text())
    now = module("_measures").measures((ROOT / "benchmarks/features.py").read_text())
    claim = a_claim(holds=lambda r: r("f.t.ours.psnr") > 0)
    for measures, stale in ((now, []), ("another", ["f"])):
        path.write_text(json.dumps(content | {"measures": measures}))
        assert claim.stale(tmp_path) == stale
        caption = module("_results").table("f", folder=tmp_path).caption
        assert ("Stale" in caption) == bool(stale)


def test_no_claim_rests_on_stale_results():
    stale = {name for claim in all_claims() for name in claim.stale()}
    commands = {name: module("_results").read(name)["command"] for name in stale}
    assert not stale, f"measured by other settings, run again: {commands}"


def test_every_new_result_says_what_it_measures(tmp_path, monkeypatch):
    record, results = module("_record"), module("_results")
    monkeypatch.setattr("sys.argv", [str(ROOT / "benchmarks/features.py"), "--record"])
    monkeypatch.setattr(record, "write", lambda name, content: written.update(content))
    written, args = {}, type("Args", (), {"record": True, "threads": 1})
    record.record(args, "f", tables={}, settings={})
    script = (ROOT / "benchmarks/features.py").read_text()
    assert written["measures"] == module("_measures").measures(script)
    assert results.STALE not in results.source(written)
