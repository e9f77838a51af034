"""How much memory a piece of work takes; imports nothing, for every child process imports it anew."""

import resource
from collections.abc import Callable
from pathlib import Path


def measured(work: Callable[[], list[str]], usage: Path) -> list[str]:
    """Do the work, and write the most memory that it took to `usage`, in kilobytes."""
    try:
        return work()
    finally:
        usage.write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
