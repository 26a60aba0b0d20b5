"""`layerwise compare --against`: networks beside recordings, and nothing within either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerwise.cli.output import print_json, stderr_console, stdout_console
from layerwise.core.base.errors import InputError

if TYPE_CHECKING:
    from layerwise.cli.options.inference_options import InferenceOptions
    from layerwise.core.analysis.measure import Measure
    from layerwise.core.history.protocols import Archive
    from layerwise.core.host.registry import Registry

DEFAULT_RESAMPLES = 1000


@dataclass(frozen=True)
class AgainstWish:
    """What is to be compared with what.

    Attributes:
        runs: The networks.
        recordings: Runs of recordings, or files of them.
        layers: Selectors of the networks' layers; their main ones if empty.
        command: What was typed.
    """

    runs: Sequence[str]
    recordings: Sequence[str]
    layers: Sequence[str] | None
    command: str


def check_wish(surety: InferenceOptions, others: Sequence[str]) -> None:
    """Refuse what has no meaning where areas are compared with layers.

    Args:
        surety: How sure numbers are to be.
        others: What was asked for besides, that asks another question.

    Raises:
        InputError: If there is such a thing, or tests are asked for that are not made.
    """
    if others:
        raise InputError(f"--against compares layers with areas, and nothing else: leave out {', '.join(others)}")
    if surety.two_sided or surety.correction is not None:
        option = "--two-sided" if surety.two_sided else "--correction"
        raise InputError(
            f"{option} is of tests of single pairs; --against tests the best layer of each area, corrected for the "
            "search and for the number of areas (Holm)"
        )


def tell_against(
    registry: Registry,
    store: Archive,
    wish: AgainstWish,
    measures: Sequence[Measure],
    surety: InferenceOptions,
    *,
    as_json: bool,
) -> None:
    """Compare, and print a table of areas for each network and measure.

    Raises:
        InputError: If a run or file is none, stimuli are too few, or permutations are; before anything is computed.
    """
    from layerwise.cli.options.inference_options import plan_intervals
    from layerwise.cli.printing.beside_table import beside_record, print_beside
    from layerwise.core.analysis.recordings.beside import ask_beside
    from layerwise.core.history.references import find_runs, find_with_stimuli
    from layerwise.core.history.run_ids import LATEST
    from layerwise.interchange.conversion import merge_notes
    from layerwise.interchange.recordings import find_recordings
    from layerwise.interchange.structure import Structure

    named = [find_with_stimuli(store, name).id if name == LATEST else name for name in wish.runs]
    networks = find_runs(store, named)
    found, notes = find_recordings(wish.recordings, networks[0], Structure(), registry, store, wish.command)
    intervals = plan_intervals(surety.bootstrap or DEFAULT_RESAMPLES, surety.seed, surety.interval, surety.level)
    told = []
    for network in networks:
        for measure in measures:
            with stderr_console().status("comparing areas with layers"):
                beside = ask_beside(
                    registry,
                    store,
                    network,
                    found,
                    measure,
                    wish.layers,
                    intervals=intervals,
                    permutations=surety.permutations or None,
                    seed=surety.seed,
                )
            told.append(beside)
    if as_json:
        records = [beside_record(beside) | {"notes": list(notes)} for beside in told]
        print_json(records[0] if len(records) == 1 else records)
        return
    console = stdout_console()
    for beside in told:
        if len(networks) > 1:
            console.print(f"{beside.network.id[:8]} {beside.network.model.title}", markup=False)
        print_beside(beside)
    for note in dict.fromkeys([*filter(None, (beside.remark for beside in told)), *merge_notes(notes)]):
        console.print(f"Note: {note}.", markup=False, soft_wrap=True)
    console.print(
        f"p is of the best of {told[0].n_layers} layers, by {told[0].n_permutations} permutations, corrected for "
        f"{len(told[0].matches)} areas; `layerwise brain` writes the page and the methods.",
        markup=False,
        soft_wrap=True,
    )
