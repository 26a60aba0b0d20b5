"""`layerwise runs`: how many of many are shown, and what is said of the rest."""

from pathlib import Path

import pytest
from large_history import make_large, make_small

from layerwise.cli.commands.ask.runs import N_SHOWN

N_RUNS = N_SHOWN + 5


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of a few more runs than are shown unless more are asked for."""
    folder = tmp_path_factory.mktemp("many")
    make_small(folder / "small.db", 1)
    make_large(folder / "small.db", folder / "large.db", N_RUNS)
    return folder / "large.db"


@pytest.fixture
def listed(cli, many):
    """The lines of a list under its heads, and all ids, newest first."""
    ids = [run["run_id"] for run in cli("runs", "--db", many, "--json").json]

    def look(*words):
        said = cli("runs", *words, "--db", many)
        assert said.code == 0, said.err
        return said.out.splitlines()[1:], ids

    return look


def test_the_newest_runs_are_shown_and_the_last_line_says_what_is_left_out(listed):
    (*rows, last), ids = listed()
    assert [row.split()[0] for row in rows] == [run_id[:8] for run_id in ids[:N_SHOWN]]
    assert last.startswith(f"5 older runs are not shown: --all lists all {N_RUNS}, --limit N the newest N; ")
    for option in ("--model", "--stimuli", "--lineage", "--tag", "--status", "--origin"):
        assert option in last


def test_all_shows_all(listed):
    rows, ids = listed("--all")
    assert [row.split()[0] for row in rows] == [run_id[:8] for run_id in ids]


@pytest.mark.parametrize("limit", [1, N_RUNS - 1])
def test_a_limit_says_what_it_left_out_too(listed, limit):
    (*rows, last), ids = listed("--limit", limit)
    assert [row.split()[0] for row in rows] == [run_id[:8] for run_id in ids[:limit]]
    n_older = N_RUNS - limit
    assert last.startswith("1 older run is not shown: " if n_older == 1 else f"{n_older} older runs are not shown: ")


def test_where_nothing_is_left_out_nothing_is_said_of_it(listed):
    assert len(listed("--limit", N_RUNS)[0]) == N_RUNS
    assert len(listed("--limit", 100)[0]) == N_RUNS


def test_what_a_filter_leaves_is_what_is_counted(listed):
    (*rows, last), _ = listed("--lineage", "training-0", "--limit", 9)
    assert len(rows) == 9
    assert last.startswith("40 older runs are not shown: --all lists all 49")
    assert len(listed("--lineage", "training-1")[0]) == 5


def test_json_is_all_of_it_unless_a_limit_is_given(cli, many):
    everything = cli("runs", "--db", many, "--json")
    assert len(everything.json) == N_RUNS
    assert everything.err == ""
    assert cli("runs", "--db", many, "--json", "--all").json == everything.json
    assert cli("runs", "--db", many, "--json", "--limit", 3).json == everything.json[:3]


def test_all_and_a_limit_do_not_go_together(cli, many):
    said = cli("runs", "--db", many, "--all", "--limit", 3)
    assert (said.code, said.out) == (2, "")
    assert "either --all or --limit" in said.err


def test_show_and_browse_find_a_run_among_many(cli, many):
    ids = [run["run_id"] for run in cli("runs", "--db", many, "--json").json]
    assert cli("show", "latest", "--db", many, "--json").json["run_id"] == ids[0]
    overviews = [cli("show", run, "--db", many, "--json").json["overview"] for run in (ids[0], ids[-1][:6])]
    assert overviews[0] == overviews[1]
