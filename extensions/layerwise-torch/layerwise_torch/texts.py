"""Texts for networks that take tokens: a tokenizer from a local folder, and what it makes of each text.

The tokenizer is read by the `transformers` library, where that is installed, else a `tokenizer.json` by `tokenizers`.
Nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from layerwise.plugin import InputError, InputSpec
from numpy.typing import NDArray

from layerwise_torch.errors import describe_error

DEFAULT_LENGTH = 128
"""Tokens of a text, where nothing is said."""
_LETTERS = 256  # as long as Layerwise takes sets of usual texts to be, so that the network need not be loaded twice
_MOST_INPUTS = 2  # tokens and their mask
_BESIDE = ("merges", "special_tokens", "added_tokens")
_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model")


@dataclass(frozen=True)
class Tokenizer:
    """Makes numbers of a text.

    Attributes:
        encode: From a text to its tokens' numbers, those that the network wants at the ends included.
        filling: Number that rows are filled up with.
        identity: Digest of all that decides what it does.
    """

    encode: Callable[[str], Sequence[int]]
    filling: int
    identity: str


@dataclass(frozen=True)
class TextReader:
    """Makes of texts what a network takes.

    Attributes:
        tokenizer: The tokenizer.
        inputs: What the network takes: tokens, and perhaps the mask that says which are no filling.
        n_letters: Letters of the longest text.
    """

    tokenizer: Tokenizer
    inputs: tuple[InputSpec, ...]
    n_letters: int = _LETTERS

    @property
    def spec(self) -> InputSpec:
        """What goes in: a text."""
        return InputSpec("text", (self.n_letters,), "string", (None,))

    @property
    def identity(self) -> object:
        """What decides the tokens of a text."""
        return ["texts", self.tokenizer.identity, self.inputs[0].shape[0]]

    def read(self, letters: NDArray[np.generic]) -> NDArray[np.float32]:
        """Tokens and their mask, one after the other.

        Args:
            letters: (stimuli, letters): their numbers in Unicode, filled up with zeros.

        Returns:
            (stimuli, all that the network takes).

        Raises:
            InputError: If a text has more tokens than the network is run with.
        """
        length = self.inputs[0].shape[0]
        tokens = np.full((len(letters), length), self.tokenizer.filling, np.float32)
        mask = np.zeros((len(letters), length), np.float32)
        for row, numbers in enumerate(letters.astype(np.int64)):
            text = "".join(map(chr, numbers[numbers > 0].tolist()))
            found = self.tokenizer.encode(text)
            if len(found) > length:
                raise InputError(
                    f"'{text[:40]}...' has {len(found)} tokens, more than the {length} that the network is run with: "
                    "say @length=NUMBER behind the MODEL, or shorten the text"
                )
            tokens[row, : len(found)] = found
            mask[row, : len(found)] = 1
        return np.concatenate([tokens, mask][: len(self.inputs)], axis=1)


def make_reader(
    folder: str,
    inputs: Sequence[InputSpec],
    length: int,
    shapes: Sequence[tuple[int, ...]] | None,
    owner: str,
) -> TextReader:
    """What makes tokens of texts for a network.

    Args:
        folder: Where the tokenizer is.
        inputs: What the network takes.
        length: Tokens of a text that it is run with.
        shapes: Of the stimuli, where they are known: the letters of the longest text.
        owner: What the network is called, for messages.

    Raises:
        InputError: If the network does not take tokens, or there is no tokenizer.
    """
    is_tokens = bool(inputs) and all(spec.dtype.startswith("int") and len(spec.shape) == 1 for spec in inputs)
    if not is_tokens or len(inputs) > _MOST_INPUTS:
        taken = ", ".join(map(str, inputs)) or "pictures"
        raise InputError(f"{owner} takes {taken}, and no tokens (with a mask): a tokenizer is of no use to it")
    sized = tuple(replace(spec, shape=(length,)) for spec in inputs)
    if any(spec.declared is not None and not spec.allows(spec.shape) for spec in sized):
        sized = tuple(inputs)
    return TextReader(load_tokenizer(folder), sized, _LETTERS if shapes is None else shapes[0][0])


def load_tokenizer(folder: str) -> Tokenizer:
    """The tokenizer in a local folder.

    Raises:
        InputError: If there is none, it cannot be read, or the library for it is not installed.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise InputError(f"no folder '{folder}' with a tokenizer")
    if not holds_tokenizer(path):
        raise InputError(f"there is no tokenizer in {folder} ({', '.join(_FILES[:2])}, ...)")
    try:
        from transformers import AutoTokenizer
    except ImportError:
        return _load_plain(path)
    try:
        found = AutoTokenizer.from_pretrained(str(path), local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the library raises a dozen types for a folder that it cannot read
        raise InputError(f"cannot read the tokenizer in {folder}: {describe_error(error)}") from error
    filling = found.pad_token_id if found.pad_token_id is not None else 0

    def encode(text: str) -> Sequence[int]:
        numbers: Sequence[int] = found(text, verbose=False)["input_ids"]
        return numbers

    return Tokenizer(encode, int(filling), _digest_files(path))


def holds_tokenizer(folder: Path) -> bool:
    """Whether a tokenizer's files are in a folder."""
    return any((folder / name).is_file() for name in _FILES)


def _load_plain(path: Path) -> Tokenizer:
    """A `tokenizer.json` without `transformers`; which token fills rows up is in the file beside it."""
    try:
        from tokenizers import Tokenizer as Plain
    except ImportError as error:
        raise InputError(f"{path}: transformers is not installed; pip install transformers") from error
    file = path / "tokenizer.json"
    if not file.is_file():
        raise InputError(
            f"{path} has no tokenizer.json; other tokenizers need transformers: pip install transformers"
        )
    try:
        found = Plain.from_file(str(file))
    except Exception as error:  # the library's only type of error
        raise InputError(f"cannot read {file}: {describe_error(error)}") from error
    found.no_truncation()
    found.no_padding()

    def encode(text: str) -> Sequence[int]:
        numbers: Sequence[int] = found.encode(text).ids
        return numbers

    return Tokenizer(encode, _find_filling(path, found), _digest_files(path))


def _find_filling(path: Path, tokenizer: Any) -> int:
    config = path / "tokenizer_config.json"
    token: Any = "[PAD]"
    if config.is_file():
        try:
            token = json.loads(config.read_text(encoding="utf-8")).get("pad_token", token)
        except (OSError, ValueError) as error:
            raise InputError(f"cannot read {config}: {describe_error(error)}") from error
    number = tokenizer.token_to_id(token if isinstance(token, str) else str((token or {}).get("content")))
    return 0 if number is None else int(number)


def _digest_files(path: Path) -> str:
    """Digest of the files in a folder that say what its tokenizer does."""
    digest = hashlib.sha256()
    for file in sorted(path.iterdir()):
        if file.is_file() and (file.name in _FILES or file.name.startswith(_BESIDE)):
            digest.update(f"{file.name}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return digest.hexdigest()
