"""The attempts at a run in words: what each has done, and what was different from the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from layerwise.core.history.records import Attempt


def describe_attempts(attempts: Sequence[Attempt]) -> Iterator[tuple[str, str]]:
    """`attempt 2` and a line about it, for each; nothing where all was done in one."""
    if len(attempts) < 2:
        return
    for before, attempt in zip([None, *attempts], attempts, strict=False):
        layers = "1 layer" if attempt.n_layers == 1 else f"{attempt.n_layers} layers"
        said = [f"{attempt.status}, {layers}, started {attempt.started_at:%Y-%m-%d %H:%M:%S} UTC"]
        if attempt.error:
            said.append(attempt.error)
        if not attempt.versions:
            said.append("versions, plugins, host and command were not recorded")
        elif before is not None and before.versions:
            said += list_changes(before, attempt)
        yield f"attempt {attempt.number}", "; ".join(said)


def list_changes(before: Attempt, after: Attempt) -> list[str]:
    """What the later of two attempts was made with that the earlier was not: `numpy 2.4 -> 2.5`."""
    changes = [*_differences(before.versions, after.versions), *_differences(before.host, after.host)]
    if before.plugins != after.plugins:
        changes.append(f"plugins {', '.join(after.plugins) or 'none'}")
    if before.command != after.command:
        changes.append(f"command `{after.command}`")
    return changes


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name, "none"), after.get(name, "none")
        if old != new:
            yield f"{name} {old} -> {new}"
