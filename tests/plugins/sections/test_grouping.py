"""Which runs of a report are held against which, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from layerwise.plugins.sections.shared import grouping
from layerwise.report.page import in_order


@pytest.fixture(scope="module")
def run(fake):
    """Make a record: `run("a", model="googlenet", stimuli="photos")`; model and stimuli decide what is the same."""
    template = fake.add_run(fake.MadeHistory(), n_stimuli=8)

    def make(id_: str, model: str = "googlenet", stimuli: str = "photos", source: str = "weights.h5", **more):
        info = replace(template.model, name=model.partition(" ")[0], source=source, fingerprint=model + source)
        return replace(
            template, id=id_, model=info, stimuli_name=stimuli, stimuli_fingerprint=stimuli.upper(), **more
        )

    return make


def ids(found: grouping.Grouping) -> list[list[str]]:
    return [[run.id for run in group] for group in found.groups]


def test_different_models_on_the_same_stimuli_are_compared(run) -> None:
    found = grouping.find_models([run("a"), run("b", "inception_v3"), run("c", source="untrained, seed 0")])
    assert ids(found) == [["a", "b", "c"]]
    assert found.left_out == {}


def test_a_mix_is_sorted_into_groups_and_every_other_run_has_its_reason(run) -> None:
    runs = [
        run("a"),
        run("b", "inception_v3"),
        run("c", stimuli="paintings"),
        run("d", "resnet", stimuli="drawings"),
        run("e", "vgg", n_layers=0),
    ]
    models, sets = grouping.find_models(runs), grouping.find_stimulus_sets(runs)
    assert ids(models) == [["a", "b"]]
    assert set(models.left_out) == {"c", "d", "e"}
    assert models.left_out["d"] == "no other model was analysed on its 8 stimuli ('drawings')"
    assert models.left_out["e"] == grouping.UNFINISHED
    assert ids(sets) == [["a", "c"]]
    assert sets.left_out["b"] == "its model was analysed on no other stimuli"
    assert [run.id for run in sets.group_of(runs[2])] == ["a", "c"]
    assert sets.group_of(runs[1]) == ()


@pytest.mark.parametrize("find", [grouping.find_models, grouping.find_stimulus_sets, grouping.find_trainings])
def test_every_run_is_in_one_group_or_left_out_with_a_reason(run, find) -> None:
    runs = [
        *(run(f"x{step}", f"net {step}", lineage="digits", step=step) for step in range(3)),
        *(run(f"y{step}", f"net {step}", lineage="digits", step=step, stimuli="more") for step in range(2)),
        run("z", "other"),
        run("w", "other"),
        run("v", n_layers=0),
        run("u", lineage="lonely", step=1),
    ]
    found = find(runs)
    grouped = [run.id for group in found.groups for run in group]
    assert len(set(grouped)) == len(grouped)
    assert set(grouped) | set(found.left_out) == {run.id for run in runs}
    assert not set(grouped) & set(found.left_out)
    assert all(len(group) > 1 for group in found.groups)


def test_the_last_checkpoint_stands_for_its_training(run) -> None:
    checkpoints = [run(f"x{step}", f"net {step}", lineage="digits", step=step) for step in (2, 0, 1)]
    found = grouping.find_models([*checkpoints, run("a")])
    assert ids(found) == [["x2", "a"]]
    assert found.left_out["x0"] == "an earlier checkpoint of 'digits', whose last one stands for all"
    assert ids(grouping.find_models(checkpoints)) == []


def test_on_two_stimulus_sets_the_last_checkpoint_that_saw_both_is_compared(run) -> None:
    runs = [
        run(f"{stimuli}{step}", f"net {step}", lineage="digits", step=step, stimuli=stimuli)
        for step in range(3)
        for stimuli in ("p", "q")
        if (step, stimuli) != (2, "q")
    ]
    found = grouping.find_stimulus_sets(runs)
    assert ids(found) == [["p1", "q1"]]
    assert found.left_out["p2"] == "its model was analysed on no other stimuli"


def test_the_same_analysis_twice_counts_once_with_the_most_layers(run) -> None:
    runs = [run("a", n_layers=5), run("b", n_layers=9), run("c", "inception_v3")]
    found = grouping.find_models(runs)
    assert ids(found) == [["b", "c"]]
    assert found.left_out == {"a": "the same model on the same stimuli as run b"}


def test_trainings_are_found_among_other_runs_and_put_in_order(run) -> None:
    runs = [run("z"), *(run(f"x{step}", f"net {step}", lineage="digits", step=step) for step in (2, 0, 1))]
    found = grouping.find_trainings(runs)
    assert ids(found) == [["x0", "x1", "x2"]]
    assert found.left_out == {"z": "it belongs to no lineage"}


def test_a_checkpoint_that_was_analysed_twice_is_shown_once(run) -> None:
    runs = [
        run("a", lineage="digits", step=0, checkpoint="start", n_layers=5),
        run("b", lineage="digits", step=0, checkpoint="start", n_layers=9),
        run("c", "net 1", lineage="digits", step=1),
    ]
    found = grouping.find_trainings(runs)
    assert ids(found) == [["b", "c"]]
    assert found.left_out == {"a": "the same checkpoint on the same stimuli as run b"}
    assert ids(grouping.find_trainings(runs[:2])) == []


def test_a_run_that_is_named_twice_is_shown_once(run) -> None:
    one, two = run("a", lineage="digits", step=1), run("b", lineage="digits", step=0)
    assert in_order([one, two, one]) == (two, one)


def test_names_tell_models_apart_with_as_few_words_as_it_takes(run) -> None:
    assert grouping.model_names([run("a"), run("b", "inception_v3")]) == {"a": "googlenet", "b": "inception_v3"}
    two = [run("a", source="folder/weights.h5"), run("b", source="untrained, seed 0")]
    assert grouping.model_names(two) == {"a": "googlenet (weights)", "b": "googlenet (untrained)"}
    seeds = [run("a", source="untrained, seed 0"), run("b", source="untrained, seed 1")]
    assert grouping.model_names(seeds) == {
        "a": "googlenet (untrained, seed 0)",
        "b": "googlenet (untrained, seed 1)",
    }
    same = grouping.model_names([run("a" * 12), run("b" * 12), run("c", source="x")])
    assert same["a" * 12] == "googlenet (weights.h5), run aaaaaaaa"
    assert same["c"] == "googlenet (x)"
    assert grouping.set_names([run("a", n_stimuli=5), run("b", n_stimuli=9)]) == {
        "a": "photos (5)",
        "b": "photos (9)",
    }


def test_groups_are_told_apart_only_where_there_are_several(fake) -> None:
    runs = [fake.add_run(fake.MadeHistory(), f"run{index}", n_stimuli=4) for index in range(4)]
    alone, two = grouping.Grouping((tuple(runs[:2]),)), grouping.Grouping((tuple(runs[:2]), tuple(runs[2:])))
    assert list(alone.told_apart(lambda run: run.id)) == [(tuple(runs[:2]), "", "")]
    assert [ends for _, *ends in two.told_apart(lambda run: run.id)] == [["-1", " · run0"], ["-2", " · run2"]]
