"""A DICOM server in which a client that falls silent holds up nobody.

pynetdicom's own shakes hands for TLS in the one thread that accepts connections, and waits without
limit for the rest of a PDU: a scanner that loses its power midway would hold its place for ever.
"""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Any

from pynetdicom import AE
from pynetdicom.transport import ThreadedAssociationServer


class Server(ThreadedAssociationServer):
    """Each connection has a limit to its silence, and shakes hands in its own thread."""

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept a connection."""
        assert self.socket is not None
        client, address = self.socket.accept()
        client.settimeout(self.ae.network_timeout)
        if self.ssl_context:
            client = self.ssl_context.wrap_socket(
                client, server_side=True, do_handshake_on_connect=False
            )
        return client, address

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer it."""
        try:
            if isinstance(request, ssl.SSLSocket):
                request.do_handshake()
        except OSError:
            self.shutdown_request(request)
            return
        super().process_request_thread(request, client_address)


def start_server(
    entity: AE, address: tuple[str, int], handlers: list[Any], tls: ssl.SSLContext | None
) -> Server:
    """Listen, in threads of its own.

    Args:
        entity: with its contexts and limits; `network_timeout` is that to silence, seconds.
        address: host and port.
        handlers: of pynetdicom's events.
        tls: for encrypted connections; None for plain ones.

    Raises:
        OSError: the port cannot be listened to.
    """
    server = entity.make_server(
        address,
        ae_title=entity.ae_title,
        contexts=entity.supported_contexts,
        ssl_context=tls,
        evt_handlers=handlers,
        server_class=Server,
    )
    assert isinstance(server, Server)
    entity._servers.append(server)  # as pynetdicom's own start does: its shutdown looks for it
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
