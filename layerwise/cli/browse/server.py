"""The addresses of the local pages, and what keeps other web sites away from them.

Only names of this machine are answered to (so that no foreign name can be pointed here), pages may load nothing
from elsewhere and be framed by nobody, and there is no address that changes anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from layerwise.cli.browse.listing import list_matching, list_others, read_wish
from layerwise.cli.browse.pages import STATIC, render
from layerwise.cli.browse.questions import EXAMPLES, MOST_BYTES, ask, read_frame
from layerwise.cli.browse.reports import Reports, ReportWish
from layerwise.cli.browse.watching import ALARMS, Watching, read_watch_wish
from layerwise.cli.commands.ask.runs import run_record
from layerwise.cli.printing.overview import survey_layers
from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.memory import OverlayHistory
from layerwise.core.history.references import find_runs

if TYPE_CHECKING:
    from layerwise.core.host.registry import Registry
    from layerwise.storage import OpenHistory

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ALONE = "frame-ancestors 'none'"  # a report says itself what it may do
_N_OTHERS = 200  # that a run's page offers to compare it with
_PATIENCE_SECONDS = 25.0
_FOREIGN = "Another site's page asked for this, and gets nothing: open the address yourself."


@dataclass
class Site:
    """What all addresses share: the history, the plugins, the reports, and who can look (`reach`)."""

    store: OpenHistory
    find_registry: Callable[[], Registry]
    reports: Reports
    reach: str = "this machine only"

    def show_runs(self, request: Request) -> Response:
        """The list; only its middle for the page's own script."""
        part = "rows.html" if "part" in request.query_params else "runs.html"
        parameters = {name: value for name, value in request.query_params.items() if name != "part"}
        listing = list_matching(self.store, read_wish(parameters))
        return self._show(part, listing=listing, wish=listing.wish)

    def list_json(self, request: Request) -> Response:
        """The same list as JSON, all of its pages."""
        found = self.store.list_runs(read_wish(request.query_params).where)
        return _as_json([run_record(run) for run in found])

    def show_run(self, request: Request) -> Response:
        """One run: what it was, and which others can be compared with it."""
        run = self.store.find_run(request.path_params["run"])
        others, n_others = list_others(self.store, run, _N_OTHERS)
        return self._show("run.html", run=run, others=others, n_others=n_others)

    def show_layers(self, request: Request) -> Response:
        """The layers of one run, a row each; part of its page."""
        run = self.store.find_run(request.path_params["run"])
        transform = "none" if "none" in run.transforms else run.transforms[0]
        rows = survey_layers(self.find_registry(), OverlayHistory(self.store), run, transform)
        return self._show("layers.html", rows=rows, transform=transform)

    def show_report(self, request: Request) -> Response:
        """A report where it is drawn, otherwise a page that waits for it."""
        wish = read_report_wish(request)
        future = self.reports.ask(wish, anew="anew" in request.query_params)
        if future.done() and "anew" not in request.query_params:
            return Response(future.result(), media_type="text/html", headers={"Content-Security-Policy": ALONE})
        runs = find_runs(self.store, wish.run_ids)
        return self._show("drawing.html", wish=wish, runs=runs)

    async def wait_for_report(self, request: Request) -> Response:
        """Whether a report is drawn, answered after half a minute at the latest.

        It waits without a thread: there are 40 of these for everybody, and as many waiting tabs would stop all pages.
        """
        future = await run_in_threadpool(self.reports.ask, read_report_wish(request))
        drawn = asyncio.wrap_future(future)
        drawn.add_done_callback(lambda drawn: drawn.cancelled() or drawn.exception())  # else it is called forgotten
        await asyncio.wait([drawn], timeout=_PATIENCE_SECONDS)  # which, unlike wait_for, cancels nothing
        if drawn.done():
            drawn.result()  # what it failed with is the answer
        return _as_json({"drawn": drawn.done()})

    def show_trainings(self, _request: Request) -> Response:
        """The trainings there are."""
        return self._show("trainings.html", trainings=self._watching.list_trainings())

    def show_training(self, request: Request) -> Response:
        """The page that watches one training; its script asks for what it draws."""
        from layerwise.core.analysis.training.alarms import AlarmLimits

        return self._show(
            "training.html", wish=read_watch_wish(request.query_params), usual=AlarmLimits(), alarms=ALARMS
        )

    def follow_training(self, request: Request) -> Response:
        """What a page has not seen yet of a training."""
        from layerwise.cli.output import json_line

        answer = self._watching.answer(read_watch_wish(request.query_params))
        return Response(json_line(answer), media_type="application/json")

    @cached_property
    def _watching(self) -> Watching:
        return Watching(self.store, self.find_registry)

    def show_query(self, request: Request) -> Response:
        """A query and its answer."""
        answer = ask(self.store, request.query_params.get("sql", "").strip())
        status = 400 if answer.problem else 200
        return self._show("query.html", status, answer=answer, examples=EXAMPLES, tables=self._tables)

    def download_query(self, request: Request) -> Response:
        """A query's whole answer as CSV."""
        from layerwise.cli.tabular import as_csv

        frame = read_frame(self.store, request.query_params.get("sql", ""), 4 * MOST_BYTES)
        headers = {"Content-Disposition": 'attachment; filename="query.csv"'}
        return Response(as_csv(frame), media_type="text/csv; charset=utf-8", headers=headers)

    def _show(self, template: str, status: int = 200, **values: Any) -> Response:
        shared = {"history": self.store.url, "reach": self.reach}
        return HTMLResponse(render(template, {**shared, **values}), status_code=status)

    @cached_property
    def _tables(self) -> list[tuple[str, list[str]]]:
        """Tables and views with their columns."""
        return [(name, self.store.column_names(name)) for name in self.store.table_names()]


def read_report_wish(request: Request) -> ReportWish:
    """The report that an address asks for.

    Raises:
        InputError: If it names no run.
    """
    asked = request.query_params
    runs = tuple(dict.fromkeys(asked.getlist("run")))
    if not runs:
        raise InputError("choose at least one run to report")
    return ReportWish(runs, asked.get("with") or None, asked.get("metric") or None, asked.get("transform") or None)


def make_application(site: Site, hosts: Sequence[str]) -> Starlette:
    """The web application.

    Args:
        site: What it shows.
        hosts: The names that it answers to.
    """
    routes = [
        Route("/", site.show_runs),
        Route("/runs.json", site.list_json),
        Route("/run/{run}", site.show_run),
        Route("/run/{run}/layers", site.show_layers),
        Route("/trainings", site.show_trainings),
        Route("/training", site.show_training),
        Route("/training.json", site.follow_training),
        Route("/report", site.show_report),
        Route("/report/ready", site.wait_for_report),
        Route("/query", site.show_query),
        Route("/query.csv", site.download_query),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)), Middleware(_Guard)]
    handlers: dict[Any, Any] = {LayerwiseError: _explain, HTTPException: _explain_missing}
    return Starlette(routes=routes, middleware=guards, exception_handlers=handlers)


class _Guard:
    """Refuses what other sites' pages ask, and adds to every answer what a page may do.

    Browsers say with each request whose page sends it (`Sec-Fetch-Site`, and `Origin` where they do not). A page of
    another site may lead here by a link to the list of runs, and may ask for nothing: not even for work to be done.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                named = {name.lower() for name, _ in headers}
                rules = (
                    (b"content-security-policy", POLICY.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"no-referrer"),
                    (b"cache-control", b"no-store"),
                )
                message = {**message, "headers": headers + [rule for rule in rules if rule[0] not in named]}
            await send(message)

        if scope["type"] == "http" and _is_foreign(scope):
            refused = HTMLResponse(render("problem.html", {"message": _FOREIGN}), status_code=403)
            await refused(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)


def _is_foreign(scope: Any) -> bool:
    """Whether a page of another site sends a request, other than a link to the first page."""
    headers = {name.lower(): value.decode("latin-1") for name, value in scope.get("headers", [])}
    site = headers.get(b"sec-fetch-site")
    origin = headers.get(b"origin")
    if site is not None:
        leads_here = scope["path"] == "/" and headers.get(b"sec-fetch-mode") == "navigate"
        return site not in ("same-origin", "none") and not leads_here
    return origin is not None and origin != f"{scope.get('scheme', 'http')}://{headers.get(b'host', '')}"


def _explain(request: Request, error: Exception) -> Response:
    """One of our errors as a page, or as JSON where a script asked."""
    message = error.message if isinstance(error, LayerwiseError) else str(error)
    status = 400 if isinstance(error, InputError) else 500
    if request.url.path.endswith(("/ready", ".json")):
        return JSONResponse({"error": message}, status_code=status)
    return HTMLResponse(render("problem.html", {"message": message}), status_code=status)


def _explain_missing(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    message = "There is nothing at this address." if status == 404 else "This address only answers questions."
    return HTMLResponse(render("problem.html", {"message": message}), status_code=status)


def _as_json(value: Any) -> Response:
    from layerwise.cli.output import json_text

    return Response(json_text(value), media_type="application/json")
