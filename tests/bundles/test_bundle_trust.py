"""A bundle is code: `bundle check` runs none of it unless it is told to trust it."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from monai_ich.bundle import find_bundle
from monai_ich.cli.app import main


class Trap:
    """Writes a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A copy of a sound bundle, with a module beside it that leaves a mark where it is imported."""
    shipped, folder = find_bundle("head_ct_anatomy"), tmp_path / "hostile"
    shutil.copytree(shipped, folder)
    (folder / "evil_module.py").write_text(
        f"from pathlib import Path\nPath({str(tmp_path / 'mark')!r}).touch()\nx = 1\n"
    )
    return folder


def edit(folder: Path, change: dict[str, Any]) -> None:
    """Replace values of ``inference.yaml``, by id."""
    path = folder / "configs" / "inference.yaml"
    config = yaml.safe_load(path.read_text())
    for key, value in change.items():
        at, *inner = key.split("#")
        place = config
        for name in inner:
            place, at = place[int(at) if isinstance(place, list) else at], name
        place[int(at) if isinstance(place, list) else at] = value
    path.write_text(yaml.safe_dump(config))


ATTACKS: dict[str, dict[str, Any]] = {
    "import": {"imports": ["$import evil_module"]},
    "from": {"imports": ["$from evil_module import x"]},
    "import and more": {
        "imports": ["$import os; os.system('touch {mark}')"],
        "run": ["$os.system('touch {mark}')"],
    },
    "function as target": {"network_def": {"_target_": "os.system", "command": "touch {mark}"}},
    "process as target": {"inferer": {"_target_": "subprocess.Popen", "args": ["touch", "{mark}"]}},
    "eval as target": {
        "preprocessing#transforms#1": {"_target_": "builtins.eval", "source": "open('{mark}', 'w')"}
    },
    "in an argument": {"network_def#channels": "$__import__('os').system('touch {mark}')"},
    "in a harmless name": {"images": "$sorted(glob.glob(open('{mark}', 'w').name))"},
    "in a path": {"weights": "$os.path.join(str(open('{mark}', 'w')), 'model.pt')"},
    "through a class": {"inferer#roi_size": "$().__class__.__base__.__subclasses__()"},
    "through our own": {"network_def": {"_target_": "monai_ich.demo.main"}},
    "through a part of torch": {
        "network_def": {"_target_": "torch.package.PackageImporter", "file_or_buffer": "{mark}"}
    },
    "through what downloads": {
        "network_def": {"_target_": "monai.networks.nets.resnet18", "pretrained": True}
    },
    "by reference": {
        "network_def#out_channels": "@dataset_dir",
        "dataset_dir": "$open('{mark}', 'w')",
    },
    "as a target's name": {"network_def": {"_target_": "$open('{mark}', 'w')"}},
}


def _with(mark: Path, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with(mark, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with(mark, inner) for inner in value]
    return value.replace("{mark}", str(mark)) if isinstance(value, str) else value


@pytest.mark.slow
@pytest.mark.parametrize("how", ATTACKS)
def test_nothing_of_a_hostile_bundle_is_run(
    how: str,
    hostile: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mark = tmp_path / "mark"
    edit(hostile, _with(mark, ATTACKS[how]))
    for configs in ([], ["inference", "--dataset_dir", str(tmp_path)]):
        assert main(["bundle", "check", str(hostile), *configs]) == 3
    said = capsys.readouterr().err
    assert not mark.exists() and "UNTRUSTED_CODE" in said and "Traceback" not in said


@pytest.mark.slow
def test_a_trusted_bundle_has_its_own_code_looked_at(
    hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(
        hostile, {"imports": ["$import evil_module", "$import glob", "$import os", "$import torch"]}
    )
    assert main(["bundle", "check", str(hostile)]) == 3
    assert not (tmp_path / "mark").exists()
    assert main(["bundle", "check", str(hostile), "--trust"]) == 0, capsys.readouterr().err
    assert (tmp_path / "mark").exists()


@pytest.mark.slow
@pytest.mark.parametrize("content", [[1, 2], {"a": "text"}, "trap", b"no file of weights"])
def test_weights_that_are_something_else_are_refused(
    content: Any, hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = hostile / "models" / "model.pt"
    if content == "trap":
        path.write_bytes(pickle.dumps(Trap(tmp_path / "mark")))
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    assert main(["bundle", "check", str(hostile)]) == 3
    assert capsys.readouterr().err.startswith("BUNDLE_BROKEN") and not (tmp_path / "mark").exists()


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]\n",
        "a: &a {b: *a}\n",
        LAUGHS,
        "[" * 50_000,
        "a: " + "{a: " * 5_000,
        "a: \xe9".encode("latin-1"),
    ],
    ids=[
        "alias of itself",
        "alias of itself in a table",
        "billion laughs",
        "nested list",
        "nested tables",
        "latin-1",
    ],
)
@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_a_config_without_an_end_is_refused(
    text: str | bytes,
    suffix: str,
    hostile: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / f"overlay{suffix}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["bundle", "check", str(hostile), f"inference,{path}"]) == 3
    assert capsys.readouterr().err.startswith("monai-ich: BAD_CONFIG")


@pytest.mark.parametrize(
    "expression",
    [
        "$'x' * 99999999999",
        "$[0] * 99999 * 99999 * 99999",
        "$10 ** 10 ** 10",
        "$list(range(10 ** 12))",
        "$range(99999999999)",
        "$" + "(" * 5_000,
        "$" + "-" * 100_000 + "1",
        "$glob.glob('/*/*/*/*/*')",
        "$\0",
        "$",
    ],
)
def test_an_expression_that_would_fill_the_memory_is_not_worked_out(
    expression: str, hostile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(hostile, {"images": expression})
    status = main(["bundle", "check", str(hostile), "inference", "--dataset_dir", str(hostile)])
    said = capsys.readouterr().err
    assert status in (0, 3) and "INTERNAL_ERROR" not in said and "Traceback" not in said


def test_doubled_references_stay_small(hostile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(
        hostile,
        {
            "x0": "x",
            **{f"x{n}": f"$@x{n - 1} + @x{n - 1}" for n in range(1, 60)},
            "images": "$@x59",
        },
    )
    assert main(["bundle", "check", str(hostile), "inference", "--dataset_dir", str(hostile)]) in (
        0,
        3,
    )
    assert "INTERNAL_ERROR" not in capsys.readouterr().err
