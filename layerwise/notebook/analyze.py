"""`lw.analyze`: from a model and images to a run, as `layerwise run` does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from layerwise.core.runs.request import RunRequest
from layerwise.notebook.history import History
from layerwise.notebook.images import as_stimuli
from layerwise.notebook.opening import all_plugins, as_url
from layerwise.notebook.run import Run
from layerwise.notebook.watching import watching

if TYPE_CHECKING:
    from layerwise.core.history.protocols import Archive
    from layerwise.core.host.registry import Registry
    from layerwise.core.network.ablating.ablation import Substitute
    from layerwise.core.network.stimuli import Resize

IN_MEMORY = "sqlite://"


def analyze(  # noqa: PLR0913 - a keyword each, as options of the command line are
    model: object,
    images: object,
    *,
    labels: Sequence[object] | None = None,
    layers: Sequence[str] | str = "main",
    transforms: Sequence[str] = (),
    weights: str | Path | None = None,
    checkpoint: str | None = None,
    step: int | None = None,
    lineage: str | None = None,
    tags: Mapping[str, str] | None = None,
    ablate: Sequence[str] | str = (),
    ablate_with: Substitute = "zero",
    limit: int | None = None,
    landmarks: int | None = None,
    resize: Resize | None = None,
    value_range: tuple[float, float] | None = None,
    preprocessing: str | None = None,
    output: str | None = None,
    feed: Mapping[str, float] | None = None,
    imports: Sequence[str | Path] | str | Path = (),
    classes: str | Path | None = None,
    batch_size: int | None = None,
    memory: int | None = None,
    device: str = "auto",
    engine: str = "local",
    allow_unsafe: bool = False,
    seed: int = 0,
    force: bool = False,
    db: str | Path | History | None = None,
    progress: bool | None = None,
    registry: Registry | None = None,
) -> Run:
    """Analyse a model on images: one representation per layer, from which everything else is answered.

        run = lw.analyze(model, images, labels=labels)
        run.compare("cka")

    The same analysis asked for twice is answered from the history; one that was interrupted goes on.

    Args:
        model: A live Keras or PyTorch model, or a name or path, as the command line takes it.
        images: Pixels, (n, height, width, 3), (n, height, width, 1) or (n, height, width), in 0..255, or in 0..1 or
            -1..1, which the bulk of values tells; a `tf.data.Dataset` of images, or of images and labels, batched or
            not; a list of arrays or PIL images of one size; or the path of a folder, a CSV manifest or an array.
        labels: One for each image.
        layers: Selectors, such as `main`, `branches`, `all`, `mixed4*`.
        transforms: Activation transforms beside the plain activations.
        weights: A weights file or a word such as `imagenet`, where the model is a name.
        checkpoint: Label of this checkpoint.
        step: Its training step or epoch.
        lineage: The training it belongs to.
        tags: Free `key=value` pairs.
        ablate: Layers or branches that are silenced.
        ablate_with: What stands in for them.
        limit: Only the first so many images.
        landmarks: Keep pairs with the first so many images alone, where there are too many for all pairs.
        resize: How images are brought to size.
        value_range: What is black and what is white in an array.
        preprocessing: What the model expects of pixels, as after `--preprocessing`.
        output: The output that counts, where the model has several; the others are layers.
        feed: Values of inputs that are settings of a graph, such as `keep_prob`.
        imports: Python files or modules with the classes that a model file needs.
        classes: File with the names of the classes.
        batch_size: Images per call of the network; by default what suits the device.
        memory: Bytes to use; by default half of what is free.
        device: `auto`, `cpu`, or a word such as `cuda`.
        engine: Who computes.
        allow_unsafe: Whether code stored in a model file may run.
        seed: Of random weights.
        force: Compute anew, even where the answer is stored.
        db: A file, a URL or a `History`; by default the run is kept in memory, for as long as it is held.
        progress: Whether a bar is drawn; by default in notebooks and on terminals.
        registry: What plugins offer; all that are installed if not given.

    Raises:
        InputError: If anything is not as it must be; nothing has been stored then.
        LayerwiseError: If the work failed; what was finished is kept, and the same call goes on from there.

    Warns:
        RunWarning: What was decided about the model or its images, or left out of them.
    """
    request = RunRequest(
        model=str(model) if isinstance(model, Path) else model,
        stimuli=as_stimuli(images, labels),
        weights=None if weights is None else str(weights),
        layers=(layers,) if isinstance(layers, str) else tuple(layers),
        transforms=tuple(transforms),
        limit=limit,
        landmarks=landmarks,
        resize=resize,
        ablate=(ablate,) if isinstance(ablate, str) else tuple(ablate),
        ablate_with=ablate_with,
        batch_size=batch_size,
        memory=memory,
        engine=engine,
        device=device,
        checkpoint=checkpoint,
        step=step,
        lineage=lineage,
        tags=dict(tags or {}),
        force=force,
        seed=seed,
        allow_unsafe=allow_unsafe,
        class_names=None if classes is None else str(classes),
        preprocessing=preprocessing,
        output=output,
        feed=tuple((name, float(value)) for name, value in (feed or {}).items()),
        imports=tuple(map(str, (imports,) if isinstance(imports, str | Path) else imports)),
        value_range=value_range,
        command=f"lw.analyze({_name(model)}, {_name(images)})",
    )
    return _carry_out(request, db, registry, progress)


def _carry_out(
    request: RunRequest, db: str | Path | History | None, registry: Registry | None, progress: bool | None
) -> Run:
    """Find the run in the history, or compute it; a history is made once there is something to put into it."""
    from layerwise.core.runs.run import find_or_run
    from layerwise.storage import check_place

    history: History | None = None
    place = IN_MEMORY
    if isinstance(db, History):
        history = db
    elif db is not None:
        place = as_url(db)
        history = History(place, registry=registry) if check_place(place) else None
    plugins = registry or (all_plugins() if history is None else history.registry)

    def opened(create: bool) -> AbstractContextManager[Archive | None]:
        nonlocal history
        if history is None and create:
            history = History(place, create=True, registry=registry)
        return nullcontext(None if history is None else history.store)

    with watching(progress) as observer:
        outcome = find_or_run(request, plugins, opened, observer)
    assert history is not None
    again = partial(_without, request, history, progress)
    return Run(history.store.find_run(outcome.run_id), history, again)


def _without(
    request: RunRequest, history: History, progress: bool | None, *, ablate: Sequence[str], ablate_with: Substitute
) -> Run:
    """The same analysis again, with more layers silenced."""
    silenced = (*request.ablate, *ablate)
    changed = replace(request, ablate=silenced, ablate_with=ablate_with, lineage=None)  # it is no step of a training
    return _carry_out(changed, history, None, progress)


def _name(given: object) -> str:
    """What was given, in a word, for the record."""
    if isinstance(given, str | Path):
        return repr(str(given))
    name = getattr(given, "name", None)
    return name if isinstance(name, str) and name else type(given).__name__
