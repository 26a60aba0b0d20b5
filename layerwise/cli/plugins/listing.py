"""What `layerwise plugins` shows: who offers what, why a plugin did not load, and what its author got wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from layerwise.cli.options.measure_options import print_comparators
from layerwise.cli.output import make_table, print_json, stdout_console
from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names

if TYPE_CHECKING:
    from rich.console import Console

    from layerwise.core.host.registry import PluginStatus, Registry

Offers = Mapping[tuple[str, str], list[dict[str, Any]]]
"""What each plugin offers, by distribution and plugin."""

_N_NAMED = 3


def print_plugins(registry: Registry, hook: str | None, *, as_json: bool) -> None:
    """A row a plugin, or with a hook a row an offer; then what did not load."""
    offers = find_offers(registry, hook)
    if as_json:
        print_json([plugin_record(status, offers) for status in registry.plugins])
        return
    console = stdout_console()
    if hook is None:
        rows = [_plugin_row(status, offers) for status in _outsiders_first(registry.plugins)]
        console.print(make_table(("plugin", "version", "distribution", "offers", "status"), rows))
    elif read_hook(hook) == "comparators":
        print_comparators(registry)
    else:
        listed = [(offer, status) for status in registry.plugins for offer in offers.get(_key(status), ())]
        rows = [(o["name"], o["description"], f"{s.distribution} {s.version}") for o, s in listed]
        console.print(make_table(("name", "what it is", "from"), rows))
    _print_failures(registry, console)


def print_plugin(registry: Registry, name: str, *, as_json: bool) -> None:
    """All about one plugin.

    Raises:
        InputError: If there is none of this name.
    """
    from layerwise.core.host.discovery import HOST, normal_name
    from layerwise.core.host.origins import find_origin

    offers = find_offers(registry, None)
    found = [s for s in registry.plugins if name == s.name or normal_name(name) == normal_name(s.distribution)]
    if not found:
        known = [word for status in registry.plugins for word in (status.name, status.distribution)]
        raise InputError(f"no plugin '{name}' is installed{near_names(name, list(dict.fromkeys(known)))}")
    if as_json:
        print_json([plugin_record(s, offers) | {"origin": find_origin(s.distribution)} for s in found])
        return
    console = stdout_console()
    for status in found:
        origin = "" if status.distribution == HOST else f", from {find_origin(status.distribution)}"
        head = f"{status.name} ({status.distribution} {status.version}{origin}): {_status(status, offers)}"
        console.print(head, markup=False, soft_wrap=True)
        rows = [(singular(o["hook"]), o["name"], o["description"]) for o in offers.get(_key(status), ())]
        console.print(make_table(("offers", "name", "what it is"), rows))
        for line in ([f"Failed: {status.reason}"] if status.failure else []) + list(status.mistakes):
            console.print(line, markup=False, soft_wrap=True)


def plugin_record(status: PluginStatus, offers: Offers) -> dict[str, Any]:
    """A plugin as JSON shows it."""
    return asdict(status) | {"status": _status(status, offers), "offers": offers.get(_key(status), [])}


def read_hook(typed: str) -> str:
    """A hook's short name, `comparators`, from that, from `register_comparators` or from `comparator`.

    Raises:
        InputError: If there is no such hook.
    """
    from layerwise.cli.scaffold.parts import find_part

    return find_part(typed).kind


def find_offers(registry: Registry, hook: str | None) -> Offers:
    """What each plugin offers; looking it up imports them all, and finds hooks that fail."""
    from layerwise.plugins import KINDS

    wanted = None if hook is None else read_hook(hook)
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for name, kind in KINDS.items():
        if wanted in (None, name):
            for offer in registry.all(kind):
                entry = {"hook": name, "name": offer.name, "description": offer.offer.description}
                found.setdefault((offer.distribution, offer.plugin), []).append(entry | _declared(offer.offer))
    return found


def describe_offers(offers: Sequence[Mapping[str, Any]]) -> str:
    """Offers in a few words: `comparator my-cka, 5 metrics`."""
    words = []
    for hook in dict.fromkeys(offer["hook"] for offer in offers):
        names = [offer["name"] for offer in offers if offer["hook"] == hook]
        plural = hook.replace("_", " ")
        if len(names) > _N_NAMED:
            words.append(f"{len(names)} {plural}")
        else:
            words.append(f"{plural if len(names) > 1 else singular(plural)} {', '.join(names)}")
    return ", ".join(words)


def singular(plural: str) -> str:
    """One of several: `comparator`, of `comparators`."""
    return plural.removesuffix("s")


def _declared(offer: object) -> dict[str, Any]:
    """What a comparator declares of itself; nothing of anything else."""
    from layerwise.core.host.kinds import Comparator

    if not isinstance(offer, Comparator):
        return {}
    return {
        "kind": offer.kind,
        "symmetric": offer.symmetric,
        "value_range": offer.value_range,
        "invariant_to": sorted(offer.invariant_to),
        "parameters": [vars(parameter) for parameter in offer.parameters],
    }


def _key(status: PluginStatus) -> tuple[str, str]:
    return (status.distribution, status.name)


def _status(status: PluginStatus, offers: Offers) -> str:
    from layerwise.core.host.discovery import HOST

    if status.failure:
        return "failed in part" if offers.get(_key(status)) else "failed"
    return "built in" if status.distribution == HOST else "installed"


def _outsiders_first(plugins: Sequence[PluginStatus]) -> list[PluginStatus]:
    from layerwise.core.host.discovery import HOST

    return sorted(plugins, key=lambda status: status.distribution == HOST)


def _plugin_row(status: PluginStatus, offers: Offers) -> tuple[str, ...]:
    what = describe_offers(offers.get(_key(status), []))
    return (status.name, status.version, status.distribution, what, _status(status, offers))


def _print_failures(registry: Registry, console: Console) -> None:
    """What did not load, what is not as it declares, and what was left out."""
    lines = []
    for status in registry.plugins:
        who = f"{status.name} ({status.distribution} {status.version})"
        if status.failure:
            lines.append(f"Failed: {who}: {status.reason}; --json has the traceback")
        lines += [f"Mistake in {who}: {mistake}" for mistake in status.mistakes]
    if registry.left_out:
        names = ", ".join(f"{found.name} ({found.distribution} {found.version})" for found in registry.left_out)
        lines.append(f"Left out, by --no-plugin or LAYERWISE_PLUGINS: {names}")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
