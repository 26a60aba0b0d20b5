"""What a model loader gives the engine: a graph, its layers, its weights, and functions compiled from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from layerwise.core.base.errors import InputError
from layerwise.core.network.graph import Graph
from layerwise.core.network.inputs import InputSpec
from layerwise.core.network.layers import Layer
from layerwise.core.network.stimuli import Resize

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from layerwise.core.network.arrays import Arrays

Floats: TypeAlias = "NDArray[np.float32]"
NO_WEIGHTS = "none"
"""What `--weights` says where a network shall keep its random initial weights."""
UNTRAINED = "untrained"
"""How `ModelInfo.source` begins where the weights are random."""
Compiled: TypeAlias = "Callable[[Floats], Sequence[Floats]]"
CompiledReplaced: TypeAlias = "Callable[[Floats, Sequence[Floats]], Sequence[Floats]]"


@dataclass(frozen=True)
class ModelInfo:
    """What is recorded of a model.

    Attributes:
        name: What it is called in lists and reports.
        source: Where architecture and weights came from, in words (`bvlc_googlenet.caffemodel`, `untrained, seed 0`).
        fingerprint: Hex digest of everything that decides what it computes: `fingerprint_model`.
        input_shape: Height, width and channels of the input tensor; empty where nothing was computed (an import).
        preprocessing: What is done to pixels in 0..255, in words.
        resize: The resize policy its authors used: `squash` or `crop`.
        n_parameters: Number of weights.
        class_names: Names of the outputs in order; empty where they are not known.
        class_ids: Identifiers of the outputs in order (ImageNet synsets, for instance); empty where not known.
        has_probabilities: Whether the output is a distribution over classes: probabilities, not their logarithms.
        versions: Versions of the packages that compute it.
    """

    name: str
    source: str
    fingerprint: str
    input_shape: tuple[int, ...]
    preprocessing: str
    resize: Resize
    n_parameters: int
    class_names: tuple[str, ...] = ()
    class_ids: tuple[str, ...] = ()
    has_probabilities: bool = False
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def is_untrained(self) -> bool:
        """Whether its weights are random: it has learned nothing."""
        return self.source.startswith(UNTRAINED)

    @property
    def title(self) -> str:
        """What it is called where people read: the name, and whether it is untrained."""
        return f"{self.name} ({UNTRAINED})" if self.is_untrained else self.name


@dataclass(frozen=True, eq=False)
class WeightTensor:
    """One weight tensor of a model.

    Attributes:
        name: Unique name, such as `conv2d0/kernel`.
        layer: Name of the layer (or, where none is listed, of the node) it belongs to.
        values: The weights, any shape.
    """

    name: str
    layer: str
    values: NDArray[np.floating]


@dataclass(frozen=True)
class LoadRequest:
    """What a loader is asked for.

    Attributes:
        model: The MODEL argument: a name or a path.
        weights: A weights file, a word such as `imagenet`, `none` for random weights, or None for what is natural.
        seed: Seed of the initial weights where a model is built untrained.
        allow_unsafe: Whether code stored in the file may run (Keras lambdas, for instance).
        class_names: A file with one class a line, in output order, or None to find it beside the weights.
        preprocessing: What is done to pixels, for model files that do not say; None for the loader's choice.
        device: Where it is to compute: `auto` for the loader's choice, `cpu`, or a framework's word such as `cuda`.
        graph_only: Whether only graph and layers are wanted: weights need not be found, fetched or filled in.
        open_size: Height and width of the input where the model takes any; None for the loader's choice.
        shapes: Shapes of the stimuli, for a model that takes something else than one picture and leaves axes open:
            one for each input, without the batch axis.
        output: The tensor that counts as the output, by the model's own name for it; None for the loader's choice.
        feed: Values of inputs that are settings rather than stimuli (`keep_prob`), by name.
        imports: Python files or modules that are run before the model is read, for the classes that it needs.
    """

    model: str
    weights: str | None = None
    seed: int = 0
    allow_unsafe: bool = False
    class_names: str | None = None
    preprocessing: str | None = None
    device: str = "auto"
    graph_only: bool = False
    open_size: tuple[int, int] | None = None
    shapes: tuple[tuple[int, ...], ...] | None = None
    output: str | None = None
    feed: tuple[tuple[str, float], ...] = ()
    imports: tuple[str, ...] = ()


class Model(ABC):
    """A loaded network, whatever framework it lives in.

    Attributes:
        info: What is recorded of it; another one after `refresh`.
        graph: Its computation; the first node is the input after preprocessing.
        layers: All layers that can be selected, in order of computation.
        arrays: Where the tensors are that compiled functions take and give; None where they are NumPy's.
        batch_size: Stimuli per call that suit where it computes, where nobody asks for a number; None for the usual.
            It must depend on nothing that changes from one run to the next: other batches give other last digits.
        takes_any_size: Whether axes of the input are open, and were chosen when it was loaded.
        inputs: What goes in where that is not one picture; empty where it is one.
        notes: What was decided when it was loaded, a line each; told before it is run.
    """

    info: ModelInfo
    graph: Graph
    layers: tuple[Layer, ...]
    arrays: Arrays | None = None
    batch_size: int | None = None
    takes_any_size: bool = False
    inputs: tuple[InputSpec, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def device(self) -> str:
        """Where it computes, as people read it: `cpu`, unless its tensors are somewhere else."""
        return "cpu" if self.arrays is None else self.arrays.device

    @abstractmethod
    def preprocess(self, pixels: NDArray[np.generic]) -> Floats:
        """Pixels of shape (batch, height, width, 3) in 0..255 to the input tensor (float32, same batch).

        An array of NumPy, or of `arrays` where there is one.
        """

    @abstractmethod
    def compile(self, start: str, outputs: Sequence[str]) -> Compiled:
        """A function from the tensor of node `start` to the tensors of the nodes `outputs`, compiled once.

        The function takes float32 of shape (batch, *start's shape), for any batch size without being
        compiled again, and gives one float32 array of shape (batch, *shape) per output; what it has given it
        does not write to again, because a boundary between segments keeps it. `start` is a cut
        point; it may itself be one of the outputs. With `arrays`, tensors are of that device, and may be of another
        precision.
        """

    def compile_replaced(self, start: str, outputs: Sequence[str], replaced: Sequence[str]) -> CompiledReplaced:
        """As `compile`, with nodes whose tensors are given and not computed.

        Args:
            start: As for `compile`.
            outputs: As for `compile`; replaced ones give what they are replaced by.
            replaced: Nodes, `start` not among them.

        Returns:
            A function of the tensor of `start`, and of a list with the tensor of each replaced node: float32 of shape
            (batch, *the node's shape), where the start's tensors are.

        Raises:
            InputError: If its loader cannot replace a node.
        """
        del start, outputs, replaced
        raise InputError(f"nothing in model '{self.info.name}' can be ablated: its loader cannot replace a layer")

    @abstractmethod
    def weights(self) -> Iterator[WeightTensor]:
        """The weight tensors, in order of computation."""

    def refresh(self) -> None:
        """Read the weights anew, for a network that is being trained; `info` then has another fingerprint.

        Graph, layers and compiled functions stay as they are: the functions compute with the new weights. The network
        must not be trained on while it is run or refreshed.

        Raises:
            InputError: If its loader cannot do so.
        """
        raise InputError(f"the weights of model '{self.info.name}' cannot be read anew; load it again")
