"""What the numbers of a NIfTI label map mean: as it says itself, as a record beside it says, or as
the user says.

Masks of other programs often hold only 1. Nothing in such a file says whether that is an epidural
hematoma, a subdural one, or any blood, so nobody may guess: it is asked (``UNKNOWN_MEANING``).
Known are, in this order:

- what the user says (`LabelMeaning`), where the file does not say otherwise; - a file with our
mark, whose voxels are still those that it was written with (`label_mark`); - ``ich.nii.gz`` of an
analysis before there were marks: the ``measurements.json`` beside it was made of a network's masks,
and tells the volume of each subtype that the file holds; - anatomy that holds both hemispheres, the
left one further left: no other meaning of its numbers looks so; - a mask without any label: there
is nothing to mean.

A grid that only programs write that know none (`nifti_space.require_grid_kept`) is believed where
the mark tells it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from monai_ich.core.errors import LabelError
from monai_ich.core.label_meaning import LabelMeaning
from monai_ich.core.labels import Anatomy, AnyLabel, EdemaMask, Hemorrhage, LabelSet, Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import Numbers
from monai_ich.io.nifti_space import require_grid_kept

_NAMES = {
    Subtype: "hemorrhage by subtype",
    Hemorrhage: "hemorrhage of any subtype",
    Anatomy: "anatomy",
    EdemaMask: "edema",
}
_ROUNDED_ML = 0.002


def known_labels(
    found: Numbers, labels: LabelSet, path: Path, meaning: LabelMeaning | None
) -> LabelMap:
    """A label map in the numbers of `labels`.

    Args:
        found: as the file has it.
        labels: what is wanted; `AnyLabel` for numbers that are only passed through, which is then
            what comes back unless the file says what they mean.
        path: of the file, for what lies beside it.
        meaning: what the user says; None for nothing.

    Raises:
        LabelError: ``UNKNOWN_LABEL`` for numbers that are none of `labels`; ``UNKNOWN_MEANING``
            where nothing says what they mean; ``CONTRADICTORY_LABEL`` where the file says that they
            mean something else.
    """
    given, marked = found.labels, _said(found, path)
    if marked is None and meaning is None and labels is Subtype:
        _require_subtypes(given)
    if found.marked is None:
        require_grid_kept(given.geometry.affine)
    if labels is AnyLabel:
        return given if marked is None else LabelMap(given.voxels, given.geometry, marked)
    if marked is not None and marked is not labels and given.voxels.any():
        raise LabelError(
            "CONTRADICTORY_LABEL",
            f"A mask of {_NAMES.get(labels, 'a cavity')} was expected, but this file says that it "
            "holds "
            f"{_NAMES.get(marked, 'a cavity')}: give another file.",
        )
    if meaning is not None:
        told = LabelMap(meaning.translate(given.voxels), given.geometry, labels)
        if marked is not None and not np.array_equal(told.voxels, given.voxels):
            raise LabelError(
                "CONTRADICTORY_LABEL",
                "The mask itself says what it holds, and that is not what --labels-are says.",
            )
        return told
    if marked is None and labels is Subtype:
        require_meaning(given)
    known = LabelMap(given.voxels, given.geometry, labels)
    if marked is None and labels is Anatomy:
        _require_sides(known)
    return known


def require_meaning(labels: LabelMap) -> None:
    """Refuse numbers that nothing says the meaning of.

    Raises:
        LabelError: ``UNKNOWN_MEANING``; ``UNKNOWN_LABEL`` where they are not even among those of
            `Subtype`.
    """
    _require_subtypes(labels)
    there = sorted(labels.boxes())
    if not there:
        return
    if len(there) == 1:
        what, example = f"value {there[0]} of this mask means", "SDH"
    else:
        what = f"values {', '.join(map(str, there))} of this mask mean"
        example = ",".join(
            f"{value}={word}"
            for value, word in zip(there, ("SDH", "IPH", *["ignore"] * 3), strict=False)
        )
    raise LabelError(
        "UNKNOWN_MEANING",
        f"Nothing says what the {what}: say it, for example --labels-are {example} (EDH, IPH, "
        "IVH, SAH, SDH, any or ignore for each value; any is blood whose subtype is not told), or "
        "--labels-are monai-ich where the values are 1 EDH, 2 IPH, 3 IVH, 4 SAH, 5 SDH.",
    )


def _require_subtypes(given: LabelMap) -> None:
    if given.voxels.max(initial=0) <= max(Subtype):
        return
    strange = [value for value in np.unique(given.voxels).tolist() if value > max(Subtype)]
    raise LabelError(
        "UNKNOWN_LABEL",
        f"The mask holds {strange[:5]}, but hemorrhage is 1 EDH, 2 IPH, 3 IVH, 4 SAH, 5 SDH: say "
        "what each value "
        f"means, for example --labels-are {strange[0]}=SDH.",
    )


def _said(found: Numbers, path: Path) -> LabelSet | None:
    if found.marked is not None:
        return found.marked
    return Subtype if _is_measured(found.labels, path) else None


def _is_measured(given: LabelMap, path: Path) -> bool:
    """Whether a network's analysis left this file, by the record beside it, which must tell its
    volumes.
    """
    record = path.with_name("measurements.json")
    if path.name != "ich.nii.gz" or not record.is_file():
        return False
    if given.voxels.max() > max(Subtype):
        return False
    try:
        said = json.loads(record.read_text(encoding="utf-8"))
        if said["schema"] != "monai-ich/measurements/1" or not said["provenance"]["weights"]:
            return False
        volumes_ml = {
            subtype: float(said["subtypes"][subtype.name]["volume_ml"]) for subtype in Subtype
        }
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    known = {int(s): ml for s, ml in volumes_ml.items()}
    held = {value: given.volume_ml(value) for value in given.boxes()}
    return all(abs(held.get(v, 0.0) - known.get(v, 0.0)) <= _ROUNDED_ML for v in {*held, *known})


def _require_sides(anatomy: LabelMap) -> None:
    """Both hemispheres, each on its side: so numbers of another program, and a mirrored file, are
    found out.
    """
    boxes = anatomy.boxes()
    if not boxes:
        return
    if not {int(Anatomy.LEFT_HEMISPHERE), int(Anatomy.RIGHT_HEMISPHERE)} <= set(boxes):
        known = ", ".join(f"{value:d} {value.name.lower().replace('_', ' ')}" for value in Anatomy)
        raise LabelError(
            "UNKNOWN_MEANING",
            f"Anatomy must hold both hemispheres ({known}): this file holds another mask.",
        )
    left, right = (
        anatomy.geometry.to_world(np.argwhere(anatomy.voxels == side).mean(axis=0))
        for side in (Anatomy.LEFT_HEMISPHERE, Anatomy.RIGHT_HEMISPHERE)
    )
    if left[0] >= right[0]:
        raise LabelError(
            "CONTRADICTORY_LABEL",
            "The left hemisphere of the anatomy (1) lies to the right of the right one (2): the "
            "numbers or the grid of "
            "the file are wrong.",
        )
