"""Masks that readers drew, as a manifest: the way back into learning."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monai_ich.core.errors import ManifestError
from monai_ich.manifest.manifest import Case, Manifest, write_manifest
from monai_ich.service.settings import Settings
from monai_ich.service.states import Reading
from monai_ich.service.tables import identity, result, series, verdict
from monai_ich.service.verdicts import MASKS

MANIFEST = "modified.json"


def write_modified(link: Connection, settings: Settings) -> str:
    """Write `MANIFEST` into the data folder: the last verdicts that came with masks.

    Patients have a pseudonym, the number of their first case.

    Returns:
        its text.

    Raises:
        ManifestError: ``NO_CASES``.
    """
    last = sa.select(sa.func.max(verdict.c.id)).group_by(verdict.c.result_id).scalar_subquery()
    query = (
        sa.select(
            verdict.c.result_id,
            verdict.c.folder,
            result.c.folder.label("result_folder"),
            series.c.study_id,
            identity.c.patient_id,
        )
        .join(result, result.c.id == verdict.c.result_id)
        .join(series, series.c.id == result.c.series_id)
        .outerjoin(identity, identity.c.study_id == series.c.study_id)
        .where(verdict.c.id.in_(last), verdict.c.reading == Reading.MODIFIED)
        .where(result.c.folder != "")
        .order_by(series.c.study_id, verdict.c.id)
    )
    patients: dict[str, int] = {}
    cases = []
    for row in link.execute(query):
        first = patients.setdefault(row.patient_id or f"case {row.study_id}", row.study_id)
        folder = settings.data / row.result_folder
        cases.append(
            Case(
                id=f"case_{row.study_id}_{row.result_id}",
                split="training",
                image=(folder / "ct.nii.gz",),
                label=settings.data / row.folder / MASKS,
                patient=f"patient_{first}",
            )
        )
    if not cases:
        raise ManifestError("NO_CASES", "No reader has modified masks yet.")
    path = settings.data / MANIFEST
    write_manifest(path, Manifest("modified by readers", tuple(cases)))
    return path.read_text("utf-8")
