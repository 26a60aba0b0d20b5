"""What people write for runs: every form of a reference, in every history, and errors that say what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from layerwise.core.analysis.choose import choose_differences
from layerwise.core.base.errors import InputError
from layerwise.core.history.references import find_runs, list_checkpoints
from layerwise.storage import OpenHistory, open_store


@pytest.fixture(params=["memory", "sqlite"])
def history(request: pytest.FixtureRequest, fake: Any, tmp_path: Path) -> Any:
    """Steps 0, 2, 10 of `mine`, recorded in another order; step 2 twice, step 10 also ablated; and two other runs."""
    store: OpenHistory = (
        fake.MadeHistory() if request.param == "memory" else open_store(f"sqlite:///{tmp_path / 'a.db'}")
    )
    made = [
        {"lineage": "mine", "step": 10},
        {"lineage": "mine", "step": 2, "checkpoint": "old"},
        {"lineage": "mine", "step": 0},
        {"lineage": "mine", "step": 2, "checkpoint": "new"},
        {"lineage": "mine", "step": 10, "origin": "ablated"},
        {"lineage": "at 12:30@3", "step": 7, "tags": {"use": "paper", "who": "me"}},
        {"tags": {"use": "paper"}},
    ]
    layers = fake.make_layers(n_hidden=1, n_blocks=0)
    runs = [fake.add_run(store, f"run{i}", 12, layers=layers, pictures=False, **more) for i, more in enumerate(made)]
    yield store, [run.id for run in runs]
    if request.param == "sqlite":
        store.close()


def test_a_lineage_is_its_newest_checkpoints_in_order_of_step_without_variants(history: Any) -> None:
    store, ids = history
    assert [run.id for run in find_runs(store, ["lineage:mine"])] == [ids[2], ids[3], ids[0]]
    assert [run.checkpoint for run in list_checkpoints(store, "mine")] == [None, "new", None]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("mine@0", 2),
        ("lineage:mine@2", 3),
        ("mine~0", 0),
        ("mine~2", 2),
        ("lineage:mine~1", 3),
        ("lineage:at 12:30@3", 5),
        ("at 12:30@3@7", 5),
        ("latest", 6),
        ("latest~0", 6),
        ("latest~2", 4),
        ("old", 1),
        ("who=me", 5),
    ],
)
def test_a_reference_means_one_run_wherever_a_run_is_asked_for(history: Any, text: str, place: int) -> None:
    store, ids = history
    assert store.find_run(text).id == ids[place]
    assert [run.id for run in find_runs(store, [text])] == [ids[place]]


def test_a_bare_lineage_a_checkpoints_name_and_a_tag_mean_all_their_runs_where_several_can_be_named(
    history: Any,
) -> None:
    store, ids = history
    assert [run.id for run in find_runs(store, ["mine"])] == [ids[2], ids[3], ids[0]]
    assert [run.id for run in find_runs(store, ["new", "use=paper"])] == [ids[3], ids[5], ids[6]]
    with pytest.raises(InputError, match="there is no run 'min'; did you mean mine"):
        find_runs(store, ["min"])


def test_runs_come_once_in_the_order_in_which_they_are_named(history: Any) -> None:
    store, ids = history
    found = find_runs(store, ["mine~0", "latest", "lineage:mine", ids[6]])
    assert [run.id for run in found] == [ids[0], ids[6], ids[2], ids[3]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lineage:mina", "there is no lineage 'mina'; did you mean mine?"),
        ("mina@2", "there is no lineage 'mina'; did you mean mine?"),
        ("mine@5", "lineage 'mine' has no step 5; its steps: 0, 2, 10"),
        ("mine~3", "lineage 'mine' has only 3 checkpoints, so there is no 'mine~3'"),
        ("latest~9", "there are only 7 finished runs, so no 'latest~9'"),
        ("mine@last", "'mine@last' is no run: after @ comes a whole number"),
        ("latest~x", "'latest~x' is no run: after ~ comes a whole number"),
        ("mine", "'mine' is 3 runs, and one is wanted here: mine@0 say, or mine~0, the last"),
        ("use=talk", "no finished run has the tag 'use=talk'"),
        ("use=paper", "'use=paper' is 2 runs, name one by its id: "),
        (
            "lineage:mine",
            "'lineage:mine' is 3 runs, and one is wanted here: mine@0 say, or mine~0, the last",
        ),
    ],
)
def test_what_means_no_run_is_told_with_what_would(history: Any, text: str, message: str) -> None:
    store, _ = history
    with pytest.raises(InputError) as caught:
        store.find_run(text)
    assert str(caught.value).startswith(message)


def test_one_step_on_two_stimulus_sets_is_told_apart_by_ids(fake: Any) -> None:
    store = fake.MadeHistory()
    for number, name in enumerate(("digits", "letters")):
        more = {"lineage": "both", "step": 1, "stimuli_name": name, "stimuli_fingerprint": str(number) * 64}
        fake.add_run(store, f"run{number}", 12, pictures=False, **more)
    with pytest.raises(InputError, match=r"'both@1' is 2 runs, name one by its id: run0 \('digits'\), run1"):
        store.find_run("both@1")
    assert len(find_runs(store, ["lineage:both"])) == 2


def test_a_lineage_without_a_finished_run_says_so(fake: Any) -> None:
    store = fake.MadeHistory()
    fake.add_rows(store, "run1", {"conv": [[1.0, 2], [2, 1], [0, 4], [1, 1]]}, finished=False, lineage="mine")
    with pytest.raises(InputError, match="no run of lineage 'mine' is finished yet"):
        find_runs(store, ["lineage:mine"])
    with pytest.raises(InputError, match="there is no finished run yet"):
        store.find_run("latest")


def test_a_difference_takes_references_with_layers_behind_them(history: Any) -> None:
    store, ids = history
    pairs = choose_differences(store, "lineage:at 12:30@3@7:conv0,output", "mine@0:conv0,output")
    assert [(end.run_id, end.layer) for pair in pairs[0] for end in pair] == [
        (ids[5], "conv0"), (ids[5], "output"), (ids[2], "conv0"), (ids[2], "output")
    ]  # fmt: skip
    whole = choose_differences(store, "lineage:at 12:30@3", "lineage:mine@2")
    assert {end.run_id for pair in whole[0] for end in pair} == {ids[5], ids[3]}
    with pytest.raises(InputError, match="is not of the form RUN:LAYER,LAYER"):
        choose_differences(store, "latest:conv0", "mine@0:conv0,output")
