"""Which step of a training a checkpoint is, by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.runs.checkpoints import is_several, list_checkpoints, read_steps


@pytest.mark.parametrize(
    ("names", "steps"),
    [
        (["epoch-3", "epoch-10"], [3, 10]),
        (["weights.01-2.31", "weights.12-0.34"], [1, 12]),
        (["resnet50_ckpt_100", "resnet50_ckpt_2000"], [100, 2000]),
        (["2026-11-28-step5", "2026-11-28-step6"], [5, 6]),
        (["model_007"], [7]),
        (["final", "best"], [None, None]),
        (["epoch-1", "epoch-1b2"], [None, None]),
        (["a1", "b1"], [None, None]),
    ],
)
def test_the_step_is_the_whole_number_that_differs(names: list[str], steps: list[int | None]) -> None:
    assert read_steps(names) == steps


def test_a_pattern_means_files_in_the_order_of_their_steps(tmp_path: Path) -> None:
    for epoch in (10, 2, 1):
        (tmp_path / f"epoch-{epoch}.weights.h5").touch()
    found = list_checkpoints([f"{tmp_path}/epoch-*.weights.h5"])
    assert [(each.step, each.name) for each in found] == [(1, "epoch-1"), (2, "epoch-2"), (10, "epoch-10")]


def test_a_file_with_brackets_in_its_name_is_itself(tmp_path: Path) -> None:
    path = tmp_path / "model[1].keras"
    path.touch()
    assert not is_several([str(path)])
    assert is_several([f"{tmp_path}/*.keras"])
    assert is_several(["a.keras", "b.keras"])
    assert not is_several(["googlenet"])


@pytest.mark.parametrize(
    ("models", "reason"),
    [(["*.keras"], "no file"), (["a1.keras", "a1.keras"], "twice"), (["best.keras", "final.keras"], "which step")],
)
def test_what_cannot_be_told_is_said(models: list[str], reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        list_checkpoints([str(tmp_path / model) for model in models])
