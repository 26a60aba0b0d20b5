"""Damage is found and named, a run can be taken out without a trace, and the history can be described."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.records import (
    Comparison,
    LayerAddress,
)
from layerwise.storage import Store, open_store, tiles
from layerwise.storage.schema import HEAD, metadata


def flip(data: bytes, at: int) -> bytes:
    """The same bytes, with one bit changed."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_a_damaged_tile_is_named_and_never_read_as_numbers(
    store: Store, samples: Any, execute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE_BYTES", 5 * 8)
    claim = store.begin_run(samples.header())
    run_id = claim.run_id
    store.save_layer(claim, samples.result("mixed"))
    store.save_layer(claim, samples.result("output"))
    damaged = "FROM tiles WHERE position = 1 AND representation_id = (SELECT min(id) FROM representations)"
    ((data,),) = execute(f"SELECT data {damaged}")
    execute(f"UPDATE tiles SET data = :data {damaged.removeprefix('FROM tiles')}", data=flip(bytes(data), 9))
    said = f"run {run_id}, layer 'mixed' is damaged: tile 1 fails its checksum"
    with pytest.raises(LayerwiseError, match=said):
        store.read_representation(LayerAddress(run_id, "mixed"))
    assert store.read_representation(LayerAddress(run_id, "output")).n_stimuli == 6
    assert store.verify() == [said]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE representations SET norm = mean", "checksum over all"),
        ("UPDATE representations SET n_features = n_features + 1", "checksum over all"),
        ("DELETE FROM tiles", "0 tiles do not make up 6 stimuli"),
        ("UPDATE representations SET n_stimuli = 7", "number of stimuli"),
        ("UPDATE models SET source = 'another place'", "model 'tiny'"),
        ("UPDATE stimuli SET label = 'dog' WHERE position = 3", "stimulus set 'photos'"),
        ("UPDATE stimuli SET thumbnail = content FROM (SELECT thumbnail AS content FROM stimuli) t", "stimulus set"),
    ],
)
def test_verify_notices_whatever_was_changed_behind_its_back(
    store: Store, samples: Any, execute: Any, change: str, said: str
) -> None:
    samples.finished_run(store)
    assert store.verify() == []
    execute(change)
    problems = store.verify()
    assert problems
    assert all(said in problem for problem in problems)


DAMAGED = [
    ("deviation = norm", "checksum over all"),
    ("deviation = NULL", "checksum over all"),
    ("deviation = substr(deviation, 1, 8)", "checksum over all"),
    ("mean = substr(mean, 1, 8)", "do not make up 1 stimuli"),
    ("norm = substr(norm, 1, 13)", "do not make up 6 stimuli"),
    ("form = 'angles/f2'", "the form 'angles/f2', which this version does not know"),
    ("form = ''", "the form '', which this version does not know"),
    ("form = 'compact/f4'", "tile 0 has 120 bytes where 60 are expected"),
    ("form = 'correlation'", "tile 0 has 120 bytes where 60 are expected"),
    ("resolution = NULL", "checksum over all"),
    ("resolution = '{'", "checksum over all"),
    ("resolution = '[1, 2]'", "checksum over all"),
    ("resolution = replace(resolution, 'near', 'far')", "checksum over all"),
]
DAMAGED_SQLITE = [  # there a column holds anything, and so does a file of which some bits were turned over
    ("deviation = 'some text'", "checksum over all"),
    ("deviation = 7", "checksum over all"),
    ("mean = 'some text of forty-eight letters, as long as six'", "checksum over all"),
    ("form = x'ff'", "which this version does not know"),
    ("form = CAST(x'ff' AS TEXT)", "which this version does not know"),
    ("resolution = CAST(x'7bff7d' AS TEXT)", "checksum over all"),
    ("resolution = x'7b7d'", "checksum over all"),
]


def change_file(url: str, sql: str) -> None:
    """Change a file of SQLite as no other database lets itself be changed."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        connection.execute(sql)


def check_damage(store: Store, samples: Any, execute: Any, change: str, said: str) -> None:
    """See that one line names the layer that was damaged, whoever reads it, and that the other one is still read."""
    claim = store.begin_run(samples.header())
    for layer in ("mixed", "output"):
        store.save_layer(claim, samples.result(layer))
    first = "(SELECT min(id) FROM representations)"
    execute(f"UPDATE representations SET {change} WHERE id = {first}")
    (problem,) = store.verify()
    assert problem.startswith(f"run {claim.run_id}, layer 'mixed' is damaged: ")
    assert said in problem
    assert "\n" not in problem
    with pytest.raises(LayerwiseError) as error:
        store.read_representation(LayerAddress(claim.run_id, "mixed"))
    assert str(error.value) == problem
    assert store.read_representation(LayerAddress(claim.run_id, "output")).n_stimuli == 6


@pytest.mark.parametrize(("change", "said"), DAMAGED)
def test_what_was_damaged_of_a_layer_is_said_in_one_line_that_names_it(
    store: Store, samples: Any, execute: Any, change: str, said: str
) -> None:
    check_damage(store, samples, execute, change, said)


@pytest.mark.parametrize(("change", "said"), DAMAGED_SQLITE)
def test_a_column_of_a_layer_that_holds_another_kind_is_said_in_one_line_that_names_it(
    sqlite_url: str, samples: Any, change: str, said: str
) -> None:
    with open_store(sqlite_url) as store:
        check_damage(store, samples, lambda sql: change_file(sqlite_url, sql), change, said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("models SET source = CAST(x'6fff6f' AS TEXT)", "model 'tiny' (row 1) is not as it was written"),
        ("models SET input_shape = '{'", "model 'tiny' (row 1) is not as it was written"),
        ("models SET resize = x'ff'", "model 'tiny' (row 1) is not as it was written"),
        ("stimuli SET label = CAST(x'ff' AS TEXT)", "stimulus set 'photos' (row 1) is not as it was written"),
        ("stimuli SET thumbnail = 'text'", "stimulus set 'photos' (row 1) is not as it was written"),
        ("stimulus_sets SET skipped = '['", "stimulus set 'photos' (row 1) is not as it was written"),
        ("statistics SET vector = 'text' WHERE name = 'hoyer'", "'hoyer': vector cannot be decompressed"),
        ("tiles SET data = 'text'", "tile 0 fails its checksum"),
    ],
)
def test_what_is_of_another_kind_or_no_unicode_stops_no_check(
    sqlite_url: str, samples: Any, change: str, said: str
) -> None:
    with open_store(sqlite_url) as store:
        samples.finished_run(store)
        change_file(sqlite_url, f"UPDATE {change}")
        problems = store.verify()
        assert problems
        assert all(said in problem and "\n" not in problem for problem in problems)


def test_a_json_text_that_is_cut_off_is_one_line_for_whoever_reads_it(sqlite_url: str, samples: Any) -> None:
    with open_store(sqlite_url) as store:
        samples.finished_run(store)
        change_file(sqlite_url, "UPDATE models SET class_names = '[\"cat'")
        with pytest.raises(LayerwiseError, match="damaged, `layerwise db check` says where") as error:
            store.list_runs()
        assert "\n" not in str(error.value)


def test_correlations_of_before_are_checked_too(
    store: Store, samples: Any, execute: Any, as_before: Any, subtests: pytest.Subtests
) -> None:
    run_id = samples.finished_run(store, layers=samples.layers[:1])
    as_before()
    assert store.verify() == []
    for change, said in (
        ("deviation = norm", "deviations or a resolution, which correlations have not"),
        ("deviation = NULL, resolution = '{}'", "deviations or a resolution, which correlations have not"),
        ("resolution = NULL, norm = mean", "checksum over all"),
    ):
        with subtests.test(change):
            execute(f"UPDATE representations SET {change}")
            assert [problem.partition(" is damaged: ")[0] for problem in store.verify()] == [
                f"run {run_id}, layer 'input'"
            ]
            assert said in store.verify()[0]


def test_verify_notices_a_damaged_vector(store: Store, samples: Any, execute: Any) -> None:
    claim = store.begin_run(samples.header())
    store.save_layer(claim, samples.result("mixed"))
    execute("UPDATE statistics SET vector = :data WHERE name = 'hoyer'", data=b"no such thing")
    (problem,) = store.verify()
    assert "'hoyer': vector cannot be decompressed" in problem


def test_deleting_the_only_run_leaves_nothing_behind(store: Store, samples: Any, execute: Any) -> None:
    run_id = samples.fill(store, "a" * 64, 1)
    assert all(execute(f"SELECT count(*) FROM {name}")[0][0] > 0 for name in metadata.tables)
    store.delete_run(run_id)
    assert {name: execute(f"SELECT count(*) FROM {name}")[0][0] for name in metadata.tables} == dict.fromkeys(
        metadata.tables, 0
    )


def test_deleting_a_run_leaves_what_others_use(store: Store, samples: Any, execute: Any) -> None:
    kept = samples.fill(store, "a" * 64, 1)
    before = {name: sorted(map(str, execute(f"SELECT * FROM {name}"))) for name in metadata.tables}
    gone = samples.fill(store, "b" * 64, 2)
    ends = LayerAddress(kept, "input"), LayerAddress(gone, "input")
    store.save_comparisons([Comparison(samples.provider("cka"), *ends, 0.9)])
    other = samples.fill(store, "c" * 64, 1, model=samples.model(5), stimuli=samples.stimuli(name="others"))
    store.delete_run(gone)
    store.delete_run(other)
    assert {name: sorted(map(str, execute(f"SELECT * FROM {name}"))) for name in metadata.tables} == before
    assert [row.statistics[0].provider.revision for row in store.read_weights(kept)] == [1]
    assert store.verify() == []


def test_only_a_run_that_is_there_and_at_rest_can_be_deleted(store: Store, samples: Any) -> None:
    with pytest.raises(InputError, match="there is no run 'abc'"):
        store.delete_run("abc")
    claim = store.begin_run(samples.header())
    run_id = claim.run_id
    with pytest.raises(InputError, match="is being computed now"):
        store.delete_run(run_id)
    store.fail_run(claim, "stopped")
    store.delete_run(run_id)
    assert store.list_runs() == []


def test_a_history_can_be_described(store: Store, samples: Any, url: str) -> None:
    samples.finished_run(store)
    info = store.info()
    assert (info.dialect, info.revision) == (url.split(":", maxsplit=1)[0], HEAD)
    assert (info.n_runs, info.n_models, info.n_stimulus_sets) == (1, 1, 1)
    assert (info.n_representations, info.n_comparisons) == (5, 0)
    assert info.n_bytes > 4096
    assert info.url == store.url
