"""The role ``web``: worklist, studies, verdicts, operations, STOW-RS, health."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import sqlalchemy as sa
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from monai_ich.core.errors import IchError, InputError, ServiceError, fault_of_ours
from monai_ich.service.access import COOKIE, HEADERS, REPORT_CSP, Access, User
from monai_ich.service.audit import note
from monai_ich.service.database import Database
from monai_ich.service.health import metrics, not_ready
from monai_ich.service.pages import Pages
from monai_ich.service.send import send_again
from monai_ich.service.settings import Settings
from monai_ich.service.states import Reading
from monai_ich.service.stow import store
from monai_ich.service.verdicts import SEG_NAMES, Conflict, Said, record_verdict
from monai_ich.service.work import requeue

_LOG = logging.getLogger(__name__)
_OPEN = ("/healthz", "/readyz", "/metrics", "/static/", "/login")
_MOST_UPLOAD = 64 << 20


class Web:
    """Requests to answers."""

    def __init__(self, db: Database, settings: Settings, owner: str) -> None:
        self.db, self.settings, self.owner = db, settings, owner
        self.access, self.pages = Access(settings), Pages(db, settings)

    def app(self) -> Starlette:
        """The application."""
        routes = [
            Route("/", self.worklist),
            Route("/login", self.login),
            Route("/study/{case:int}", self.study),
            Route("/result/{number:int}/{name}", self.file),
            Route("/result/{number:int}/verdict", self.verdict, methods=["POST"]),
            Route("/series/{number:int}/again", self.again, methods=["POST"]),
            Route("/operations", self.operations),
            Route("/modified.json", self.modified),
            Route("/dicom-web/studies", self.stow, methods=["POST"]),
            Route("/dicom-web/studies/{study}", self.stow, methods=["POST"]),
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
            Mount("/static", StaticFiles(packages=[("monai_ich.service", "static")])),
        ]
        app = Starlette(routes=routes, exception_handlers={IchError: self._refused})  # type: ignore[dict-item]
        app.add_middleware(BaseHTTPMiddleware, dispatch=self._guard)
        return app

    async def _guard(
        self, request: Request, then: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        path = request.url.path
        if not self.access.is_known_host(request):
            return PlainTextResponse("This name is not known here (setting web_names).", 421)
        shown = request.query_params.get("token")
        if shown is not None and self.access.holds_token(shown):
            answer: Response = RedirectResponse(path, 303)
            answer.set_cookie(COOKIE, self.access.cookie, httponly=True, samesite="strict")
        elif path.startswith(_OPEN):
            answer = await self._answer(request, then)
        elif (user := self.access.user_of(request)) is None:
            wanted = "text/html" in request.headers.get("accept", "")
            answer = RedirectResponse("/login", 303) if wanted else PlainTextResponse("No.", 401)
        else:
            request.state.user = user
            answer = await self._answer(request, then)
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    async def _answer(
        self, request: Request, then: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """A fault of ours is told by its kind: its text may hold what stands in a header."""
        try:
            return await then(request)
        except sa.exc.SQLAlchemyError as error:
            _LOG.error("the database does not answer: %s", type(error).__name__)
            return PlainTextResponse("The database does not answer. Try again soon.", 503)
        except Exception as error:
            _LOG.error("%s", fault_of_ours(error))
            return PlainTextResponse("A fault of ours: see the log of the service.", 500)

    async def _refused(self, request: Request, error: IchError) -> Response:
        return self.pages.message(f"{error.message} ({error.code})", status=400)

    async def login(self, request: Request) -> Response:
        """Where somebody unknown lands."""
        return self.pages.login()

    async def worklist(self, request: Request) -> Response:
        """The list; only its rows, and only where they changed, for a page that is open."""
        text = await run_in_threadpool(self.pages.worklist, dict(request.query_params))
        tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(text, media_type="text/html", headers={"ETag": tag})

    async def study(self, request: Request) -> Response:
        """One study."""
        user: User = request.state.user
        case = request.path_params["case"]
        form = self.access.form_token(user)
        return await run_in_threadpool(self.pages.study, case, user, form)

    async def file(self, request: Request) -> Response:
        """One file of a result."""
        number, name = request.path_params["number"], request.path_params["name"]
        path = await run_in_threadpool(self.pages.file_of, number, name)
        if path is None:
            return PlainTextResponse("There is no such file, or it has expired.", 404)
        answer = FileResponse(path, headers={"Cache-Control": "private, max-age=3600"})
        if name == "report.html":
            answer.headers["Content-Security-Policy"] = REPORT_CSP
        return answer

    async def verdict(self, request: Request) -> Response:
        """A reader's verdict."""
        user: User = request.state.user
        async with request.form(max_part_size=_MOST_UPLOAD, max_files=1) as form:
            if not self.access.may_post(request, user, str(form.get("form", ""))):
                return self.pages.message("This form is not from this page: load it anew.", 403)
            said = _said(form.get("reading"), form.get("reason"), form.get("after"))
            sent = form.get("masks")
            upload = sent if isinstance(sent, UploadFile) and sent.filename else None
            body = await upload.read() if upload else None
            name = (upload.filename or "") if upload else ""
        number = request.path_params["number"]
        try:
            case = await run_in_threadpool(self._record, user, number, said, name, body)
        except Conflict:
            return self.pages.message(
                "Another verdict or new images came in between: nothing of yours was written. "
                "Go back, load the page anew, and decide again.",
                409,
            )
        return RedirectResponse(f"/study/{case}", 303)

    def _record(self, user: User, number: int, said: Said, name: str, body: bytes | None) -> int:
        case = self.pages.case_of(number)
        if body is None:
            record_verdict(self.db, self.settings, user, number, said)
            return case
        ending = next((e for e in SEG_NAMES if name.lower().endswith(e)), None)
        if ending is None or len(body) > _MOST_UPLOAD:
            raise InputError(
                "MASK_NEEDED", "Masks are a .seg.nrrd or a DICOM SEG of at most 64 MB."
            )
        with tempfile.TemporaryDirectory(dir=self.settings.data / "incoming") as folder:
            upload = Path(folder) / f"masks{ending}"
            upload.write_bytes(body)
            record_verdict(self.db, self.settings, user, number, said, upload)
        return case

    async def again(self, request: Request) -> Response:
        """Analyze or send once more."""
        user: User = request.state.user
        form = await request.form()
        if not user.is_admin or not self.access.may_post(request, user, str(form.get("form", ""))):
            return self.pages.message("Only who administers this service may do this.", 403)
        number = request.path_params["number"]

        def do() -> int:
            with self.db.write() as link:
                case = self.pages.case_of_series(link, number)
                if not requeue(link, number) and not send_again(link, number):
                    raise InputError("NOTHING_TO_DO", "Nothing of this series can be done again.")
                note(link, user.name, "again", case=case)
                return case

        return RedirectResponse(f"/study/{await run_in_threadpool(do)}", 303)

    async def operations(self, request: Request) -> Response:
        """How the service does."""
        return await run_in_threadpool(self.pages.operations, request.state.user)

    async def modified(self, request: Request) -> Response:
        """Masks that readers drew, as a list for training."""

        from monai_ich.service.training import write_modified

        def write() -> str:
            with self.db.read() as link:
                return write_modified(link, self.settings)

        return Response(await run_in_threadpool(write), media_type="application/json")

    async def stow(self, request: Request) -> Response:
        """STOW-RS."""
        kind = request.headers.get("content-type", "")
        study_uid = request.path_params.get("study", "")
        try:
            status, answer = await store(
                self.db, self.settings, kind, request.stream(), study_uid=study_uid
            )
        except InputError as error:
            said = {"code": error.code, "message": error.message}
            return JSONResponse(said, 415 if error.code == "NOT_MULTIPART" else 400)
        return JSONResponse(answer, status, media_type="application/dicom+json")

    async def healthz(self, request: Request) -> Response:
        """This process is alive."""
        return PlainTextResponse("ok\n")

    async def readyz(self, request: Request) -> Response:
        """All of it can work."""
        faults = await run_in_threadpool(not_ready, self.db, self.settings, self.owner)
        return PlainTextResponse("\n".join(faults or ["ok"]) + "\n", 503 if faults else 200)

    async def metrics(self, request: Request) -> Response:
        """For Prometheus."""
        text = await run_in_threadpool(metrics, self.db, self.settings, self.owner)
        return Response(text, media_type="text/plain; version=0.0.4")


def _said(reading: object, reason: object, after: object) -> Said:
    try:
        return Said(Reading(str(reading)), str(reason or ""), int(str(after)))
    except ValueError:
        raise InputError("NO_VERDICT", "A verdict is confirmed, modified or dismissed.") from None


def run_web(db: Database, settings: Settings, owner: str) -> None:
    """Serve until told to stop.

    Raises:
        ServiceError: ``PORT_TAKEN``.
    """
    (settings.data / "incoming").mkdir(exist_ok=True)
    db.beat(owner, "web")
    config = uvicorn.Config(
        Web(db, settings, owner).app(),
        host=settings.web_host,
        port=settings.web_port,
        log_level="warning",
        access_log=False,  # its lines would hold what readers search for
        proxy_headers=False,
        server_header=False,
    )
    try:
        uvicorn.Server(config).run()
    except SystemExit:
        raise ServiceError("PORT_TAKEN", "The port of the pages cannot be listened to.") from None
