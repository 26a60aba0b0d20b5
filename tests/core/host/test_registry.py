"""The registry: isolation, provenance, conflicts."""

from __future__ import annotations

import threading
from importlib.metadata import EntryPoint, EntryPoints
from types import SimpleNamespace

import pytest

from layerwise.core.base.errors import InputError, PluginError, StimulusError
from layerwise.core.host import discovery, kinds
from layerwise.core.host import registry as registry_module
from layerwise.core.host.calling import Caller
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Metric, Reorderer
from layerwise.core.host.registry import Registry
from layerwise.plugins import KINDS


def metric(metric_name: object, text: object = "a metric") -> Metric:
    class Toy(Metric):
        name = metric_name
        description = text
        kind = "similarity"

        def compute(self, representation):
            return None

    return Toy()


def plugin(*offers: object) -> SimpleNamespace:
    return SimpleNamespace(register_metrics=hookimpl(lambda: list(offers)))


def raising() -> list[Metric]:
    raise RuntimeError("no licence")


def test_every_kind_of_offer_has_a_hook():
    specs = {name for name in vars(registry_module.hookspecs) if name.startswith("register_")}
    assert specs == {f"register_{hook}" for hook in KINDS}
    assert len(KINDS) == 11


def test_an_offer_carries_who_it_came_from():
    registry = Registry()
    registry.register(plugin(metric("toy")), "mine", "my-dist", "2.1")
    found = registry.get(Metric, "toy")
    assert (found.plugin, found.distribution, found.version) == ("mine", "my-dist", "2.1")
    assert (found.hook, found.qualified_name) == ("register_metrics", "my-dist:toy")


def test_offers_come_in_the_order_of_registration():
    registry = Registry()
    for name in ("c", "a", "b"):
        registry.register(plugin(metric(f"{name}1"), metric(f"{name}0")), name, name, "1")
    assert [offer.name for offer in registry.all(Metric)] == ["c1", "c0", "a1", "a0", "b1", "b0"]


def test_two_of_the_same_name_are_an_error_that_lists_both_and_each_can_be_qualified():
    registry = Registry()
    registry.register(plugin(metric("toy")), "one", "dist1", "1")
    registry.register(plugin(metric("toy")), "two", "dist2", "1")
    with pytest.raises(InputError, match=r"metric 'toy' is offered by several plugins: say dist1:toy or dist2:toy"):
        registry.get(Metric, "toy")
    assert registry.get(Metric, "dist2:toy").plugin == "two"


@pytest.mark.parametrize(
    "name", ["Odd.Name_X", "My.Dist_X:Odd.Name_X", "my-dist-x:Odd.Name_X", "my_dist.x:Odd.Name_X"]
)
def test_a_distribution_may_be_spelled_as_pip_allows_but_not_an_offer(name):
    registry = Registry()
    registry.register(plugin(metric("Odd.Name_X")), "one", "My.Dist_X", "1")
    assert registry.get(Metric, name).plugin == "one"
    for wrong in (name.replace("Odd.Name_X", "odd-name-x"), f"other:{name}", ":Odd.Name_X"):
        with pytest.raises(InputError, match="no metric"):
            registry.get(Metric, wrong)


def test_an_unknown_name_suggests_near_ones():
    registry = Registry()
    registry.register(plugin(metric("pearson")), "one", "dist", "1")
    with pytest.raises(InputError, match="no metric 'peerson'; did you mean pearson"):
        registry.get(Metric, "peerson")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (SimpleNamespace(register_metrics=hookimpl(raising)), "no licence"),
        (
            SimpleNamespace(register_metrics=hookimpl(lambda: None)),
            "returned NoneType, expected a sequence of Metric",
        ),
        (SimpleNamespace(register_metrics=hookimpl(lambda: "toy")), "returned str"),
        (plugin("toy"), "returned a str among its offers"),
        (plugin(metric("")), "Toy.name is '', expected a word without spaces and colons"),
        (plugin(metric(None)), "Toy.name is None, expected a word"),
        (plugin(metric("toy", None)), "Toy.description is None, expected text"),
        (plugin(metric("toy"), metric("toy")), "offers a name twice"),
    ],
)
def test_a_plugin_whose_hook_fails_is_listed_and_stops_no_other(bad, reason):
    registry = Registry(caller=Caller(warn=str))
    registry.register(bad, "bad", "bad-dist", "1")
    registry.register(plugin(metric("good")), "good", "good-dist", "1")
    assert [offer.name for offer in registry.all(Metric)] == ["good"]
    failures = {status.name: status.failure for status in registry.plugins}
    assert reason in failures["bad"]
    assert failures["good"] == ""


def test_a_hook_that_does_not_exist_or_has_the_wrong_arguments_is_listed():
    registry = Registry(caller=Caller(warn=str))
    registry.register(SimpleNamespace(register_mood=hookimpl(lambda: [])), "unknown", "d", "1")
    registry.register(SimpleNamespace(register_metrics=hookimpl(lambda mood: [])), "arguments", "d", "1")
    registry.register(plugin(metric("good")), "good", "d", "1")
    assert [bool(status.failure) for status in registry.plugins] == [True, True, False]
    assert registry.get(Metric, "good").plugin == "good"


def test_the_same_plugin_twice_is_listed_and_still_works_once():
    registry = Registry(caller=Caller(warn=str))
    registry.register(plugin(metric("good")), "good", "d", "1")
    registry.register(plugin(metric("other")), "good", "d", "1")
    assert [offer.name for offer in registry.all(Metric)] == ["good"]
    assert [bool(status.failure) for status in registry.plugins] == [False, True]


def test_a_plugin_named_like_one_that_did_not_load_keeps_its_own_provenance(monkeypatch):
    monkeypatch.setattr(
        discovery, "entry_points", lambda: EntryPoints([EntryPoint("same", "no_such_module", "layerwise")])
    )
    registry = Registry(caller=Caller(warn=str))
    registry.expect_installed()
    registry.register(plugin(metric("good")), "same", "good-dist", "1")
    assert registry.get(Metric, "good").distribution == "good-dist"


def test_a_plugin_with_one_failing_hook_still_offers_what_its_others_give():
    class Order(Reorderer):
        name = "order"
        description = "order"

        def order(self, similarity, labels):
            return None

    registry = Registry(caller=Caller(warn=str))
    half = SimpleNamespace(register_metrics=hookimpl(raising), register_reorderers=hookimpl(lambda: [Order()]))
    registry.register(half, "half", "d", "1")
    assert list(registry.all(Metric)) == []
    assert registry.get(Reorderer, "order").plugin == "half"


def test_a_plugin_that_is_registered_later_is_found():
    registry = Registry()
    assert list(registry.all(Reorderer)) == []
    assert list(registry.all(Metric)) == []
    registry.register(plugin(metric("late")), "late", "d", "1")
    assert registry.get(Metric, "late").name == "late"


def test_hooks_are_called_once():
    calls = []
    registry = Registry()
    counting = SimpleNamespace(register_metrics=hookimpl(lambda: calls.append(1) or [metric("toy")]))
    registry.register(counting, "one", "d", "1")
    registry.all(Metric)
    registry.all(Metric)
    registry.get(Metric, "toy")
    assert calls == [1]


def test_an_installed_plugin_that_does_not_import_is_listed_with_its_traceback(monkeypatch):
    entries = EntryPoints(
        [
            EntryPoint("broken", "no_such_module_anywhere", "layerwise.metrics"),
            EntryPoint("blocked", "no_such_module_either", "layerwise"),
        ]
    )
    monkeypatch.setattr(discovery, "entry_points", lambda: entries)
    told: list[str] = []
    registry = Registry(caller=Caller(warn=told.append))
    registry.expect_installed(blocked=["blocked"])
    assert [(status.name, status.loaded, status.failure) for status in registry.plugins] == [("broken", False, "")]
    registry.all(Metric)
    assert len(told) == 1
    assert [status.name for status in registry.plugins] == ["broken"]
    assert "No module named 'no_such_module_anywhere'" in registry.plugins[0].failure


def test_what_an_offer_raises_is_attributed_to_its_plugin():
    registry = Registry()
    registry.register(plugin(metric("toy")), "mine", "d", "1")
    found = registry.get(Metric, "toy")

    def compute(error: Exception) -> None:
        raise error

    with pytest.raises(PluginError, match=r"plugin 'mine' \(register_metrics\): toy.compute raised KeyError: 'x'"):
        found.call(compute, KeyError("x"))


@pytest.mark.parametrize("error", [InputError("wrong"), StimulusError("torn"), PluginError("p", "h", "came")])
def test_errors_that_are_meant_for_the_user_pass_through(error):
    registry = Registry()
    registry.register(plugin(metric("toy")), "mine", "d", "1")

    def compute() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        registry.get(Metric, "toy").call(compute)
    assert caught.value is error


class Asked:
    """A lock that says when a second thread wants it."""

    def __init__(self, lock) -> None:
        self._lock, self._owner, self.is_wanted = lock, None, threading.Event()

    def __enter__(self):
        if self._owner not in (None, threading.get_ident()):
            self.is_wanted.set()
        self._lock.__enter__()
        self._owner = threading.get_ident()

    def __exit__(self, *raised):
        self._lock.__exit__(*raised)


def collide(registry: Registry, second) -> threading.Thread:
    """Begin something on a second thread, and come back once it is done, or waits for its turn."""
    lock = registry._lock

    def run() -> None:
        second()
        lock.is_wanted.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert lock.is_wanted.wait(60)
    return thread


@pytest.fixture
def shared() -> Registry:
    """A registry whose lock says when a second thread wants it."""
    registry = Registry()
    registry._lock = Asked(registry._lock)
    return registry


def test_two_threads_that_look_something_up_at_once_import_a_plugin_once(shared):
    loaded, found, threads = [], [], []

    def load() -> object:
        loaded.append(threading.get_ident())
        if len(loaded) == 1:
            threads.append(collide(shared, lambda: found.append(list(shared.all(Metric)))))
        return plugin(metric("toy"))

    shared.expect("mine", "d", "1", ["metrics"], load)
    assert [offer.name for offer in shared.all(Metric)] == ["toy"]
    threads[0].join()
    assert loaded == [threading.get_ident()]
    assert [offer.name for offer in found[0]] == ["toy"]


@pytest.mark.parametrize("is_loaded", [True, False])
def test_a_plugin_that_is_added_while_another_thread_looks_something_up_is_found(shared, is_loaded):
    late, threads = plugin(metric("late")), []

    def add() -> None:
        if is_loaded:
            shared.register(late, "late", "d", "1")
        else:
            shared.expect("late", "d", "1", ["metrics"], lambda: late)

    def load() -> object:
        threads.append(collide(shared, add))
        return plugin(metric("toy"))

    shared.expect("mine", "d", "1", ["metrics"], load)
    shared.all(Metric)
    threads[0].join()
    assert [offer.name for offer in shared.all(Metric)] == ["toy", "late"]


def test_a_plugin_whose_import_is_interrupted_is_imported_when_it_is_asked_for_again():
    tries = []

    def load() -> object:
        tries.append(1)
        if len(tries) == 1:
            raise KeyboardInterrupt
        return plugin(metric("toy"))

    registry = Registry()
    registry.expect("mine", "d", "1", ["metrics"], load)
    with pytest.raises(KeyboardInterrupt):
        registry.all(Metric)
    assert registry.get(Metric, "toy").plugin == "mine"


def unmarked() -> list[Metric]:
    return []


UNMARKED = SimpleNamespace(register_metrics=unmarked)
BOTH = SimpleNamespace(register_metrics=hookimpl(lambda: [metric("toy")]), register_reorderers=hookimpl(lambda: []))


@pytest.mark.parametrize(
    ("declared", "source", "mistakes"),
    [
        (["metrics", "reorderers"], BOTH, []),
        (None, BOTH, []),
        (
            ["metrics"],
            BOTH,
            ["it has register_reorderers, but is not in the entry-point group 'layerwise.r"],
        ),
        (
            ["metrics", "reorderers", "engines"],
            BOTH,
            ["it is in the entry-point group 'layerwise.engines', but has no hook register_engines"],
        ),
        (
            ["metrics"],
            UNMARKED,
            ["register_metrics is not marked with @layerwise.plugin.hookimpl"],
        ),
        (
            None,
            UNMARKED,
            ["register_metrics is not marked with @layerwise.plugin.hookimpl"],
        ),
        (
            None,
            SimpleNamespace(),
            ["it has no hook: no function register_... that is marked"],
        ),
        (
            ["metrics", "reorderers", "metric"],
            BOTH,
            ["there is no entry-point group 'layerwise.metric'; did you mean layerwise.metrics"],
        ),
    ],
)
def test_what_a_plugin_declares_is_held_to_what_it_has(declared, source, mistakes):
    told: list[str] = []
    registry = Registry(caller=Caller(warn=told.append))
    registry.expect("mine", "my-dist", "2.1", declared, lambda: source)
    registry.all(Metric)
    found = registry.plugins[0].mistakes
    assert len(found) == len(mistakes)
    assert all(line.startswith(start) for line, start in zip(found, mistakes, strict=True))
    assert all(line.startswith("plugin 'mine' (my-dist 2.1): ") for line in told)


def test_a_hook_that_is_not_declared_is_not_asked_whatever_was_looked_up_before():
    registry = Registry(caller=Caller(warn=str))
    registry.expect("mine", "d", "1", ["reorderers"], lambda: BOTH)
    assert list(registry.all(Metric)) == []
    registry.all(Reorderer)
    registry.register(plugin(metric("other")), "other", "d", "1")
    assert [offer.name for offer in registry.all(Metric)] == ["other"]


def test_a_name_that_nobody_offers_leads_to_plugins_with_mistakes():
    registry = Registry(caller=Caller(warn=str))
    registry.expect("mine", "my-dist", "2.1", ["metrics"], SimpleNamespace)
    with pytest.raises(
        InputError, match=r"no metric 'toy'; mistakes in: 'mine' \(my-dist 2.1\), `layerwise plugins`"
    ):
        registry.get(Metric, "toy")


def test_what_an_offer_computes_is_kept_under_its_full_name_and_version():
    registry = Registry()
    registry.register(plugin(metric("toy")), "mine", "my-dist", "2.1")
    provider = registry.get(Metric, "toy").provider
    assert (provider.name, provider.version) == ("my-dist:toy", "2.1")


def test_statistics_of_all_kinds_share_a_hook():
    assert KINDS["statistics"] is kinds.Statistic
