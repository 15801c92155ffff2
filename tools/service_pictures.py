"""The pictures of the service in ``docs/service``: a demo is run, and its pages are photographed.

    python tools/service_pictures.py [--chromium /usr/bin/chromium]

Needs ``playwright`` and Chromium.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
SHOWN = [("worklist", "/", "desktop"), ("operations", "/operations", "desktop")]
SHOWN += [("study", "/study/1", "desktop"), ("phone", "/", "phone")]


def _ready(port: int, token: str) -> bool:
    """Whether the three studies have results."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics")
    request.add_header("Authorization", f"Bearer {token}")
    try:
        text = urllib.request.urlopen(request, timeout=5).read().decode()
    except OSError:
        return False
    lines = [line for line in text.splitlines() if "series" in line and 'state="analyzed"' in line]
    return sum(float(line.split()[-1]) for line in lines) >= 3


def main() -> None:
    """Run, wait, photograph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--port", type=int, default=18042)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        settings = {"web_port": args.port, "dicom_port": args.port + 1, "settle_s": 3.0}
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        (data / "service.toml").write_text("\n".join(lines) + "\n")
        command = [sys.executable, "-m", "monai_ich.cli", "serve", "--data", str(data), "--demo"]
        service = subprocess.Popen(command)
        try:
            while not (data / "token").is_file():
                time.sleep(0.5)
            token = (data / "token").read_text()
            while not _ready(args.port, token):
                time.sleep(2)
            with sync_playwright() as tool:
                browser = tool.chromium.launch(executable_path=args.chromium, args=["--no-sandbox"])
                for name, path, size in SHOWN:
                    width, height = SIZES[size]
                    page = browser.new_page(viewport={"width": width, "height": height})
                    page.goto(f"http://127.0.0.1:{args.port}/?token={token}")
                    page.goto(f"http://127.0.0.1:{args.port}{path}")
                    page.wait_for_timeout(3000)
                    page.screenshot(path=ROOT / "docs" / "service" / f"{name}.png")
                browser.close()
        finally:
            service.terminate()
            service.wait(60)


if __name__ == "__main__":
    main()
