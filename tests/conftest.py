import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def no_store_is_left_in_the_environment() -> Iterator[None]:
    """MLflow puts its store into the environment, where MONAI prefers it to a bundle's own."""
    before = {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}
    yield
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session", autouse=True)
def signals_as_from_a_terminal() -> None:
    """`nohup` and a shell's ``&`` have SIGHUP and SIGINT ignored, and what the tests start would
    inherit that.
    """
    for number in (signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(
                number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            )


def stop_twice(run: subprocess.Popen[str], number: signal.Signals, *, seconds: float) -> None:
    """A signal, and SIGHUP soon after, as a closed terminal sends them: it says one line and ends
    by either.
    """
    run.send_signal(number)
    time.sleep(0.5)
    run.send_signal(signal.SIGHUP)
    _, said = run.communicate(timeout=seconds)
    assert said == "monai-ich: stopped\n"
    assert run.returncode in (128 + number, 128 + signal.SIGHUP), (
        "of two that wait, the lower number comes first"
    )


@pytest.fixture
def shared_data() -> Path:
    """Real head CT with an open licence, kept beside the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real CT data (../shared/data) is not on this machine")
    return folder
