"""TorchScript and `torch.export` files, weights files, and files that would run code."""

from __future__ import annotations

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
import torch
from layerwise.plugin import InputError
from layerwise.testing import check_loader

from layerwise_torch.files import sniff
from layerwise_torch.loaders import TorchFileLoader
from layerwise_torch.vetting import find_calls, find_code, is_computing, is_plain_expression

SHARED = ["conv", "relu", "fc"]


@pytest.fixture
def example():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def script(network, tmp_path):
    torch.jit.script(network).save(str(tmp_path / "scripted.pt"))
    return tmp_path / "scripted.pt"


@pytest.fixture
def exported(network, example, tmp_path):
    shapes = ({0: torch.export.Dim("n", min=1)},)
    torch.export.save(torch.export.export(network, (example,), dynamic_shapes=shapes), tmp_path / "any.pt2")
    return tmp_path / "any.pt2"


@pytest.fixture
def exported_for_one(network, example, tmp_path):
    torch.export.save(torch.export.export(network, (example[:1],)), tmp_path / "one.pt2")
    return tmp_path / "one.pt2"


@pytest.fixture
def plain(load, values, state_file):
    """What the network's own modules give."""
    return values(load("torch:small:Inception", weights=str(state_file)))


class Evil:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return (open, (self.trace, "w"))


def test_a_scripted_network_gives_what_it_was_scripted_from(load, values, script, plain):
    model = load(f"{script}@size=32")
    found = values(model, *SHARED)
    for name in SHARED:
        np.testing.assert_allclose(found[name], plain[name], atol=1e-5)
    assert {layer.block for layer in model.layers} == {None, "cat", "cat_1"}
    np.testing.assert_allclose(values(model, "cat/3x3")["cat/3x3"], plain["mixed0/3x3"], atol=1e-5)
    assert {tensor.name for tensor in model.weights()} >= {"conv/weight", "mixed0.b.2/weight", "fc/bias"}
    assert model.info.source.startswith("scripted.pt (sha256 ")


def test_a_traced_and_a_frozen_network_work_too(load, values, network, example, plain, tmp_path):
    torch.jit.trace(network, example).save(str(tmp_path / "traced.pts"))
    torch.jit.freeze(torch.jit.script(network)).save(str(tmp_path / "frozen.pt"))
    traced = values(load(f"{tmp_path / 'traced.pts'}@size=32"), "fc")
    np.testing.assert_allclose(traced["fc"], plain["fc"], atol=1e-5)
    frozen = load(f"{tmp_path / 'frozen.pt'}@size=32")
    np.testing.assert_allclose(values(frozen, "linear")["linear"], plain["fc"], atol=1e-4)
    assert frozen.info.n_parameters > 0


@pytest.mark.parametrize("file", ["exported", "exported_for_one"])
def test_an_exported_network_gives_what_it_was_exported_from(load, values, plain, request, file):
    model = load(str(request.getfixturevalue(file)))
    assert model.info.input_shape == (32, 32, 3)  # the file says it
    found = values(model)
    for name in ("conv", "mixed0", "mixed0/5x5", "stage.0", "mixed1", "fc"):
        np.testing.assert_allclose(found[name], plain[name], atol=1e-5, err_msg=name)


@pytest.mark.parametrize("file", ["exported", "state_file"])
def test_what_pytorch_deprecates_of_itself_is_not_the_user_s_concern(load, request, file, recwarn):
    path = str(request.getfixturevalue(file))
    load(path) if file == "exported" else load("torch:small:Inception", weights=path)
    assert [str(warning.message) for warning in recwarn if warning.category is FutureWarning] == []


def test_files_keep_what_a_loader_promises(script, exported, exported_for_one):
    check_loader(TorchFileLoader(), f"{script}@size=32")
    check_loader(TorchFileLoader(), str(exported))
    check_loader(TorchFileLoader(), str(exported_for_one))


def test_what_a_file_is_shows_in_the_file_not_in_its_name(script, exported, state_file, tmp_path):
    assert (sniff(script), sniff(exported), sniff(state_file)) == ("script", "export", "pickle")
    (tmp_path / "renamed.pt").write_bytes(exported.read_bytes())
    assert sniff(tmp_path / "renamed.pt") == "export"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no model file"),
        (b"", "is not a PyTorch file, or is damaged"),
        (b"hello", "is not a PyTorch file, or is damaged"),
        ("zip", "is an archive, but not one that PyTorch saves"),
    ],
)
def test_a_file_that_is_none_of_these_is_refused(load, tmp_path, content, message):
    path = tmp_path / "x.pt"
    if content == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a", "b")
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load(str(path))


def test_a_damaged_file_is_refused(load, script, exported):
    for path in (script, exported):
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, part in parts.items():
                archive.writestr(name, part[: len(part) // 2])
        with pytest.raises(InputError, match=r"cannot load|could run code"):
            load(f"{path}@size=32")


def test_weights_do_not_go_with_a_file_that_brings_its_own(load, script, state_file):
    with pytest.raises(InputError, match="brings its own weights"):
        load(str(script), weights=str(state_file))


def test_a_state_dictionary_is_no_model(load, state_file):
    with pytest.raises(InputError, match="holds weights only: name the network"):
        load(str(state_file))


def test_a_pickled_network_is_refused_unless_it_is_trusted(load, values, tmp_path, plain, state_file):
    import small

    network = small.Inception()
    network.load_state_dict(torch.load(state_file))
    torch.save(network, tmp_path / "pickled.pt")
    with pytest.raises(InputError, match=r"would run code .* add --allow-unsafe"):
        load(str(tmp_path / "pickled.pt"))
    model = load(str(tmp_path / "pickled.pt"), allow_unsafe=True)
    np.testing.assert_allclose(values(model, "fc")["fc"], plain["fc"], atol=1e-5)


def test_code_in_a_weights_file_does_not_run(load, tmp_path):
    trace = tmp_path / "trace"
    torch.save({"a": Evil(trace)}, tmp_path / "evil.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps(Evil(trace)))
    for name in ("evil.pth", "old.pth"):
        with pytest.raises(InputError):
            load("torch:small:Inception", weights=str(tmp_path / name))
        with pytest.raises(InputError):
            load(str(tmp_path / name))
    assert not trace.exists()


@pytest.mark.parametrize("part", ["sample_inputs", "weights"])
def test_code_in_an_exported_file_does_not_run(load, exported, tmp_path, part):
    trace = tmp_path / "trace"
    evil = io.BytesIO()
    torch.save((Evil(trace),), evil)
    with zipfile.ZipFile(exported) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for name, content in list(parts.items()):
        if part == "sample_inputs" and "/sample_inputs/" in name:
            parts[name] = evil.getvalue()
        if part == "weights" and name.endswith("weights_config.json"):
            config = json.loads(content)
            first = next(iter(config["config"].values()))
            first["use_pickle"] = True
            parts[name] = json.dumps(config).encode()
            folder = name.rpartition("/")[0]
            parts[f"{folder}/{first['path_name']}"] = evil.getvalue()
    with zipfile.ZipFile(exported, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(InputError):
        load(str(exported))
    assert not trace.exists()


@pytest.mark.parametrize("text", ["s77", "2*s0 + 1", "Symbol('s77', positive=True)", "Max(1, s0//2)", ""])
def test_formulas_for_sizes_are_accepted(text):
    assert is_plain_expression(text)


@pytest.mark.parametrize(
    "text", ["__import__('os')", "open('x')", "s0.__class__", "exec(s0)", "s0.a", "Symbol(open('x'))", "'a'", 3]
)
def test_sizes_that_are_code_are_not(text):
    assert not is_plain_expression(text)


def test_a_size_that_is_code_is_found_in_the_file(exported):
    assert find_code(exported) == ""
    with zipfile.ZipFile(exported) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(exported, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(b"Symbol('s", b"open('s"))
    assert find_code(exported) == "a size that is no formula"


def test_an_exported_program_says_what_it_takes_or_is_refused(load, tmp_path):
    program = torch.export.export(torch.nn.Linear(3, 2), (torch.randn(2, 3),))
    torch.export.save(program, tmp_path / "linear.pt2")
    (spec,) = load(str(tmp_path / "linear.pt2")).inputs
    assert (spec.shape, spec.dtype) == ((3,), "float32")

    class Scaled(torch.nn.Module):
        def forward(self, values, factor):
            return values * factor

    program = torch.export.export(Scaled(), (torch.randn(2, 3), torch.tensor(2.0)))
    torch.export.save(program, tmp_path / "scaled.pt2")
    with pytest.raises(InputError, match="input 'factor' is one number, without a row for each stimulus"):
        load(str(tmp_path / "scaled.pt2"))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": {f"module.{name}": value for name, value in state.items()}},
        lambda state: {f"_orig_mod.module.{name}": value for name, value in state.items()},
    ],
)
def test_checkpoints_and_wrapped_names_are_understood(load, values, small_state, plain, tmp_path, wrap):
    torch.save(wrap(small_state), tmp_path / "checkpoint.ckpt")
    model = load("torch:small:Inception", weights=str(tmp_path / "checkpoint.ckpt"))
    np.testing.assert_array_equal(values(model, "fc")["fc"], plain["fc"])


def test_safetensors_are_read(load, values, small_state, plain, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file(
        {name: value.contiguous() for name, value in small_state.items()}, tmp_path / "w.safetensors"
    )
    model = load("torch:small:Inception", weights=str(tmp_path / "w.safetensors"))
    np.testing.assert_array_equal(values(model, "fc")["fc"], plain["fc"])
    (tmp_path / "w.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="is not a safetensors file, or is damaged"):
        load("torch:small:Inception", weights=str(tmp_path / "w.safetensors"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {k: v for k, v in s.items() if "fc" not in k}, "2 missing: fc.bias, fc.weight"),
        (lambda s: {**s, "head.weight": s["fc.weight"]}, "1 not in it: head.weight"),
        (lambda s: {**s, "fc.bias": torch.zeros(3)}, r"1 of another shape: fc.bias \(3, expected 10\)"),
        (lambda s: {"epoch": 3}, "holds a dict without weights"),
        (lambda s: [1, 2], "holds a list without weights"),
    ],
)
def test_weights_that_do_not_fit_are_named(load, small_state, tmp_path, change, message):
    torch.save(change(small_state), tmp_path / "w.pth")
    with pytest.raises(InputError, match=message) as caught:
        load("torch:small:Inception", weights=str(tmp_path / "w.pth"))
    assert "\n" not in str(caught.value)


def test_a_weights_file_that_is_missing_or_damaged_is_named(load, tmp_path):
    with pytest.raises(InputError, match="no weights file"):
        load("torch:small:Inception", weights=str(tmp_path / "none.pth"))
    (tmp_path / "w.pth").write_bytes(b"hello")
    with pytest.raises(InputError, match="is not a PyTorch file, or is damaged"):
        load("torch:small:Inception", weights=str(tmp_path / "w.pth"))


class Saving(torch.nn.Module):
    """Writes its weights to a file whenever it is called."""

    def __init__(self, path: str):
        super().__init__()
        self.path = path
        self.conv = torch.nn.Conv2d(3, 4, 3)

    def forward(self, x):
        torch.save(self.conv.weight, self.path)
        return self.conv(x).mean((2, 3))


class Mapping(torch.nn.Module):
    """Reads a file as numbers."""

    def __init__(self, path: str):
        super().__init__()
        self.path = path
        self.conv = torch.nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.conv(x).mean((2, 3)) + torch.from_file(self.path, False, 4)


def test_a_script_that_reads_or_writes_files_is_refused_before_it_is_loaded(load, tmp_path):
    trace = tmp_path / "trace"
    for number, (network, name) in enumerate(((Saving(str(trace)), "save"), (Mapping("/etc/passwd"), "from_file"))):
        path = tmp_path / f"evil{number}.pt"
        torch.jit.script(network).save(str(path))
        with pytest.raises(InputError, match=rf"calls torch\.{name}, .* add --allow-unsafe"):
            load(f"{path}@size=32")
    assert not trace.exists()
    load(f"{tmp_path / 'evil0.pt'}@size=32", allow_unsafe=True)
    assert trace.exists()


@pytest.mark.parametrize(
    "code",
    [
        "torch.save(x, p)",
        "torch . save (x, p)",
        "torch.#c\nsave(x, p)",
        "ops.aten.from_file(p)",
        "ops.image.read_file(p)",
        "__torch__.torch.classes.ns.Thing(p)",
        "ops.other.thing(x)",
    ],
)
def test_operations_that_act_are_found_however_they_are_written(code):
    assert find_calls(f"def forward(self, x):\n  return {code}\n")


def test_what_a_step_calls_is_held_against_what_computes():
    assert all(map(is_computing, ("torch.ops.aten.add.Tensor", "_operator.getitem", "torch.sym_float", "math.floor")))
    assert is_computing("torch.ops.higher_order.cond")
    for target in ("torch.ops.aten.from_file.default", "torch.os.system", "os.system", "torch.load", "builtins.exec"):
        assert not is_computing(target)


def test_an_exported_program_with_a_foreign_call_is_refused(load, exported):
    with zipfile.ZipFile(exported) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(exported, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(b"torch.ops.aten.relu.default", b"torch.os.system"))
    with pytest.raises(InputError, match=r"holds a call of torch\.os\.system"):
        load(str(exported))
