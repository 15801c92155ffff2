"""The interactive viewer of the report: NiiVue and the scan, packed into the page, unpacked when
the reader asks.

What is embedded is for looking at: HU are exact from -100 to 200 and in steps of 20 beyond, which
halves the bytes; a tilted scan is straightened slice by slice; one of many slices has half as many
pixels each way. The viewer's code is built by ``tools/viewer``.
"""

from __future__ import annotations

import base64
import json
from html import escape
from importlib.resources import files
from string import Template

import numpy as np
from isal import igzip
from numpy.typing import NDArray

from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, LabelSet, Subtype, label_of
from monai_ich.core.straighten import straighten
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.io.nifti import pack_nifti
from monai_ich.report.key_slices import pick_key_slices, slice_areas_cm2
from monai_ich.report.view import View
from monai_ich.report.wording import shift_words

_MOST_BYTES = 8_000_000
_EXACT_HU, _COARSE_HU = (-100, 200), 20
_ANATOMY = (
    "<label><input type=checkbox name=anatomy> Hemispheres, ventricles, posterior fossa</label>\n"
)


def viewer_section(view: View, exam: ExamMeasurements) -> str:
    """HTML of the viewer with all that it needs."""
    folder = files("monai_ich.report") / "viewer"
    ct = straighten(CTVolume(view.hu, view.geometry))
    packed_ct, is_halved = _packed(ct), False
    if len(packed_ct) > _MOST_BYTES:
        packed_ct, is_halved = _packed(_halved(ct)), True
    packed = {
        "ct": packed_ct,
        "blood": pack_nifti(straighten(LabelMap(view.blood, view.geometry, Subtype))),
    }
    if view.anatomy is not None:
        packed["anatomy"] = pack_nifti(straighten(LabelMap(view.anatomy, view.geometry, Anatomy)))
    packed["code"] = igzip.compress((folder / "viewer.min.js").read_bytes())
    keys = pick_key_slices(view, exam)
    about = {
        "captions": _captions(view, exam),
        "first": keys[-1].index if keys else len(view.numbers) // 2,
        "blood": _colors(Subtype),
        "anatomy": _colors(Anatomy),
    }
    data = [
        f'<script type="text/plain" id="viewer-{name}">{_text(packed[name])}</script>'
        for name in packed
    ]
    data.append(f'<script type="application/json" id="viewer-about">{_json(about)}</script>')
    return Template((folder / "viewer.html").read_text("utf-8")).substitute(
        anatomy=_ANATOMY if view.anatomy is not None else "",
        about=_about(view, is_halved),
        notice=escape((folder / "NOTICE.txt").read_text("utf-8")),
        data="\n".join(data),
    )


def for_display(hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """HU as they are embedded: whole numbers from -100 to 200, steps of 20 beyond. Slice by slice,
    to spare memory.

    >>> for_display(np.float32([-1013.0, -50.4, 64.0, 205.0])).tolist()
    [-1020.0, -50.0, 64.0, 200.0]
    """
    low, high = _EXACT_HU
    out = np.empty(hu.shape, np.float32, order="F")
    for k in range(hu.shape[-1]):
        exact = hu[..., k]
        coarse = np.rint(exact / _COARSE_HU) * _COARSE_HU
        out[..., k] = np.where((exact >= low) & (exact <= high), np.rint(exact), coarse)
    return out


def _packed(ct: CTVolume) -> bytes:
    return pack_nifti(CTVolume(for_display(ct.hu), ct.geometry))


def _halved(ct: CTVolume) -> CTVolume:
    """The means of two by two pixels; an odd last row or column goes."""
    columns, rows, count = (n - n % (2 if axis < 2 else 1) for axis, n in enumerate(ct.hu.shape))
    blocks = ct.hu[:columns, :rows].reshape(columns // 2, 2, rows // 2, 2, count)
    affine = ct.geometry.affine.copy()
    affine[:3, :2] *= 2
    affine[:3, 3] = ct.geometry.to_world((0.5, 0.5, 0.0))
    return CTVolume(blocks.mean(axis=(1, 3)), Geometry((columns // 2, rows // 2, count), affine))


def _captions(view: View, exam: ExamMeasurements) -> list[str]:
    """What is on each slice, in words."""
    areas = {subtype: slice_areas_cm2(view, subtype) for subtype in Subtype}
    shifted = view.slice_of(exam.midline_shift)
    captions = []
    for k, number in enumerate(view.numbers.tolist()):
        words = [f"{s.name} {area[k]:.1f} cm²" for s, area in areas.items() if area[k] >= 0.05]
        words += [f"midline shift, {shift_words(exam.midline_shift)}"] if k == shifted else []
        captions.append(f"Slice {number}: {', '.join(words) or 'no mask'}")
    return captions


def _about(view: View, is_halved: bool) -> str:
    low, high = _EXACT_HU
    words = (
        "The slider or the arrow keys change the slice; so does the wheel after a click into "
        "the picture. "
    )
    words += (
        f"For looking, cropped to the head: HU are exact from {low} to {high}, in steps of "
        f"{_COARSE_HU} beyond."
    )
    if is_halved:
        words += " So that this page stays small, a pixel is the mean of two by two of the scan's."
    if not view.geometry.is_orthogonal:
        words += (
            " The tilted scan is shown straightened: its own slices, each moved by whole pixels."
        )
    return words + " Shown with NiiVue."


def _colors(labels: LabelSet) -> dict[str, list[int]]:
    """NiiVue's color table: background is clear."""
    table = [(0, 0, 0), *(label_of(value).color for value in labels)]
    channels = {name: [color[n] for color in table] for n, name in enumerate("RGB")}
    return {**channels, "A": [0] + [255] * len(labels), "I": [0, *(int(value) for value in labels)]}


def _text(packed: bytes) -> str:
    return base64.b64encode(packed).decode()


def _json(record: object) -> str:
    return json.dumps(record, ensure_ascii=False).replace("<", "\\u003c")
