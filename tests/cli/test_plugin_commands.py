"""Plugins seen from the command line, with a plugin that is really installed: an entry point on the path."""

import sys
from pathlib import Path

import pytest

PLUGIN = """
from layerwise.plugin import CommandGroup, Comparator, hookimpl

class Greet(CommandGroup):
    name = "greet"
    description = "greets"

    def attach(self, app):
        @app.command("greet")
        def greet(who: str) -> None:
            print(f"hello {who}")

        @app.command("runs")
        def runs() -> None:
            print("not ours")

@hookimpl
def register_commands():
    return [Greet()]
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A function that installs plugins by name and source, as distributions of their own."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install(name, source):
        (site / f"{name}.py").write_text(source, encoding="utf-8")
        info = site / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[layerwise]\n{name} = {name}\n", encoding="utf-8")
        monkeypatch.delitem(sys.modules, name, raising=False)

    return install


def test_a_plugin_s_command_runs_and_is_listed(cli, installed):
    installed("lw_greet", PLUGIN)
    assert cli("greet", "world").out == "hello world\n"
    assert "greet" in cli("--help").out


def test_a_plugin_s_command_takes_no_built_in_s_place(cli, installed):
    installed("lw_greet", PLUGIN)
    assert cli("runs").out == ""
    assert "lw_greet" in cli("--help").err


def test_a_plugin_is_left_out_when_asked(cli, installed):
    installed("lw_greet", PLUGIN)
    assert cli("--no-plugin", "lw_greet", "greet", "world").code == 2
    names = {plugin["name"] for plugin in cli("--no-plugin", "lw_greet", "plugins", "--json").json}
    assert "lw_greet" not in names


def test_a_plugin_that_does_not_import_is_listed_with_its_traceback_and_stops_nothing(cli, installed):
    installed("lw_broken", "import does_not_exist_anywhere")
    said = cli("plugins", "--json")
    assert said.code == 0
    failed = {plugin["name"]: plugin["failure"] for plugin in said.json if plugin["failure"]}
    assert list(failed) == ["lw_broken"]
    assert "does_not_exist_anywhere" in failed["lw_broken"]
    assert "Failed: lw_broken (lw_broken 1.2)" in cli("plugins").out


def test_plugins_are_listed_by_hook(cli):
    said = cli("plugins", "list", "--hook", "comparators", "--json").json
    offered = {offer["name"] for plugin in said for offer in plugin["offers"]}
    assert {"rsa-pearson", "rsa-spearman"} <= offered
    assert "googlenet" not in offered


def test_models_lists_names(cli):
    names = [model["name"] for model in cli("models", "--json").json]
    assert {"googlenet", "inception_v3"} <= set(names)


def test_the_plugin_on_the_page_of_comparators_works_on_old_runs(ask, demo, installed):
    page = (Path(__file__).parents[2] / "docs" / "plugins" / "hooks" / "comparators.md").read_text(encoding="utf-8")
    installed("lw_example", page.split("## An example")[1].split("```python\n")[1].split("```")[0])
    said = ask("compare", "latest", "--with", "rsa-cosine-example", "--layers", "main", "--json")
    assert said.code == 0, said.err
    assert said.json["provider"] == "lw_example:rsa-cosine-example 1.2"
    assert said.json["matrix"][3][3] == pytest.approx(1, abs=1e-6)
