"""The loaders of what TensorFlow itself saves: frozen graphs (`.pb`) and SavedModel folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from layerwise.core.base.errors import InputError
from layerwise.core.base.opening import read_regular
from layerwise.core.host.kinds import ModelLoader
from layerwise.core.network.model import LoadRequest, Model
from layerwise.plugins.loaders.class_names import find_classes, list_class_files
from layerwise.plugins.loaders.description import ModelDescription
from layerwise.plugins.loaders.graphdef.ends import find_ends, set_values
from layerwise.plugins.loaders.graphdef.inputs import find_inputs
from layerwise.plugins.loaders.graphdef.saved_models import Frozen, freeze
from layerwise.plugins.loaders.preprocessing import Preprocessing, choose_preprocessing, find_preprocessing
from layerwise.plugins.loaders.refusing import refusing
from layerwise.plugins.loaders.tensorflow_setup import check_device, import_tensorflow
from layerwise.plugins.loaders.vetting.graphs import check_graph, check_saved_model

_SAVED_MODEL = "saved_model.pb"
_VARIABLES = frozenset({"VariableV2", "Variable", "VarHandleOp"})


class FrozenGraphLoader(ModelLoader):
    """Loads a frozen TensorFlow 1 graph: a `GraphDef` whose weights are constants.

    The inputs are its placeholders, the output the one that is named, or the end of its longest way; placeholders
    without a batch are settings (`keep_prob`), whose values are fed. Pixels go in as they are, 0..255, unless
    a preprocessing is named; the Inception-5h file of the published analysis, known by its layers and its 1008
    outputs, gets its own. Photos are squashed.
    """

    name: ClassVar[str] = "frozen-graph"
    description: ClassVar[str] = "a frozen TensorFlow graph, .pb"
    understands: ClassVar[frozenset[str]] = frozenset({"output", "feed"})

    def accepts(self, model: str) -> bool:
        """Whether it is called as such files are, there or not."""
        return Path(model).suffix.lower() == ".pb" and Path(model).name != _SAVED_MODEL

    def load(self, request: LoadRequest) -> Model:
        """Read and import the graph.

        Raises:
            InputError: If the file is missing, is no graph, its weights are not in it, or it may do more than compute
                and is not trusted.
        """
        check_device(request.device)
        path = Path(request.model)
        _refuse_weights(request)
        with refusing(path):
            graph_def = read_graph_def(path)
            if not request.allow_unsafe:
                check_graph(graph_def, path)
            set_values(graph_def, path, request.feed)
            sources, output = find_ends(graph_def, path, request.output)
            usual = find_preprocessing("inception5h" if _is_inception5h(graph_def) else "none")
            frozen = Frozen(graph_def, {name: name for name in sources}, {output: output}, {}, None)
            return _make_model(frozen, path, request, usual)

    def list_files(self, request: LoadRequest) -> list[Path]:
        """The graph's file, and names of classes."""
        path = Path(request.model)
        return [path, *list_class_files(request.class_names, path)]


class SavedModelLoader(ModelLoader):
    """Loads the serving signature of a SavedModel folder.

    Pixels go in as they are, 0..255, unless a preprocessing is named. Photos are squashed.
    """

    name: ClassVar[str] = "saved-model"
    description: ClassVar[str] = "a TensorFlow SavedModel folder"
    understands: ClassVar[frozenset[str]] = frozenset({"output"})

    def accepts(self, model: str) -> bool:
        """Whether the folder holds a SavedModel."""
        path = Path(model)
        return path.name == _SAVED_MODEL or (path / _SAVED_MODEL).is_file()

    def load(self, request: LoadRequest) -> Model:
        """Load the folder and turn its variables into constants.

        Raises:
            InputError: If it is damaged, has no signature that can be laid out as layers, or may do more than compute
                and is not trusted.
        """
        check_device(request.device)
        folder = _folder_of(request.model)
        _refuse_weights(request)
        with refusing(folder):
            import_tensorflow()
            if not request.allow_unsafe:
                check_saved_model(folder)
            frozen = freeze(folder, request.output)
            if not request.allow_unsafe:
                check_graph(frozen.graph_def, folder)
            return _make_model(frozen, folder, request, find_preprocessing("none"))

    def list_files(self, request: LoadRequest) -> list[Path]:
        """All files of the folder, and names of classes."""
        folder = _folder_of(request.model)
        inside = sorted(path for path in folder.rglob("*") if path.is_file())
        return [*inside, *list_class_files(request.class_names, folder)]


def _folder_of(model: str) -> Path:
    path = Path(model)
    return path.parent if path.name == _SAVED_MODEL else path


def _refuse_weights(request: LoadRequest) -> None:
    if request.weights is not None:
        raise InputError(f"{request.model} brings its own weights; --weights does not go with it")


def _make_model(frozen: Frozen, path: Path, request: LoadRequest, usual: Preprocessing) -> Model:
    from layerwise.plugins.loaders.graphdef.model import GraphDefModel
    from layerwise.plugins.loaders.tensorflow.placement import find_placement

    preprocessing = choose_preprocessing(request.preprocessing, usual)
    described = ModelDescription(path.stem, path.name, preprocessing)
    inputs = find_inputs(frozen.graph_def, frozen.places, path.name, request.open_size, request.shapes, frozen.held)
    model = GraphDefModel(frozen, inputs, described, find_placement(), has_chosen=request.output is None)
    n_classes = model.graph[model.graph.output].n_features
    names, ids = find_classes(request.class_names, path, n_classes)
    model.name_classes(names, ids)
    return model


def read_graph_def(path: Path) -> Any:
    """The graph in a `.pb` file.

    Raises:
        InputError: If the file is missing, or holds no graph with constants for weights.
    """
    tf = import_tensorflow()
    from google.protobuf.message import DecodeError

    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(read_regular(path))
    except DecodeError as error:
        raise InputError(f"{path} is not a TensorFlow graph, or is truncated") from error
    if not graph_def.node or not all(node.op for node in graph_def.node):
        raise InputError(f"{path} is not a TensorFlow graph: it has no operations")
    variables = [node.name for node in graph_def.node if node.op in _VARIABLES]
    if variables:
        raise InputError(f"{path} is not frozen: '{variables[0]}' is a variable, whose values are not in the file")
    return graph_def


def _is_inception5h(graph_def: Any) -> bool:
    names = {node.name for node in graph_def.node}
    return {"input", "conv2d0", "mixed3a", "mixed4c", "mixed5b", "avgpool0", "softmax2"} <= names
