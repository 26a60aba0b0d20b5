"""What can be said of a network besides its weights: how large its input is, what is done to pixels, where it runs.

It is said in three places, the later winning over the earlier: by the network itself, in an attribute `layerwise`
(a dictionary) of the module; by `--preprocessing`, for what is done to pixels; and after an `@` behind the
MODEL, as in `torch:nets:Small@size=28x28,channels=1`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from layerwise.plugin import InputError, InputSpec, near_names

DEVICE_VARIABLE = "LAYERWISE_TORCH_DEVICE"


@dataclass(frozen=True)
class Settings:
    """What is said of a network; None where nothing is.

    Attributes:
        size: Height and width of its input.
        channels: Channels of its input, 1 or 3.
        mean: By channel, in the order and range that the network takes them.
        std: By channel, in the same units.
        range: The value of a white pixel before mean and std: 1 as in torchvision, or 255.
        order: Order of the channels, `rgb` or `bgr`.
        resize: The resize policy its authors used.
        classes: Names of its outputs.
        softmax: Whether its output is logits, to which a softmax is to be added.
        output: Which of several outputs is meant: a key or a position.
        device: Where it runs: `cpu`, `cuda`, `cuda:1`, `mps`.
        dtype: What it computes in: `float32`, `float16` or `bfloat16`; what its weights have otherwise.
        tf32: Whether the network may compute in TF32 on a CUDA GPU, faster and with three digits less.
        graph: How its graph is found: `fx`, `export` or `modules`; the first that works otherwise.
        inputs: What goes in where that is not one picture.
        tokenizer: A local folder with the tokenizer that makes tokens of texts.
        length: Tokens of a text that it is run with.
    """

    size: tuple[int, int] | None = None
    channels: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    range: float | None = None
    order: Literal["rgb", "bgr"] | None = None
    resize: Literal["squash", "crop"] | None = None
    classes: tuple[str, ...] | None = None
    softmax: bool | None = None
    output: str | None = None
    device: str | None = None
    dtype: str | None = None
    tf32: bool | None = None
    graph: Literal["fx", "export", "modules"] | None = None
    inputs: tuple[InputSpec, ...] | None = None
    tokenizer: str | None = None
    length: int | None = None

    def over(self, other: Settings) -> Settings:
        """These settings, and where they say nothing those of `other`."""
        said = {item.name: getattr(self, item.name) for item in fields(self)}
        return replace(other, **{name: value for name, value in said.items() if value is not None})

    @property
    def says_pixels(self) -> bool:
        """Whether what is done to pixels is said, if only in part."""
        return any(value is not None for value in (self.mean, self.std, self.range, self.order))


def split_model(model: str) -> tuple[str, Settings]:
    """The MODEL argument without its settings, and those.

    Raises:
        InputError: If a setting does not exist or its value is none.
    """
    name, at, text = model.rpartition("@")
    if not at or not re.match(r"\w+=", text):
        return model, Settings()
    pairs: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals:
            raise InputError(f"{model}: '{part}' after '@' is not of the form setting=value")
        pairs[key.strip()] = value.strip()
    return name, read_settings(pairs, model)


def read_settings(pairs: Mapping[str, Any], owner: str) -> Settings:
    """Settings from names and values, as text or as Python values.

    Args:
        pairs: Setting to value.
        owner: What they are said of, for messages.

    Raises:
        InputError: If a setting does not exist or its value is none.
    """
    said: dict[str, Any] = {}
    for key, value in pairs.items():
        if key not in _READERS:
            raise InputError(f"{owner}: there is no setting '{key}'{near_names(str(key), list(_READERS))}")
        try:
            said[key] = _READERS[key](value)
        except (TypeError, ValueError) as error:
            raise InputError(f"{owner}: {key} must be {error}, not {value!r}") from error
    return Settings(**said)


def own_settings(module: Any, owner: str) -> Settings:
    """What a network's attribute `layerwise` says, if it has one.

    Raises:
        InputError: If the attribute is no dictionary of settings.
    """
    said = getattr(module, "layerwise", None)
    if said is None:
        return Settings()
    if not isinstance(said, Mapping):
        raise InputError(
            f"{owner}: its attribute 'layerwise' is a {type(said).__name__}, not a dictionary of settings"
        )
    return read_settings(said, owner)


def device_in_environment() -> str | None:
    """The device that is asked for where neither the command line nor a setting names one."""
    return os.environ.get(DEVICE_VARIABLE) or None


def _read_size(value: Any) -> tuple[int, int]:
    parts = value.lower().split("x") if isinstance(value, str) else value
    sizes = [int(part) for part in ([parts] if isinstance(parts, int) else parts)]
    if len(sizes) not in (1, 2) or min(sizes) < 1:
        raise ValueError("a height and width such as 224x224")
    return (sizes[0], sizes[-1])


def _read_channels(value: Any) -> int:
    if int(value) not in (1, 3):
        raise ValueError("1 or 3")
    return int(value)


def _read_numbers(value: Any) -> tuple[float, ...]:
    try:
        parts = value.split("/") if isinstance(value, str) else value
        return tuple(float(part) for part in ([parts] if isinstance(parts, int | float) else parts))
    except (TypeError, ValueError):
        raise ValueError("numbers by channel, such as 0.5/0.5/0.5") from None


def _read_std(value: Any) -> tuple[float, ...]:
    numbers = _read_numbers(value)
    if min(numbers) <= 0:
        raise ValueError("positive numbers by channel, such as 0.5/0.5/0.5")
    return numbers


def _read_range(value: Any) -> float:
    number = float(value)
    if not 0 < number < float("inf"):
        raise ValueError("a positive number, such as 1 or 255")
    return number


def _read_classes(value: Any) -> tuple[str, ...]:
    return tuple(value.split("/")) if isinstance(value, str) else tuple(str(name) for name in value)


def _read_inputs(value: Any) -> tuple[InputSpec, ...]:
    """`tokens:int64:any/facts:float32:4`, or a dictionary of names to types and shapes."""
    try:
        return _make_inputs(value)
    except (TypeError, ValueError, AttributeError):
        raise ValueError("inputs as NAME:TYPE:SHAPE, such as tokens:int64:any/series:float32:anyx3") from None


def _make_inputs(value: Any) -> tuple[InputSpec, ...]:
    from layerwise_torch.inputs import make_spec  # which imports PyTorch: `plugins` and `models` need none of it

    if isinstance(value, str):
        parts = [part.split(":") for part in value.split("/")]
        said = [(name, kind, sides.lower().split("x") if sides else []) for name, kind, sides in parts]
    else:
        said = [(name, kind, list(sides)) for name, (kind, sides) in value.items()]
    specs = tuple(make_spec(name, kind, [_read_side(side) for side in sides]) for name, kind, sides in said)
    if not specs or not all(spec.name.isidentifier() for spec in specs):
        raise ValueError(value)
    return specs


def _read_side(side: Any) -> int | None:
    if side in (None, "any"):
        return None
    if int(side) < 1:
        raise ValueError
    return int(side)


def _read_length(value: Any) -> int:
    if int(value) < 1:
        raise ValueError("a number of tokens, such as 128")
    return int(value)


def _read_truth(value: Any) -> bool:
    words = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    word = str(value).lower()
    if word not in words:
        raise ValueError("yes or no")
    return words[word]


def _one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if str(value).lower() not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return str(value).lower()

    return read


_READERS: dict[str, Callable[[Any], Any]] = {
    "size": _read_size,
    "channels": _read_channels,
    "mean": _read_numbers,
    "std": _read_std,
    "range": _read_range,
    "order": _one_of("rgb", "bgr"),
    "resize": _one_of("squash", "crop"),
    "classes": _read_classes,
    "softmax": _read_truth,
    "output": str,
    "device": str,
    "dtype": _one_of("float32", "float16", "bfloat16"),
    "tf32": _read_truth,
    "graph": _one_of("fx", "export", "modules"),
    "inputs": _read_inputs,
    "tokenizer": str,
    "length": _read_length,
}
