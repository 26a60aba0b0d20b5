"""Reports on ablations: what was lost, and whether similarity had said so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from layerwise.core.analysis.functional.evidence import correlate_ranks, gather_evidence
from layerwise.core.history.outputs import Outputs
from layerwise.core.history.variants import Variant
from layerwise.core.network.ablating.answers import diverge
from layerwise.plugins.sections.ablation import queries
from layerwise.plugins.sections.ablation import section as ablation
from layerwise.report.content import Chart, ReportContext, SideBySide, Table

N = 40
RNG = np.random.default_rng(0)
INTACT = RNG.dirichlet(np.ones(6) * 0.3, N).astype(np.float32)


def keep_output(history: Any, run_id: str, values: Any) -> None:
    claim = history.reopen(run_id)
    history.save_outputs(claim, Outputs("output", values.astype(np.float32), "probabilities"))
    history.finish_run(claim, {})


@pytest.fixture(scope="module")
def context(fake: Any) -> ReportContext:
    """One run with two blocks, and a variant without each branch: the later, the less is lost."""
    history = fake.MadeHistory()
    layers = fake.make_layers(n_blocks=2)
    run = fake.add_run(history, n_stimuli=N, layers=layers)
    keep_output(history, run.id, INTACT)
    branches = [layer for layer in layers if layer.branch]
    for index, branch in enumerate([*branches, None]):
        later = [layer for layer in layers if branch is None or layer.position > branch.position]
        names = (branch.name,) if branch else tuple(layer.name for layer in branches)
        variant = Variant(run.model.fingerprint, names, "zero")
        made = fake.add_run(
            history, f"variant{index:05d}", N, layers=later, seed=index + 1, pictures=False, variant=variant,
            origin="ablated", labels=[stimulus.label for stimulus in history.list_stimuli(run.id)],
        )  # fmt: skip
        share = 1 - index / len(branches) if branch else 0.9
        keep_output(history, made.id, (1 - share) * INTACT + share * RNG.dirichlet(np.ones(6), N))
    return ReportContext((run,), history, fake.make_registry())


def test_variants_are_ranked_by_what_the_output_loses(context: ReportContext) -> None:
    [found] = queries.query_ablations(context, context.runs[0])
    frame = queries.effects_frame(found)
    assert len(frame) == 9
    assert frame["value"].to_list() == sorted(frame["value"].to_list(), reverse=True)
    outputs = context.history.read_outputs(found.effects[0].run.id)
    assert outputs is not None
    assert frame["value"][0] == pytest.approx(diverge(INTACT, outputs.values).mean(), abs=1e-5)
    assert (frame["low"] <= frame["value"]).all()
    assert (frame["value"] <= frame["high"]).all()
    assert "mixed3a/1x1 and 7 more" in frame["layer"].to_list()


def test_both_kinds_of_evidence_are_of_layers_that_were_silenced_alone(context: ReportContext) -> None:
    [found] = queries.query_ablations(context, context.runs[0])
    assert [one.layer.name for one in found.evidence] == [
        f"mixed3{block}/{branch}" for block in "ab" for branch in ("1x1", "3x3", "5x5", "pool")
    ]
    assert all(one.similarity is not None and one.unique is not None for one in found.evidence)
    again = gather_evidence(
        context.registry, context.history, context.runs[0], found.effects, "layerwise:rsa-pearson"
    )
    assert [one.similarity for one in again] == [one.similarity for one in found.evidence]


def test_the_rank_correlation_is_spearman_s_and_lies_in_its_interval(context: ReportContext) -> None:
    [found] = queries.query_ablations(context, context.runs[0])
    ranked = correlate_ranks(found.evidence, "similarity", "severity")
    pairs = [(one.similarity, one.effect.severity) for one in found.evidence]
    assert ranked.value == pytest.approx(spearmanr(pairs).statistic)
    assert ranked.low is not None
    assert ranked.high is not None
    assert -1 <= ranked.low <= ranked.value <= ranked.high <= 1
    few = correlate_ranks(found.evidence[:3], "similarity", "severity")
    assert few.value is None
    assert "too few" in few.reason


def test_the_section_sets_the_one_beside_the_other(context: ReportContext) -> None:
    section = ablation.Ablation()
    assert section.applies(context)
    built = section.build(context)
    names = [figure.name.rpartition("-")[0] for figure in built.figures]
    assert names == ["effects-zero", "evidence-zero", "ranks-zero", "changes-zero"]
    effects, evidence, ranks, changes = (figure.content for figure in built.figures)
    assert isinstance(effects, Chart)
    assert isinstance(evidence, SideBySide)
    assert len(evidence.figures) == 3
    assert isinstance(ranks, Table)
    assert len(ranks.rows) == 6
    assert isinstance(changes, Chart)
    for chart in (effects, changes):
        chart.drawing.to_dict()


def test_it_does_not_apply_without_variants_or_without_outputs(context: ReportContext, fake: Any) -> None:
    history = fake.MadeHistory()
    run = fake.add_run(history, n_stimuli=N, layers=fake.make_layers())
    alone = ReportContext((run,), history, fake.make_registry())
    assert not ablation.Ablation().applies(alone)
    variant = Variant(run.model.fingerprint, ("conv1",), "zero")
    fake.add_run(history, "variant", N, pictures=False, variant=variant, origin="ablated")
    again = ReportContext((run,), history, fake.make_registry())
    assert not ablation.Ablation().applies(again)  # nothing to set the variant beside
