"""Results of two runs never lie side by side, whatever ends a run; what it left is swept by the
next.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monai_ich.core.errors import OutputError
from monai_ich.core.ownership import Owner
from monai_ich.core.scratch import Scratch, sweep, temporary
from monai_ich.io import publish
from monai_ich.io.output import output_file, output_folder, renamed, renamed_together, settle

OLD = {name: "old" for name in ("a.json", "b.html", "c.dcm", "gone.csv")}
NEW = {name: "new" for name in ("a.json", "b.html", "c.dcm", "more.csv")}
NAMES = (*OLD, "more.csv")
STEPS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")


def _write(folder: Path, texts: dict[str, str]) -> None:
    with output_folder(folder, results=NAMES, overwrite=True) as out:
        for name, text in texts.items():
            (out / name).write_text(text)


def _seen(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.name in NAMES}


def _left(root: Path) -> list[str]:
    return [path.name for path in root.rglob(".*")]


def _killed_at(step: int, work: Callable[[], None]) -> bool:
    """Do `work` in a child that is killed just before its n-th change of the disk; whether it came
    that far.
    """
    child = os.fork()
    if child == 0:
        count = 0

        def hook(event: str, _: object) -> None:
            nonlocal count
            if event in STEPS:
                count += 1
                if count > step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            work()
        finally:
            os._exit(0 if count <= step else 1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    _write(tmp_path / "out", OLD)
    assert _seen(tmp_path / "out") == OLD and not _left(tmp_path)
    return tmp_path / "out"


def _each_kill(out: Path) -> Iterator[dict[str, str]]:
    """What is there after a kill at each step of an overwrite; between them the old results come
    back.
    """
    for step in range(400):
        if not _killed_at(step, lambda: _write(out, NEW)):
            break
        yield _seen(out)
        settle(out)
        assert _seen(out) in (OLD, NEW)
        _write(out, OLD)
        assert _seen(out) == OLD and not _left(out.parent), "the next run sweeps"
    assert step > 20 and _seen(out) == NEW


@pytest.mark.slow
def test_a_kill_leaves_the_old_or_the_new_results_whole(old: Path) -> None:
    seen = list(_each_kill(old))
    assert all(found in (OLD, NEW) for found in seen) and OLD in seen and NEW in seen


@pytest.mark.slow
def test_where_folders_cannot_be_exchanged_a_kill_leaves_no_mixture_and_a_look_makes_it_whole(
    old: Path,
) -> None:
    (old / "notes.txt").write_text("mine")
    (old / "mine").mkdir()
    (old / "mine" / "more.txt").write_text("mine")
    seen = list(_each_kill(old))
    for found in seen:
        assert len(set(found.values())) <= 1, "old and new side by side"
    assert OLD in seen and NEW in seen and any(found not in (OLD, NEW) for found in seen), (
        "nothing was interrupted"
    )
    assert (old / "notes.txt").read_text() == "mine" == (old / "mine" / "more.txt").read_text()


@pytest.mark.slow
def test_a_look_that_is_killed_itself_loses_nothing(old: Path) -> None:
    (old / "notes.txt").write_text("mine")
    for step in range(400):
        if not _killed_at(step, lambda: _write(old, NEW)):
            break
        for other in range(400):
            if not _killed_at(other, lambda: settle(old)):
                break
        assert _seen(old) in (OLD, NEW)
        _write(old, OLD)
        assert not _left(old.parent)


@pytest.mark.slow
def test_a_first_run_that_is_killed_shows_nothing_or_all(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    for step in range(400):
        if not _killed_at(step, lambda: _write(out, NEW)):
            break
        assert not out.exists() or _seen(out) in ({}, NEW)
        _write(out, NEW)
        assert not _left(tmp_path)
        for path in out.iterdir():
            path.unlink()
        out.rmdir()


def test_the_folder_keeps_its_rights_and_its_links(old: Path, tmp_path: Path) -> None:
    old.chmod(0o2750)
    (tmp_path / "link").symlink_to(old)
    _write(tmp_path / "link", NEW)
    assert (
        (tmp_path / "link").is_symlink()
        and stat.S_IMODE(old.stat().st_mode) == 0o2750
        and _seen(old) == NEW
    )


def test_the_current_folder_stays_the_same(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(old)
    before = old.stat().st_ino
    _write(Path(), NEW)
    assert (
        _seen(Path()) == NEW
        and Path().stat().st_ino == before == old.stat().st_ino
        and not _left(old)
    )


@pytest.mark.slow
def test_a_mount_point_is_written_into(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", out], capture_output=True
    ).returncode:
        pytest.skip("a disk cannot be mounted here (needs root)")
    try:
        _write(out, OLD)
        seen = list(_each_kill(out))
        assert all(len(set(found.values())) <= 1 for found in seen)
    finally:
        subprocess.run(["umount", out], check=True)


def test_without_an_exchange_results_are_moved(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish.sys, "platform", "darwin")
    before = old.stat().st_ino
    _write(old, NEW)
    assert _seen(old) == NEW and old.stat().st_ino == before and not _left(old.parent)


def test_an_error_leaves_the_old_results(old: Path) -> None:
    with pytest.raises(ZeroDivisionError), output_folder(old, results=NAMES, overwrite=True) as out:
        (out / "a.json").write_text("new")
        raise ZeroDivisionError
    assert _seen(old) == OLD and not _left(old.parent)


def test_a_second_run_is_refused_and_says_who_is_there(old: Path) -> None:
    with output_folder(old, results=NAMES, overwrite=True) as out:
        (out / "a.json").write_text("new")
        with pytest.raises(OutputError, match=f"OUTPUT_BUSY: .*process {os.getpid()} on "):
            _write(old, NEW)
        assert _seen(old) == OLD
    assert _seen(old) == {"a.json": "new"} and not _left(old.parent)


@pytest.mark.slow
def test_of_many_runs_at_once_each_is_whole_or_refused(old: Path) -> None:
    refused: list[str] = []

    def run(number: int) -> None:
        for _ in range(20):
            try:
                _write(old, {name: str(number) for name in NEW})
            except OutputError as error:
                refused.append(error.code)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (
        set(refused) <= {"OUTPUT_BUSY"}
        and len(set(_seen(old).values())) == 1
        and len(_seen(old)) == len(NEW)
    )
    assert not _left(old.parent)


def test_a_folder_with_the_name_of_a_result_is_never_removed(old: Path) -> None:
    (old / "more.csv").mkdir()
    with pytest.raises(OutputError, match="OUTPUT_NOT_WRITABLE"):
        _write(old, NEW)
    assert (old / "more.csv").is_dir() and (old / "a.json").read_text() == "old"


def _other(scratch: Path, **who: object) -> Path:
    """The scratch folder of a process that ended, with another owner written into it."""
    child = os.fork()
    if child == 0:
        made = Scratch(scratch)
        (made.folder / "ct.nii.gz").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (found,) = scratch.glob(".partial-*")
    owner = json.loads((found / "owner").read_text())
    (found / "owner").write_text(json.dumps(owner | who))
    return found


def test_only_what_a_dead_process_of_this_machine_left_is_swept(tmp_path: Path) -> None:
    with Scratch(tmp_path) as mine:
        sweep(tmp_path)
        assert mine.is_dir(), "a live one's"
    (tmp_path / ".partial-theirs").mkdir()
    (tmp_path / ".partial-theirs" / "x").touch()
    sweep(tmp_path)
    assert (tmp_path / ".partial-theirs" / "x").exists(), "not ours"
    (tmp_path / ".partial-theirs" / "x").unlink()
    (tmp_path / ".partial-theirs").rmdir()
    elsewhere = _other(tmp_path, host="elsewhere", boot="another")
    sweep(tmp_path)
    assert elsewhere.is_dir(), "another machine's"
    here = Owner.here()
    (elsewhere / "owner").write_text(
        json.dumps({"pid": here.pid, "host": here.host, "boot": "before"})
    )
    sweep(tmp_path)
    assert not elsewhere.exists(), "this machine's, before it was started anew"
    _other(tmp_path)
    sweep(tmp_path)
    assert not _left(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    left = _other(tmp_path / "in")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".partial-link").symlink_to(left)
    sweep(tmp_path / "out")
    assert (left / "content" / "ct.nii.gz").exists()


def test_temporary_folders_are_the_users_alone_and_vanish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = os.umask(0)
    try:
        made = temporary()
    finally:
        os.umask(before)
    assert stat.S_IMODE(made.base.stat().st_mode) == 0o700 and made.base.parent == tmp_path
    del made
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("mask", "file", "folder"), [(0o077, 0o600, 0o700), (0o002, 0o664, 0o775)])
def test_files_and_folders_have_the_rights_that_the_umask_leaves(
    tmp_path: Path, mask: int, file: int, folder: int
) -> None:
    before = os.umask(mask)
    try:
        _write(tmp_path / "a", OLD)
        _write(tmp_path / "a", NEW)
        with renamed(tmp_path / "b.json") as aside:
            aside.write_text("{}")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {"a": folder, "b.json": file, **dict.fromkeys(NEW, file)}


def test_of_files_that_belong_together_none_appears_alone(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError),
        renamed_together(tmp_path / "a", tmp_path / "b") as (first, _),
    ):
        first.write_text("x")
    assert not list(tmp_path.iterdir())


def test_a_folder_made_for_a_file_that_never_came_goes(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="DISK_FULL"), output_file(tmp_path / "new" / "dir" / "a"):
        raise OSError(28, "no space")
    assert not list(tmp_path.iterdir())
