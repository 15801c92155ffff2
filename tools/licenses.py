"""The licenses of all that this toolkit needs, tests and checks included; part of `make check`.

    python tools/licenses.py

Walks from ``setup.cfg`` through what each installed package says that it needs, and reads the
license that each of them declares. What may stand beside Apache-2.0 is in `ALLOWED`, with the
reason; GPL and AGPL are refused.
"""

from __future__ import annotations

import configparser
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
ALLOWED: Mapping[str, str] = {  # a license as packages write it, to why it may stand here
    r"apache": "our own license",
    r"\bmit\b|mit-0|mit-cmu|hpnd": "permissive",
    r"bsd|0bsd": "permissive",
    r"\bisc\b": "permissive",
    r"zlib|bsl-1\.0|cc0|unlicense|public domain": "permissive, or no rights kept",
    r"psf|python software foundation": "permissive: Python's own",
    r"mpl|mozilla": "copyleft by file only; we change none of theirs",
    r"llvm-exception|gcc-exception": "an exception adds rights",
}
_OPTIONAL = "in an extra, imported unchanged: whoever installs it may replace it"
LESSER: Mapping[str, str] = {  # package to the reason why its LGPL does no harm
    "psycopg": _OPTIONAL,
    "psycopg-binary": _OPTIONAL,
}
READ: Mapping[str, str] = {  # packages that declare nothing, to the license in their own files
    "huey": "MIT",
    "skops": "MIT",
    "dcm2niix": "BSD-3-Clause",
}
_GPL = re.compile(r"(?<![a-z])a?gpl|affero|(?<!lesser )general public license", re.IGNORECASE)
_LGPL = re.compile(r"lgpl|lesser general public", re.IGNORECASE)


@dataclass(frozen=True)
class Verdict:
    """What is said of one package.

    Args:
        name: of the package.
        license: as it declares it.
        fault: why it may not stay; empty where it may.
    """

    name: str
    license: str
    fault: str


def judge(name: str, declared: str) -> str:
    """Why a package may not be used under the license that it declares; empty where it may.

    >>> judge("a", "MIT"), judge("b", "GPL-2.0 OR MIT"), judge("c", "MPL-2.0 AND MIT")
    ('', '', '')
    >>> judge("d", "MIT AND GPL-3.0-only")
    'GPL or AGPL'
    >>> judge("e", "LGPL-2.1")
    'LGPL without a reason in LESSER'
    >>> judge("f", "")
    'declares no license'
    """
    faults = [
        _first_fault(name, option)
        for option in re.split(r"\s+or\s+", declared, flags=re.IGNORECASE)
    ]
    return "" if "" in faults else faults[0]


def _first_fault(name: str, declared: str) -> str:
    """Of licenses that all hold."""
    if not declared.strip():
        return "declares no license"
    for part in re.split(r"\s+and\s+|;", declared.strip(" ()"), flags=re.IGNORECASE):
        if _LGPL.search(part):
            if name not in LESSER:
                return "LGPL without a reason in LESSER"
        elif _GPL.search(part):
            return "GPL or AGPL"
        elif not any(re.search(pattern, part, re.IGNORECASE) for pattern in ALLOWED):
            return "a license that ALLOWED does not know"
    return ""


def license_of(package: Distribution) -> str:
    """What a package declares: its SPDX expression, else its classifiers, else the first line of
    its license.
    """
    said = package.metadata
    name = said["Name"].lower()
    classified = [
        c.rpartition("::")[2].strip()
        for c in said.get_all("Classifier") or []
        if c.startswith("License")
    ]
    classified = [c for c in classified if c != "OSI Approved"]
    first_line = (said.get("License") or "").strip().split("\n")[0].strip()
    if first_line.upper() == "LICENSE":
        first_line = ""
    return READ.get(name) or said.get("License-Expression") or "; ".join(classified) or first_line


def needed(root: Path = ROOT) -> Iterator[Distribution]:
    """Every installed package that the toolkit, its tests and checks need, over any number of
    steps.
    """
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg", encoding="utf-8")
    texts = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    waiting = [Requirement(line) for text in texts for line in text.split("\n") if line.strip()]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        for extra in ("", *sorted(requirement.extras)):
            key = (requirement.name.lower().replace("_", "-"), extra)
            if key in seen:
                continue
            seen.add(key)
            try:
                package = distribution(requirement.name)
            except PackageNotFoundError:  # of another platform
                continue
            if not extra:
                yield package
            inner = [Requirement(text) for text in package.requires or []]
            waiting += [r for r in inner if r.marker is None or r.marker.evaluate({"extra": extra})]


def verdicts() -> list[Verdict]:
    """One for each package that is needed, by name."""
    found = {p.metadata["Name"]: license_of(p) for p in needed()}
    return [Verdict(name, text, judge(name.lower(), text)) for name, text in sorted(found.items())]


def main() -> int:
    """Print what may not stay; 1 where there is something."""
    all_of_them = verdicts()
    for verdict in all_of_them:
        if verdict.fault:
            print(f"{verdict.name}: {verdict.fault}: {verdict.license[:100] or 'nothing'}")
    print(f"licenses of {len(all_of_them)} packages read")
    return int(any(verdict.fault for verdict in all_of_them))


if __name__ == "__main__":
    sys.exit(main())
