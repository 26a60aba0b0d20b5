"""Several processes share a history, and one that is killed leaves it whole."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import ComparisonInterval, ComparisonTest, IntervalPlan, PermutationPlan
from layerwise.core.history.records import Claim, Comparison, LayerAddress, LayerStatistic, RunHeader
from layerwise.storage import Store, open_store
from layerwise.storage.holding.claims import sign
from layerwise.storage.holding.sealing import seal_run

SAMPLES = Path(__file__).with_name("conftest.py")
BEGINNING = """
import runpy, sys
from layerwise.core.base.errors import InputError
from layerwise.storage import open_store
samples = runpy.run_path(sys.argv[1])["Samples"]()
def say(text):
    print(text, flush=True)
    input()
say("ready")
"""
WRITE_RUN = BEGINNING + "samples.finished_run(open_store(sys.argv[2]), sys.argv[3] * 64)\n"
CLAIM = """
try:
    say("claimed " + open_store(sys.argv[2]).begin_run(samples.header()).run_id)
except InputError as error:
    say("refused " + str(error))
"""
STOP_HALF_WAY = """
store = open_store(sys.argv[2])
claim = store.begin_run(samples.header())
run_id = claim.run_id
store.save_layer(claim, samples.result("mixed"))
with store._database.write() as connection:
    connection.exec_driver_sql("DELETE FROM tiles")
    connection.exec_driver_sql("UPDATE runs SET command = 'half-way'")
    say("half-way " + run_id)
"""


class Child:
    """A Python process that says where it is, and waits to be told to go on."""

    def __init__(self, code: str, url: str, *more: str) -> None:
        command = [sys.executable, "-c", code, str(SAMPLES), url, *more]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> int:
        self.process.communicate(timeout=600)
        return self.process.returncode


def _begin(store: Store, claim: Claim, header: RunHeader) -> None:
    store.begin_run(header)


def _delete(store: Store, claim: Claim, header: RunHeader) -> None:
    store.delete_run(claim.run_id)


@pytest.fixture
def children() -> Any:
    """Start children with this; none outlives the test."""
    started: list[Child] = []

    def start(code: str, url: str, *more: str) -> Child:
        started.append(Child(code, url, *more))
        return started[-1]

    yield start
    for child in started:
        if child.process.poll() is None:
            child.process.kill()
        child.process.communicate()


def test_processes_that_start_on_the_same_new_database_all_get_their_runs_in(url: str, children: Any) -> None:
    writers = [children(WRITE_RUN, url, key) for key in "abc"]
    assert [writer.hear() for writer in writers] == ["ready"] * 3
    for writer in writers:
        writer.go_on()
    assert [writer.end() for writer in writers] == [0, 0, 0]
    with open_store(url, create=False) as store:
        assert [run.status for run in store.list_runs()] == ["finished"] * 3
        info = store.info()
        assert (info.n_models, info.n_stimulus_sets, info.n_representations) == (1, 1, 15)
        assert store.verify() == []


def test_of_processes_that_claim_the_same_analysis_one_gets_it(url: str, children: Any) -> None:
    claimants = [children(BEGINNING + CLAIM, url) for _ in range(2)]
    assert [claimant.hear() for claimant in claimants] == ["ready"] * 2
    for claimant in claimants:
        claimant.go_on()
    answers = sorted(claimant.hear() for claimant in claimants)
    assert answers[0].startswith("claimed ")
    run_id = answers[0].split()[1]
    assert answers[1].startswith(f"refused run {run_id} is computing the same analysis now (process ")


def test_of_threads_that_claim_the_same_analysis_one_gets_it(url: str, samples: Any) -> None:
    start = threading.Barrier(2)

    def claim() -> str:
        start.wait(timeout=600)
        try:
            return "claimed " + store.begin_run(samples.header()).run_id
        except InputError as error:
            return "refused " + str(error)

    with open_store(url) as store, ThreadPoolExecutor(2) as pool:
        answers = sorted(answer.result() for answer in [pool.submit(claim) for _ in range(2)])
        assert [answers[0]] == [f"claimed {run.id}" for run in store.list_runs()]
    assert answers[1].startswith("refused run ")


@pytest.mark.postgres
@pytest.mark.parametrize("do", [_begin, _delete], ids=["go on", "delete"])
def test_a_run_whose_sign_of_life_is_being_written_is_not_taken_for_dead(
    postgres_url: str, samples: Any, do: Callable[[Store, Claim, RunHeader], None]
) -> None:
    with open_store(postgres_url) as store, open_store(postgres_url) as other, ThreadPoolExecutor(1) as pool:
        claim = store.begin_run(samples.header())
        with store._database.write() as connection:
            connection.exec_driver_sql("UPDATE runs SET hostname = 'elsewhere', heartbeat_at = '2020-01-01'")
        with store._database.write() as connection:
            sign(connection, claim)
            asked = pool.submit(do, other, claim, samples.header())
            while not connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar():
                assert not asked.done()
        with pytest.raises(InputError, match=r"comput(ed|ing).* now"):
            asked.result()
        store.save_layer(claim, samples.result("mixed"))


def test_a_process_killed_in_the_middle_of_a_transaction_leaves_what_it_had_finished(
    url: str, children: Any, samples: Any, same: Any
) -> None:
    child = children(BEGINNING + STOP_HALF_WAY, url)
    assert child.hear() == "ready"
    child.go_on()
    said = child.hear()
    assert said.startswith("half-way ")
    child.process.send_signal(signal.SIGKILL)
    child.process.wait(timeout=600)
    run_id = said.split()[1]
    with open_store(url, create=False) as store:
        run = store.find_run(run_id)
        assert (run.status, run.command) == ("interrupted", samples.header().command)
        assert same(store.read_representation(LayerAddress(run_id, "mixed")), samples.result("mixed").representation)
        claim = store.begin_run(samples.header())
        assert (claim.run_id, claim.resumed, claim.done) == (run_id, True, frozenset({("mixed", "none")}))
        assert store.verify() == []


def test_the_same_answers_may_be_kept_by_several_at_once(url: str, samples: Any) -> None:
    with open_store(url) as store:
        run_id = samples.finished_run(store)
        ends = [LayerAddress(run_id, layer.name) for layer in store.list_layers(run_id)]
    rows = [Comparison(samples.provider("cka"), one, other, 0.5) for one in ends for other in ends]
    tests = [ComparisonTest(row.comparator, row.first, row.second, 0.1) for row in rows]
    intervals = [ComparisonInterval(row.comparator, row.first, row.second, 0.1, 0.9) for row in rows]
    start = threading.Barrier(4)

    def keep() -> None:
        try:
            with open_store(url) as own:
                for _ in range(10):
                    start.wait(timeout=600)
                    own.save_comparisons(rows)
                    own.save_tests(PermutationPlan(100), tests)
                    own.save_intervals(IntervalPlan(100), intervals)
        except BaseException:
            start.abort()  # the others do not wait for one that has failed
            raise

    with ThreadPoolExecutor(4) as pool:
        for kept in [pool.submit(keep) for _ in range(4)]:
            kept.result()
    with open_store(url, read_only=True) as store:
        assert len(store.read_comparisons(samples.provider("cka"), [run_id])) == len(rows)


def test_people_can_look_while_a_run_writes(url: str, samples: Any) -> None:
    with open_store(url) as writing, open_store(url, read_only=True) as looking:
        run_id = samples.finished_run(writing)
        with writing._database.write() as connection:
            connection.exec_driver_sql("UPDATE runs SET command = 'not yet'")
            seal_run(connection, run_id)
            assert looking.find_run(run_id).command == samples.header().command
            assert looking.query("SELECT command FROM runs").item() == samples.header().command
        assert looking.find_run(run_id).command == "not yet"


def test_whoever_looks_between_any_two_statements_of_a_writer_sees_only_what_fits_its_checksum(
    url: str, samples: Any, execute: Any
) -> None:
    """A run that is computed, fails, is gone on with, is damaged, repaired and finished again."""
    seen: list[str] = []
    with open_store(url) as writing, open_store(url, read_only=True) as looking:

        def look(*_: Any) -> None:
            seen.extend(looking.find_run(run.id).status for run in looking.list_runs())

        sa.event.listen(writing._database.engine, "before_cursor_execute", look)
        sa.event.listen(writing._database.engine, "commit", look)
        claim = writing.begin_run(samples.header())
        writing.save_layer(claim, samples.result("mixed"))
        writing.fail_run(claim, "the disk is full")
        run_id = samples.fill(writing)
        writing.save_statistics(run_id, [LayerStatistic("input", "none", samples.result("input").statistics[0])])
        assert (run_id, looking.verify()) == (claim.run_id, [])
        execute("UPDATE predictions SET probability = 0.25")
        assert writing.repair().reopened == (run_id,)
        assert samples.fill(writing) == run_id
        assert looking.verify() == []
    assert {"running", "failed", "finished", "interrupted"} <= set(seen)
