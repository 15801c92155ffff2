"""Push DICOM files into an archive, by DICOMweb (STOW-RS) or by C-STORE; one answer for each file.

A network that fails is tried again, after 1, 2, 4 ... seconds; what the archive refuses is not.
Nothing is sent to a server whose certificate is not trusted, or on to an address that a server
redirects to. Nothing that is said holds credentials or what is in the files.

References:
    DICOM PS3.18 10.5 (Store), PS3.4 B (Storage), PS3.15 B (TLS).
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import pydicom
from pydicom.dataset import Dataset

from monai_ich.core.errors import SendError
from monai_ich.io.quiet import quiet

_TIMEOUT_S = 60.0
_NOT_TAKEN = "the archive does not take this kind of object"
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Credentials:
    """How to log in to a DICOMweb server: user and password, or a bearer token; never shown."""

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Sent:
    """What became of one file.

    Args:
        name: of the file.
        reason: why the archive does not take it; empty where it does.
        warning: what the archive says of a file that it took: some of it was changed or left out.
    """

    name: str
    reason: str = ""
    warning: str = ""


class _TryAgain(Exception):
    """A fault of the network or a server that is busy; the message is safe to show."""


def send_dicomweb(
    paths: Sequence[Path],
    url: str,
    *,
    credentials: Credentials,
    ca: Path | None = None,
    tries: int = 4,
) -> tuple[Sent, ...]:
    """Store files with STOW-RS.

    Args:
        paths: DICOM files.
        url: of the service, for example ``https://pacs.example/dicom-web``.
        credentials: from the environment of the command.
        ca: certificates to trust, PEM; None for the system's.
        tries: how often each file is tried.

    Raises:
        SendError: ``NO_CONNECTION``, ``NOT_TRUSTED``, ``NO_TLS``, ``REDIRECTED``,
            ``NOT_AUTHORIZED``, ``SERVER_ERROR``.
    """
    import requests
    from dicomweb_client.api import DICOMwebClient

    session = requests.Session()
    session.trust_env = False  # no .netrc, no proxy that nobody asked for
    session.max_redirects = 0  # neither patient nor credentials go where nobody sent them
    system = ssl.get_default_verify_paths()
    session.verify = str(ca) if ca is not None else system.cafile or system.capath or True
    if credentials.token:
        session.headers["Authorization"] = f"Bearer {credentials.token}"
    elif credentials.user:
        session.auth = (credentials.user, credentials.password)
    client = DICOMwebClient(url, session=session)
    client.set_http_retry_params(retry=False)

    def store(path: Path) -> Sent:
        d = _read(path)
        try:
            answer = client.store_instances([d])
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 500
            if status in (401, 403):
                raise SendError(
                    "NOT_AUTHORIZED", f"The server refuses these credentials (HTTP {status})."
                ) from None
            if status in (408, 429) or status >= 500:
                raise _TryAgain(f"the server answers HTTP {status}") from None
            return Sent(path.name, f"HTTP {status}")
        except requests.TooManyRedirects:
            text = (
                "The server redirects to another address, and nothing was sent there: pass its "
                "final address."
            )
            raise SendError("REDIRECTED", text) from None
        except requests.RequestException as error:
            raise _TryAgain(type(error).__name__) from None
        failed = answer.get("FailedSOPSequence") or ()
        if failed:
            return Sent(path.name, f"failure reason {failed[0].get('FailureReason', 0):04X}")
        for item in answer.get("ReferencedSOPSequence", ()):
            if item.get("ReferencedSOPInstanceUID") == d.SOPInstanceUID:
                code = item.get("WarningReason")
                return Sent(path.name, warning=f"warning {code:04X}" if code else "")
        return Sent(path.name, "the answer names no object")

    place = urlsplit(url)
    with quiet("dicomweb_client"), quiet("urllib3"):
        if place.scheme == "https":
            tls = ssl.create_default_context(cafile=ca)
            _tried(partial(_require_trust, tls, place.hostname or "", place.port or 443), tries)
        return tuple(_tried(partial(store, path), tries) for path in paths)


def send_dimse(
    paths: Sequence[Path],
    host: str,
    port: int,
    *,
    called: str = "ANY-SCP",
    calling: str = "MONAI-ICH",
    tls: ssl.SSLContext | None = None,
    tries: int = 4,
) -> tuple[Sent, ...]:
    """Store files with C-STORE, all in one association.

    Args:
        paths: DICOM files.
        host, port: of the archive.
        called, calling: application entity titles, its and ours.
        tls: for an encrypted connection; None for a plain one.
        tries: how often the connection is tried.

    Raises:
        SendError: ``NO_CONNECTION``, ``NOT_TRUSTED``, ``NO_TLS``.
    """
    from pynetdicom import AE

    with quiet("pynetdicom"):
        files = [(path.name, _read(path)) for path in paths]
        entity = AE(ae_title=calling)
        entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = _TIMEOUT_S
        for _, d in files:
            entity.add_requested_context(d.SOPClassUID, d.file_meta.TransferSyntaxUID)

        def connect() -> tuple[Sent, ...]:
            silent = "no answer"
            if tls is not None:
                _require_trust(tls, host, port)
                silent = "no answer (an archive may ask for --cert)"
            link = entity.associate(
                host, port, ae_title=called, tls_args=(tls, host) if tls is not None else None
            )
            if link.rejected_contexts and not link.accepted_contexts:
                return tuple(Sent(name, _NOT_TAKEN) for name, _ in files)
            if not link.is_established:
                raise _TryAgain(
                    "the archive rejects the association" if link.is_rejected else silent
                )
            try:
                return tuple(_c_store(link.send_c_store, name, d) for name, d in files)
            finally:
                link.release()

        return _tried(connect, tries)


def _require_trust(tls: ssl.SSLContext, host: str, port: int) -> None:
    """Shake hands once: the libraries do not tell a certificate that is not trusted from a network
    that fails.
    """
    try:
        with (
            socket.create_connection((host, port), _TIMEOUT_S) as plain,
            tls.wrap_socket(plain, server_hostname=host),
        ):
            return
    except ssl.SSLCertVerificationError as error:
        text = (
            f"The server's certificate is not trusted ({error.verify_message}): name its "
            "authority with --ca."
        )
        raise SendError("NOT_TRUSTED", text) from None
    except ssl.SSLError:
        raise SendError(
            "NO_TLS", "The server does not answer in TLS: is this its port for it?"
        ) from None
    except OSError:
        raise _TryAgain("no answer") from None


def _c_store(send: Callable[[Dataset], Dataset], name: str, d: Dataset) -> Sent:
    """What the archive says of one object; it keeps what it warns about (PS3.4 B.2.3)."""
    try:
        status = send(d)
    except (ValueError, RuntimeError):
        return Sent(name, _NOT_TAKEN)
    if "Status" not in status:
        return Sent(name, "no answer")
    if 0xB000 <= status.Status <= 0xBFFF:
        return Sent(name, warning=f"warning {status.Status:04X}")
    return Sent(name, f"status {status.Status:04X}" if status.Status else "")


def _read(path: Path) -> Dataset:
    with quiet("pydicom"):
        return pydicom.dcmread(path)


def _tried(do: Callable[[], _Answer], tries: int) -> _Answer:
    for left in range(tries - 1, -1, -1):
        try:
            return do()
        except _TryAgain as fault:
            if not left:
                code = "SERVER_ERROR" if "HTTP" in str(fault) else "NO_CONNECTION"
                raise SendError(
                    code, f"Nothing was accepted in {tries} tries: {fault}; is the address right?"
                ) from None
            time.sleep(2.0 ** (tries - 1 - left))
    raise ValueError("tries must be at least 1")
