"""What a case was measured on, and how the page says so."""

import os
import platform
import time
from pathlib import Path


def machine():
    """The facts that are stored beside the numbers."""
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next(
        (line.partition(":")[2].strip() for line in facts if line.startswith("model name")), "unknown"
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "memory_gb": round(memory),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def sentence(facts):
    """The facts in a sentence."""
    return (
        f"Measured {facts['date']} on {facts['cores']} cores of {facts['processor']}, {facts['memory_gb']} GB, "
        f"{facts['system']}, Python {facts['python']}. Take the ratios, not the digits."
    )
