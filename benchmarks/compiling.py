"""Budget 8: compiling a large matrix."""

import tracemalloc
from collections.abc import Iterator
from statistics import median
from time import thread_time_ns

from benchmarks.measuring import MIB, Figure, Size
from benchmarks.setting import document
from purposeguard.policy.matrix import compile_document

LARGEST = (500, 4_000, 20_000)


def compiling(size: Size) -> Iterator[Figure]:
    """Measure compiling a document that is in memory already, its digest included."""
    source = document(*LARGEST)
    what = "compile 500 x 4000, 20,000 grants"
    times = []
    for _ in range(max(1, size.rounds // 8)):
        start = thread_time_ns()
        compile_document(source)
        times.append((thread_time_ns() - start) / 1e9)
    yield Figure(what, median(times), "s", budget="8", at_most=0.2, of="value")
    tracemalloc.start()
    compiled = compile_document(source)
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del compiled
    yield Figure(f"{what}: kept", kept / MIB, "MiB", budget="8", at_most=20, of="value")
    yield Figure(f"{what}: at its peak", most / MIB, "MiB")
