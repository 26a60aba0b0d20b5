"""Plugins that cannot be loaded: each is named with its reason, and the others go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

GOOD = """
from layerwise.plugin import Reorderer, hookimpl
import numpy as np

class Backwards(Reorderer):
    name = "backwards"
    description = "last first"
    def order(self, similarity, labels): return np.arange(len(similarity))[::-1]

@hookimpl
def register_reorderers(): return [Backwards()]
"""
ORDER = "def order(self, similarity, labels): "
REORDER = ("reorder", "latest", "--by", "input", "--json")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no licence')", "importing it raised RuntimeError: no licence"),
        ("import no_such_library_at_all", "ModuleNotFoundError: No module named 'no_such_library_at_all'"),
        ("def oh(:\n    pass", "SyntaxError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("class Odd(BaseException): pass\nraise Odd('odd')", "Odd: odd"),
        ("import layerwise\nlayerwise.NoSuchThing", "No layerwise attribute NoSuchThing"),
    ],
)
def test_a_plugin_that_fails_as_it_is_imported_is_told_of_and_the_others_work(site, command_line, source, reason):
    site.install("lw_good", GOOD)
    site.install("lw_bad", source)
    said = command_line(*REORDER, "--method", "backwards")
    assert said.code == 0, said.err
    assert said.json["permutation"][0] == len(said.json["permutation"]) - 1
    assert said.err.count("\n") == 1
    assert said.err.startswith("layerwise: warning: plugin 'lw_bad' (lw_bad 1.0) did not load: ")
    assert reason in said.err
    listed = {plugin["name"]: plugin for plugin in command_line("plugins", "--json").json}
    assert listed["lw_bad"]["status"] == "failed"
    assert reason in listed["lw_bad"]["reason"]
    assert "Traceback" in listed["lw_bad"]["failure"]
    assert listed["lw_good"]["status"] == "installed"


def test_an_interrupt_while_a_plugin_is_imported_interrupts_the_command(site, command_line):
    site.install("lw_bad", "import signal; signal.raise_signal(signal.SIGINT)")
    said = command_line(*REORDER)
    assert said.code == 130
    assert "interrupted" in said.err


def test_a_name_that_a_plugin_would_offer_that_did_not_load_leads_to_it(site, command_line):
    site.install("lw_bad", "import no_such_library_at_all\ndef register_comparators(): return []")
    said = command_line("compare", "latest", "--with", "its-measure")
    assert said.code == 2
    assert "no comparator 'its-measure'" in said.err
    assert "not loaded: 'lw_bad' (lw_bad 1.0), `layerwise plugins` says why" in said.err


@pytest.mark.parametrize("need", ["layerwise>=99", "layerwise<0.0.1", "Layerwise (==77)"])
def test_a_plugin_for_another_version_is_not_imported_and_says_which_it_needs(site, command_line, need):
    site.install("lw_new", "raise RuntimeError('it was imported')", requires=("numpy>=1", need))
    listed = {plugin["name"]: plugin for plugin in command_line("plugins", "--json").json}
    assert listed["lw_new"]["reason"].startswith("it needs layerwise")
    assert "and this is layerwise" in listed["lw_new"]["reason"]
    assert "it was imported" not in listed["lw_new"]["failure"]


def test_a_plugin_for_this_version_or_with_extras_for_others_loads(site, command_line):
    site.install("lw_good", GOOD, requires=("layerwise>=0.0.1", "layerwise>=99; extra == 'future'", "layerwise-x>=9"))
    assert command_line(*REORDER, "--method", "backwards").code == 0


@pytest.mark.parametrize(
    ("hook", "came"),
    [
        ("raise ValueError('not today')", "register_reorderers raised ValueError: not today"),
        ("return None", "returned NoneType, expected a sequence of Reorderer"),
        ("return 'backwards'", "returned str, expected a sequence of Reorderer"),
        ("return [Backwards]", "returned the class Backwards, expected an instance: Backwards()"),
        ("return [object()]", "returned a object among its offers, expected a sequence of Reorderer"),
        (
            "return [Backwards(), Backwards()]",
            "offers a name twice: ['backwards', 'backwards'], expected",
        ),
        (
            "Backwards.name = 'two words'; return [Backwards()]",
            "Backwards.name is 'two words', expected a word without spaces",
        ),
        ("del Backwards.name; return [Backwards()]", "Backwards has no `name`, expected a line such"),
        ("return (1 / 0 for _ in range(3))", "register_reorderers raised ZeroDivisionError"),
        ("raise SystemExit(2)", "register_reorderers raised SystemExit: 2"),
    ],
)
def test_a_hook_that_gives_something_else_names_the_hook_what_came_and_what_was_expected(
    site, command_line, hook, came
):
    site.install("lw_bad", GOOD.replace("return [Backwards()]", hook))
    said = command_line(*REORDER)
    assert said.code == 0
    assert came in said.err
    assert "register_reorderers" in said.err
    assert said.err.count("lw_bad") >= 2
    assert said.json["method"] == "layerwise:average-linkage"


def test_an_offer_that_does_not_declare_what_its_kind_needs_says_which(site, command_line):
    site.install(
        "lw_bad",
        """
        from layerwise.plugin import Metric, hookimpl

        class Odd(Metric):
            name = "odd"
            description = "odd"
            def compute(self, representation): return representation.correlation

        @hookimpl
        def register_metrics(): return [Odd()]
        """,
    )
    said = command_line(*REORDER, "--metric", "cosine")
    assert said.code == 0
    assert (
        'register_metrics: Odd has no `kind`, expected a line such as this in the class: kind = "similarity"'
        in said.err
    )


def test_what_a_plugin_prints_as_it_is_imported_and_called_is_kept_out_of_json(site, command_line):
    noisy = "print('hello from the import')\n" + GOOD.replace("def order(self, similarity, labels): ", NOISY_ORDER)
    site.install("lw_noisy", noisy)
    said = command_line(*REORDER, "--method", "backwards")
    assert said.json["method"] == "lw_noisy:backwards"
    assert "hello" not in said.out
    for words in ("hello from the import", "hello from order", "hello from sys.stdout"):
        assert words in said.err


NOISY_ORDER = """def order(self, similarity, labels):
        import sys
        print('hello from order')
        sys.stdout.write('hello from sys.stdout')
        """


def elsewhere(site):
    """Variables for a process that finds what is installed there, and Layerwise where this one does."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(site.folder), *filter(None, sys.path)])}


def call_elsewhere(site, *arguments):
    """The command line in a process of its own, which has a stdout of its own."""
    return subprocess.run(
        [sys.executable, "-m", "layerwise", *arguments],
        env=elsewhere(site),
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_c_code_and_other_processes_print_for_a_plugin_is_kept_out_of_json_too(site, command_line):
    loud = "import os; os.write(1, b'raw'); os.system('echo echoed')"
    site.install("lw_noisy", GOOD.replace(ORDER, f"{ORDER}\n        {loud}\n        "))
    said = call_elsewhere(site, *REORDER, "--method", "backwards")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["method"] == "lw_noisy:backwards"
    assert "raw" in said.stderr
    assert "echoed" in said.stderr


def test_what_a_plugin_s_own_command_has_printed_for_it_is_its_result(site, command_line):
    site.install(
        "lw_lister",
        """
        import os
        import typer
        from layerwise.plugin import CommandGroup, hookimpl

        class Lister(CommandGroup):
            name = "lister"
            description = "lists"
            def attach(self, app):
                @app.command("list-it")
                def list_it() -> None:
                    typer.echo("first")
                    os.system("echo second")

        @hookimpl
        def register_commands(): return [Lister()]
        """,
    )
    said = call_elsewhere(site, "list-it")
    assert (said.returncode, sorted(said.stdout.split())) == (0, ["first", "second"]), said.stderr


OLD = """
import numpy as np
from layerwise.plugin import (
    Comparator,
    InputError,
    Metric,
    Representation,
    RepresentationStatistic,
    StatisticValue,
    hookimpl,
)

class Old(Comparator):
    name = "old"
    description = "old"
    kind = "similarity"
    symmetric = True
    value_range = (-1.0, 1.0)
    invariant_to = frozenset({"orthogonal"})
    def prepare(self, representation: Representation): return representation.column_centred_gram().ravel()
    def compare(self, first, second): return float(np.corrcoef(first, second)[0, 1])

class Alike(Metric):
    name = "old-metric"
    description = "old"
    kind = "similarity"
    def compute(self, representation): return representation.correlation.astype(float)

class Number(RepresentationStatistic):
    name = "old-number"
    description = "old"
    def compute(self, representation): return StatisticValue(1.5)

@hookimpl
def register_comparators(): return [Old()]
@hookimpl
def register_metrics(): return [Alike()]
@hookimpl
def register_statistics(): return [Number()]
"""


def test_a_plugin_as_they_were_before_there_was_a_group_for_each_hook_works(site, command_line):
    site.install("lw_old", OLD, hooks=())
    assert "[layerwise]" in next(site.folder.glob("lw_old-*/entry_points.txt")).read_text()
    said = command_line("compare", "latest", "--with", "old", "--json")
    assert (said.json["provider"], said.err) == ("lw_old:old 1.0", "")
    assert command_line("compare", "latest", "--with", "rsa-pearson", "--metric", "old-metric").code == 0
    assert command_line("measure", "latest", "--statistic", "old-number").code == 0
    listed = {plugin["name"]: plugin for plugin in command_line("plugins", "--json").json}["lw_old"]
    assert (listed["status"], listed["mistakes"]) == ("installed", [])
    assert {offer["hook"] for offer in listed["offers"]} == {"comparators", "metrics", "statistics"}


def test_a_command_that_needs_nothing_a_plugin_declares_does_not_import_it(site, command_line):
    site.install("lw_bad", "raise RuntimeError('imported')", hooks=("metrics", "report_sections"))
    assert command_line(*REORDER).err == ""
    assert command_line("--help").err == ""
    assert "imported" in command_line(*REORDER, "--metric", "cosine").err


UNMARKED = GOOD.replace("@hookimpl\n", "")


@pytest.mark.parametrize(
    ("source", "hooks", "mistake"),
    [
        (
            UNMARKED,
            ("reorderers",),
            "register_reorderers is not marked with @layerwise.plugin.hookimpl, so it is no hook",
        ),
        (UNMARKED, (), "register_reorderers is not marked with @layerwise.plugin.hookimpl, so it is no hook"),
        (GOOD, ("metrics",), "it is in the entry-point group 'layerwise.metrics', but has no hook register_metrics"),
        (
            GOOD,
            ("metrics",),
            "it has register_reorderers, but is not in the entry-point group 'layerwise.reorderers'",
        ),
        (
            GOOD,
            ("reorderer",),
            "there is no entry-point group 'layerwise.reorderer'; did you mean layerwise.reorderers",
        ),
    ],
)
def test_what_a_plugin_does_not_declare_as_it_is_is_said_in_one_line(site, command_line, source, hooks, mistake):
    site.install("lw_odd", source, hooks=hooks)
    listed = command_line("plugins").out
    assert f"Mistake in lw_odd (lw_odd 1.0): {mistake}" in listed


def test_a_name_that_an_unmarked_hook_would_offer_leads_to_the_mistake(site, command_line):
    site.install("lw_odd", UNMARKED)
    said = command_line(*REORDER, "--method", "backwards")
    assert said.code == 2
    first, last = said.err.splitlines()
    assert first.startswith("layerwise: warning: plugin 'lw_odd' (lw_odd 1.0): register_reorderers is not marked")
    assert last.startswith("layerwise: error: no reorderer 'backwards'")
    assert last.endswith("; mistakes in: 'lw_odd' (lw_odd 1.0), `layerwise plugins` says why")


SLEEP = """
        import sys, time
        print("asleep", file=sys.stderr, flush=True)
        time.sleep(3600)
"""


@pytest.mark.parametrize(
    "source",
    [GOOD.replace(ORDER, f"{ORDER}{SLEEP}        "), f"if True:{SLEEP}"],
    ids=["called", "imported"],
)
def test_an_interrupt_ends_a_command_whose_plugin_does_not_come_back(site, command_line, source):
    site.install("lw_asleep", source, hooks=("reorderers",))
    process = subprocess.Popen(
        [sys.executable, "-m", "layerwise", *REORDER, "--method", "backwards"],
        env=elsewhere(site),
        stderr=subprocess.PIPE,
        text=True,
    )
    while "asleep" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "layerwise: interrupted" in said


THREADED = """
import os, signal, sys, threading, time, traceback
from layerwise.plugin import Comparator, hookimpl

FIRST = threading.Lock()

class Odd(Comparator):
    name = "odd"
    description = "odd"
    kind = "similarity"
    symmetric = True
    value_range = (-1.0, 1.0)
    invariant_to = frozenset()
    threaded = True
    def prepare(self, representation):
        if not FIRST.acquire(blocking=False):
            time.sleep(3600)
        os.kill(os.getpid(), signal.SIGINT)
        while "shutdown" not in str(traceback.extract_stack(sys._current_frames()[threading.main_thread().ident])):
            time.sleep(0.01)  # until the first interrupt is heard, and its thread waited for
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(3600)
    def compare(self, first, second): return 0.5

@hookimpl
def register_comparators(): return [Odd()]
"""


def test_an_interrupt_ends_a_command_that_waits_for_a_plugin_on_another_thread(site, command_line):
    site.install("lw_asleep", THREADED)
    said = call_elsewhere(site, "compare", "latest", "--with", "odd")
    assert said.returncode == 130
    assert said.stderr == "layerwise: interrupted\n"


def test_there_is_no_limit_to_set_any_more(command_line):
    said = command_line("--plugin-timeout", "2", "runs")
    assert said.code == 2
    assert "No such option: --plugin-timeout" in said.err
