"""What is known of an installed plugin before it is imported."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from layerwise.core.host import discovery, hookspecs
from layerwise.core.host.discovery import find_installed, may_have, normal_name, unmet_need
from layerwise.core.host.kinds import Comparator, Metric
from layerwise.core.host.registry import Registry
from layerwise.plugins import BUILTINS, KINDS, load_plugins, read_names


@pytest.fixture
def entries(monkeypatch):
    """A function that declares entry points, each as (group, name, module); no module of them can be imported."""

    def declare(*found: tuple[str, str, str]) -> None:
        made = EntryPoints(EntryPoint(name, value, group) for group, name, value in found)
        monkeypatch.setattr(discovery, "entry_points", lambda: made)

    return declare


def test_what_a_plugin_offers_is_said_by_the_groups_of_its_entry_points(entries):
    entries(
        ("layerwise.metrics", "mine", "lw_mine"),
        ("layerwise.comparators", "mine", "lw_mine"),
        ("layerwise.metrics", "other", "lw_other"),
        ("layerwise_torch", "no", "lw_no"),
        ("console_scripts", "layerwise", "lw_no"),
    )
    assert [(found.name, found.hooks) for found in find_installed()] == [
        ("mine", {"metrics", "comparators"}),
        ("other", {"metrics"}),
    ]


def test_a_plugin_in_the_group_without_a_hook_may_have_any_and_one_in_both_has_those_it_says(entries):
    entries(
        ("layerwise", "old", "lw_old"), ("layerwise", "both", "lw_both"), ("layerwise.metrics", "both", "lw_both")
    )
    assert {found.name: found.hooks for found in find_installed()} == {"old": None, "both": {"metrics"}}


def test_modules_that_share_a_name_are_plugins_of_their_own(entries):
    entries(("layerwise.metrics", "mine", "lw_mine:first"), ("layerwise.comparators", "mine", "lw_mine:second"))
    found = find_installed()
    assert [(one.name, one.hooks) for one in found] == [
        ("lw_mine:first", {"metrics"}),
        ("lw_mine:second", {"comparators"}),
    ]
    assert all(one.answers_to(["mine"]) for one in found)


def test_commands_are_looked_for_without_importing_anything(entries):
    entries(("layerwise.metrics", "lw_quiet", "no_such_module"))
    assert (may_have("commands"), may_have("metrics")) == (False, True)
    entries(("layerwise", "lw_old", "no_such_module"))
    assert may_have("commands")


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


@pytest.mark.parametrize(
    ("said", "names"), [(None, None), ("", ()), (" , ", ()), ("a", ("a",)), (" a ,b,", ("a", "b"))]
)
def test_the_wanted_plugins_are_read_from_the_environment(said, names):
    assert read_names({} if said is None else {"LAYERWISE_PLUGINS": said}) == names
