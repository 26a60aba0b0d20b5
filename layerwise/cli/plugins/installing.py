"""From what pip has done to what people want to know: which comparators are there now, and do they load."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import typer

from layerwise.cli.output import print_json, stderr_console
from layerwise.cli.plugins.listing import describe_offers, singular
from layerwise.cli.plugins.looking import check_offers
from layerwise.cli.plugins.output import warn_on_stderr
from layerwise.cli.plugins.packages import (
    Installation,
    check_environment,
    check_source,
    install,
    is_path,
    list_plugins_anew,
    named_by,
    same_distribution,
    uninstall,
)
from layerwise.cli.session import open_history
from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.base.urls import hide_passwords
from layerwise.core.base.words import near_names
from layerwise.core.host.discovery import HOST, find_installed, group_of, installed_versions, normal_name
from layerwise.core.host.origins import remember_origin

Record = Mapping[str, Any]


def install_and_check(
    sources: Sequence[str], *, upgrade: bool, editable: bool, from_index: bool, verbose: bool, as_json: bool
) -> None:
    """Install, and say what was added; that it is a plugin is seen before, that it loads in a new process.

    Raises:
        InputError: If a path does not exist or is no project, or something offers no plugin.
        LayerwiseError: If pip cannot be used or fails, what it installed offers no plugin, or one does not load.
    """
    for source in sources:
        check_source(source, editable=editable)
    check_environment()
    check_offers(sources, from_index=from_index, verbose=verbose)
    with stderr_console().status("pip is installing ..."):
        installed = install(sources, upgrade=upgrade, editable=editable, verbose=verbose)
        found = list_plugins_anew()
    wanted = [done.name for done in installed if done.requested and not same_distribution(done.name, HOST)]
    wanted += [name for name in map(named_by, sources) if name and not _is_among(name, wanted)]
    added = [plugin for plugin in found if _is_among(plugin["distribution"], [*wanted, *(i.name for i in installed)])]
    _remember(sources, wanted)
    _tell_replaced(installed, wanted)
    if as_json:
        print_json([dict(plugin) for plugin in added])
    else:
        for plugin in added:
            _tell_added(plugin, installed)
    _check_added(wanted, added)


def ask_and_uninstall(names: Sequence[str], *, yes: bool, verbose: bool, database: str, as_json: bool) -> None:
    """Remove distributions of plugins, having said what of theirs is in the history.

    Raises:
        InputError: If one is not installed, or is no plugin's.
        LayerwiseError: If pip cannot be used or fails.
    """
    doomed = list(dict.fromkeys(find_distribution(name) for name in names))
    check_environment()
    results = {name: _count_results(name, database) for name in doomed}
    for name in doomed:
        plugins = ", ".join(found.name for found in find_installed() if same_distribution(found.distribution, name))
        if not as_json:
            typer.echo(f"{name} {distribution(name).version}: plugin {plugins}{_in_words(results[name])}")
    if not yes:
        if not sys.stdin.isatty():
            raise InputError("--yes is needed where nobody can be asked")
        typer.confirm(f"Uninstall {', '.join(doomed)}?", abort=True, err=True)
    with stderr_console().status("pip is removing ..."):
        uninstall(doomed, verbose=verbose)
    if as_json:
        print_json([{"uninstalled": name, "results": results[name]} for name in doomed])
    else:
        typer.echo(f"Uninstalled {', '.join(doomed)}.")


def find_distribution(name: str) -> str:
    """The distribution that a name means: its own, or that of the plugin of this name.

    Raises:
        InputError: If it is Layerwise itself, is not installed, or offers no plugin.
    """
    if same_distribution(name, HOST):
        raise InputError(f"{HOST} is not uninstalled by itself; `{sys.executable} -m pip uninstall {HOST}` does it")
    plugins = find_installed()
    for found in plugins:
        if same_distribution(found.distribution, name):
            return found.distribution
    owners = {found.distribution for found in plugins if found.name == name}
    if len(owners) == 1:
        return owners.pop()
    if owners:
        raise InputError(f"plugin '{name}' is in several distributions: say {' or '.join(sorted(owners))}")
    if normal_name(name) in installed_versions():
        raise InputError(f"{name} offers no plugin of Layerwise's, so it is not uninstalled here")
    known = sorted({found.distribution for found in plugins})
    raise InputError(f"no plugin '{name}' is installed{near_names(name, known)}")


def _remember(sources: Sequence[str], wanted: Sequence[str]) -> None:
    """Note where each came from, where it is clear which source it was."""
    if len(sources) == 1:
        pairs = [(name, sources[0]) for name in wanted[:1]]
    else:
        pairs = [(named_by(source), source) for source in sources if not is_path(source)]
    for name, source in pairs:
        if name:
            place = str(Path(source).expanduser().resolve()) if is_path(source) else hide_passwords(source)
            remember_origin(name, place)


def _tell_added(plugin: Record, installed: Sequence[Installation]) -> None:
    who = f"{plugin['distribution']} {plugin['version']}"
    if plugin["failure"]:
        return
    is_new = _is_among(plugin["distribution"], [done.name for done in installed])
    offers = describe_offers(plugin["offers"]) or "nothing"
    for mistake in plugin["mistakes"]:
        warn_on_stderr(f"plugin '{plugin['name']}' ({who}): {mistake}")
    typer.echo(f"{who} adds {offers}" if is_new else f"{who} was installed already; it adds {offers}")


def _tell_replaced(installed: Sequence[Installation], wanted: Sequence[str]) -> None:
    """Say on stderr which packages that nobody named are other versions now."""
    for done in installed:
        if done.before not in ("", done.version) and not _is_among(done.name, wanted):
            warn_on_stderr(f"pip has replaced {done.name} {done.before} by {done.version}, which a plugin needs")


def _check_added(wanted: Sequence[str], added: Sequence[Record]) -> None:
    for plugin in added:
        if plugin["failure"]:
            raise LayerwiseError(
                f"{plugin['distribution']} {plugin['version']} is installed, but its plugin '{plugin['name']}' "
                f"does not load: {plugin['reason']}"
            )
    for name in wanted:
        if not _is_among(name, [plugin["distribution"] for plugin in added]):
            raise LayerwiseError(
                f"{name} is installed, but it offers no plugin (it has no entry point in a group such as "
                f"'{group_of('comparators')}'); "
                f"`{sys.executable} -m pip uninstall {name}` removes it"
            )


def _is_among(name: str, names: Sequence[str]) -> bool:
    return any(same_distribution(name, other) for other in names)


def _count_results(name: str, database: str) -> dict[str, int]:
    try:
        with open_history(database, read_only=True) as store:
            return store.count_results(name)
    except LayerwiseError:  # no history here: nothing to tell of
        return {}


def _in_words(results: Mapping[str, int]) -> str:
    if not results:
        return ""
    counted = ((n_results, *kind.partition(" ")) for kind, n_results in results.items())
    words = [f"{n:,} {many if n > 1 else singular(many)}{space}{rest}" for n, many, space, rest in counted]
    listed = ", ".join(words)
    return f"; what it computed stays in the history ({listed})"
