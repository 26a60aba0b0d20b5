"""The pages that watch trainings: what they are told, once, and what they ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from layerwise.cli.browse import serving
from layerwise.cli.browse.reports import Reports
from layerwise.cli.browse.server import Site, make_application
from layerwise.cli.browse.watching import Watching, read_watch_wish
from layerwise.core.analysis.measure import find_measure
from layerwise.core.analysis.training.changes import ask_changes
from layerwise.core.analysis.training.checkpoints import TrainingQuestion, choose_training_layers, read_training
from layerwise.core.base.errors import InputError
from layerwise.core.network.layers import find_end_point
from layerwise.plugins import load_plugins
from layerwise.storage import Store, open_store


@pytest.fixture
def store(demo) -> Iterator[Store]:
    with open_store(f"sqlite:///{demo.database}", read_only=True) as opened:
        yield opened


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    reports = Reports(store, load_plugins)
    application = make_application(Site(store, load_plugins, reports), serving.answered_hosts("127.0.0.1"))
    yield TestClient(application, base_url="http://localhost", raise_server_exceptions=False)
    reports.close()


def test_trainings_are_listed_and_lead_to_their_pages(client: TestClient) -> None:
    page = client.get("/trainings")
    assert page.status_code == 200
    assert 'href="/training?name=digits"' in page.text
    watched = client.get("/training?name=digits&collapse=0.5")
    assert watched.status_code == 200
    assert 'name="collapse" value="0.5"' in watched.text
    assert 'data-usual="0.25"' in watched.text


def test_a_page_is_told_all_checkpoints_and_then_only_those_it_has_not_seen(client: TestClient, demo: Any) -> None:
    ids = [run["run_id"] for run in demo.record["runs"]]
    told = client.get("/training.json?name=digits").json()
    assert [moment["id"] for moment in told["moments"]] == ids
    assert (told["from"], told["n_more"]) == (0, 0)
    later = client.get(f"/training.json?name=digits&seen={ids[0]}").json()
    assert (later["from"], [moment["id"] for moment in later["moments"]]) == (1, [ids[1]])
    nothing = client.get(f"/training.json?name=digits&seen={ids[1]}").json()
    assert (nothing["from"], nothing["moments"]) == (2, [])
    assert client.get("/training.json?name=digits&seen=unknown").json()["from"] == 0


def test_the_numbers_are_those_of_the_history(client: TestClient, store: Store) -> None:
    told = client.get("/training.json?name=digits").json()
    registry = load_plugins()
    training = read_training(store, "digits")
    layers = tuple(choose_training_layers(registry, store, training))
    measure = find_measure(registry, "rsa-pearson")
    changes = ask_changes(TrainingQuestion(registry, store, training, measure, layers, save=False)).values
    last = told["moments"][-1]
    assert [layer["name"] for layer in told["layers"]] == [layer.name for layer in layers]
    assert last["curves"]["change"] == pytest.approx(changes[-1].tolist(), rel=1e-4, abs=1e-9)
    stored = {
        item.layer: item.result.value
        for item in store.read_statistics(training.last.id)
        if item.result.name == "participation-ratio"
    }
    for layer, value in zip(layers, last["curves"]["dimension"], strict=True):
        assert value == pytest.approx(stored[layer.name], rel=1e-4)
    end = layers.index(find_end_point(layers))  # the logits: the way does not end at the softmax
    assert layers[end].name == "logits"
    for place in range(len(layers)):
        assert last["matrix"][place][place] == pytest.approx(1, abs=1e-6)
        assert last["matrix"][place][end] == last["curves"]["output"][place]
    assert last["values"]["top-1"] == training.last.accuracy.top1
    assert told["moments"][0]["curves"]["change"] == [None] * len(layers)


def test_alarms_go_off_at_the_limits_that_the_address_sets(client: TestClient) -> None:
    limits = "&collapse=0&still=0&lost=0"
    assert client.get(f"/training.json?name=digits{limits}&dead=0").json()["alarms"] == []
    alarms = client.get(f"/training.json?name=digits{limits}&dead=0.01").json()["alarms"]
    assert alarms
    assert {alarm["kind"] for alarm in alarms} == {"dead"}


def test_a_training_that_has_not_begun_is_waited_for(client: TestClient) -> None:
    assert client.get("/training?name=tomorrow").status_code == 200
    told = client.get("/training.json?name=tomorrow")
    assert told.status_code == 200
    assert told.json() == {"waiting": "there is no lineage 'tomorrow'; there are: digits"}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("", "say which training: /training?name=NAME"),
        ("name=digits&dead=much", "the limit of alarm 'dead' is a number, and not 'much'"),
        ("name=digits&lost=7", "the limit of alarm 'lost' is between 0 and 1; here it is 7"),
        ("name=digits&stimuli=photos", "lineage 'digits' was not recorded on 'photos'; it was on digits"),
        ("name=digits&with=nonsense", "no comparator 'nonsense'"),
    ],
)
def test_what_an_address_gets_wrong_is_said(client: TestClient, asked: str, message: str) -> None:
    answer = client.get(f"/training.json?{asked}")
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_each_checkpoint_is_looked_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from layerwise.core.analysis.training import moments

    looked: list[str] = []
    look = moments.Watch.look

    def count(self: Any, run: Any, before: Any) -> Any:
        looked.append(run.id)
        return look(self, run, before)

    monkeypatch.setattr(moments.Watch, "look", count)
    watching = Watching(store, load_plugins)
    for _ in range(3):
        watching.answer(read_watch_wish({"name": "digits"}))
    assert len(looked) == len(set(looked)) == 2


def test_a_long_training_comes_in_several_answers(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from layerwise.cli.browse import watching as module

    monkeypatch.setattr(module, "_SECONDS", -1)
    watching = Watching(store, load_plugins)
    first = watching.answer(read_watch_wish({"name": "digits"}))
    assert (len(first["moments"]), first["n_more"]) == (1, 1)
    second = watching.answer(read_watch_wish({"name": "digits", "seen": first["moments"][-1]["id"]}))
    assert (second["from"], len(second["moments"]), second["n_more"]) == (1, 1, 0)


def test_a_report_on_a_whole_training_is_one_address(client: TestClient) -> None:
    page = client.get("/report", params={"run": "lineage:digits"})
    assert page.status_code == 200
    assert "epoch-0" in page.text
    assert "epoch-1" in page.text


def test_a_wish_without_a_name_is_refused() -> None:
    with pytest.raises(InputError, match="say which training"):
        read_watch_wish({})
