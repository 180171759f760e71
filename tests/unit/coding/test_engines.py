from __future__ import annotations

import subprocess
import sys
import tracemalloc

import pytest

from bundler.coding.codec import Codec
from bundler.coding.engines import Engine, best_engine
from bundler.coding.vectors import Vectors
from bundler.errors import UsageError
from tests.requirements import require
from tests.unit.coding.engines import why_no_numpy


def test_numpy_is_taken_where_it_is() -> None:
    require(why_no_numpy())
    assert best_engine().name == "numpy"
    assert Codec(2, 1).engine.name == "numpy"


def test_without_numpy_python_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # What an import finds for a module that is not installed, or that does not fit this Python.
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert best_engine().name == "python"
    with pytest.raises(UsageError, match="numpy cannot be loaded") as caught:
        Vectors()
    assert "airbundle[fast]" in caught.value.advice


def test_numpy_is_not_loaded_before_it_is_used() -> None:
    code = "import sys, bundler.coding.codec; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_memory_does_not_grow_with_the_number_of_sources(engine: Engine) -> None:
    size, block = 1 << 20, bytes(range(256)) * 4096
    combination = Codec(60, 4, engine=engine).combination(range(60), range(60, 64))
    made = {index: bytearray(size) for index in range(60, 64)}
    tracemalloc.start()
    try:
        running = combination.start(made)
        for index in range(60):
            running.add(index, block)
        running.finish()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * size * 32 / 30 + (4 << 20)
