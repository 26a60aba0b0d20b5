"""A mistake is one line on stderr that says what and where, and the right exit code."""

import pytest

from layerwise.core.base.errors import LayerwiseError


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["run", "googlenet"], "--stimuli"),
        (["run", "googlenet", "--stimuli", "nowhere"], "nowhere"),
        (["run", "googlenet", "--weights", "no/such.caffemodel", "--stimuli", "."], "no/such.caffemodel"),
        (["run", "gogglenet", "--stimuli", "."], "googlenet"),
        (["run", "model.keras", "--stimuli", ".", "--json"], "model.keras"),
        (["run", "googlenet", "--stimuli", ".", "--classes", "none.txt"], "none.txt"),
        (["run", "googlenet", "--stimuli", ".", "--memory", "lots"], "2GiB"),
        (["run", "googlenet", "--stimuli", ".", "--tag", "novalue"], "key=value"),
        (["run", "googlenet", "--stimuli", ".", "--tag", "a=1", "--tag", "a=2"], "twice"),
        (["run", "googlenet", "--stimuli", ".", "--resize", "stretch"], "squash"),
        (["run", "googlenet", "--stimuli", ".", "--limit", "1"], "--limit"),
        (["run", "googlenet", "--weights", "none", "--stimuli", ".", "--engine", "locla"], "local"),
        (["runs"], "layerwise.db"),
        (["show", "latest", "--db", "none.db"], "none.db"),
        (["runs", "--db", "mysql://host/name"], "mysql"),
        (["bogus"], "bogus"),
        (["runs", "--bogus"], "--bogus"),
        (["plugins", "--hook", "comparatr"], "did you mean comparator"),
    ],
)
def test_a_wrong_call_is_one_line_and_code_2(cli, line, words):
    said = cli(*line)
    assert said.code == 2
    assert said.err.startswith("layerwise: error: ")
    assert said.err.count("\n") == 1
    assert words in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["show", "zzzz"], "zzzz"),
        (["compare", "latest", "--layers", "mixde1"], "mixed1"),
        (["compare", "latest", "--with", "rsa-person"], "rsa-pearson"),
        (["compare", "latest", "--transform", "rank"], "rank"),
        (["reorder", "latest", "--by", "mixde1"], "mixed1"),
        (["reorder", "latest", "--by", "input", "--method", "lable"], "label"),
        (["export", "latest", "-o", "x.csv"], ".npz, .parquet, .h5"),
        (["export", "latest", "-o", "no/folder/x.npz"], "no folder"),
        (["compare", "latest", "--with", "zzz"], "`layerwise plugins --hook comparators` lists"),
        (["export", "latest", "--layer", "mixde1", "-o", "x.npz"], "mixed1"),
        (["export", "latest", "--layer", "input", "--layers", "main", "-o", "x.npz"], "give one of them"),
        (["report", "latest", "-o", "no/folder/r.html"], "folder"),
        (["query", "--table", "rnus"], "runs"),
        (["query", "SELECT 1", "--table", "runs"], "not both"),
        (["query", "SELECT no_such FROM runs"], "no_such"),
    ],
)
def test_a_wrong_name_says_what_there_is(ask, line, words):
    said = ask(*line)
    assert said.code == 2, said.err
    assert said.err.startswith("layerwise: error: ")
    assert said.err.count("\n") == 1
    assert words in said.err


def test_a_file_that_is_no_database_is_named_and_left_alone(cli, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8 not a database" * 100)
    said = cli("runs", "--db", "photo.jpg")
    assert said.code in (1, 2)
    assert said.err.count("\n") == 1
    assert "photo.jpg" in said.err
    assert (tmp_path / "photo.jpg").read_bytes().startswith(b"\xff\xd8")


def test_work_that_fails_is_code_1(cli, monkeypatch):
    monkeypatch.setattr("layerwise.cli.commands.ask.runs.open_history", _raiser(LayerwiseError("the disk is full")))
    said = cli("runs")
    assert (said.code, said.err) == (1, "layerwise: error: the disk is full\n")


def test_a_bug_is_one_line_and_debug_shows_its_traceback(cli, monkeypatch):
    monkeypatch.setattr("layerwise.cli.commands.ask.runs.open_history", _raiser(RuntimeError("oh")))
    said = cli("runs")
    assert said.code == 1
    assert said.err == "layerwise: error: unexpected RuntimeError: oh; --debug shows the traceback\n"
    for line in (["runs", "--debug"], ["--debug", "runs"]):
        said = cli(*line)
        assert said.code == 1
        assert "Traceback" in said.err
        assert said.err.endswith("layerwise: error: unexpected RuntimeError: oh; --debug shows the traceback\n")


def _raiser(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize(
    "database",
    [
        "postgresql://me:S3cr3tPw@localhost:1/x",
        "postgresql:///x?host=localhost&port=1&password=S3cr3tPw",
        "postgresql://me:S3cr3tPw/x",
        "postgresql//me:S3cr3tPw@h/x",
        "x:S3cr3tPw@y",
    ],
)
def test_no_command_shows_a_password_even_with_its_traceback(cli, database):
    for line in (["runs"], ["db", "info"], ["show", "latest", "--debug"], ["report", "latest", "-o", "r.html"]):
        said = cli(*line, "--db", database)
        assert said.code in (1, 2)
        assert "S3cr3tPw" not in said.out + said.err
