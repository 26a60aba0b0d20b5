"""`layerwise browse`: the list, the pages, and what they refuse; the history stays as it is."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from starlette.testclient import TestClient

from layerwise.cli.browse import questions, serving
from layerwise.cli.browse.listing import PAGE_SIZE, Wish, list_matching, list_others, read_wish
from layerwise.cli.browse.pages import render
from layerwise.cli.browse.reports import Reports
from layerwise.cli.browse.server import Site, make_application
from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.listing import choose_runs, count_runs, count_values
from layerwise.core.history.records import Accuracy, RunField, RunFilter, RunRecord
from layerwise.core.history.view import HistoryView
from layerwise.plugins import load_plugins
from layerwise.storage import Store, open_store

ENDLESS = "SELECT instr(printf('%060000000d', 0), printf('%030000000d', 1))"  # one step of SQLite's machine
HOSTILE = '"><script>alert(1)</script>'


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


def wait_for_report(client: TestClient, asked: dict[str, str]) -> Any:
    """What is said of a report in the end; each question is answered after half a minute at the latest."""
    answers = (client.get("/report/ready", params=asked) for _ in range(40))
    return next(answer for answer in answers if answer.json() != {"drawn": False})


def test_tabs_that_wait_for_a_report_hold_no_thread_that_pages_need(store: Store) -> None:
    drawn = threading.Event()

    class Blocked(Reports):
        def _draw(self, runs: Any, wish: Any) -> bytes:
            drawn.wait(600)
            return b"drawn"

    async def visit() -> tuple[int, list[Any]]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = 1
        transport = httpx2.ASGITransport(application)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost", timeout=600) as visitor:
            run_id = store.find_run("latest").id
            waiting = [asyncio.create_task(visitor.get("/report/ready", params={"run": run_id})) for _ in range(3)]
            page = await visitor.get("/")  # with the one thread there is, while three tabs wait
            assert not any(task.done() for task in waiting)
            drawn.set()
            return page.status_code, [(await task).json() for task in waiting]

    reports = Blocked(store, load_plugins)
    application = make_application(Site(store, load_plugins, reports), serving.answered_hosts("127.0.0.1"))
    try:
        assert asyncio.run(visit()) == (200, [{"drawn": True}] * 3)
    finally:
        drawn.set()
        reports.close()


class Listed(HistoryView):
    """A history of nothing but these runs, the newest first."""

    def __init__(self, runs: Sequence[RunRecord]) -> None:
        self.runs = runs

    def list_runs(self, where: RunFilter = RunFilter()) -> list[RunRecord]:  # noqa: B008 - frozen
        return choose_runs(self.runs, where)

    def count_runs(self, where: RunFilter = RunFilter()) -> int:  # noqa: B008
        return count_runs(self.runs, where)

    def count_values(self, field: RunField, where: RunFilter = RunFilter()) -> dict[str, int]:  # noqa: B008
        return count_values(self.runs, field, where)


@pytest.fixture
def many(store: Store) -> Listed:
    """A thousand runs, the newest first; every third without an accuracy."""
    made = store.list_runs()[0]
    runs = [
        replace(
            made,
            id=f"{index:012d}",
            model=replace(made.model, name=("googlenet", "Inception")[index % 2]),
            checkpoint=f"epoch {index}",
            step=index,
            tags={"seed": str(index % 7)},
            accuracy=None if index % 3 == 0 else Accuracy(index / 1000, 1.0, 10),
            started_at=made.started_at - timedelta(days=index),
        )
        for index in range(1000)
    ]
    return Listed(runs)


def test_words_must_all_be_found_in_whatever_is_known_of_a_run(many: Listed) -> None:
    found = list_matching(many, Wish("INCEPTION seed=3"))
    assert found.n_found == sum(index % 2 == 1 and index % 7 == 3 for index in range(1000))
    assert found.n_runs == 1000
    assert {run.model.name for run in found.runs} == {"Inception"}


def test_facets_count_what_the_other_wishes_leave(many: Listed) -> None:
    found = list_matching(many, read_wish({"q": "seed=3", "model": "googlenet"}))
    assert found.n_found == sum(index % 2 == 0 and index % 7 == 3 for index in range(1000))
    assert dict(found.choices["model"]) == {"googlenet": 71, "Inception": 72}
    assert sum(n for _, n in found.choices["status"]) == found.n_found


def test_runs_without_a_value_come_last_either_way(many: Listed) -> None:
    for descending, first in ((False, 0.001), (True, 0.998)):
        wish = Wish(sort="top-1", descending=descending)
        last = list_matching(many, replace(wish, page=10)).runs
        top = list_matching(many, wish).runs[0].accuracy
        assert top is not None
        assert top.top1 == pytest.approx(first)
        assert all(run.accuracy is None for run in last)


def test_pages_hold_all_runs_once(many: Listed) -> None:
    pages = [list_matching(many, Wish(page=page)) for page in range(1, 12)]
    shown = [run.id for page in pages[:10] for run in page.runs]
    assert sorted(shown) == sorted(run.id for run in many.runs)
    assert len(pages[0].runs) == PAGE_SIZE
    assert pages[10].wish.page == 10  # there is no eleventh


def test_the_nearest_runs_come_first_among_those_to_compare_with(many: Listed) -> None:
    """The same training, the same model, the rest: and no run on other stimuli, without layers, or twice."""
    one, training, other, model, strange, empty, *_ = many.runs
    many.runs = [
        replace(one, lineage="mine"),
        replace(other, lineage="theirs", model=training.model),
        replace(model, lineage=None, model=one.model),
        replace(strange, lineage="mine", stimuli_fingerprint="f" * 64),
        replace(empty, lineage="mine", n_layers=0),
        replace(training, lineage="mine"),
    ]
    others, n_others = list_others(many, many.runs[0], 10)
    assert [run.id for run in others] == [training.id, model.id, other.id]
    assert n_others == 3
    assert [run.id for run in list_others(many, many.runs[0], 1)[0]] == [training.id]
    assert list_others(many, many.runs[4], 10)[1] == 4


def test_an_address_says_what_it_was_made_from() -> None:
    asked = {"q": "a b", "model": "x&y", "sort": "top-1", "order": "descending", "page": "3"}
    wish = read_wish(asked)
    assert wish == Wish("a b", (("model", "x&y"),), "top-1", True, 3)
    assert wish.address == "q=a+b&model=x%26y&sort=top-1&order=descending&page=3"
    assert Wish().address == ""
    assert not wish.sorted_by("top-1").descending
    with pytest.raises(InputError, match="cannot be sorted by 'nonsense'"):
        read_wish({"sort": "nonsense"})
    with pytest.raises(InputError, match="no page '-1'"):
        read_wish({"page": "-1"})


def test_the_list_shows_every_run_and_where_it_leads(client: TestClient, store: Store) -> None:
    page = client.get("/")
    assert page.status_code == 200
    for run in store.list_runs():
        assert f'href="/run/{run.id}"' in page.text
    part = client.get("/", params={"part": "1", "q": "no such words"})
    assert "No run matches" in part.text
    assert "<html" not in part.text


def test_the_list_as_json_is_that_of_the_command_line(client: TestClient, cli, demo) -> None:
    assert client.get("/runs.json").json() == cli("runs", "--db", demo.database, "--json").json


def test_a_run_shows_its_layers_and_what_it_can_be_compared_with(client: TestClient, store: Store) -> None:
    first, second = store.list_runs()[:2]
    page = client.get(f"/run/{first.id}")
    assert first.command.split()[1] in page.text
    assert f'value="{second.id}"' in page.text
    layers = client.get(f"/run/{first.id}/layers").text
    assert re.findall(r'<th scope="row"><bdi>(.*?)</bdi>', layers) == [x.name for x in store.list_layers(first.id)]


def test_a_report_is_drawn_once_and_leaves_no_trace(client: TestClient, store: Store, demo) -> None:
    run = store.list_runs()[0]
    counted = "SELECT count(*) AS n FROM comparisons UNION ALL SELECT count(*) FROM orderings"
    before = store.query(counted)["n"].to_list()
    asked = {"run": run.id[:6], "with": "cka-rbf"}
    assert "Drawing the report" in client.get("/report", params=asked).text
    assert wait_for_report(client, asked).json() == {"drawn": True}
    report = client.get("/report", params=asked)
    assert "Content-Security-Policy" in report.text
    assert "cka-rbf" in report.text
    assert report.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert client.get("/report", params=asked | {"run": run.id}).text == report.text
    assert store.query(counted)["n"].to_list() == before


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/report?run=nonsense", "there is no run"),
        ("/report", "choose at least one run"),
        ("/run/zzz", "there is no run"),
        ("/?sort=nonsense", "cannot be sorted"),
        ("/query.csv?sql=DROP+TABLE+runs", "a query is one statement"),
    ],
)
def test_a_wrong_address_is_one_clear_line(client: TestClient, address: str, said: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 400
    assert said in answer.text


def test_a_report_that_cannot_be_made_says_why(client: TestClient, store: Store) -> None:
    asked = {"run": store.list_runs()[0].id, "with": "nonsense"}
    client.get("/report", params=asked)
    answer = wait_for_report(client, asked)
    assert answer.status_code == 400
    assert "no comparator 'nonsense'" in answer.json()["error"]


def test_queries_are_answered_cut_off_and_refused(client: TestClient) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) SELECT i FROM n"
    page = client.get("/query", params={"sql": numbers})
    assert "The first 500 rows" in page.text
    assert client.get("/query.csv", params={"sql": numbers}).text.count("\n") == 601
    refused = client.get("/query", params={"sql": "DELETE FROM runs"})
    assert refused.status_code == 400
    assert "a query is one statement that begins with SELECT" in refused.text
    assert "run_list" in client.get("/query").text


def test_a_huge_answer_is_cut_on_the_page_and_refused_where_it_would_fill_the_memory(client: TestClient) -> None:
    page = client.get("/query", params={"sql": "SELECT printf('%.100000c', 'x') AS long, zeroblob(1000000) AS bytes"})
    assert page.status_code == 200
    assert "(100,000 characters)" in page.text
    assert "1,000,000 bytes" in page.text
    assert len(page.text) < 20_000
    endless = "WITH RECURSIVE n(i, b) AS (VALUES (1, zeroblob(1)) UNION ALL SELECT i + 1, zeroblob(10000000) FROM n)"
    for sql in (f"{endless} SELECT * FROM n", "SELECT zeroblob(2000000000)"):
        for address in ("/query", "/query.csv"):
            refused = client.get(address, params={"sql": sql})
            assert refused.status_code == 400
            assert re.search("larger than [0-9]+ MiB|too big", refused.text)


def test_the_page_says_who_can_look(store: Store) -> None:
    reports = Reports(store, load_plugins)
    for reach in ("this machine only", "for whoever reaches 0.0.0.0"):
        site = Site(store, load_plugins, reports, reach)
        shown = TestClient(make_application(site, ["localhost"]), base_url="http://localhost").get("/query")
        assert f"read-only, {reach}" in shown.text
    reports.close()


def test_nothing_can_be_changed_and_nobody_else_is_answered(client: TestClient) -> None:
    assert client.post("/").status_code == 405
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/nothing").status_code == 404
    page = client.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert not re.search(r"(src|href)=\"(https?:)?//", page.text)


FOREIGN = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:1234"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize(
    "address", ["/query?sql=SELECT 1", "/query.csv?sql=SELECT 1", "/runs.json", "/report?run=latest&anew"]
)
def test_pages_of_other_sites_get_nothing(client: TestClient, address: str, headers: dict[str, str]) -> None:
    answer = client.get(address, headers=headers)
    assert answer.status_code == 403
    assert "Another site" in answer.text
    assert "frame-ancestors" in answer.headers["content-security-policy"]


def test_ones_own_pages_and_a_link_to_the_list_are_answered(client: TestClient) -> None:
    for headers in ({"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {"origin": "http://localhost"}):
        assert client.get("/query?sql=SELECT 1", headers=headers).status_code == 200
    assert client.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}).status_code == 200


def test_queries_that_never_end_leave_the_list_and_the_others_alone(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "QUERY_SECONDS", 3.0)
    with ThreadPoolExecutor(12) as visitors:
        asked = [visitors.submit(client.get, "/query", params={"sql": ENDLESS}) for _ in range(12)]
        said = [future.result().text for future in asked]
    assert client.get("/").status_code == 200
    assert sum("took longer than 3 s" in text for text in said) >= questions.N_AT_ONCE
    assert sum("are being answered or wait" in text for text in said) >= 1


def test_cells_of_a_download_are_no_formulas(client: TestClient) -> None:
    sql = "SELECT '=1+1' AS \"=cmd\", '@a' AS b, '-x' AS c, '+y' AS d, 'a=b' AS e, -1 AS f"
    answer = client.get("/query.csv", params={"sql": sql})
    assert answer.text.splitlines() == ["'=cmd,b,c,d,e,f", "'=1+1,'@a,'-x,'+y,a=b,-1"]


def test_names_from_the_history_are_text(many: Listed) -> None:
    run = replace(
        many.runs[0],
        model=replace(many.runs[0].model, name=HOSTILE),
        stimuli_name=HOSTILE,
        checkpoint=HOSTILE,
        tags={HOSTILE: HOSTILE},
        command=HOSTILE,
    )
    listing = list_matching(Listed([run]), Wish(HOSTILE))
    assert listing.n_found == 1
    values = {"listing": listing, "wish": listing.wish, "history": HOSTILE}
    for page in (
        render("runs.html", values),
        render("run.html", {"run": run, "others": [run], "n_others": 1, "history": HOSTILE}),
        render("problem.html", {"message": HOSTILE}),
    ):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_a_taken_port_is_said_and_the_usual_one_makes_way() -> None:
    with serving.bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LayerwiseError, match=f"port {port}"):
            serving.bind("127.0.0.1", port)
    with pytest.raises(InputError, match="no address of this machine"):
        serving.bind("no such host", 0)


def test_the_usual_port_makes_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving.bind("127.0.0.1", 0) as taken:
        monkeypatch.setattr(serving, "DEFAULT_PORT", taken.getsockname()[1])
        with serving.bind("127.0.0.1", None) as listener:
            assert listener.getsockname()[1] > taken.getsockname()[1]
            assert isinstance(listener, socket.socket)


def test_browsing_needs_a_history(cli, tmp_path: Path) -> None:
    said = cli("browse", "--no-open", "--db", tmp_path / "none.db")
    assert said.code == 2
    assert "none.db" in said.err
