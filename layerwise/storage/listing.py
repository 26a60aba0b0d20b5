"""Which runs a filter means, in which order, and how many of each kind, as SQL.

`core/history/listing.py` says the same of runs in memory. Lists are read in two steps: which runs, by their ids; then
what is shown of these, so that the size of a history adds only what the database needs to choose among its runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func

from layerwise.core.base.errors import InputError
from layerwise.core.history.listing import words_of
from layerwise.core.history.records import RunField, RunFilter
from layerwise.storage.holding.claims import is_live
from layerwise.storage.schema import layers, models, representations, runs, stimulus_sets, tags

N_WORDS_MOST = 50
_JOINED = runs.join(models).join(stimulus_sets)
_NEWEST = (runs.c.started_at.desc(), runs.c.id)
_STEP = sa.case((runs.c.step.is_(None), ""), else_="step " + sa.cast(runs.c.step, sa.Text))
_CHECKPOINT = func.coalesce(func.nullif(runs.c.checkpoint, ""), _STEP)
_TEXTS = ("model", "stimuli", "lineage", "status", "origin", "fingerprint", "model_fingerprint")

Column = sa.ColumnElement[Any]


def count_layers() -> sa.Select[Any]:
    """A query of the number of stored layers, `n_layers`, of each `run_id` that has some."""
    n_layers = func.count(sa.distinct(representations.c.layer_id)).label("n_layers")
    return sa.select(layers.c.run_id, n_layers).join_from(representations, layers).group_by(layers.c.run_id)


_COUNTED = count_layers().subquery("counted")


def choose_ids(connection: sa.Connection, where: RunFilter) -> list[str]:
    """The ids of the runs that a filter means, in the order that it says.

    Raises:
        InputError: If it looks for too many words.
    """
    status = _status_now(connection)
    joined = _JOINED.outerjoin(_COUNTED, _COUNTED.c.run_id == runs.c.id) if where.order == "n_layers" else _JOINED
    chosen = sa.select(runs.c.id).select_from(joined).where(*_conditions(where, status))
    ordered = chosen.order_by(*_order(where, status)).offset(where.offset or None).limit(where.limit)
    return list(connection.execute(ordered).scalars())


def count_runs(connection: sa.Connection, where: RunFilter) -> int:
    """How many runs a filter means, whatever its limit."""
    chosen = sa.select(func.count()).select_from(_JOINED).where(*_conditions(where, _status_now(connection)))
    return int(connection.execute(chosen).scalar_one())


def count_values(connection: sa.Connection, field: RunField, where: RunFilter) -> dict[str, int]:
    """How many of the runs that a filter means have each value of a field; those without one do not count."""
    status = _status_now(connection)
    value = _fields(status)[field].label("value")
    chosen = sa.select(value, func.count()).select_from(_JOINED).where(value.is_not(None))
    counted = connection.execute(chosen.where(*_conditions(where, status)).group_by(value))
    return {str(name): int(n_runs) for name, n_runs in counted}


def _status_now(connection: sa.Connection) -> Column:
    """How a run stands: whoever computes it may have died, and only we know which processes are alive."""
    unfinished = connection.execute(sa.select(runs).where(runs.c.status == "running")).mappings()
    dead = [run["id"] for run in unfinished if not is_live(run)]
    if not dead:
        return runs.c.status
    # Written out, because the number of parameters is limited, and a machine that lost power may have left many.
    named: sa.BindParameter[Any] = sa.bindparam("dead", dead, expanding=True, literal_execute=True)
    return sa.case((runs.c.id.in_(named), "interrupted"), else_=runs.c.status)


def _fields(status: Column) -> dict[str, Column]:
    return {"model": models.c.name, "stimuli": stimulus_sets.c.name, "lineage": runs.c.lineage, "status": status}


def _conditions(where: RunFilter, status: Column) -> Iterator[Column]:
    texts = (where.words, *where.tags.values(), *where.tags, *(getattr(where, name) or "" for name in _TEXTS))
    if any("\0" in text for text in texts):
        yield sa.false()  # PostgreSQL keeps no such text, and does not like to be asked for one
        return
    columns: dict[str, Column] = {
        **_fields(status),
        "origin": runs.c.origin,
        "fingerprint": stimulus_sets.c.fingerprint,
        "model_fingerprint": models.c.fingerprint,
    }
    for name, column in columns.items():
        if getattr(where, name) is not None:
            yield column == getattr(where, name)
    for name, value in where.tags.items():
        yield runs.c.id.in_(sa.select(tags.c.run_id).where(tags.c.name == name, tags.c.value == value))
    if where.with_layers:
        yield (
            sa.exists().where(representations.c.layer_id == layers.c.id, layers.c.run_id == runs.c.id).correlate(runs)
        )
    words = words_of(where.words)
    if len(words) > N_WORDS_MOST:
        raise InputError(f"runs can be searched for {N_WORDS_MOST} words, and these are {len(words)}")
    for word in words:
        yield _has_word(word, status)


def _has_word(word: str, status: Column) -> Column:
    """Whether a word is found in a run, as `RunFilter.words` says."""
    texts: Sequence[Column] = (
        models.c.name,
        stimulus_sets.c.name,
        runs.c.lineage,
        _CHECKPOINT,
        status,
        runs.c.command,
    )
    tag = tags.c.name + "=" + tags.c.value
    tagged = sa.exists().where(tags.c.run_id == runs.c.id, _contains(tag, word)).correlate(runs)
    named = runs.c.id.startswith(word, autoescape=True)
    return sa.or_(named, *(_contains(text, word) for text in texts), tagged)


def _contains(text: Column, word: str) -> Column:
    return func.lower(text).contains(word, autoescape=True)


def _order(where: RunFilter, status: Column) -> list[Column]:
    """What to order by; where a history cannot say it, as with equals, the newest run comes first."""
    by: dict[str, tuple[Column, ...]] = {
        "started": (runs.c.started_at,),
        "id": (runs.c.id,),
        "model": (func.lower(models.c.name),),
        "checkpoint": (func.coalesce(runs.c.lineage, ""), func.coalesce(runs.c.step, -1), _CHECKPOINT),
        "stimuli": (func.lower(stimulus_sets.c.name),),
        "n_stimuli": (stimulus_sets.c.n_stimuli,),
        "n_layers": (func.coalesce(_COUNTED.c.n_layers, 0),),
        "status": (status,),
        "top1": (runs.c.top1,),
    }
    columns = by[where.order]
    return [*((column.desc() if where.descending else column.asc()).nulls_last() for column in columns), *_NEWEST]
