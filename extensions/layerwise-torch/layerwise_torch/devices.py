"""Which device a network runs on, what it is called, what it holds, and in which precision it multiplies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from layerwise.plugin import Graph, InputError, LoadRequest

from layerwise_torch.arrays import TorchArrays
from layerwise_torch.precision import multiplying
from layerwise_torch.settings import Settings, device_in_environment

_SHARE = 0.7  # of the memory that is free once the network is there: the rest is for what it needs to compute
_FEWEST, _MOST = 16, 256  # stimuli of a batch; beyond, an H100 gains nothing
_N_WORKING = 8  # tensors as large as the widest that are alive, layers that are asked for included
_WORKING_SHARE = 1 / 8  # of a device's memory, for a batch inside the network
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Placement:
    """Where a network runs.

    Attributes:
        device: The device.
        tf32: Whether the network's own products and convolutions may be in TF32.
    """

    device: Any
    tf32: bool = False

    @property
    def keeps_tensors(self) -> bool:
        """Whether what the network gives stays there; not on the processor, where NumPy's compiled pass is faster."""
        return bool(self.device.type != "cpu")

    @property
    def words(self) -> str:
        """What it is called where people read it: `cpu`, `NVIDIA H100 (cuda:0)`."""
        name = name_device(self.device)
        return f"{name}, TF32" if self.tf32 else name

    def make_arrays(self) -> TorchArrays | None:
        """What takes sums there; None where NumPy does."""
        if not self.keeps_tensors:
            return None
        memory = None if self.device.type == "cpu" else int(_SHARE * free_memory(self.device))
        return TorchArrays(self.device, self.words, memory)

    def choose_batch(self, graph: Graph) -> int | None:
        """Stimuli per call that fill the device: a power of two, the same on every device of this size.

        None on the processor. It follows from all of the memory, not from what is free: another batch size gives
        other last digits.
        """
        if self.device.type == "cpu":
            return None
        widest = max(node.n_features for node in graph) * _N_WORKING * _FLOAT_BYTES
        fitting = int(all_memory(self.device) * _WORKING_SHARE) // widest
        return max(_FEWEST, min(_MOST, int(2 ** max(0, fitting.bit_length() - 1))))

    @contextmanager
    def precision(self) -> Iterator[None]:
        """Within it, the network computes in full precision, or in TF32 where that was asked for."""
        with multiplying(tf32=self.tf32):
            yield


def find_placement(request: LoadRequest, settings: Settings, home: Any = None) -> Placement:
    """Where a network is to run: as is asked for, else where it is, else on a GPU, else on the processor.

    Args:
        request: What was asked for with `--device`.
        settings: What is said of the network.
        home: Where a network that lives in this process is.

    Raises:
        InputError: If two devices are asked for, one is not there, or TF32 is asked for where there is none.
    """
    asked = None if request.device == "auto" else request.device
    if asked and settings.device and torch_device(asked) != torch_device(settings.device):
        raise InputError(f"@device={settings.device} and --device {asked} are two devices; say one of them")
    word = asked or settings.device
    if word is None:
        word = device_in_environment() if home is None else str(home)
    device = torch_device(word or "auto")
    if settings.tf32 and device.type != "cuda":
        raise InputError(f"@tf32=yes is for CUDA GPUs, and the network is to run on {name_device(device)}")
    return Placement(device, bool(settings.tf32))


def torch_device(word: str) -> Any:
    """The device that a word means; `auto` is a CUDA GPU, else Apple's, else the processor.

    Raises:
        InputError: If there is none; says what there is.
    """
    known = list_devices()
    if word == "auto":
        word = next(name for kind in ("cuda", "mps", "cpu") for name in known if name.startswith(kind))
    name = f"{word}:{torch.cuda.current_device()}" if word == "cuda" and "cuda:0" in known else word
    if name in ("cpu:0", "mps:0"):
        name = name.partition(":")[0]
    if name in known:
        return torch.device(name)
    there = ", ".join(dict.fromkeys(map(_spell, known)))
    raise InputError(f"there is no device '{word}' for PyTorch here; there is {there}")


def list_devices() -> list[str]:
    """The devices that PyTorch can use here."""
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = ["cpu", *(f"cuda:{index}" for index in range(n_gpus))]
    return [*found, "mps"] if torch.backends.mps.is_available() else found


def _spell(word: str) -> str:
    device = torch.device(word)
    return f"{word} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else word


def name_device(device: Any) -> str:
    """What a device is called where people read it."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} ({device})"
    return "Apple GPU (mps)" if device.type == "mps" else str(device.type)


def free_memory(device: Any) -> int:
    """Bytes of a device that are free, what PyTorch keeps for later included."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + kept)
    return int(torch.mps.recommended_max_memory()) - int(torch.mps.driver_allocated_memory())


def all_memory(device: Any) -> int:
    """Bytes of a device."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return int(torch.mps.recommended_max_memory())
