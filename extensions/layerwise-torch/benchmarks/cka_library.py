"""What CKA of all layers of two networks costs here and in torch_cka, the PyTorch library for it.

    python benchmarks/cka_library.py [--stimuli 512] [--batch 128] [--rounds 2]

Two convolutional networks, coarse patterns for images: torch_cka sums in float32 what it does not centre, and of
images that hardly differ it gets nothing but rounding, of which it refuses the root. torch_cka is used as its
documentation says: batches through both networks, the unbiased HSIC of every pair of layers in each batch, and the
mean over batches. Layerwise analyses the same layers of both with all default statistics and compares all with all
(`cka-debiased`, which is of all stimuli at once). Checks that both give the same where there is one batch only, then
measures in turns. Processor seconds, medians. Needs layerwise-torch and `pip install torch_cka matplotlib tqdm`.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from typing import Any

import numpy as np
import torch
from layerwise.core.analysis.compare import compare_layers
from layerwise.core.history.memory import MemoryHistory
from layerwise.core.history.records import LayerAddress
from layerwise.core.runs.prepared import prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.core.runs.run import execute_run
from layerwise.plugins import load_plugins
from torch import nn

SIDE = 32


def main() -> None:
    """Check, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("stimuli", 512), ("batch", 128), ("rounds", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    networks = [make_network(seed) for seed in (0, 1)]
    images = draw_patterns(options.stimuli)
    few = images[: options.batch]
    ours, theirs = ask_layerwise(networks, few), ask_torch_cka(networks, few, len(few))
    print(f"one batch of {len(few)}: the two differ by {np.abs(ours - theirs).max():.1e} at most")
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
    seconds: dict[str, list[float]] = {"layerwise": [], "torch_cka": []}
    for _ in range(options.rounds):
        for name, spent in seconds.items():
            began = time.process_time()
            if name == "layerwise":
                ask_layerwise(networks, images)
            else:
                ask_torch_cka(networks, images, options.batch)
            spent.append(time.process_time() - began)
    middle = {name: statistics.median(each) for name, each in seconds.items()}
    n_layers = len(list_layers(networks[0]))
    print(f"{options.stimuli} stimuli, {n_layers} layers of each; processor seconds: {middle}")
    print(f"torch_cka / layerwise: {middle['torch_cka'] / middle['layerwise']:.2f}")


def draw_patterns(n_stimuli: int) -> Any:
    """uint8 (n, 32, 32, 3): four by four squares of any colour, one picture dark and another one bright."""
    rng = np.random.default_rng(0)
    squares = rng.uniform(0, 255, (n_stimuli, 4, 4, 3)) * rng.uniform(0.1, 1, (n_stimuli, 1, 1, 1))
    return np.kron(squares, np.ones((1, SIDE // 4, SIDE // 4, 1))).astype(np.uint8)


def make_network(seed: int) -> nn.Sequential:
    """Twelve convolutions in three sizes, then the mean over places and ten classes."""
    torch.manual_seed(seed)
    steps: list[nn.Module] = []
    width = 3
    for size in (32, 64, 128):
        for _ in range(4):
            convolution = nn.Conv2d(width, size, 3, padding=1)
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")  # or biases would be all there is
            nn.init.zeros_(convolution.bias)
            steps += [convolution, nn.ReLU()]
            width = size
        steps.append(nn.MaxPool2d(2))
    return nn.Sequential(*steps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)).eval()


def list_layers(network: nn.Sequential) -> list[str]:
    """The rectified layers and the pools."""
    return [name for name, step in network.named_children() if isinstance(step, nn.ReLU | nn.MaxPool2d)]


def ask_torch_cka(networks: list[nn.Sequential], images: Any, batch: int) -> Any:
    """The matrix of layers as torch_cka computes it."""
    import copy

    from torch.utils.data import DataLoader, TensorDataset
    from torch_cka import CKA  # type: ignore[import-not-found]

    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float().div(255)
    first, second = (copy.deepcopy(network) for network in networks)  # since it leaves its hooks in them
    layers = list_layers(first)
    cka = CKA(first, second, "first", "second", layers, layers)
    with torch.no_grad():
        cka.compare(DataLoader(TensorDataset(pixels), batch_size=batch))
    return cka.export()["CKA"].numpy()


def ask_layerwise(networks: list[nn.Sequential], images: Any) -> Any:
    """The same of all stimuli at once, with everything else that a run has."""
    registry, history = load_plugins(), MemoryHistory()
    addresses: list[list[LayerAddress]] = []
    for number, network in enumerate(networks):
        names = tuple(list_layers(network))
        request = RunRequest(
            network,
            images,
            layers=names,
            preprocessing="unit",
            open_size=(SIDE, SIDE),  # or pictures would be enlarged to what most networks for photos take
            tags={"number": str(number)},
        )
        prepared = prepare_run(request, registry, SilentObserver())
        outcome = execute_run(prepared, history, SilentObserver())
        addresses.append([LayerAddress(outcome.run_id, name) for name in names])
    return compare_layers(registry, history, "cka-debiased", addresses[0], addresses[1]).matrix


if __name__ == "__main__":
    main()
