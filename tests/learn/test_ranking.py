"""Scans to label next: doubt and novelty by a stated rule."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_ich.bundle import Bundle, find_bundle
from monai_ich.cli import main
from monai_ich.core.errors import BundleError
from monai_ich.learn.ranking import Look, rank_looks, rank_manifest
from monai_ich.manifest.manifest import Case, Manifest, read_manifest


def _look(name: str, doubt_ml: float, *features: float) -> Look:
    return Look(name, doubt_ml, np.array(features))


def test_without_masks_the_most_doubted_scan_comes_first_and_has_no_novelty() -> None:
    first, second = rank_looks([_look("far", 1.0, 9.0), _look("doubted", 5.0, 0.0)], [], 2)
    assert first.id == "doubted" and first.novelty is None
    assert second.novelty is not None and second.novelty > 0.0


def test_of_scans_that_are_doubted_alike_the_unlike_one_comes_first() -> None:
    known = [_look("known", 0.0, 0.0)]
    pool = [_look("same", 2.0, 0.1), _look("new", 2.0, 5.0)]
    assert [r.id for r in rank_looks(pool, known, 2)] == ["new", "same"]


def test_of_scans_that_are_alike_the_doubted_one_comes_first() -> None:
    pool = [_look("sure", 0.1, 1.0), _look("unsure", 3.0, 1.0)]
    assert rank_looks(pool, [_look("known", 0.0, 0.0)], 1)[0].id == "unsure"


def test_novelty_is_the_distance_to_the_nearest_known_scan_in_standard_deviations() -> None:
    """Features 0, 4, 8: their standard deviation is sqrt(32 / 3) = 3.266; 4 apart are 1.2247."""
    (first, second) = rank_looks(
        [_look("b", 1.0, 4.0), _look("c", 1.0, 8.0)], [_look("a", 0.0, 0.0)], 2
    )
    assert first.id == "c" and first.novelty == pytest.approx(2 * 1.224745)
    assert second.novelty == pytest.approx(1.224745), "b lies midway between a and c, now known"


def test_after_a_choice_its_twin_is_no_longer_new() -> None:
    pool = [_look("a", 3.0, 9.0), _look("twin", 2.9, 9.0), _look("other", 2.8, -9.0)]
    ranked = rank_looks(pool, [_look("known", 0.0, 0.0)], 3)
    twin = next(r for r in ranked if r.id == "twin")
    assert twin.novelty == 0.0


@pytest.mark.parametrize("name", ["ich_classification", "head_ct_anatomy"])
def test_a_network_that_segments_no_subtypes_is_refused(name: str, tmp_path: Path) -> None:
    network, cpu = torch.nn.Identity(), torch.device("cpu")
    bundle = Bundle(name, find_bundle(name), network, None, None, cpu, "", "", classes=6)
    manifest = Manifest("x", (Case("a", "training", (tmp_path / "gone.nii.gz",)),))
    with pytest.raises(BundleError) as refused:
        rank_manifest(manifest, 1, bundle=bundle)
    assert refused.value.code == "WRONG_BUNDLE"


@pytest.mark.slow
def test_the_command_writes_the_scans_to_label_and_names_those_it_cannot_read(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": f"c{n}", "image": str(tiny_dataset / f"case_{n}/ct.nii.gz")} for n in range(3)]
    rows[0]["label"] = str(tiny_dataset / "case_0/ich.nii.gz")
    rows.append({"id": "gone", "image": "gone.nii.gz"})
    manifest = tmp_path / "dataset.json"
    record = {"schema": "monai-ich/manifest/1", "name": "x", "label_mapping": {}, "training": rows}
    manifest.write_text(json.dumps(record))
    out = tmp_path / "next.json"
    assert main(["manifest", "rank", str(manifest), "-n", "1", "-o", str(out)]) == 3
    said = capsys.readouterr()
    assert "Case gone" in said.out + said.err and "1 c" in said.out
    assert {case.id for case in read_manifest(out).cases} < {"c1", "c2"}
