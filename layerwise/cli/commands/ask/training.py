"""`layerwise training`: what changes while a network learns, and whether something is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from layerwise.cli.options.bundling import bundled
from layerwise.cli.options.common import (
    DEFAULT_DATABASE,
    AsJson,
    Database,
    Selectors,
    TransformName,
    split_names,
)
from layerwise.cli.options.inference_options import IntervalOptions
from layerwise.cli.options.measure_options import DEFAULT_COMPARATOR, MeasureOptions, OneComparator
from layerwise.cli.output import print_json
from layerwise.cli.session import open_history, session_of
from layerwise.core.base.errors import InputError

if TYPE_CHECKING:
    from layerwise.core.analysis.training.alarms import AlarmLimits


@dataclass(frozen=True)
class AlarmOptions:
    """From where on something counts as wrong; 0 turns an alarm off."""

    heading: ClassVar[str] = "Alarms"
    alarms: Annotated[
        bool, typer.Option("--alarms", help="Only look for alarms; the exit code is 1 where one is on.")
    ] = False
    collapse: Annotated[
        float,
        typer.Option(metavar="SHARE", help="A layer's participation ratio falls below this share of its largest."),
    ] = 0.25
    dead: Annotated[
        float, typer.Option(metavar="SHARE", help="This share of a layer's units dies, over those that were dead.")
    ] = 0.5
    still: Annotated[
        float, typer.Option(metavar="SHARE", help="A layer changes by no more than this share of what others do ...")
    ] = 0.00001
    patience: Annotated[int, typer.Option(metavar="N", help="... so many checkpoints in a row.")] = 3
    lost: Annotated[
        float,
        typer.Option(metavar="SHARE", help="The spread of the output's similarities falls below this share."),
    ] = 0.25

    def limits(self) -> AlarmLimits:
        """The limits that the options set.

        Raises:
            InputError: If one is no share.
        """
        from layerwise.core.analysis.training.alarms import AlarmLimits

        return AlarmLimits(self.collapse, self.dead, self.still, self.lost, self.patience)


@bundled
def ask_training(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME [OTHER]", help="A training; two are aligned in time. Without one, all are listed."
        ),
    ] = None,
    comparator: OneComparator = DEFAULT_COMPARATOR,
    *,
    measuring: MeasureOptions,
    layers: Selectors = None,
    transform: TransformName = "none",
    bound: Annotated[
        float | None,
        typer.Option(
            "--bound", metavar="X", help="From this similarity to its end on a layer has settled. [default: 0.9 of 1]"
        ),
    ] = None,
    statistics: Annotated[
        list[str] | None,
        typer.Option("--statistic", metavar="NAME", help="Show a stored statistic of layers or weights; repeatable."),
    ] = None,
    stimuli: Annotated[
        str | None, typer.Option("--stimuli", metavar="NAME", help="Of the recordings on this stimulus set.")
    ] = None,
    surety: IntervalOptions,
    alarming: AlarmOptions,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Ask what changes over a training: when layers settle, how the profile comes about, what is alarming.

    A layer has settled at the first checkpoint from which on it stays like its final state. Whether that goes from
    the bottom up is the rank correlation of depth with settling.

    Examples:
        layerwise training digits
        layerwise training digits --with cka --bootstrap 200
        layerwise training digits --statistic participation-ratio --statistic weight-std
        layerwise training plain decov
        layerwise training digits --alarms --collapse 0.5
    """
    from layerwise.cli.training import survey as shown
    from layerwise.core.analysis.training.checkpoints import TrainingQuestion, choose_training_layers, read_training

    registry = session_of(context).registry
    limits, plan = alarming.limits(), surety.plan()
    (measure,) = measuring.find(registry, [comparator])
    if len(names or ()) > 2:
        raise InputError("name one training, or two that are aligned in time")
    with open_history(database) as store:
        if not names:
            shown.list_trainings(store, as_json=as_json)
            return
        training = read_training(store, names[0], stimuli)
        chosen = tuple(choose_training_layers(registry, store, training, layers))
        question = TrainingQuestion(registry, store, training, measure, chosen, transform)
        if len(names) == 2:
            other = read_training(store, names[1], stimuli or training.last.stimuli_name)
            record, tell = shown.align(question, other)
        elif alarming.alarms:
            record, tell = shown.look_for_alarms(question, limits)
        elif statistics:
            record, tell = shown.follow_statistics(question, split_names(statistics))
        else:
            record, tell = shown.survey(question, bound, plan, limits)
    if as_json:
        print_json(record)
    else:
        tell()
    if alarming.alarms and any(alarm["is_on"] for alarm in record.get("alarms", ())):
        raise typer.Exit(1)
