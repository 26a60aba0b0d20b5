"""Networks that take something else than pictures: what is stored is what PyTorch and NumPy say."""

from __future__ import annotations

from typing import Any

import layerwise as lw
import numpy as np
import pytest
import torch
from layerwise import InputError

RNG = np.random.default_rng(5)
SERIES = RNG.normal(size=(8, 11, 3)).astype(np.float32)
FACTS = RNG.integers(0, 10, (8, 4))
TOKENS = RNG.integers(1, 40, (8, 9))
MASK = (np.arange(9) < RNG.integers(3, 10, (8, 1))).astype(np.int64)


def made(name: str) -> Any:
    import encoders

    torch.manual_seed(3)
    return getattr(encoders, name)().eval()


def analyse(model: object, stimuli: object, **options: Any) -> lw.Run:
    return lw.analyze(model, stimuli, layers="all", progress=False, **options)


def agree(run: lw.Run, expected: dict[str, Any]) -> None:
    """Each layer's correlations are NumPy's of what PyTorch gives."""
    for name, values in expected.items():
        found = values.detach().numpy() if isinstance(values, torch.Tensor) else values
        rows = np.asarray(found, np.float64).reshape(len(found), -1)
        np.testing.assert_allclose(run.similarity(name).values, np.corrcoef(rows), atol=2e-5, err_msg=name)


def record(network: Any, *paths: str, **given: Any) -> dict[str, Any]:
    """What modules of a network return, by their paths."""
    found: dict[str, Any] = {}
    for path in paths:
        network.get_submodule(path).register_forward_hook(
            lambda _m, _a, value, path=path: found.update({path: value})
        )
    with torch.no_grad():
        network(**given)
    return found


@pytest.mark.parametrize("way", ["fx", "export"])
@pytest.mark.parametrize("memory", [None, 64 * 2**20])
def test_two_inputs_and_two_heads(way: str, memory: int | None) -> None:
    network = made("TwoInputs")
    network.layerwise = network.layerwise | {"graph": way}
    given = {"series": torch.tensor(SERIES), "facts": torch.tensor(FACTS)}
    expected = record(made("TwoInputs"), "steps", "side", "main", **given)
    with pytest.warns(lw.RunWarning, match="of 2 outputs 'logits' counts.*'side' are layers"):
        run = analyse(network, {"series": SERIES, "facts": FACTS}, memory=memory)
    agree(run, expected | {"series": SERIES, "facts": FACTS})
    assert run.layers[0] == "inputs"


def test_an_input_that_does_not_fit_is_told(tmp_path: Any) -> None:
    network = made("TwoInputs")
    for wrong, words in (
        ({"series": SERIES}, r"'facts' \(4, int64\): there is no 'facts'"),
        ({"series": SERIES, "facts": FACTS + 0.5}, "gives fractions to input 'facts'"),
        ({"series": SERIES[:, :, :2], "facts": FACTS}, r"have the shape \(11, 2\) where the model takes 'series'"),
    ):
        with pytest.raises(InputError, match=words):
            analyse(network, wrong)
    with pytest.raises(InputError, match="preprocessing of pixels has no meaning"):
        analyse(network, {"series": SERIES, "facts": FACTS}, preprocessing="unit")


@pytest.mark.filterwarnings("ignore::layerwise.RunWarning")
def test_a_vector_by_position_and_channels_that_are_no_picture() -> None:
    vectors = RNG.normal(size=(7, 6)).astype(np.float32)
    run = analyse(made("Vector"), vectors)
    expected = record(made("Vector"), "hidden", "out", x=torch.tensor(vectors))
    agree(run, expected | {"v": vectors})
    arrays = RNG.normal(size=(7, 12, 5, 7)).astype(np.float32)
    agree(analyse(made("Front"), arrays), record(made("Front"), "conv", "fc", x=torch.tensor(arrays)) | {"x": arrays})


@pytest.mark.filterwarnings("ignore::layerwise.RunWarning")
@pytest.mark.parametrize("way", ["fx", "export", "modules"])
def test_an_encoder_of_tokens_and_masks_that_gives_a_dataclass(way: str) -> None:
    network = made("Encoder")
    network.layerwise = {"graph": way}
    given = {"input_ids": torch.tensor(TOKENS), "attention_mask": torch.tensor(MASK)}
    expected = record(made("Encoder"), "words", "blocks.0", "blocks.1", "blocks.1.attention", "pooler", **given)
    run = analyse(network, {"input_ids": TOKENS, "attention_mask": MASK})
    agree(run, expected)
    unmasked = record(made("Encoder"), "pooler", input_ids=torch.tensor(TOKENS))
    assert np.abs(np.corrcoef(unmasked["pooler"]) - np.corrcoef(expected["pooler"])).max() > 0.01


def test_an_output_in_a_dataclass_is_named(load: Any) -> None:
    model = load("torch:encoders:Encoder", output="pooler_output")
    assert model.graph[model.graph.output].shape == (8,)
    assert load("torch:encoders:Encoder").graph[load("torch:encoders:Encoder").graph.output].shape == (12, 8)
    inner = load("torch:encoders:Encoder@output=hidden_states.1")
    assert inner.graph.output == "blocks.0"
    with pytest.raises(InputError, match=r"no tensor 'poolr': choose one of last_hidden_state, pooler_"):
        load("torch:encoders:Encoder@output=poolr")


def test_a_prediction_is_pytorchs_own_in_one_piece_and_cut(load: Any) -> None:
    model = load("torch:encoders:Encoder", shapes=((9,), (9,)), output="pooler_output", seed=1)
    packed = np.concatenate([TOKENS, MASK], 1).astype(np.float32)
    (whole,) = model.compile("inputs", [model.graph.output])(model.preprocess(packed))
    tensor = model.preprocess(packed)
    for start, end in zip(model.graph.cut_points(), model.graph.cut_points()[1:], strict=False):
        (tensor,) = model.compile(start, [end])(tensor)
    np.testing.assert_allclose(tensor, whole, atol=1e-6)
    torch.manual_seed(1)
    import encoders

    right = encoders.Encoder().eval()(torch.tensor(TOKENS), torch.tensor(MASK)).pooler_output
    np.testing.assert_allclose(whole, right.detach().numpy(), atol=1e-5)


@pytest.mark.filterwarnings("ignore::layerwise.RunWarning")
@pytest.mark.parametrize("named", [False, True])
def test_an_exported_program_says_what_it_takes(tmp_path: Any, named: bool) -> None:
    network = made("TwoInputs")
    batch = torch.export.Dim("batch", min=1)
    given = {"series": torch.tensor(SERIES), "facts": torch.tensor(FACTS)}
    args, kwargs = ((), given) if named else (tuple(given.values()), {})
    shapes = {"series": {0: batch}, "facts": {0: batch}}
    program = torch.export.export(network, args, kwargs, dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "two.pt2")
    run = analyse(str(tmp_path / "two.pt2"), {"series": SERIES, "facts": FACTS})
    agree(run, record(made("TwoInputs"), "steps", "side", "main", **given) | {"series": SERIES, "facts": FACTS})
    assert run.record.model.preprocessing == "values as they are given"


@pytest.mark.filterwarnings("ignore::layerwise.RunWarning")
def test_a_scripted_module_is_told_what_it_takes(tmp_path: Any) -> None:
    network = made("Vector")
    torch.jit.script(network).save(tmp_path / "vector.pt")
    vectors = RNG.normal(size=(7, 6)).astype(np.float32)
    run = analyse(f"{tmp_path}/vector.pt@inputs=v:float32:6", vectors)
    right = network(torch.tensor(vectors))[0].detach().numpy()
    np.testing.assert_allclose(run.similarity(run.layers[-1]).values, np.corrcoef(right), atol=2e-5)
    with pytest.raises(InputError, match="@inputs=NAME:TYPE:SHAPE"):
        analyse(f"{tmp_path}/vector.pt", vectors)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("inputs=v:float32", "inputs must be inputs as NAME:TYPE:SHAPE"),
        ("inputs=v:words:3", "inputs must be inputs as NAME:TYPE:SHAPE"),
        ("inputs=v:float32:0", "inputs must be inputs as NAME:TYPE:SHAPE"),
        ("inputs=series:float32:anyx3/fact:int64:4", "has no parameter 'fact'; it takes series, facts"),
        ("tokenizer=nowhere,inputs=series:float32:3", "and no tokens"),
        ("length=0", "a number of tokens"),
    ],
)
def test_an_input_that_means_nothing_is_refused(load: Any, said: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        load(f"torch:encoders:TwoInputs@{said}")


def test_a_network_is_the_same_whatever_its_module_is_wrapped_in(load: Any) -> None:
    prints = [load("torch:encoders:Encoder", seed=seed).info.fingerprint for seed in (1, 1, 2)]
    assert prints[0] == prints[1] != prints[2]
