"""A check in words: one line, and a table in Markdown."""

from __future__ import annotations

from layerwise.core.analysis.checking.check_run import Check, LayerCheck

_MARKS = {"pass": "pass", "fail": "**FAIL**", "undecided": "undecided", "skipped": "skipped"}


def headline(check: Check) -> str:
    """What came out, in one line: how many layers, and the first that broke."""
    n_layers = len(check.layers)
    counts = {verdict: len(check.of(verdict)) for verdict in ("pass", "fail", "undecided", "skipped")}
    said = [f"{counts[one]} {_plural(one, counts[one])}" for one in ("fail", "undecided", "skipped") if counts[one]]
    if check.verdict == "pass":
        rest = f" ({', '.join(said)})" if said else ""
        return f"PASS: {counts['pass']} of {n_layers} layers are what they were, up to {check.plan.margin:g}{rest}"
    if check.broken is not None:
        return f"FAIL: of {n_layers} layers {', '.join(said)}; the first is {describe(check.broken)}"
    return f"UNDECIDED: of {n_layers} layers {', '.join(said)}{_advise(check)}"


def describe(layer: LayerCheck) -> str:
    """One layer with its number, its interval, or the reason why it has none."""
    if layer.value is None:
        return f"{layer.layer} ({layer.reason})"
    ends = "" if layer.low is None else f", {layer.low:.4g} to {layer.high:.4g}"
    reason = f"; {layer.reason}" if layer.reason else ""
    return f"{layer.layer} ({layer.value:.4g}{ends}{reason})"


def how_it_was_checked(check: Check) -> str:
    """The method in a sentence or two."""
    plan = check.plan
    return (
        f"Each layer of run {check.run.id} ({check.run.model.title}) against the same layer of {check.baseline.id} "
        f"({check.baseline.model.title}) on {check.n_stimuli} stimuli: its {check.measure.name} may be "
        f"{plan.margin:g} from that of the layer with itself. Two one-sided tests at {plan.alpha:g} from "
        f"{plan.n_resamples} resamples of the stimuli, corrected for {len(check.layers)} layers (Holm); intervals "
        "are simultaneous."
    )


def write_markdown(check: Check) -> str:
    """A heading, the method, and a line for each layer: those that did not pass first."""
    heads = ("layer", "verdict", check.measure.name, "interval", "p (same)", "p (changed)", "stimuli needed")
    order = {"fail": 0, "undecided": 1, "skipped": 2, "pass": 3}
    rows = [_row(item) for item in sorted(check.layers, key=lambda item: order[item.verdict])]
    lines = [
        f"### {headline(check)}",
        "",
        how_it_was_checked(check),
        "",
        f"| {' | '.join(heads)} |",
        "|---|---|---:|---|---:|---:|---:|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        *(f"Note: {note}." for note in check.notes),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _row(item: LayerCheck) -> tuple[str, ...]:
    name = item.layer.replace("|", "\\|")
    ends = "" if item.low is None else f"{item.low:.4g} to {item.high:.4g}"
    value = "" if item.value is None else f"{item.value:.4f}"
    needed = "" if item.n_needed is None else f"{item.n_needed:,}"
    return (name, _MARKS[item.verdict], value, ends or item.reason, _p(item.p_pass), _p(item.p_fail), needed)


def _p(value: float | None) -> str:
    return "" if value is None else "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def _plural(verdict: str, number: int) -> str:
    return {"fail": "fails" if number == 1 else "fail"}.get(verdict, verdict)


def _advise(check: Check) -> str:
    """How many stimuli would probably tell, of the layer that needs most."""
    open_ones = check.of("undecided")
    needed = [item.n_needed for item in open_ones]
    if not needed or None in needed:
        return ": some are too near to the margin, or too little known, for any number of stimuli to tell"
    return f": about {max(n for n in needed if n is not None):,} stimuli would probably tell"
