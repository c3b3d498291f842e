"""What a subject measures of itself: seconds, the model library's own among them, and peak memory."""

import gc
import time
from pathlib import Path


def measured(call):
    """The result of a call, its seconds (of the clock, and of all cores), and the process's peak memory in MB.

    The peak is the whole process's, with the table that was there before: what a machine must have.
    """
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak until now
    begun, busy = time.perf_counter(), time.process_time()
    result = call()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - busy
    return result, {"seconds": seconds, "cpu_seconds": cpu, "peak_mb": status_mb("VmHWM")}


def status_mb(name):
    """A figure of this process's memory, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024 / 1e6


class OwnFit:
    """Adds up the seconds that a class's `fit` takes, wherever it is called from."""

    def __init__(self, cls):
        self.seconds = self.cpu_seconds = 0.0
        fit = cls.fit

        def timed(*arguments, **keywords):
            begun, busy = time.perf_counter(), time.process_time()
            try:
                return fit(*arguments, **keywords)
            finally:
                self.seconds += time.perf_counter() - begun
                self.cpu_seconds += time.process_time() - busy

        cls.fit = timed

    def taken(self):
        """What was added up since the last time."""
        taken = {"own_seconds": self.seconds, "own_cpu_seconds": self.cpu_seconds}
        self.seconds = self.cpu_seconds = 0.0
        return taken
