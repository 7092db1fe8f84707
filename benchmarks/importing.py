"""Budget 9: importing, in fresh interpreters that take turns."""

import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from benchmarks.measuring import Figure, Size

BASE = "import opentelemetry.trace, pydantic"
MODEL_BASE = (
    "import opentelemetry.trace, pydantic, yaml\nclass Model(pydantic.BaseModel):\n    name: str"
)
IMPORT = "import purposeguard"
LOAD = "import purposeguard\npurposeguard.bundled_policy('smarthr')"

_TIMED = """
import time
start = time.process_time()
{code}
print(time.process_time() - start)
"""


def importing(size: Size) -> Iterator[Figure]:
    """Measure the import, and the import with a first policy loaded."""
    codes = (BASE, IMPORT, MODEL_BASE, LOAD)
    _milliseconds(LOAD)  # so that everything is compiled to byte code
    rounds = [[_milliseconds(code) for code in codes] for _ in range(size.interpreters)]
    base, ours, model, loaded = (median(times) for times in zip(*rounds, strict=True))
    yield Figure("base: import opentelemetry.trace and pydantic", base, "ms", 1.0)
    yield Figure("import purposeguard", ours, "ms", ours / base, "9", 1.25)
    yield Figure("the base with PyYAML and one pydantic model", model, "ms", 1.0)
    yield Figure("import purposeguard, load the policy of SmartHR", loaded, "ms", loaded / model)


def _milliseconds(code: str) -> float:
    """Return the processor time that the code takes in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", _TIMED.format(code=code)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout) * 1000
