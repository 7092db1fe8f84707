"""A real load tool, Locust, against a real server: every answer is looked at."""

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

CONNECTIONS = 64


def require_locust():
    """Skip where it is not installed. It is not imported: that would patch this process."""
    if importlib.util.find_spec("locust") is None:
        pytest.skip("the load test needs locust")


def hammer(url, requests, total, folder):
    """Ask `total` times, at 64 connections, and return how often each was answered right.

    `requests` are method, path, status and body, which take turns.
    """
    plan = Path(folder, "plan.json")
    plan.write_text(json.dumps({"total": total, "requests": requests}))
    command = [sys.executable, "-m", "locust", "--headless", "--json", "--only-summary"]
    command += ["--locustfile", str(Path(__file__).with_name("load_requests.py")), "--host", url]
    command += ["--users", str(CONNECTIONS), "--spawn-rate", str(CONNECTIONS)]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "LOAD_PLAN": str(plan)},
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    told = json.loads(done.stdout)
    wrong = {entry["name"]: entry["num_failures"] for entry in told if entry["num_failures"]}
    assert not wrong, (wrong, done.stderr)
    assert done.returncode == 0, done.stderr
    return Counter({entry["name"]: entry["num_requests"] for entry in told})
