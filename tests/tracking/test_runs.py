"""An MLflow store is looked at before anything is computed, never waited for, and takes no results
with it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monai_ich.core.errors import TrackingError
from monai_ich.tracking import runs as tracking
from monai_ich.tracking.runs import log_in_time, open_experiment, require_store


@pytest.fixture
def deaf() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(5)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_not_waited_for(deaf: str) -> None:
    start = time.monotonic()
    with pytest.raises(TrackingError, match="MLFLOW_UNAVAILABLE"):
        require_store(deaf, "monai-ich analyze")
    assert time.monotonic() - start < 20


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    for uri in (str(tmp_path), tmp_path.as_uri(), "mlruns"):
        with pytest.raises(TrackingError, match="MLFLOW_UNAVAILABLE"):
            require_store(uri, "monai-ich analyze")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_deleted_experiment_is_refused_and_a_sound_one_is_not(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/runs.db"
    require_store(uri, "monai-ich analyze")
    mlflow = open_experiment(uri, "monai-ich analyze")
    mlflow.delete_experiment(mlflow.get_experiment_by_name("monai-ich analyze").experiment_id)
    with pytest.raises(TrackingError, match="MLFLOW_UNAVAILABLE"):
        require_store(uri, "monai-ich analyze")


def test_results_stay_where_the_store_fails_in_the_end(deaf: str) -> None:
    def fail() -> None:
        raise ValueError("password=secret")

    with pytest.raises(TrackingError, match=r"MLFLOW_FAILED.*are written") as error:
        log_in_time(fail, "sqlite:///x.db")
    assert error.value.exit_code == 4 and "secret" not in str(error.value)


def test_a_store_that_hangs_in_the_end_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "_PATIENCE_S", 0.2)
    never = threading.Event()
    with pytest.raises(TrackingError, match="MLFLOW_FAILED"):
        log_in_time(lambda: never.wait(30) and None, "http://127.0.0.1:1")
    never.set()
