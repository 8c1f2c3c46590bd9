"""Results as files: their format, what is made of them, and that no name is wrong."""

import importlib
import json
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
PAGES = sorted(
    path
    for path in [*(ROOT / "docs").rglob("*.rst"), *(ROOT / "examples").glob("*.py")]
    if not {"auto_examples", "generated", "notebooks"} & set(path.parts)
)


@pytest.fixture(autouse=True)
def from_the_folder(monkeypatch):
    """Import as the scripts do, from their own folder."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def module(name):
    return importlib.import_module(name)


def a_file(folder, name="study", **changed):
    """Write a small file; return its content."""
    record = module("_record")
    columns = record.columns(
        "psnr", "ssim", method=("kind", ""), best={"psnr": "max", "ssim": "min"}
    )
    rows = [
        {"label": "`A(x=1)`", "psnr": record.spread([30.0, 31.0]), "ssim": 0.5},
        {"label": "a | b", "psnr": 29.04, "ssim": 0.25, "method": "peer"},
        {"label": "printed", "psnr": 99.0, "reference": True},
    ]
    content = {
        "command": "python benchmarks/study.py",
        "version": "1.2",
        "date": "2026-11-26",
        "machine": {"threads": 2},
        "settings": {"n_train": 1000},
        "seeds": [0, 1],
        "cpu_seconds": 3,
        "tables": {"main": record.table("method", columns, rows)},
        "figures": {"gain": 1.25},
    }
    record.write(name, content | changed, folder)
    return content


# Files that are here -----------------------------------------------------------------


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_file_has_what_the_format_asks_for(path):
    content = json.loads(path.read_text())
    assert module("_record").check(content) == []
    assert module("_record").dump(content) + "\n" == path.read_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", content["date"])
    python, script, *_ = shlex.split(content["command"])
    assert python == "python" and (ROOT / script).is_file()


def results_that_pages_show():
    """File, line and arguments of every directive and role in the documentation."""
    directive = re.compile(r"^ *\.\. results-table:: *(.+)\n((?: +:.*\n)*)", re.M)
    for path in PAGES:
        text = path.read_text() + "\n"
        for match in directive.finditer(text):
            options = dict(re.findall(r"^ +:(\w+): *(.*)$", match[2], re.M))
            yield path, match[1].split(), options
        for match in re.finditer(r":result:`([^`]+)`", text):
            yield path, match[1].split(maxsplit=1), None


def test_every_result_that_a_page_names_is_there():
    results, missing = module("_results"), []
    for path, words, options in results_that_pages_show():
        try:
            if options is None:
                results.figure(*words)
            else:
                chosen = {k: v.split() for k, v in options.items() if k[-1] == "s"}
                transpose = "transpose" in options
                results.table(
                    words, options.get("table"), transpose=transpose, **chosen
                )
        except (results.MissingResult, ValueError) as error:
            missing.append(f"{path.relative_to(ROOT)}: {error}")
    assert not missing


def test_every_file_is_shown_somewhere():
    shown = {
        name.split(".")[0] if options is None else name
        for _, words, options in results_that_pages_show()
        for name in (words[:1] if options is None else words)
    }
    readme = (ROOT / "README.md").read_text()
    for names in re.findall(r"<!-- results?(?:-table)?: ([\w+]+)", readme):
        shown.update(names.split("+"))
    assert {path.stem for path in RESULTS} <= shown


def test_no_table_of_results_is_typed():
    for path in PAGES:
        if path.parent.name == "results":
            text = path.read_text()
            assert not re.search(r"list-table|csv-table|\+--|== +==", text), path


def test_the_readme_shows_what_the_files_have():
    module("readme").main(["--check"])


# Tables and figures -------------------------------------------------------------------


def test_a_table_shows_labels_formats_spread_and_the_best(tmp_path):
    a_file(tmp_path)
    table = module("_results").table("study", folder=tmp_path)
    assert table.header == ["method", "PSNR, dB", "SSIM", "kind"]
    assert table.rows == [
        ["`A(x=1)`", "**30.5** (0.5)", "0.500", ""],
        ["a | b", "29.0", "**0.250**", "peer"],
        ["printed", "99.0", "", ""],
    ]
    assert "python benchmarks/study.py" in table.caption
    assert "1.2" in table.caption and "2026-11-26" in table.caption


def test_columns_and_rows_come_as_asked_for_and_turned(tmp_path):
    a_file(tmp_path)
    chosen = {"columns": ["ssim", "psnr"], "rows": ["a-b", "a-x-1"]}
    plain, turned = (
        module("_results").table("study", transpose=turn, folder=tmp_path, **chosen)
        for turn in (False, True)
    )
    grid = [plain.header, *plain.rows]
    assert [line[0] for line in grid] == ["method", "a | b", "`A(x=1)`"]
    assert grid == [
        list(line) for line in zip(turned.header, *turned.rows, strict=True)
    ]


def test_files_with_the_same_columns_make_one_table(tmp_path):
    a_file(tmp_path)
    content = a_file(tmp_path, "other", command="python benchmarks/other.py")
    main = content["tables"]["main"]
    more = main | {"rows": {"new": {"label": "new", "psnr": 10}, **main["rows"]}}
    a_file(tmp_path, "other", command="python x.py", tables={"main": more})
    table = module("_results").table(["study", "other"], folder=tmp_path)
    assert [row[0] for row in table.rows] == ["`A(x=1)`", "a | b", "printed", "new"]
    assert "study.py" in table.caption and "x.py" in table.caption


@pytest.mark.parametrize(
    "path, spec, text",
    [
        ("study.gain", None, "1.25"),
        ("study.gain", "+.1f", "+1.2"),
        ("study.main.a-b.psnr", None, "29.0"),
        ("study.main.a-x-1.psnr", None, "30.5"),
        ("study.main.a-x-1.psnr.std", ".2f", "0.50"),
        ("study.main.a-x-1.psnr.values.1", None, "31.0"),
        ("study.settings.n_train", ",d", "1,000"),
        ("study.version", None, "1.2"),
    ],
)
def test_a_figure_has_the_format_of_its_column_or_its_own(tmp_path, path, spec, text):
    a_file(tmp_path)
    assert module("_results").figure(path, spec, folder=tmp_path) == text


@pytest.mark.parametrize(
    "path, what",
    [
        ("absent.gain", "no benchmarks/results/absent.json"),
        ("study", "names a file"),
        ("study.loss", "'loss'"),
        ("study.main.c.psnr", "'c'; it has a-x-1, a-b, printed"),
        ("study.main.a-b.fid", "'fid'"),
        ("study.main.printed.ssim", "'ssim'"),
    ],
)
def test_what_is_not_there_is_named(tmp_path, path, what):
    a_file(tmp_path)
    results = module("_results")
    with pytest.raises(results.MissingResult, match=re.escape(what)):
        results.figure(path, folder=tmp_path)


def test_a_table_or_column_that_is_not_there_is_named(tmp_path):
    a_file(tmp_path)
    results = module("_results")
    for wrong in ({"key": "other"}, {"columns": ["fid"]}, {"rows": ["c"]}):
        with pytest.raises(results.MissingResult, match="it has"):
            results.table("study", folder=tmp_path, **wrong)


def test_all_names_can_be_shown():
    results = module("_results")
    tables = {
        f"{p.stem}.{key}" for p in RESULTS for key in results.read(p.stem)["tables"]
    }
    names = set(results.names())
    assert tables <= names
    assert all(results.figure(name) for name in names - tables)


# Writing ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed, fault",
    [
        ({"note": "kept in /some/data"}, "path"),
        ({"figures": {"main": 1}}, "two things"),
        ({"figures": {"a.b": 1}}, "no name"),
        ({"figures": {"gap": float("nan")}}, "finite"),
        ({"note": "x" * 60_000}, "bytes"),
        ({"tables": {"main": {"columns": {}, "rows": {}}}}, "no columns"),
    ],
)
def test_a_file_against_the_format_is_not_written(tmp_path, changed, fault):
    with pytest.raises(ValueError, match=fault):
        a_file(tmp_path, **changed)
    assert not list(tmp_path.iterdir())


def test_the_command_names_no_folder_of_the_machine():
    argv = [str(ROOT / "benchmarks/lasers.py"), "--data", "/data/a.zip", "--json=/x/y"]
    argv += ["--record", "--json", "/z", "--n-test", "5", "--data=/b/c.zip"]
    assert module("_record").command(argv) == (
        "python benchmarks/lasers.py --data a.zip --n-test 5 --data c.zip"
    )


def test_every_script_can_record():
    scripts = (ROOT / "benchmarks").glob("**/[a-z]*.py")
    silent = {
        path.name
        for path in scripts
        if path.parent.name != "rows" and "_record.record(" not in path.read_text()
    }
    assert silent == {"readme.py"}


# README -------------------------------------------------------------------------------

TEXT = """It has <!-- result: study.main.a-b.psnr -->1<!-- /result --> dB.

| a | <!-- result: study.gain .1f --><!-- /result --> |

<!-- results-table: study:main columns=psnr rows=a-b,printed -->
old
<!-- /results-table -->
"""


def test_marked_parts_are_rewritten_and_nothing_else(tmp_path):
    a_file(tmp_path)
    rewrite = module("readme").rewrite
    text = rewrite(TEXT, tmp_path)
    assert "-->29.0<!--" in text and "-->1.2<!--" in text and "old" not in text
    assert "| a \\| b | 29.0 |" in text and "python benchmarks/study.py" in text
    assert rewrite(text, tmp_path) == text
    comments = re.compile(r"<!-- .*? -->")
    assert comments.findall(text) == comments.findall(TEXT)
    assert text.startswith("It has <!--") and text.endswith("-->\n")


@pytest.mark.parametrize(
    "text, fault",
    [
        ("<!-- result: study.gain -->1<!-- /result --> dB", "begins with"),
        ("- <!-- result: study.gain -->1<!-- /result --> dB", "begins with"),
        ("a <!-- result: study.gain -->1", "not as many"),
        ("\n<!-- results-table: study color=1 -->\n<!-- /results-table -->", "color"),
    ],
)
def test_a_marker_that_cannot_work_is_refused(tmp_path, text, fault):
    a_file(tmp_path)
    with pytest.raises(ValueError, match=fault):
        module("readme").rewrite(text, tmp_path)


def test_check_fails_with_the_command_that_mends_it(tmp_path, monkeypatch):
    readme, path = module("readme"), tmp_path / "README.md"
    stale = "It has <!-- result: reconstruction.version -->0<!-- /result -->.\n"
    path.write_text(stale)
    with pytest.raises(SystemExit, match="README.md. Run python benchmarks/readme.py"):
        readme.main([str(path), "--check"])
    assert path.read_text() == stale
    readme.main([str(path)])
    readme.main([str(path), "--check"])
    assert path.read_text() != stale
