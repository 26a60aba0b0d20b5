"""Serving the local pages: a port of this machine, found before anything is promised, and an end that is quiet."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from layerwise.core.base.errors import InputError, LayerwiseError

if TYPE_CHECKING:
    from starlette.applications import Starlette

DEFAULT_PORT = 8421
_TRIES = 20
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def bind(host: str, port: int | None) -> socket.socket:
    """A socket that listens at this address.

    Args:
        host: A name or address of this machine.
        port: The port, 0 for any free one; None for the usual one, or the first free one after it.

    Raises:
        InputError: If the host is none of this machine's.
        LayerwiseError: If the port is taken.
    """
    ports = [port] if port is not None else list(range(DEFAULT_PORT, DEFAULT_PORT + _TRIES))
    problem: OSError | None = None
    for number in ports:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
        except socket.gaierror as error:
            raise InputError(f"--host '{host}' is no address of this machine") from error
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            listener.close()
            problem = error
        else:
            listener.listen(128)  # from here on nobody is turned away, though the first answer may take a moment
            return listener
    where = f"port {port}" if port is not None else f"ports {ports[0]} to {ports[-1]}"
    said = problem.strerror if problem else "no port"
    raise LayerwiseError(f"cannot listen at {host}, {where}: {said}; --port 0 takes any free one")


def answered_hosts(host: str) -> tuple[str, ...]:
    """The names that are answered to: this machine's, so that no foreign one leads here; all if others may look."""
    return ("127.0.0.1", "localhost", "[::1]") if host in LOOPBACK else ("*",)


def serve(application: Starlette, listener: socket.socket) -> None:
    """Answer requests until interrupted."""
    import uvicorn

    config = uvicorn.Config(application, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
