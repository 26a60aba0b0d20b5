"""The same analysis is computed once, whoever asks for it, and goes on where it was interrupted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.records import Claim, LayerAddress, RunFilter
from layerwise.storage import Store
from layerwise.storage.holding import claims

LONG_AGO = "2020-01-01 00:00:00.000000"


def dead_pid() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_new_analysis_gets_a_name_of_its_own(store: Store, samples: Any) -> None:
    one, two = store.begin_run(samples.header()), store.begin_run(samples.header("b" * 64))
    assert one.run_id != two.run_id
    assert len(one.run_id) == 12
    assert one.run_id[0].isalpha()
    assert (one.finished, one.resumed, one.done) == (False, False, frozenset())


def test_a_finished_analysis_is_answered_from_the_history(store: Store, samples: Any) -> None:
    run_id = samples.finished_run(store)
    claim = store.begin_run(samples.header())
    assert (claim.run_id, claim.finished) == (run_id, True)
    assert len(store.list_runs()) == 1


def test_force_computes_again_and_leaves_what_was_there(store: Store, samples: Any) -> None:
    old = samples.finished_run(store)
    new = store.begin_run(samples.header(), force=True)
    assert (new.finished, new.resumed) == (False, False)
    assert {run.id: run.status for run in store.list_runs()} == {old: "finished", new.run_id: "running"}
    store.finish_run(new, {})
    assert store.begin_run(samples.header()).run_id == new.run_id


@pytest.mark.parametrize("interrupted", [False, True])
def test_an_interrupted_or_failed_run_goes_on_where_it_stopped(store: Store, samples: Any, interrupted: bool) -> None:
    claim = store.begin_run(samples.header())
    run_id = claim.run_id
    store.save_layer(claim, samples.result("mixed"))
    started = store.find_run(run_id).started_at
    store.fail_run(claim, "out of memory", interrupted=interrupted)
    failed = store.find_run(run_id)
    assert (failed.status, failed.error) == ("interrupted" if interrupted else "failed", "out of memory")
    claim = store.begin_run(samples.header())
    assert (claim.run_id, claim.resumed, claim.done) == (run_id, True, frozenset({("mixed", "none")}))
    store.save_layer(claim, samples.result("output"))
    store.finish_run(claim, {"stream": 1.0})
    run = store.find_run(run_id)
    assert (run.status, run.error, run.started_at) == ("finished", None, started)
    assert [layer.name for layer in store.list_layers(run_id)] == ["mixed", "output"]


def test_the_times_of_all_attempts_add_up(store: Store, samples: Any, execute: Any) -> None:
    claim = store.begin_run(samples.header())
    for seconds in ("05", "10"):
        store.fail_run(claim, "stopped")
        attempt = {"begun": "2020-01-01 00:00:00.000000", "ended": f"2020-01-01 00:00:{seconds}.000000"}
        execute("UPDATE runs SET attempt_started_at = :begun, heartbeat_at = :ended", **attempt)
        claim = store.begin_run(samples.header())
    store.finish_run(claim, {"stream": 2.5})
    assert store.find_run(claim.run_id).timings == {"interrupted": 15.0, "stream": 2.5}


def test_force_does_not_go_on_with_an_interrupted_run(store: Store, samples: Any) -> None:
    old = store.begin_run(samples.header())
    store.fail_run(old, "stopped", interrupted=True)
    claim = store.begin_run(samples.header(), force=True)
    assert claim.run_id != old.run_id
    assert not claim.resumed


@pytest.mark.parametrize("force", [False, True])
def test_an_analysis_that_is_being_computed_is_left_alone(store: Store, samples: Any, force: bool) -> None:
    run_id = store.begin_run(samples.header()).run_id
    said = f"run {run_id} is computing the same analysis now .process {os.getpid()} on "
    with pytest.raises(InputError, match=said):
        store.begin_run(samples.header(), force=force)


@pytest.mark.parametrize("column", ["hostname", "pid_space"])
def test_a_run_of_another_machine_or_container_lives_as_long_as_it_gives_signs_of_life(
    store: Store, samples: Any, execute: Any, column: str
) -> None:
    run_id = store.begin_run(samples.header()).run_id
    execute(f"UPDATE runs SET {column} = 'elsewhere', pid = :pid", pid=dead_pid())
    with pytest.raises(InputError, match=f"run {run_id} is computing the same analysis now"):
        store.begin_run(samples.header())
    assert store.find_run(run_id).status == "running"
    execute("UPDATE runs SET heartbeat_at = :then", then=LONG_AGO)
    assert store.find_run(run_id).status == "interrupted"
    assert store.begin_run(samples.header()).resumed


def test_a_run_that_an_older_version_began_lives_by_its_signs_of_life(
    store: Store, samples: Any, execute: Any
) -> None:
    run_id = store.begin_run(samples.header()).run_id
    execute("UPDATE runs SET pid_space = NULL, process_started = NULL, claim_token = NULL")
    assert store.find_run(run_id).status == "running"
    execute("UPDATE runs SET heartbeat_at = :then", then=LONG_AGO)
    assert store.begin_run(samples.header()).resumed


def test_a_run_whose_process_is_gone_is_resumed_at_once(store: Store, samples: Any, execute: Any) -> None:
    run_id = store.begin_run(samples.header()).run_id
    execute("UPDATE runs SET pid = :pid", pid=dead_pid())
    assert [run.id for run in store.list_runs(RunFilter(status="interrupted"))] == [run_id]
    assert store.list_runs(RunFilter(status="running")) == []
    assert store.begin_run(samples.header()).resumed


def test_a_run_that_has_long_been_silent_lives_as_long_as_its_process_exists(
    store: Store, samples: Any, execute: Any
) -> None:
    run_id = store.begin_run(samples.header()).run_id
    execute("UPDATE runs SET heartbeat_at = :then", then=LONG_AGO)
    refuses_to_touch(store, samples, run_id)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        birth = psutil.Process(process.pid).create_time() - psutil.boot_time()
        execute("UPDATE runs SET pid = :pid, process_started = :birth", pid=process.pid, birth=birth)
        refuses_to_touch(store, samples, run_id)
        process.communicate(b"\n")
    assert store.begin_run(samples.header()).resumed


def refuses_to_touch(store: Store, samples: Any, run_id: str) -> None:
    assert store.find_run(run_id).status == "running"
    with pytest.raises(InputError, match=f"run {run_id} is computing the same analysis now"):
        store.begin_run(samples.header())
    with pytest.raises(InputError, match=f"run {run_id} is being computed now"):
        store.delete_run(run_id)


def test_a_process_that_took_the_number_of_a_dead_one_is_not_mistaken_for_it(
    store: Store, samples: Any, execute: Any
) -> None:
    store.begin_run(samples.header())
    execute("UPDATE runs SET pid = :pid, process_started = process_started - 1e6", pid=os.getppid())
    assert store.begin_run(samples.header()).resumed


def take_over(store: Store, samples: Any, claim: Claim) -> Claim:
    """Go on with the run of `samples.header()`, whose work has ended without a word."""
    with store.keep_alive(claim):
        pass
    return store.begin_run(samples.header())


WRITES: dict[str, Callable[[Store, Claim, Any], None]] = {
    "layer": lambda store, claim, samples: store.save_layer(claim, samples.result("mixed")),
    "weights": lambda store, claim, samples: store.save_weights(claim, []),
    "predictions": lambda store, claim, samples: store.save_predictions(claim, [], None),
    "outputs": lambda store, claim, samples: store.save_outputs(claim, samples.outputs()),
    "end": lambda store, claim, samples: store.finish_run(claim, {}),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_who_has_lost_a_run_cannot_write_to_it(
    store: Store, samples: Any, write: Callable[[Store, Claim, Any], None]
) -> None:
    lost = store.begin_run(samples.header())
    holder = take_over(store, samples, lost)
    said = f"run {lost.run_id} is not held by this process any more: process {os.getpid()} on .* goes on with it"
    with pytest.raises(LayerwiseError, match=said):
        write(store, lost, samples)
    assert store.list_layers(lost.run_id) == []
    write(store, holder, samples)


@pytest.mark.parametrize("is_finished", [False, True])
def test_who_has_lost_a_run_cannot_end_it(store: Store, samples: Any, is_finished: bool) -> None:
    lost = store.begin_run(samples.header())
    holder = take_over(store, samples, lost)
    if is_finished:
        store.finish_run(holder, {})
    for interrupted in (False, True):
        store.fail_run(lost, "silently nothing", interrupted=interrupted)
    store.discard_run(lost)
    run = store.find_run(lost.run_id)
    assert (run.status, run.error) == ("finished" if is_finished else "running", None)


def test_a_run_is_taken_out_by_who_holds_it(store: Store, samples: Any) -> None:
    kept = samples.finished_run(store, "b" * 64)
    claim = store.begin_run(samples.header())
    store.save_layer(claim, samples.result("mixed"))
    store.discard_run(claim)
    store.discard_run(claim)
    assert [run.id for run in store.list_runs()] == [kept]
    with pytest.raises(LayerwiseError, match="is not in the history any more"):
        store.save_layer(claim, samples.result("mixed"))


@pytest.mark.parametrize("status", ["finished", "failed"])
def test_a_run_that_has_ended_is_held_by_nobody(store: Store, samples: Any, status: str) -> None:
    claim = store.begin_run(samples.header())
    if status == "finished":
        store.finish_run(claim, {})
    else:
        store.fail_run(claim, "stopped")
    store.fail_run(claim, "too late", interrupted=True)
    store.discard_run(claim)
    assert store.find_run(claim.run_id).status == status
    with pytest.raises(LayerwiseError, match=f"is not held by this process any more: it is {status}"):
        store.save_layer(claim, samples.result("mixed"))


def test_a_claim_to_nothing_holds_nothing(store: Store, samples: Any) -> None:
    run_id = samples.finished_run(store)
    answered = store.begin_run(samples.header())
    assert (answered.finished, answered.token) == (True, "")
    store.discard_run(answered)
    assert store.find_run(run_id).status == "finished"


def test_a_layer_that_the_run_was_begun_without_is_refused(store: Store, samples: Any) -> None:
    with pytest.raises(LayerwiseError, match="begun without it"):
        store.save_layer(store.begin_run(samples.header()), samples.result("no such layer"))


def test_a_token_is_told_to_its_holder_only(store: Store, samples: Any) -> None:
    claim = store.begin_run(samples.header())
    assert len(claim.token) == 32
    assert claim.token not in repr(claim)
    assert claim.token != store.begin_run(samples.header("b" * 64)).token


def test_a_run_is_found_by_its_id_a_prefix_or_as_the_latest(store: Store, samples: Any) -> None:
    with pytest.raises(InputError, match="no finished run yet"):
        store.find_run("latest")
    one, two = samples.finished_run(store), samples.finished_run(store, "b" * 64)
    unfinished = store.begin_run(samples.header("c" * 64)).run_id
    assert store.find_run("latest").id == two
    assert store.find_run(one[:11].upper()).id == one
    assert [run.id for run in store.list_runs()] == [unfinished, two, one]
    for wrong in ("%", "", "' OR 1", "' OR 1 --", "zzzzzzzzzzzzz", "\0", "nothere"):
        with pytest.raises(InputError, match="there is no run"):
            store.find_run(wrong)
    with pytest.raises(InputError, match="no finished run has the tag '' OR 1=1'"):
        store.find_run("' OR 1=1")


@pytest.mark.database
def test_an_ambiguous_prefix_lists_what_it_could_mean(
    store: Store, samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, name in [("a" * 64, "abc000000001"), ("b" * 64, "abc000000002")]:
        monkeypatch.setattr(claims, "new_run_id", lambda name=name: name)
        store.begin_run(samples.header(key))
    with pytest.raises(InputError, match="begins with 'abc': abc000000001, abc000000002"):
        store.find_run("abc")
    assert store.find_run("abc000000002").id == "abc000000002"


def test_runs_are_listed_by_what_is_known_of_them(store: Store, samples: Any) -> None:
    plain = samples.finished_run(store, tags={}, lineage=None)
    other = samples.finished_run(store, "b" * 64, model=samples.model(1, name="big"), tags={"a": "1", "b": "2"})

    def ids(**where: Any) -> list[str]:
        return [run.id for run in store.list_runs(RunFilter(**where))]

    assert ids() == [other, plain]
    assert ids(limit=1) == [other]
    assert ids(model="tiny") == [plain]
    assert ids(lineage="digits") == [other]
    assert ids(stimuli="photos") == [other, plain]
    assert ids(stimuli="something else") == []
    assert ids(tags={"a": "1", "b": "2"}) == [other]
    assert ids(tags={"a": "1", "b": "3"}) == []
    assert ids(status="finished") == [other, plain]


def test_models_and_stimuli_are_shared_and_other_labels_make_another_set(
    store: Store, samples: Any, execute: Any
) -> None:
    samples.finished_run(store)
    samples.finished_run(store, "b" * 64)
    assert (execute("SELECT count(*) FROM models"), execute("SELECT count(*) FROM stimuli")) == ([(1,)], [(6,)])
    relabelled = samples.stimuli(name="photos, relabelled")
    third = samples.finished_run(store, "c" * 64, stimuli=relabelled)
    assert store.find_run(third).stimuli_name == "photos, relabelled"
    assert {run.stimuli_fingerprint for run in store.list_runs()} == {relabelled.fingerprint}
    assert execute("SELECT count(*) FROM stimulus_sets") == [(2,)]


def test_what_was_compared_is_still_there_after_a_resume(store: Store, samples: Any, same: Any) -> None:
    claim = store.begin_run(samples.header())
    run_id = claim.run_id
    written = samples.result("mixed")
    store.save_layer(claim, written)
    store.fail_run(claim, "stopped", interrupted=True)
    store.begin_run(samples.header())
    assert same(store.read_representation(LayerAddress(run_id, "mixed")), written.representation)
