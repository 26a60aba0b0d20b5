"""Plugins that cannot be loaded: each is named with its reason, and the others go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

GOOD = """
from layerwise import Reorderer, hookimpl
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
        ("raise KeyboardInterrupt", "raised KeyboardInterrupt, without anybody's interrupting it"),
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
        ("Backwards.name = 'two words'; return [Backwards()]", "the name 'two words', expected one without spaces"),
        ("del Backwards.name; return [Backwards()]", "Backwards has no name, expected a non-empty string `name`"),
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
        from layerwise import Metric, hookimpl

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
    assert "register_metrics: odd has no `kind`, expected what Metric says" in said.err


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


def call_elsewhere(site, *arguments):
    """The command line in a process of its own, which has a stdout of its own."""
    start = "import sys, layerwise.core.host.watchdog as w; from layerwise.cli import main; w.GRACE_SECONDS = 0.0"
    return subprocess.run(
        [sys.executable, "-c", f"{start}; sys.exit(main())", *arguments],
        env=os.environ | {"PYTHONPATH": str(site.folder)},
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
        from layerwise import CommandGroup, hookimpl

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


def test_a_command_whose_plugin_cannot_be_interrupted_ends_and_names_it(site, command_line):
    endless = "import hashlib; hashlib.pbkdf2_hmac('md5', b'', b'', 2**31 - 1)"
    site.install("lw_stuck", GOOD.replace(ORDER, f"{ORDER}{endless}; "))
    said = call_elsewhere(site, "--plugin-timeout", "10", *REORDER, "--method", "backwards")
    assert said.returncode == 1
    expected = "layerwise: error: plugin 'lw_stuck' (register_reorderers): backwards.order did not return in time"
    assert said.stderr.splitlines()[-1].startswith(expected)


@pytest.mark.parametrize("sleep", ["time.sleep(3600)", "[None for _ in iter(int, 1)]"])
def test_a_plugin_that_never_finishes_importing_is_given_up_by_name(site, command_line, sleep):
    site.install("lw_asleep", f"import time\n{sleep}")
    site.install("lw_good", GOOD)
    said = command_line("--plugin-timeout", "2", *REORDER, "--method", "backwards")
    assert said.code == 0
    assert "plugin 'lw_asleep' (lw_asleep 1.0) did not load: importing it did not return within 2 s" in said.err


def test_a_plugin_that_swallows_the_interruption_is_interrupted_again(site, command_line):
    stubborn = "import time\nfor _ in range(2):\n    try: time.sleep(3600)\n    except BaseException: pass\n"
    site.install("lw_stubborn", stubborn)
    said = command_line("--plugin-timeout", "2", *REORDER)
    assert said.code == 0


def test_the_timeout_can_come_from_the_environment_and_must_be_a_number(site, command_line, monkeypatch):
    site.install("lw_asleep", "import time\ntime.sleep(3600)")
    monkeypatch.setenv("LAYERWISE_PLUGIN_TIMEOUT", "2")
    assert "within 2 s" in command_line(*REORDER).err
    monkeypatch.setenv("LAYERWISE_PLUGIN_TIMEOUT", "soon")
    said = command_line(*REORDER)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "LAYERWISE_PLUGIN_TIMEOUT must be a number of seconds, 0 for no limit, not 'soon'" in said.err
