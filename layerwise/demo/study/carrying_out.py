"""Carrying a study out: every training that is not done yet, then what is to be said of all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from layerwise.core.host.registry import Registry
from layerwise.core.runs.request import Observer
from layerwise.demo.study.keeping import Kept
from layerwise.demo.study.plan import Study
from layerwise.demo.study.training import Training, measure, train


def carry_out(study: Study, registry: Registry, database: str, folder: Path, observer: Observer) -> list[Training]:
    """All trainings of a study, in the order of seeds, and of conditions within each.

    What was done before is taken from `folder`; a training that was interrupted is begun anew.

    Args:
        study: The plan.
        registry: What plugins offer.
        database: URL of the history that trainings are recorded in.
        folder: Where finished trainings are kept.
        observer: Told of each training.

    Raises:
        LayerwiseError: If a training was not recorded as it must be.
    """
    from layerwise.storage import open_store

    kept = Kept(folder)
    found: list[Training] = []
    digests = {condition.name: study.digest(condition, 0) for condition in study.conditions}
    total = len(study.seeds) * len(study.conditions)
    for seed in study.seeds:
        for condition in study.conditions:
            digest = f"{digests[condition.name]} {seed}"
            training = kept.read(condition.name, seed, digest)
            if training is None:
                observer.stage(f"training {len(found) + 1} of {total}: {condition.name}, seed {seed}")
                model = train(study, condition, seed, database)
                with open_store(database) as store:
                    training = measure(study, condition, seed, model, registry, store)
                kept.write(training, digest)
            found.append(training)
    return found


def of_condition(trainings: Sequence[Training], name: str) -> list[Training]:
    """The trainings of one condition, by seed."""
    return sorted((training for training in trainings if training.condition == name), key=lambda one: one.seed)
