"""The memory of another process: what it has, and what it had at most since a moment."""

from collections.abc import Callable
from pathlib import Path

RESET_PEAK = "5"
"""Written to `clear_refs`, it sets the peak to the resident memory of now. See proc(5)."""


def resident_mb(pid: int, field: str = "VmRSS") -> float:
    """Return the resident memory (MB), or its maximum with `VmHWM`."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


def peak_mb(pid: int, act: Callable[[], object]) -> float:
    """Return the maximum of the resident memory while *act* runs (MB)."""
    Path(f"/proc/{pid}/clear_refs").write_text(RESET_PEAK, encoding="ascii")
    act()
    return resident_mb(pid, "VmHWM")
