"""The built-in commands, one module each; importing them must cost nothing but Typer."""

from __future__ import annotations

import typer

from layerwise.cli.commands import (
    compare,
    db,
    delete,
    demo,
    export,
    layers,
    models,
    plugins,
    query,
    reorder,
    report,
    run,
    runs,
    show,
)


def register_commands(app: typer.Typer) -> None:
    """Add every built-in command to the application, in the order in which help lists them."""
    app.command("demo")(demo.run_demo)
    app.command("models")(models.list_models)
    app.command("layers")(layers.list_layers)
    app.command("run")(run.run_analysis)
    app.command("runs")(runs.list_runs)
    app.command("show")(show.show_run)
    app.command("delete")(delete.delete_run)
    app.command("compare")(compare.compare_runs)
    app.command("reorder")(reorder.reorder_run)
    app.command("report")(report.write_report)
    app.command("query")(query.query_history)
    app.command("export")(export.export_run)
    app.add_typer(plugins.app, name="plugins")
    app.add_typer(db.app, name="db")
