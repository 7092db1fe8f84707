"""`python -m benchmarks`: measure everything, print a table, fail where a budget is missed."""

import argparse
import platform
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version

from benchmarks.calls import kinds, spans
from benchmarks.compiling import compiling
from benchmarks.conditions import conditions
from benchmarks.decisions import decisions
from benchmarks.importing import importing
from benchmarks.measuring import SIZES, Figure, Size
from benchmarks.memory import memory
from benchmarks.overhead import requests
from benchmarks.recording import recorded
from benchmarks.reporting import reporting
from benchmarks.sql import sql

LIBRARIES = ("purposeguard", "opentelemetry-api", "opentelemetry-sdk", "pydantic", "PyYAML")

PARTS: dict[str, Callable[[Size], Iterator[Figure]]] = {
    "spans": spans,
    "kinds": kinds,
    "conditions": conditions,
    "decisions": decisions,
    "compiling": compiling,
    "importing": importing,
    "memory": memory,
    "recording": recorded,
    "reporting": reporting,
    "sql": sql,
    "requests": requests,
}


def main() -> int:
    """Return 1 where a budget is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument(
        "--full", action="store_const", dest="size", const="full", help="10 million accesses"
    )
    sizes.add_argument(
        "--tiny",
        action="store_const",
        dest="size",
        const="tiny",
        help="everything once: does it run? The figures mean nothing",
    )
    parser.add_argument("--no-fail", action="store_true", help="exit 0 though a budget is missed")
    asked = parser.parse_args()
    for part in asked.parts:
        if part not in PARTS:
            parser.error(f"there is no part `{part}`")
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}")
    print(", ".join(f"{name} {version(name)}" for name in LIBRARIES), "\n")
    missed = 0
    print(_line("#", "what", "ratio", "figure", "budget", "verdict"))
    for part in asked.parts or PARTS:
        print()
        for figure in PARTS[part](SIZES[asked.size or "default"]):
            print(_row(figure), flush=True)
            missed += figure.missed
    print(f"\n{missed} missed" if missed else "\nall budgets kept")
    return 1 if missed and not asked.no_fail else 0


def _row(figure: Figure) -> str:
    budget = verdict = ""
    if figure.at_most is not None:
        unit = "x" if figure.of == "ratio" else f" {figure.unit}"
        budget = f"{figure.at_most:g}{unit}"
        verdict = "MISSED" if figure.missed else "ok"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.3f}x"
    return _line(
        figure.budget, figure.what, ratio, f"{figure.value:.3f} {figure.unit}", budget, verdict
    )


def _line(number: str, what: str, ratio: str, figure: str, budget: str, verdict: str) -> str:
    return f"{number:>2}  {what:<52}{ratio:>9}{figure:>15}{budget:>10}  {verdict}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
