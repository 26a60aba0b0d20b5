"""Texts for networks that take tokens, and networks in folders as HuggingFace's library saves them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import layerwise as lw
import numpy as np
import pytest
import torch
from layerwise import InputError

TEXTS = ["the cat sat", "a dog ran far away", "the dog sat", "cat and dog", "far away the cat ran and ran"]
WORDS = sorted({word for text in TEXTS for word in text.split()})


@pytest.fixture
def tokenizer_folder(tmp_path: Path) -> Path:
    """A tokenizer of whole words, with a word at each end."""
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder = tmp_path / "words"
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def tokens_of(length: int) -> tuple[Any, Any]:
    rows = [[2, *(4 + WORDS.index(word) for word in text.split()), 3] for text in TEXTS]
    tokens = torch.tensor([row + [0] * (length - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    return tokens, mask


def agree(run: lw.Run, layer: str, values: Any) -> None:
    rows = values.detach().double().reshape(len(values), -1).numpy()
    np.testing.assert_allclose(run.similarity(layer).values, np.corrcoef(rows), atol=2e-5)


@pytest.mark.filterwarnings("ignore::layerwise.RunWarning")
@pytest.mark.parametrize("library", ["transformers", "tokenizers"])
def test_texts_go_through_a_tokenizer_from_a_folder(
    tokenizer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    import encoders

    if library == "tokenizers":
        monkeypatch.setitem(sys.modules, "transformers", None)
    else:
        pytest.importorskip("transformers")
    torch.manual_seed(4)
    network = encoders.Encoder().eval()
    network.layerwise = {"tokenizer": str(tokenizer_folder), "length": 10}
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    right = network(*tokens_of(10))
    for stimuli in (TEXTS, str(tmp_path / "texts.txt")):
        run = lw.analyze(network, stimuli, layers="all", progress=False)
        agree(run, "blocks.1", right.last_hidden_state)
        agree(run, "pooler", network.pooler(right.last_hidden_state[:, 0]))
        assert run.stimuli[1] == "2 a dog ran far away"


@pytest.mark.filterwarnings("ignore::layerwise.RunWarning")
def test_a_text_that_is_too_long_is_an_error_with_a_remedy(tokenizer_folder: Path) -> None:
    import encoders

    network = encoders.Encoder().eval()
    network.layerwise = {"tokenizer": str(tokenizer_folder), "length": 6}
    with pytest.raises(InputError, match=r"'a dog ran far.*has 7 tokens, more than the 6 .*@length=NUMBER"):
        lw.analyze(network, TEXTS, layers="all", progress=False)


def test_the_tokenizer_is_part_of_what_a_network_is(load: Any, tokenizer_folder: Path) -> None:
    model = f"torch:encoders:Encoder@tokenizer={tokenizer_folder},length=8"
    first = load(model).info.fingerprint
    assert load(model).info.fingerprint == first
    file = tokenizer_folder / "tokenizer.json"
    file.write_text(file.read_text().replace('"cat"', '"cow"'))
    assert load(model).info.fingerprint != first


@pytest.mark.parametrize(
    ("folder", "words"),
    [("nowhere", "no folder 'nowhere' with a tokenizer"), (".", "there is no tokenizer in ")],
)
def test_a_tokenizer_that_is_not_there_is_told(load: Any, folder: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        load(f"torch:encoders:Encoder@tokenizer={folder}")


def test_without_the_library_one_line_says_what_is_missing(
    load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="transformers is not installed: pip install transformers"):
        load(f"transformers:{tmp_path}")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="transformers is not installed; pip install transformers"):
        load(f"torch:encoders:Encoder@tokenizer={tmp_path}")


@pytest.fixture
def bert_folder(tokenizer_folder: Path) -> Path:
    """A small BERT built from a configuration, saved beside its tokenizer."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(6)
    config = transformers.BertConfig(
        vocab_size=4 + len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=24, max_position_embeddings=20,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(tokenizer_folder)
    return tokenizer_folder


@pytest.mark.filterwarnings("ignore::layerwise.RunWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_a_bert_of_a_folder_reads_texts(bert_folder: Path) -> None:
    import transformers

    network = transformers.BertModel.from_pretrained(bert_folder).eval()
    with torch.no_grad():
        right = network(*tokens_of(20), output_hidden_states=True)
    run = lw.analyze(f"transformers:{bert_folder}@length=20", TEXTS, layers="all", progress=False)
    agree(run, "encoder.layer.0.output.LayerNorm", right.hidden_states[1])
    agree(run, "encoder.layer.1.output.LayerNorm", right.last_hidden_state)
    agree(run, "pooler.activation", right.pooler_output)
    assert run.record.model.name == "words"


@pytest.mark.filterwarnings("ignore::layerwise.RunWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_a_classifier_of_a_folder_gives_probabilities_by_name(bert_folder: Path) -> None:
    import transformers

    torch.manual_seed(7)
    config = transformers.BertConfig.from_pretrained(bert_folder, id2label={0: "pets", 1: "trips", 2: "rest"})
    network = transformers.BertForSequenceClassification(config).eval()
    network.save_pretrained(bert_folder)
    with torch.no_grad():
        right = network(*tokens_of(20)).logits.softmax(-1)
    run = lw.analyze(f"transformers:{bert_folder}", (TEXTS, ["pets"] * 5), layers="main", progress=False)
    found = run.predictions().sort("stimulus") if "stimulus" in run.predictions().columns else run.predictions()
    assert run.record.model.class_names == ("pets", "trips", "rest")
    agree(run, run.layers[-1], right)
    assert len(found) >= len(TEXTS)
