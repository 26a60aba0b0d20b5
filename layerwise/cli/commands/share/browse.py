"""`layerwise browse`: the history as a local web page."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from layerwise.cli.options.common import DEFAULT_DATABASE, Database
from layerwise.cli.session import open_history, session_of


def browse_history(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, metavar="PORT", help="Where to listen; 0 takes any free port. [default: 8421]"
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Listen at this address; others than this machine's own may look.")
    ] = "127.0.0.1",
    open_it: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Look at the whole history in a browser: runs, their reports, queries.

    The page is served by this machine to itself, and changes nothing. Ctrl-C ends it.

    Examples:
        layerwise browse
        layerwise browse --port 0 --no-open
    """
    from layerwise.cli.browse import serving

    with open_history(database, read_only=True) as store:
        from layerwise.cli.browse.reports import Reports
        from layerwise.cli.browse.server import Site, make_application
        from layerwise.storage.asking.apart import stop_queries

        listener = serving.bind(host, port)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}/"
        if host not in serving.LOOPBACK:
            print(f"layerwise: warning: whoever reaches {host} can read this history", file=sys.stderr)
        session = session_of(context)
        reports = Reports(store, lambda: session.registry)
        site = Site(store, lambda: session.registry, reports)
        if host not in serving.LOOPBACK:
            site.reach = f"for whoever reaches {host}"
        application = make_application(site, serving.answered_hosts(host))

        typer.echo(f"The history {store.url} is at {address} (Ctrl-C ends it)")
        if open_it:
            typer.launch(address)
        try:
            serving.serve(application, listener)
        except KeyboardInterrupt:
            typer.echo("Stopped.")
        finally:
            stop_queries()
            reports.close()
