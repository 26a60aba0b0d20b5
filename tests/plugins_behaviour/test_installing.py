"""`plugins install` and `uninstall`: what is checked first, what pip says, and what is told afterwards."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

import layerwise
from layerwise.cli.plugins import installing, packages
from layerwise.core.base.errors import LayerwiseError

COMPARATOR = """
from layerwise.plugin import Comparator, hookimpl

class Mine(Comparator):
    name = "mine"
    description = "mine"
    kind = "similarity"
    symmetric = True
    value_range = (0.0, 1.0)
    invariant_to = frozenset()
    def prepare(self, representation): return None
    def compare(self, first, second): return 0.5

@hookimpl
def register_comparators(): return [Mine()]
"""


class FakePip:
    """Stands for pip: `install` installs a distribution into the site, `uninstall` removes it."""

    def __init__(self, site) -> None:
        self.site = site
        self.calls: list[list[str]] = []
        self.source, self.name, self.entry = COMPARATOR, "lw_mine", True
        self.others: list[dict] = []
        self.needs, self.url = ["layerwise"], ""

    @property
    def installed(self) -> list[list[str]]:
        """The calls that install something."""
        return [call for call in self.calls if call[0] == "install" and "--dry-run" not in call]

    def run(self, arguments, *, verbose, hint="") -> None:
        self.calls.append(list(arguments))
        if "--dry-run" in arguments:
            found = {"metadata": {"name": self.name, "version": "0.2.0", "requires_dist": self.needs}}
            report = {"install": [found | {"download_info": {"url": self.url}}]}
            Path(arguments[2]).write_text(json.dumps(report), encoding="utf-8")
            return
        if arguments[0] == "wheel":
            with zipfile.ZipFile(Path(arguments[3]) / f"{self.name}-0.2.0-py3-none-any.whl", "w") as wheel:
                group = "layerwise.comparators" if self.entry else "console_scripts"
                wheel.writestr(f"{self.name}-0.2.0.dist-info/entry_points.txt", f"[{group}]\nmine = {self.name}\n")
            return
        if arguments[0] == "uninstall":
            for name in arguments[2:]:
                self.site.uninstall(name)
            return
        self.site.install(self.name, self.source, version="0.2.0")
        if not self.entry:
            next(self.site.folder.glob(f"{self.name}-*.dist-info/entry_points.txt")).unlink()
        done = {"install": [{"metadata": {"name": self.name, "version": "0.2.0"}, "requested": True}, *self.others]}
        Path(arguments[2]).write_text(json.dumps(done), encoding="utf-8")


@pytest.fixture
def pip(site, monkeypatch) -> FakePip:
    fake = FakePip(site)
    monkeypatch.setenv("LAYERWISE_CACHE", str(site.folder / "cache"))
    monkeypatch.setattr(packages, "run_pip", fake.run)
    source = Path(layerwise.__file__).parents[1]  # what is installed is looked at in a new process, by this Layerwise
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site.folder), str(source)]))
    return fake


def test_what_was_installed_is_told_by_hook(pip, command_line):
    said = command_line("plugins", "install", "lw_mine", "--upgrade")
    assert (said.code, said.out, said.err) == (0, "lw_mine 0.2.0 adds comparator mine\n", "")
    assert pip.installed[0][3:] == ["--upgrade", "lw_mine", f"layerwise=={version('layerwise')}"]
    assert command_line("compare", "latest", "--with", "mine", "--json").json["provider"] == "lw_mine:mine 0.2.0"


def test_a_mistake_of_what_was_installed_is_told_of(pip, command_line):
    pip.source = COMPARATOR.replace("@hookimpl\n", "")
    said = command_line("plugins", "install", "lw_mine")
    assert (said.code, said.out) == (0, "lw_mine 0.2.0 adds nothing\n")
    assert (
        "warning: plugin 'lw_mine' (lw_mine 0.2.0): register_comparators is not marked with @layerwise." in said.err
    )


def test_what_was_installed_can_be_had_as_json(pip, command_line, monkeypatch):
    monkeypatch.setenv("LAYERWISE_PLUGINS", "")
    (plugin,) = command_line("plugins", "install", "lw_mine", "--json").json
    assert (plugin["distribution"], plugin["status"], plugin["offers"][0]["name"]) == ("lw_mine", "installed", "mine")


def test_a_package_that_pip_replaced_because_a_plugin_needs_another_is_told_of(pip, command_line):
    pip.others = [{"metadata": {"name": "NumPy", "version": "2.0.0"}}, {"metadata": {"name": "new", "version": "1"}}]
    said = command_line("plugins", "install", "lw_mine", "--json")
    assert said.err == (
        f"layerwise: warning: pip has replaced NumPy {version('numpy')} by 2.0.0, which a plugin needs\n"
    )
    assert [plugin["name"] for plugin in said.json] == ["lw_mine"]


def test_a_plugin_that_is_installed_and_does_not_load_ends_with_1_and_why(pip, command_line):
    pip.source = "import no_such_library_at_all"
    said = command_line("plugins", "install", "lw_mine")
    assert said.code == 1
    assert "lw_mine 0.2.0 is installed, but its plugin 'lw_mine' does not load: " in said.err
    assert "No module named 'no_such_library_at_all'" in said.err


def test_a_distribution_without_a_plugin_is_said_to_be_one(pip, command_line):
    pip.entry = False
    said = command_line("plugins", "install", "lw_mine")
    assert said.code == 2
    assert (
        "lw_mine offers no plugin, so nothing was installed: lw_mine 0.2.0 has no entry point in a group" in said.err
    )
    assert pip.installed == []


def test_what_is_large_and_does_not_need_layerwise_is_not_even_downloaded(pip, command_line, tmp_path):
    large = tmp_path / "large.whl"
    with large.open("wb") as file:
        file.truncate(2**26)
    pip.needs, pip.url = ["numpy"], large.as_uri()
    said = command_line("plugins", "install", "lw_mine")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "is large and does not need layerwise" in said.err
    assert [call[0] for call in pip.calls] == ["install"]
    assert pip.installed == []


@pytest.mark.parametrize("name", ["torch", "pytorch", "torchvision", "Torch==2.4"])
def test_torch_leads_to_the_plugin_that_reads_its_models(pip, command_line, name):
    said = command_line("plugins", "install", name)
    assert (said.code, pip.calls) == (2, [])
    assert re.search(r"is no plugin; layerwise-torch .*`layerwise plugins install \S*layerwise-torch`", said.err)


def test_a_name_that_is_a_folder_here_is_not_taken_from_an_index_unasked(pip, command_line, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    (tmp_path / "lw_mine").mkdir()
    said = command_line("plugins", "install", "lw_mine")
    assert (said.code, pip.calls) == (2, [])
    assert "write ./lw_mine to install that, or --from-index" in said.err
    assert command_line("plugins", "install", "lw_mine", "--from-index").code == 0


def test_a_project_that_offers_no_plugin_is_refused_before_pip_is_asked(pip, command_line, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\nversion = '1'\ndependencies = ['torch']\n")
    said = command_line("plugins", "install", str(tmp_path))
    assert (said.code, pip.calls) == (2, [])
    assert "offers no plugin, so nothing was installed" in said.err


def test_where_a_plugin_came_from_is_suggested_when_it_is_gone(pip, site, command_line, tmp_path):
    project = tmp_path / "my project"
    project.mkdir()
    offers = "[project.entry-points.'layerwise.comparators']\nmine = 'lw_mine'\n"
    (project / "pyproject.toml").write_text(f"[project]\nname = 'lw_mine'\nversion = '1'\n{offers}")
    assert command_line("plugins", "install", str(project)).code == 0
    assert command_line("compare", "latest", "--with", "mine").code == 0
    assert command_line("plugins", "uninstall", "lw_mine", "--yes").code == 0
    said = command_line("compare", "latest", "--with", "mine")
    assert f"`layerwise plugins install '{project}'`" in said.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["./nowhere"], "there is nothing at ./nowhere"),
        (["nowhere.whl"], "there is nothing at nowhere.whl"),
        (["./empty"], "./empty is no project: there is no pyproject.toml in it"),
        (["./notes.txt"], "./notes.txt is no package"),
        (["-e", "lw_mine"], "'lw_mine' is none; write ./lw_mine"),
        (["--", "--index-url=x"], "is an option of pip's"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_be_installed_is_refused_before_pip_is_asked(
    pip, command_line, monkeypatch, tmp_path, arguments, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("notes")
    said = command_line("plugins", "install", *arguments)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert words in said.err
    assert pip.calls == []


def test_an_environment_that_the_system_manages_is_left_alone_with_a_way_out(
    pip, command_line, monkeypatch, tmp_path
):
    (tmp_path / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=no\n")
    monkeypatch.setattr(packages.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.delenv("PIP_BREAK_SYSTEM_PACKAGES", raising=False)
    said = command_line("plugins", "install", "lw_mine")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "belongs to the operating system, which lets no packages be installed into it" in said.err
    assert "python3 -m venv ENV && ENV/bin/pip install layerwise" in said.err
    assert pip.calls == []


def test_a_virtual_environment_made_from_a_managed_python_is_not_managed(pip, command_line, monkeypatch, tmp_path):
    (tmp_path / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=no\n")
    monkeypatch.setattr(packages.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    assert command_line("plugins", "install", "lw_mine").code == 0


def test_an_environment_without_pip_says_how_to_get_it(pip, command_line, monkeypatch):
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None if name == "pip" else find_spec(name))
    said = command_line("plugins", "install", "lw_mine")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "there is no pip in" in said.err
    assert "-m ensurepip" in said.err


def test_what_pip_says_is_shown_where_it_fails(site, command_line, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / "lw-nowhere-at-all").mkdir()
    (tmp_path / "lw-nowhere-at-all" / "pyproject.toml").write_text("")
    said = command_line("plugins", "install", "lw-nowhere-at-all", "--from-index")
    assert (said.code, said.out) == (1, "")
    first, *rest = said.err.splitlines()
    assert first.startswith("layerwise: error: pip cannot install: Could not find a version that satisfies the requ")
    assert first.endswith("there is a project in this folder: ./lw-nowhere-at-all")
    assert any("ERROR" in line for line in rest)
    assert not any("Traceback" in line for line in rest)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            "ERROR: Exception:\nTraceback (most recent call last):\n  x\nTOMLDecodeError: no end (line 1)",
            "TOMLDecodeError",
        ),
        ("ERROR: Cannot install a and b\nERROR: ResolutionImpossible: see", "Cannot install a and b"),
        ("x\n    ERROR: No matching setuptools\nnote: This is not a problem with pip.", "No matching setuptools"),
        ("error: invalid command\nnote: This is not a problem with pip.", "error: invalid command"),
        ("fatal: 'x' is no repository\n× git clone did not run.\n│ exit code: 128", "'x' is no repository"),
        (
            "    required: ['text']\n× Getting requirements did not run.\n╰─> See above.",
            "Getting requirements did not run",
        ),
        ("× pip subprocess to install build dependencies did not run", "PIP_NO_BUILD_ISOLATION=0"),
        ("", "it ended with 1"),
    ],
)
def test_the_reason_is_the_line_of_pip_s_that_says_most(lines, reason, monkeypatch):
    done = subprocess.CompletedProcess([], 1, lines, "")
    monkeypatch.setattr(packages.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(LayerwiseError, match=f"pip cannot install: .*{re.escape(reason)}"):
        packages.run_pip(["install", "x"], verbose=False)


def test_uninstalling_says_what_stays_in_the_history(pip, site, command_line):
    site.install("lw_mine", COMPARATOR)
    command_line("compare", "latest", "--with", "mine")
    said = command_line("plugins", "uninstall", "lw-mine", "--yes")
    assert (said.code, said.err) == (0, "")
    first, last = said.out.splitlines()
    assert first == "lw_mine 1.0: plugin lw_mine; what it computed stays in the history (100 comparisons)"
    assert last == "Uninstalled lw_mine."
    assert pip.calls == [["uninstall", "--yes", "lw_mine"]]
    assert command_line("query", "SELECT COUNT(*) AS n FROM comparisons", "--format", "json").json == [{"n": 100}]
    assert command_line("compare", "latest", "--with", "mine").code == 2


def test_uninstalling_as_json_counts_what_stays(pip, site, command_line):
    site.install("lw_mine", COMPARATOR)
    command_line("compare", "latest", "--with", "mine")
    said = command_line("plugins", "uninstall", "lw_mine", "--yes", "--json")
    assert said.json == [{"uninstalled": "lw_mine", "results": {"comparisons": 100}}]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("layerwise", "layerwise is not uninstalled by itself"),
        ("Layerwise", "layerwise is not uninstalled by itself"),
        ("numpy", "numpy offers no plugin of Layerwise's, so it is not uninstalled here"),
        ("lw_mien", "no plugin 'lw_mien' is installed; did you mean lw_mine?"),
    ],
)
def test_only_plugins_are_uninstalled(pip, site, command_line, name, words):
    site.install("lw_mine", COMPARATOR)
    said = command_line("plugins", "uninstall", name, "--yes")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert words in said.err
    assert pip.calls == []


def test_without_a_terminal_nothing_is_uninstalled_unasked(pip, site, command_line, monkeypatch):
    monkeypatch.setattr(installing.sys, "stdin", io.StringIO())
    site.install("lw_mine", COMPARATOR)
    said = command_line("plugins", "uninstall", "lw_mine")
    assert said.code == 2
    assert "--yes is needed where nobody can be asked" in said.err
    assert pip.calls == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("my-cka", "my-cka"),
        ("my-cka==1.0", "my-cka"),
        ("my_cka[fast]>=1", "my_cka"),
        ("./dist/my_cka-1.0-py3-none-any.whl", "my_cka"),
        ("my-cka @ https://example.org/x.zip", "my-cka"),
        ("https://example.org/x.zip", ""),
        ("git+https://example.org/x", ""),
        ("./my-cka", ""),
    ],
)
def test_the_distribution_that_a_requirement_names_is_known(source, name):
    assert packages.named_by(source) == name


def test_the_list_has_a_row_a_plugin_outsiders_first_and_fits_eighty_columns(site, command_line, monkeypatch):
    site.install("lw_mine", COMPARATOR)
    site.install("lw_bad", "raise ValueError('oh')")
    monkeypatch.setattr("layerwise.cli.output.WIDE", 80)
    lines = command_line("plugins").out.splitlines()
    assert all(len(line.rstrip()) <= 80 for line in lines if not line.startswith("Failed"))
    assert lines[0].split() == ["plugin", "version", "distribution", "offers", "status"]
    assert lines[1].split() == ["lw_bad", "1.0", "lw_bad", "failed"]
    assert lines[2].split() == ["lw_mine", "1.0", "lw_mine", "comparator", "mine", "installed"]
    assert [line for line in lines if line.startswith("Failed: lw_bad (lw_bad 1.0): importing it raised ValueError")]


def test_the_list_says_who_was_left_out(site, command_line):
    site.install("lw_mine", COMPARATOR)
    said = command_line("--no-plugin", "lw_mine", "plugins")
    assert "Left out, by --no-plugin or LAYERWISE_PLUGINS: lw_mine (lw_mine 1.0)" in said.out
    assert "mine" not in command_line("--no-plugin", "lw_mine", "plugins", "--hook", "comparator").out.split()
    missing = command_line("--no-plugin", "lw_mine", "compare", "latest", "--with", "my-mine")
    assert missing.err.endswith("; left out by --no-plugin or LAYERWISE_PLUGINS: 'lw_mine'\n")
