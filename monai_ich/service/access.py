"""Who may see the pages: whoever holds the printed token, or whom a trusted proxy names.

The token becomes a cookie that no script reads and no other site can send. Forms carry a token of
their own.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request

from monai_ich.service.settings import Settings

COOKIE = "monai_ich"
_FILE = "token"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'self'; "
    "form-action 'self'; base-uri 'none'; object-src 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
REPORT_CSP = (  # a page of ours with its viewer inside; it may load nothing and send nothing
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; font-src data:; "
    "script-src 'unsafe-inline' blob: data:; connect-src data: blob:; worker-src blob: data:; "
    "frame-ancestors 'self'; sandbox allow-scripts"
)


@dataclass(frozen=True)
class User:
    """Who asks.

    Args:
        name: in verdicts and audit.
        is_admin: may queue and send again.
    """

    name: str
    is_admin: bool


def new_token(data: Path) -> str:
    """Make the token of this run, for this user's eyes."""
    token = secrets.token_urlsafe(24)
    path = data / _FILE
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as stream:
        stream.write(token)
        stream.flush()
        os.fsync(handle)
    return token


class Access:
    """Checks requests."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        path = settings.data / _FILE
        known = path.read_text() if path.is_file() else ""  # empty after a power cut
        self._token = known or new_token(settings.data)
        local = ("127.0.0.1", "localhost", "[::1]", settings.web_host)
        self._names = {*local, *settings.web_names}

    @property
    def cookie(self) -> str:
        """What a browser holds once it showed the token."""
        return self._mac("session")

    def form_token(self, user: User) -> str:
        """What a form of this user must carry."""
        return self._mac(f"form {user.name}")

    def holds_token(self, shown: str) -> bool:
        """Whether this is the token."""
        return hmac.compare_digest(shown.encode(), self._token.encode())

    def is_known_host(self, request: Request) -> bool:
        """Whether the browser means us: a name of another site that leads here is an attack."""
        return (
            urlsplit(f"//{request.headers.get('host', '')}").netloc.rpartition(":")[0]
            in self._names
            or request.headers.get("host", "") in self._names
        )

    def user_of(self, request: Request) -> User | None:
        """Who asks; None for nobody that is known."""
        header = self.settings.user_header
        if header:
            address = request.client.host if request.client else ""
            name = request.headers.get(header, "").strip()[:80]
            if address not in self.settings.proxies or not name:
                return None
            return User(name, name in self.settings.admins)
        shown = request.cookies.get(COOKIE, "")
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if hmac.compare_digest(shown.encode(), self.cookie.encode()) or self.holds_token(bearer):
            return User("reader", True)
        return None

    def may_post(self, request: Request, user: User, token: str) -> bool:
        """Whether a form comes from a page of ours."""
        origin = urlsplit(request.headers.get("origin", ""))
        same = not origin.netloc or origin.netloc == request.headers.get("host", "")
        return same and hmac.compare_digest(token.encode(), self.form_token(user).encode())

    def _mac(self, what: str) -> str:
        return hmac.new(self._token.encode(), what.encode(), hashlib.sha256).hexdigest()
