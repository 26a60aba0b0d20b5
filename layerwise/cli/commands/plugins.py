"""`layerwise plugins`: who offers what, and which plugin did not load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerwise.cli.measuring import print_comparators
from layerwise.cli.options import AsJson
from layerwise.cli.output import make_table, print_json, stdout_console
from layerwise.cli.session import session_of

if TYPE_CHECKING:
    from layerwise.core.registry import Registry

app = typer.Typer(rich_markup_mode=None, help="List plugins and what they offer.")
Hook = Annotated[
    str | None, typer.Option("--hook", metavar="NAME", help="Only what came through this hook, such as comparators.")
]


@app.callback(invoke_without_command=True)
def plugins(context: typer.Context, hook: Hook = None, as_json: AsJson = False) -> None:
    """List plugins and what they offer."""
    if context.invoked_subcommand is None:
        _print_plugins(session_of(context).registry, hook, as_json=as_json)


@app.command("list")
def list_plugins(context: typer.Context, hook: Hook = None, as_json: AsJson = False) -> None:
    """List plugins and what they offer."""
    _print_plugins(session_of(context).registry, hook, as_json=as_json)


def _print_plugins(registry: Registry, hook: str | None, *, as_json: bool) -> None:
    offers = _offers(registry, hook)
    if as_json:
        print_json([{**vars(status), "offers": offers.get(status.name, [])} for status in registry.plugins])
        return
    if hook is not None and hook.removeprefix("register_") == "comparators":
        print_comparators(registry)
        return
    console = stdout_console()
    rows = [
        (f"{status.distribution} {status.version}", status.name, offer["hook"], offer["name"], offer["description"])
        for status in registry.plugins
        for offer in offers.get(status.name, [])
    ]
    console.print(make_table(("distribution", "plugin", "hook", "name", "what it is"), rows))
    for status in registry.plugins:
        if status.failure:
            reason = status.failure.strip().splitlines()[-1]
            where = f"{status.name} ({status.distribution} {status.version})"
            console.print(f"Failed: {where}: {reason}; --json has the traceback", markup=False, soft_wrap=True)


def _offers(registry: Registry, hook: str | None) -> dict[str, list[dict[str, Any]]]:
    """What each plugin offers, by the plugin's name; looking it up also finds hooks that fail."""
    from layerwise.core.errors import InputError
    from layerwise.core.layers import near_names
    from layerwise.core.registry import KINDS

    wanted = None if hook is None else hook.removeprefix("register_").replace("-", "_")
    if wanted is not None and wanted not in KINDS:
        raise InputError(f"no hook '{hook}'{near_names(wanted, list(KINDS))}; hooks are {', '.join(KINDS)}")
    found: dict[str, list[dict[str, Any]]] = {}
    for name, kind in KINDS.items():
        if wanted in (None, name):
            for offer in registry.all(kind):
                entry = {"hook": name, "name": offer.name, "description": offer.offer.description}
                found.setdefault(offer.plugin, []).append(entry | _declared(offer.offer))
    return found


def _declared(offer: object) -> dict[str, Any]:
    """What a comparator declares of itself; nothing of anything else."""
    from layerwise.core.kinds import Comparator

    if not isinstance(offer, Comparator):
        return {}
    return {
        "kind": offer.kind,
        "symmetric": offer.symmetric,
        "value_range": offer.value_range,
        "invariant_to": sorted(offer.invariant_to),
        "parameters": [vars(parameter) for parameter in offer.parameters],
    }
