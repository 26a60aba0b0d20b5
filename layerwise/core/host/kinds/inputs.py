"""What a run is made of: loaders of models, sources of stimuli, selectors of layers, and activation transforms."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds.offer import Offer
from layerwise.core.network.inputs import InputSpec, describe_inputs

if TYPE_CHECKING:
    from layerwise.core.network.layers import Layer
    from layerwise.core.network.model import Floats, LoadRequest, Model
    from layerwise.core.network.stimuli import InputSet, StimulusSet


class ModelLoader(Offer):
    """Makes a `Model` from a name or a file.

    Attributes:
        understands: Which of `output`, `feed` and `imports` of a request it follows; one that it does not is refused
            before it is asked.
    """

    _hook = "model_loaders"
    understands: ClassVar[frozenset[str]] = frozenset()

    def known_models(self) -> Sequence[str]:
        """Names that `layerwise models` lists; empty for loaders of files."""
        return ()

    @abstractmethod
    def accepts(self, model: str) -> bool:
        """Whether this loader can load the MODEL argument; cheap, and without importing a framework."""

    @abstractmethod
    def load(self, request: LoadRequest) -> Model:
        """Load it.

        Raises:
            InputError: If the model, its weights or its file are not as they must be.
        """

    def fetch(self, model: str) -> Sequence[Path]:
        """Download the published weights of a model that it knows by name: `layerwise models fetch NAME`.

        Afterwards `load` finds them where the request names no weights. What is there and sound is not fetched again.

        Returns:
            The files, or the folder that they are in.

        Raises:
            InputError: If nothing can be fetched for it.
            LayerwiseError: If a download fails, or is not what was published.
        """
        raise InputError(f"nothing can be fetched for {model}: its loader '{self.name}' downloads nothing")

    def adopt(self, model: object, request: LoadRequest) -> Model | None:
        """A model of a network that lives in this process already; the network is not changed.

        Cheap where it is another loader's: a network of a framework that has not been imported cannot be there,
        so ask `sys.modules` rather than import it.

        Args:
            model: Any object: a `keras.Model`, a `torch.nn.Module`.
            request: What else is said of it: `model` is what to call it, `class_names` and `preprocessing` are as for
                a file. The network has its weights; `weights` and `seed` mean nothing here.

        Returns:
            The model, whose `refresh` follows the network's weights; None where this loader does not know such
            objects.

        Raises:
            InputError: If it knows them, but not this one, or has to be told more; says what.
        """
        del model, request
        return None

    def list_files(self, request: LoadRequest) -> Sequence[Path] | None:
        """The files that decide, with the request, what `load` gives; None where that is not known.

        The same request and the same bytes in these files must give the same model: then a run that is asked for
        again is found in the history without loading anything. Cheap, and without importing a framework.
        """
        del request
        return None


class StimulusSource(Offer):
    """Lists the stimuli found at a path."""

    _hook = "stimulus_sources"

    @abstractmethod
    def accepts(self, location: str) -> bool:
        """Whether this source can read the PATH argument; cheap."""

    @abstractmethod
    def open(self, location: str) -> StimulusSet:
        """List its stimuli, without decoding them.

        Raises:
            InputError: If there is nothing there, or it is not as it must be.
        """

    def adopt(self, stimuli: object) -> StimulusSet | None:
        """A set made of an object that is there already (an array, say); None if it is nothing for this source.

        Raises:
            InputError: If it is for this source, but not as it must be.
        """
        del stimuli
        return None

    def open_inputs(self, location: str, inputs: Sequence[InputSpec]) -> InputSet:
        """List stimuli for a model that takes something else than one picture. Provisional until 1.0.

        Args:
            location: The PATH argument, which this source accepts.
            inputs: What the model takes.

        Raises:
            InputError: If there is nothing for these inputs; the default, for sources of pictures.
        """
        raise InputError(
            f"the model takes {describe_inputs(inputs)}, and '{self.name}', which reads {location}, gives pictures"
        )

    def adopt_inputs(self, stimuli: object, inputs: Sequence[InputSpec]) -> InputSet | None:
        """The same of an object that is there already; None if it is nothing for this source. Provisional until 1.0.

        Raises:
            InputError: If it is for this source, but not as it must be.
        """
        del stimuli, inputs
        return None

    def list_files(self, location: str) -> Sequence[Path] | None:
        """The files that decide which stimuli `open` lists and what they are; None where that is not known.

        As for models: what these files hold says whether a run that is asked for again is stored already. Cheap.
        """
        del location
        return None

    def in_range(self, low: float, high: float) -> StimulusSource:
        """The same source, taking values from `low` (black) to `high` (white) where they are not in 0..255.

        Raises:
            InputError: If its stimuli have no range to choose, as image files have none.
        """
        del low, high
        raise InputError(
            f"--range is for arrays of pixels; what '{self.name}' reads says itself what is black and white"
        )

    def allowing(self, max_pixels: int) -> StimulusSource:
        """The same source, of images of so many pixels at most.

        Raises:
            InputError: If its stimuli are no image files.
        """
        del max_pixels
        raise InputError(f"--max-pixels is for image files, which '{self.name}' does not read")


class LayerSelector(Offer):
    """Picks layers: `--layers NAME` or `--layers NAME:ARGUMENT`."""

    _hook = "layer_selectors"

    @abstractmethod
    def select(self, argument: str, layers: Sequence[Layer]) -> Sequence[Layer]:
        """The layers that `argument` (what follows the colon, or empty) picks, a subset of `layers`.

        Raises:
            InputError: If the argument makes no sense; that nothing matches is reported by the caller.
        """


class Transform(Offer):
    """Changes each stimulus's activation before it becomes a representation.

    Attributes:
        additive: Whether transforming branches and laying them side by side is the same as transforming the
            block; only then is a block the sum of its branches.
    """

    _hook = "transforms"
    additive: ClassVar[bool]

    @abstractmethod
    def apply(self, activations: Floats) -> Floats:
        """(batch, *shape) to float32 (batch, anything), each stimulus by itself; the input is not changed."""


class UnitTransform(Transform):
    """Changes each unit's activations over all stimuli, once all of them have passed: z-scores, for instance.

    A block's units are those of its branches, so that it stays the sum of them.
    """

    additive = True

    def apply(self, activations: Floats) -> Floats:
        """What is done to each stimulus before: nothing, unless overridden."""
        return activations

    @abstractmethod
    def apply_units(self, units: Floats) -> Floats:
        """(n_stimuli, any number of units) to float32 of the same shape, each unit by itself; not in place."""
