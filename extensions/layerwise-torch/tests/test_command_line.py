"""The extension as people meet it: `layerwise layers`, `run`, `compare`, `models`, `plugins`."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest


@pytest.fixture
def pictures(tmp_path, pixels):
    np.save(tmp_path / "pictures.npy", np.concatenate([pixels, pixels[::-1] // 2 + 30]))
    return tmp_path / "pictures.npy"


def test_layers_are_listed_and_selected(command_line):
    listed = command_line("layers", "torch:small:Inception", "--layers", "block:mixed0", "--json").json
    assert [entry["name"] for entry in listed][-1] == "mixed0"
    assert listed[0] == {
        "name": "mixed0/1x1",
        "op": "activation",
        "block": "mixed0",
        "branch": "1x1",
        "shape": [16, 16, 4],
        "n_features": 1024,
    }
    ends = command_line(
        "layers", "torch:small:Inception", "--layers", "module:stage", "--layers", "type:dense", "--json"
    )
    assert [entry["name"] for entry in ends.json] == ["stage.1", "fc"]
    nothing = command_line("layers", "torch:small:Inception", "--layers", "module:nowhere")
    assert (nothing.code, nothing.err.count("\n")) == (2, 1)


def test_a_run_is_stored_compared_and_answered_again(command_line, pictures, state_file):
    options = ["--weights", state_file, "--stimuli", pictures, "--layers", "main", "--layers", "branches", "--json"]
    run = command_line("run", "torch:small:Inception", *options)
    assert run.code == 0, run.err
    assert run.json["layers"][-1] == "fc"
    compared = command_line("compare", run.json["run_id"], "--json").json
    assert np.isfinite(np.array(compared["matrix"], float)).all()
    again = command_line("run", "torch:small:Inception", *options).json
    assert (again["run_id"], again["status"]) == (run.json["run_id"], "stored")


def test_numbers_depend_neither_on_memory_nor_on_the_batch_size(command_line, pictures):
    shared = ["torch:small:Inception", "--stimuli", pictures, "--layers", "all", "--force", "--json"]
    matrices = []
    for options in (["--batch-size", 12], ["--batch-size", 5], ["--memory", "24MiB", "--batch-size", 1]):
        run = command_line("run", *shared, *options)
        assert run.code == 0, run.err
        matrices.append(np.array(command_line("compare", run.json["run_id"], "--json").json["matrix"], float))
    np.testing.assert_allclose(matrices[1], matrices[0], atol=1e-4)
    np.testing.assert_allclose(matrices[2], matrices[0], atol=1e-4)


def test_predictions_come_with_names_where_classes_are_known(command_line, pictures):
    run = command_line("run", "torch:small:Classifier", "--stimuli", pictures, "--json").json
    found = command_line("query", "select * from predictions", "--format", "json").json
    assert {row["class_name"] for row in found if row["run_id"] == run["run_id"]} <= set("abcdefghij")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["torch:small:failing"], "failed to make the network: ValueError: no weights"),
        (["torch:nowhere:Net"], "there is no Python module 'nowhere'"),
        (["torch:small:Mixing"], "depends on the others in its batch"),
        (["none.pt2"], "no model file 'none.pt2'"),
        (["torch:small:Inception@size=x"], "size must be"),
        (["x.pt@size=x"], "size must be"),
        (["torchvision:resnet50"], "torchvision is not installed: pip install torchvision"),
        (["timm:resnet50"], "timm is not installed: pip install timm"),
    ],
)
def test_what_a_user_gets_wrong_is_one_line_and_exit_code_2(command_line, arguments, message):
    said = command_line("layers", *arguments)
    assert said.code == 2
    assert message in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_plugins_and_models_list_it_without_importing_pytorch():
    script = (
        "import sys; from layerwise.cli import main; "
        "codes = [main([word, '--json']) for word in ('plugins', 'models')]; "
        "print(codes, 'torch' in sys.modules, file=sys.stderr)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "[0, 0] False" in said.stderr
    assert "layerwise-torch" in said.stdout


def test_other_commands_do_not_pay_for_pytorch(command_line):
    script = "import sys; from layerwise.cli import main; main(['runs']); print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.strip().endswith("False")
