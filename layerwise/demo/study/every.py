"""A study from beginning to end: its trainings, its history and its page, in one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from layerwise.core.host.registry import Registry
from layerwise.core.runs.request import Observer, SilentObserver
from layerwise.demo.study.carrying_out import carry_out
from layerwise.demo.study.page import write_page
from layerwise.demo.study.plan import Study
from layerwise.demo.study.training import Training


@dataclass(frozen=True)
class StudyMade:
    """A study that is done.

    Attributes:
        trainings: All of them.
        database: URL of its history.
        page: Its page.
    """

    trainings: tuple[Training, ...]
    database: str
    page: Path


def study_in_folder(
    study: Study,
    registry: Registry | None = None,
    folder: Path | str = "study",
    database: str | None = None,
    observer: Observer | None = None,
    command: str = "",
) -> StudyMade:
    """Carry a study out, or go on with it, and write its page.

    Args:
        study: The plan.
        registry: What plugins offer; by default those that are built in and installed.
        folder: Where its trainings and its page are kept.
        database: URL of the history; by default `layerwise.db` in the folder.
        observer: Told of each training.
        command: What makes the study again, for the page.

    Raises:
        InputError: If something cannot be written there.
        LayerwiseError: If a training was not recorded as it must be.
    """
    from layerwise.storage import open_store

    if registry is None:
        from layerwise.plugins import load_plugins

        registry = load_plugins()
    folder, observer = Path(folder), observer or SilentObserver()
    url = database or f"sqlite:///{folder / 'layerwise.db'}"
    trainings = carry_out(study, registry, url, folder / "trainings", observer)
    observer.stage("drawing the page")
    with open_store(url) as store:
        page = write_page(study, trainings, registry, store, folder / "report.html", command)
    return StudyMade(tuple(trainings), url, page)
