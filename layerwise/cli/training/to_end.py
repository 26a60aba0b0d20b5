"""Each layer of each run against the same layer of the last run, as `layerwise compare --to-end` prints it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layerwise.cli.output import make_table, number, print_json, stdout_console

if TYPE_CHECKING:
    from layerwise.core.analysis.measure import Measure
    from layerwise.core.analysis.training.checkpoints import TrainingQuestion
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.host.registry import Registry


def find_questions(
    registry: Registry,
    history: HistoryProtocol,
    references: Sequence[str],
    measures: Sequence[Measure],
    selectors: Sequence[str] | None,
    transform: str,
) -> list[TrainingQuestion]:
    """The same question for each measure; of the layers that the selectors pick, all without them.

    Raises:
        InputError: If there is no such run or layer, or there are fewer than two runs on the same stimuli.
    """
    from layerwise.core.analysis.training.checkpoints import TrainingQuestion, choose_training_layers, make_training
    from layerwise.core.history.references import find_runs

    training = make_training(" ".join(references), find_runs(history, references))
    layers = tuple(choose_training_layers(registry, history, training, selectors or ["layerwise:all"]))
    return [TrainingQuestion(registry, history, training, measure, layers, transform) for measure in measures]


def tell_to_end(questions: Sequence[TrainingQuestion], *, as_json: bool) -> None:
    """Ask and print: layers down, runs across."""
    from layerwise.core.analysis.training.settling import compare_with_end

    found = [(question, compare_with_end(question)) for question in questions]
    if as_json:
        records = [
            {
                "comparator": question.measure.name,
                "provider": f"{question.measure.provider.name} {question.measure.provider.version}",
                "kind": question.measure.kind,
                "run_ids": [run.id for run in question.training.runs],
                "steps": question.training.steps,
                "layers": question.names,
                "to_end": compared.values,
                "reasons": compared.reasons,
            }
            for question, compared in found
        ]
        print_json(records[0] if len(records) == 1 else records)
        return
    console = stdout_console()
    for question, compared in found:
        heads = ("layer", *(_name_run(question, place) for place in range(len(question.training.runs))))
        rows = [
            (name, *(number(float(value)) for value in column))
            for name, column in zip(question.names, compared.values.T, strict=True)
        ]
        console.print(f"{question.measure.name} of each layer to its state in the last run", markup=False)
        console.print(make_table(heads, rows, right=heads[1:]))
        for reason in compared.reasons:
            console.print(f"Gaps: {reason}", markup=False, soft_wrap=True)


def _name_run(question: TrainingQuestion, place: int) -> str:
    run = question.training.runs[place]
    return run.id[:6] if run.step is None else f"@{run.step}"
