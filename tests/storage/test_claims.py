"""The same analysis is computed once, whoever asks for it, and goes on where it was interrupted."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import Any

import pytest

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.records import LayerAddress, RunFilter
from layerwise.storage import Store, claims

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
    store.finish_run(new.run_id, {})
    assert store.begin_run(samples.header()).run_id == new.run_id


@pytest.mark.parametrize("interrupted", [False, True])
def test_an_interrupted_or_failed_run_goes_on_where_it_stopped(store: Store, samples: Any, interrupted: bool) -> None:
    run_id = store.begin_run(samples.header()).run_id
    store.save_layer(run_id, samples.result("mixed"))
    started = store.find_run(run_id).started_at
    store.fail_run(run_id, "out of memory", interrupted=interrupted)
    failed = store.find_run(run_id)
    assert (failed.status, failed.error) == ("interrupted" if interrupted else "failed", "out of memory")
    claim = store.begin_run(samples.header())
    assert (claim.run_id, claim.resumed, claim.done) == (run_id, True, frozenset({("mixed", "none")}))
    store.save_layer(run_id, samples.result("output"))
    store.finish_run(run_id, {"stream": 1.0})
    run = store.find_run(run_id)
    assert (run.status, run.error, run.started_at) == ("finished", None, started)
    assert [layer.name for layer in store.list_layers(run_id)] == ["mixed", "output"]


def test_the_times_of_all_attempts_add_up(store: Store, samples: Any, execute: Any) -> None:
    run_id = store.begin_run(samples.header()).run_id
    for seconds in ("05", "10"):
        store.fail_run(run_id, "stopped")
        attempt = {"begun": "2020-01-01 00:00:00.000000", "ended": f"2020-01-01 00:00:{seconds}.000000"}
        execute("UPDATE runs SET attempt_started_at = :begun, heartbeat_at = :ended", **attempt)
        store.begin_run(samples.header())
    store.finish_run(run_id, {"stream": 2.5})
    assert store.find_run(run_id).timings == {"interrupted": 15.0, "stream": 2.5}


def test_force_does_not_go_on_with_an_interrupted_run(store: Store, samples: Any) -> None:
    old = store.begin_run(samples.header()).run_id
    store.fail_run(old, "stopped", interrupted=True)
    claim = store.begin_run(samples.header(), force=True)
    assert claim.run_id != old
    assert not claim.resumed


@pytest.mark.parametrize("force", [False, True])
def test_an_analysis_that_is_being_computed_is_left_alone(store: Store, samples: Any, force: bool) -> None:
    run_id = store.begin_run(samples.header()).run_id
    said = f"run {run_id} is computing the same analysis now .process {os.getpid()} on "
    with pytest.raises(InputError, match=said):
        store.begin_run(samples.header(), force=force)


def test_a_run_on_another_machine_lives_as_long_as_it_gives_signs_of_life(
    store: Store, samples: Any, execute: Any
) -> None:
    run_id = store.begin_run(samples.header()).run_id
    execute("UPDATE runs SET hostname = 'elsewhere', pid = 1")
    with pytest.raises(InputError, match="on elsewhere"):
        store.begin_run(samples.header())
    assert store.find_run(run_id).status == "running"
    execute("UPDATE runs SET heartbeat_at = :then", then=LONG_AGO)
    assert store.find_run(run_id).status == "interrupted"
    assert store.begin_run(samples.header()).resumed


def test_a_run_whose_process_is_gone_is_resumed_at_once(store: Store, samples: Any, execute: Any) -> None:
    run_id = store.begin_run(samples.header()).run_id
    execute("UPDATE runs SET pid = :pid", pid=dead_pid())
    assert [run.id for run in store.list_runs(RunFilter(status="interrupted"))] == [run_id]
    assert store.list_runs(RunFilter(status="running")) == []
    assert store.begin_run(samples.header()).resumed


def test_a_process_that_took_the_number_of_a_dead_one_is_not_mistaken_for_it(
    store: Store, samples: Any, execute: Any
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        store.begin_run(samples.header())
        execute("UPDATE runs SET pid = :pid, hostname = :host", pid=process.pid, host=socket.gethostname())
        with pytest.raises(InputError, match=f"process {process.pid}"):
            store.begin_run(samples.header())
        # The last sign of life is from before the process began, but not so old that silence alone tells.
        recent = "datetime('now', '-60 seconds')"
        if store.info().dialect == "postgresql":
            recent = "(now() AT TIME ZONE 'utc') - interval '60 seconds'"
        execute(f"UPDATE runs SET heartbeat_at = {recent}")
        assert store.begin_run(samples.header()).resumed
        process.communicate(b"\n")


def test_a_process_whose_run_was_taken_over_cannot_write_to_it(store: Store, samples: Any, execute: Any) -> None:
    run_id = store.begin_run(samples.header()).run_id
    execute("UPDATE runs SET pid = 1, hostname = 'elsewhere'")
    with pytest.raises(LayerwiseError, match="was taken over by process 1 on elsewhere"):
        store.save_layer(run_id, samples.result("mixed"))
    store.fail_run(run_id, "silently nothing")
    assert store.find_run(run_id).status == "running"
    assert store.list_layers(run_id) == []


def test_nothing_can_be_written_to_a_run_that_is_finished_or_not_there(store: Store, samples: Any) -> None:
    run_id = samples.finished_run(store)
    store.fail_run(run_id, "too late")
    assert store.find_run(run_id).status == "finished"
    with pytest.raises(LayerwiseError, match="is finished"):
        store.save_layer(run_id, samples.result("mixed"))
    with pytest.raises(LayerwiseError, match="is not in the history any more"):
        store.beat("zzzzzzzzzzzz")
    other = store.begin_run(samples.header("b" * 64)).run_id
    with pytest.raises(LayerwiseError, match="begun without it"):
        store.save_layer(other, samples.result("no such layer"))


def test_a_beat_is_a_sign_of_life(store: Store, samples: Any, execute: Any) -> None:
    run_id = store.begin_run(samples.header()).run_id
    execute("UPDATE runs SET heartbeat_at = :then", then=LONG_AGO)
    assert store.find_run(run_id).status == "interrupted"
    store.beat(run_id)
    assert store.find_run(run_id).status == "running"


def test_a_run_is_found_by_its_id_a_prefix_or_as_the_latest(store: Store, samples: Any, execute: Any) -> None:
    with pytest.raises(InputError, match="no finished run yet"):
        store.find_run("latest")
    one, two = samples.finished_run(store), samples.finished_run(store, "b" * 64)
    unfinished = store.begin_run(samples.header("c" * 64)).run_id
    assert store.find_run("latest").id == two
    assert store.find_run(one[:11].upper()).id == one
    assert [run.id for run in store.list_runs()] == [unfinished, two, one]
    for wrong in ("%", "", "' OR 1=1", "zzzzzzzzzzzzz", "\0", "nothere"):
        with pytest.raises(InputError, match="there is no run"):
            store.find_run(wrong)


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
    run_id = store.begin_run(samples.header()).run_id
    written = samples.result("mixed")
    store.save_layer(run_id, written)
    store.fail_run(run_id, "stopped", interrupted=True)
    store.begin_run(samples.header())
    assert same(store.read_representation(LayerAddress(run_id, "mixed")), written.representation)
