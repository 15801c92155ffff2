"""3D Slicer's scene (.mrb): CT in brain window, segmentations and midline markers open together.

The scene is an XML list of nodes that point to the files beside it, all in one zip. Slicer cannot
hold a sheared volume, so the CT of a tilted scan is straightened onto the grid that
`write_seg_nrrd` uses for its masks.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from monai_ich.core.labels import LabelSet, label_of
from monai_ich.core.resample import resample_ct
from monai_ich.core.scratch import Scratch
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.output import renamed
from monai_ich.io.seg_nrrd import write_seg_nrrd
from monai_ich.io.slicer_markups import write_markups

_LEVEL_HU, _WINDOW_HU = 40, 80
_VIEWS = ("Red", "Green", "Yellow")


def write_color_table(path: Path, labels: LabelSet) -> None:
    """Write a ``.ctbl``: one line a label, number, name, color; 0 is clear background."""
    lines = [
        "# Color table of MONAI-ICH: value name red green blue opacity",
        "0 background 0 0 0 0",
    ]
    for value in labels:
        label = label_of(value)
        lines.append(
            f"{int(value)} {label.name.replace(' ', '_')} {' '.join(map(str, label.color))} 255"
        )
    path.write_text("\n".join(lines) + "\n")


def write_scene(
    path: Path, ct: CTVolume, segmentations: Mapping[str, LabelMap], markups: list[dict[str, Any]]
) -> None:
    """Write a ``.mrb``.

    Args:
        path: to write.
        ct: shown in brain window (level 40, width 80).
        segmentations: name to labels on the CT's grid; the first is visible, others are there to be
            switched on.
        markups: of `midline_markups`.
    """
    root = ElementTree.Element("MRML", version="Slicer 5.6.0")
    with renamed(path) as aside, Scratch(path.parent) as scratch:
        data = scratch / "Data"
        data.mkdir()
        write_nifti(data / "CT.nii.gz", _straight(ct))
        volume = _add_volume(root)
        for n, (name, labels) in enumerate(segmentations.items(), start=1):
            write_seg_nrrd(data / f"{name}.seg.nrrd", labels)
            _add_segmentation(root, n, name, volume)
        for n, markup in enumerate(markups, start=1):
            write_markups(data / f"{markup['name']}.mrk.json", [markup])
            _add_markup(root, n, markup)
        ElementTree.ElementTree(root).write(
            scratch / "scene.mrml", encoding="utf-8", xml_declaration=True
        )
        with zipfile.ZipFile(aside, "w") as archive:  # stored: what is in it is compressed already
            for file in [scratch / "scene.mrml", *sorted(data.iterdir())]:
                archive.write(file, Path(path.stem) / file.relative_to(scratch))


def _straight(ct: CTVolume) -> CTVolume:
    if ct.geometry.is_orthogonal:
        return ct
    straight = resample_ct(ct, ct.geometry.orthogonal())
    return replace(straight, hu=np.rint(straight.hu))


def _add(
    root: ElementTree.Element, tag: str, kind: str, number: int | str, **attributes: object
) -> str:
    """One node; returns its ID."""
    node_id = f"vtkMRML{kind}Node{number}"
    told = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in attributes.items()
    }
    ElementTree.SubElement(root, tag, {"id": node_id, **told})
    return node_id


def _add_volume(root: ElementTree.Element) -> str:
    display = _add(
        *(root, "VolumeDisplay", "ScalarVolumeDisplay", 1),
        window=_WINDOW_HU,
        level=_LEVEL_HU,
        autoWindowLevel=0,
        interpolate=1,
        colorNodeID="vtkMRMLColorTableNodeGrey",
    )
    storage = _add(
        *(root, "VolumeArchetypeStorage", "VolumeArchetypeStorage", 1), fileName="Data/CT.nii.gz"
    )
    volume = _add(
        *(root, "Volume", "ScalarVolume", 1),
        name="CT",
        references=f"display:{display};storage:{storage};",
    )
    _add(
        *(root, "Selection", "Selection", "Singleton"),
        singletonTag="Singleton",
        references=f"ActiveVolume:{volume};",
    )
    for view in _VIEWS:
        shown = f"backgroundVolume:{volume};"
        _add(
            *(root, "SliceComposite", "SliceComposite", view),
            singletonTag=view,
            layoutName=view,
            references=shown,
        )
    return volume


def _add_segmentation(root: ElementTree.Element, number: int, name: str, volume: str) -> None:
    display = _add(
        *(root, "SegmentationDisplay", "SegmentationDisplay", number),
        visibility=number == 1,
        Opacity2DFill=0.4,
    )
    storage = _add(
        *(root, "SegmentationStorage", "SegmentationStorage", number),
        fileName=f"Data/{name}.seg.nrrd",
    )
    references = f"display:{display};storage:{storage};referenceImageGeometryRef:{volume};"
    _add(*(root, "Segmentation", "Segmentation", number), name=name, references=references)


def _add_markup(root: ElementTree.Element, number: int, markup: dict[str, Any]) -> None:
    name, kind = markup["name"], f"Markups{markup['type']}"
    display = _add(*(root, "MarkupsDisplay", "MarkupsDisplay", number))
    storage = _add(
        *(root, "MarkupsJsonStorage", "MarkupsJsonStorage", number),
        fileName=f"Data/{name}.mrk.json",
    )
    _add(*(root, kind, kind, number), name=name, references=f"display:{display};storage:{storage};")
