"""What a process spares when it begins to serve."""

import subprocess
import sys

_SPARED = """
import gc
from appservice import memory, main
memory.spare()
print(gc.get_freeze_count() > 10_000, len(gc.get_objects()) < 1_000)
"""


def test_nothing_that_was_loaded_is_looked_at_again() -> None:
    said = subprocess.run([sys.executable, "-c", _SPARED], check=True, capture_output=True, text=True).stdout
    assert said.split() == ["True", "True"]
