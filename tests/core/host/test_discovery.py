"""What is known of an installed plugin before it is imported."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from layerwise.core.host import hookspecs
from layerwise.core.host.discovery import foresee_hooks, may_have, normal_name, unmet_need
from layerwise.core.host.kinds import Comparator, Metric
from layerwise.core.host.registry import Registry
from layerwise.plugins import BUILTINS, KINDS, load_plugins, read_limits, read_names


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A function that writes a module; it fails as soon as it is imported."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, source: str) -> None:
        path = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"raise RuntimeError('imported')\n{source}", encoding="utf-8")

    return write


def foreseen(value: str) -> set[str]:
    return set(foresee_hooks(EntryPoint("x", value, "layerwise"), KINDS))


@pytest.mark.parametrize(
    ("source", "hooks"),
    [
        ("def register_metrics(): ...", {"metrics"}),
        ("def register_metrics(): ...\ndef register_comparators(): ...", {"metrics", "comparators"}),
        ("from .others import register_engines", {"engines"}),
        ("@hookimpl(specname='register_commands')\ndef mine(): ...", {"commands"}),
        ("from .others import *", set(KINDS)),
        ("globals()['register_' + 'metrics'] = 3", set(KINDS)),
        ("def __getattr__(name): ...", set(KINDS)),
        ("nothing = 3", set(KINDS)),
    ],
)
def test_hooks_are_foreseen_from_the_source_without_running_it(modules, source, hooks):
    modules("lw_foreseen", source)
    assert foreseen("lw_foreseen") == hooks
    assert "lw_foreseen" not in sys.modules


def test_a_module_in_a_package_is_found_without_importing_the_package(modules):
    modules("lw_package.__init__", "")
    modules("lw_package.inner", "def register_metrics(): ...")
    assert foreseen("lw_package.inner") == {"metrics"}
    assert "lw_package" not in sys.modules


@pytest.mark.parametrize("value", ["no_such_module_at_all", "lw_object:plugin", "json:JSONDecoder", "math"])
def test_what_cannot_be_read_may_have_every_hook(value):
    assert foreseen(value) == set(KINDS)


def test_a_plugin_is_imported_when_its_kind_is_asked_for_and_not_before():
    imported: list[str] = []

    class Module:
        @hookspecs.hookimpl
        def register_comparators(self):
            return []

    registry = Registry()
    registry.expect("mine", "mine", "1", ["comparators"], lambda: imported.append("mine") or Module())
    registry.all(Metric)
    assert imported == []
    assert not registry.plugins[0].loaded
    registry.all(Comparator)
    registry.all(Comparator)
    assert imported == ["mine"]
    assert registry.plugins[0].loaded


def test_built_in_modules_have_the_hooks_that_the_table_says():
    registry = load_plugins()
    found: dict[str, set[str]] = {name: set() for name in BUILTINS}
    for hook, kind in KINDS.items():
        for offer in registry.all(kind):
            if offer.distribution == "layerwise" and offer.plugin in found:
                found[offer.plugin].add(hook)
    assert found == {name: set(hooks) for name, hooks in BUILTINS.items()}


def test_looking_for_one_kind_imports_no_built_in_module_of_another():
    registry = load_plugins()
    registry.all(Metric)
    loaded = {status.name for status in registry.plugins if status.loaded and status.distribution == "layerwise"}
    assert loaded == {"metrics"}


@pytest.mark.parametrize(
    ("requirements", "need"),
    [
        ([], ""),
        (["numpy>=99"], ""),
        (["layerwise"], ""),
        (["layerwise>=0.1", "layerwise<2"], ""),
        (["layerwise>=2"], "it needs layerwise>=2, and this is layerwise 1.0"),
        (["numpy", "Layerwise[all] (>=2,<3)"], "it needs layerwise<3,>=2, and this is layerwise 1.0"),
        (["layerwise>=2; extra == 'x'"], ""),
        (["layerwise>=2; python_version < '3'"], ""),
        (["layerwise-torch>=2"], ""),
        (["layerwise >=< 2"], ""),
    ],
)
def test_a_need_for_another_release_is_found_in_the_metadata(requirements, need):
    assert unmet_need(requirements, "1.0") == need


def test_a_release_that_is_unknown_or_a_candidate_is_no_reason_to_refuse():
    assert unmet_need(["layerwise>=2"], "unknown") == ""
    assert unmet_need(["layerwise>=2.0rc1"], "2.0rc2") == ""


def test_names_of_distributions_are_compared_as_pip_compares_them():
    assert normal_name("My_Cka.plus") == "my-cka-plus"


def test_commands_are_looked_for_without_importing_anything(modules, monkeypatch):
    from layerwise.core.host import discovery

    modules("lw_quiet", "def register_metrics(): ...")
    monkeypatch.setattr(discovery, "entry_points", lambda group: [EntryPoint("lw_quiet", "lw_quiet", group)])
    assert not may_have("commands")
    assert may_have("metrics")
    assert "lw_quiet" not in sys.modules


@pytest.mark.parametrize(
    ("said", "names"), [(None, None), ("", ()), (" , ", ()), ("a", ("a",)), (" a ,b,", ("a", "b"))]
)
def test_the_wanted_plugins_are_read_from_the_environment(said, names):
    assert read_names({} if said is None else {"LAYERWISE_PLUGINS": said}) == names


@pytest.mark.parametrize(("said", "limit"), [("5", 5.0), ("0.5", 0.5), ("0", None), ("inf", None)])
def test_the_timeout_is_read_from_the_environment(said, limit):
    limits = read_limits({"LAYERWISE_PLUGIN_TIMEOUT": said})
    assert (limits.loading, limits.calling) == (limit, limit)


def test_an_option_goes_before_the_environment():
    assert read_limits({"LAYERWISE_PLUGIN_TIMEOUT": "5"}, 7.0).calling == 7.0
