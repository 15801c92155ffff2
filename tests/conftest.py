import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def signals_as_from_a_terminal() -> None:
    """`nohup` and a shell's ``&`` have SIGHUP and SIGINT ignored, and what the tests start would inherit that."""
    for number in (signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture
def shared_data() -> Path:
    """Real head CT with an open licence, kept beside the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real CT data (../shared/data) is not on this machine")
    return folder
