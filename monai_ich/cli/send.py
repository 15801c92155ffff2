"""The command ``monai-ich send``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from monai_ich.cli.options import usage_error
from monai_ich.core.errors import InputError, SendError

if TYPE_CHECKING:
    import ssl

    from monai_ich.pacs.send import Sent

_CREDENTIALS = "MONAI_ICH_USER and MONAI_ICH_PASSWORD, or MONAI_ICH_TOKEN"


def add_send(commands: Any) -> None:
    """Add ``send`` to the command line."""
    text = "push the DICOM results of a folder into an archive"
    sub = commands.add_parser(
        "send",
        help=text,
        description=f"{text}. Credentials of a DICOMweb server: {_CREDENTIALS} in the environment.",
    )
    sub.add_argument("folder", type=Path, help="output folder of analyze --dicom or of export")
    sub.add_argument(
        "--to", choices=("dicomweb", "dimse"), required=True, help="STOW-RS or C-STORE"
    )
    sub.add_argument("--url", help="of the DICOMweb service, https://HOST/dicom-web")
    sub.add_argument("--host", help="of the DIMSE archive")
    sub.add_argument("--port", type=int, default=104, help="of the DIMSE archive (default 104)")
    sub.add_argument("--called", default="ANY-SCP", help="application entity title of the archive")
    sub.add_argument("--calling", default="MONAI-ICH", help="our application entity title")
    sub.add_argument(
        "--tls", action="store_true", help="encrypt DIMSE (https:// does so for DICOMweb)"
    )
    sub.add_argument("--ca", type=Path, help="certificates to trust, PEM (default: the system's)")
    sub.add_argument(
        "--cert", type=Path, help="our certificate and key for DIMSE over TLS, one PEM file"
    )
    sub.add_argument(
        "--tries", type=int, default=4, help="how often a network that fails is tried (default 4)"
    )
    sub.set_defaults(run=_send)


def _send(args: argparse.Namespace) -> int:
    from monai_ich.io.output import settle
    from monai_ich.results.dicom import DICOM_HEAT_MAPS, DICOM_RESULTS

    settle(args.folder)
    results = (args.folder / name for name in (*DICOM_RESULTS, *DICOM_HEAT_MAPS))
    paths = [path for path in results if path.is_file()]
    if not paths:
        raise InputError(
            "NO_DICOM_RESULTS",
            "The folder holds no DICOM results: run analyze --dicom or export first.",
        )
    if args.tries < 1:
        raise usage_error("--tries must be at least 1.")
    tls = _tls(args)
    sent = _to_dicomweb(args, paths) if args.to == "dicomweb" else _to_dimse(args, paths, tls)
    refused = [one for one in sent if one.reason]
    for one in sent:
        print(f"{one.name}: {_words(one)}",
              file=sys.stderr if one.reason else sys.stdout)  # fmt: skip
    if len(refused) == len(sent):
        raise SendError("NOT_ACCEPTED", f"The archive accepted none of {len(sent)} objects.")
    return 4 if refused else 0


def _to_dicomweb(args: argparse.Namespace, paths: list[Path]) -> tuple[Sent, ...]:
    from monai_ich.pacs.send import Credentials, send_dicomweb

    url = urlsplit(args.url or "")
    if url.scheme not in ("http", "https") or not url.hostname:
        raise usage_error("--to dicomweb needs --url https://HOST/PATH.")
    if "@" in url.netloc:
        raise usage_error(
            f"Credentials do not belong into --url: set {_CREDENTIALS} in the environment."
        )
    names = ("MONAI_ICH_USER", "MONAI_ICH_PASSWORD", "MONAI_ICH_TOKEN")
    credentials = Credentials(*(os.environ.get(name, "") for name in names))
    secret = bool(credentials.user or credentials.token)
    if secret and url.scheme == "http" and url.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise usage_error("Credentials are sent over https:// only.")
    return send_dicomweb(paths, args.url, credentials=credentials, ca=args.ca, tries=args.tries)


def _to_dimse(args: argparse.Namespace, paths: list[Path], tls: ssl.SSLContext) -> tuple[Sent, ...]:
    from monai_ich.pacs.send import send_dimse

    if not args.host:
        raise usage_error("--to dimse needs --host.")
    names = {"called": args.called, "calling": args.calling}
    return send_dimse(
        paths, args.host, args.port, tls=tls if args.tls else None, tries=args.tries, **names
    )


def _tls(args: argparse.Namespace) -> ssl.SSLContext:
    """Whom to trust, and who we are."""
    import ssl

    try:
        tls = ssl.create_default_context(cafile=args.ca)
        if args.cert:
            tls.load_cert_chain(args.cert)
    except OSError as error:
        raise InputError(
            "BAD_CERTIFICATE", "The certificate files --ca and --cert must be PEM files."
        ) from error
    return tls


def _words(one: Sent) -> str:
    if one.reason:
        return f"not accepted: {one.reason}"
    return f"accepted, {one.warning}" if one.warning else "accepted"
