"""Bench: where one scenario runs with one contender: its processes, its folder, its load."""
import json
import os
import signal
import tempfile
import time

from processes import Error, Processes
from result import Result

CONTENDERS = ("pooled", "ordinary", "naive")
MODES = ("auto", "fd", "managed")  # of pooled: PoolOptions::Mode


class Bench:
    """A context: what it starts has ended, and its folder is gone, when its `with` has ended."""

    def __init__(self, binaries, contender, quick, mode="auto"):
        self.bin = binaries
        self.contender = contender
        self.quick = quick
        self._mode = mode
        self._scratch = tempfile.TemporaryDirectory(prefix="predial-chaos.",
                                                    ignore_cleanup_errors=True)
        self.record = os.path.join(self._scratch.name, "record")
        open(self.record, "wb").close()
        self._processes = Processes(self._scratch.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._processes.__exit__()
        self._scratch.cleanup()

    def length(self, full, others, quick):
        """`full` for pooled, `others` for the others, which are there for comparison only."""
        if self.quick:
            return quick
        return full if self.contender == "pooled" else others

    def start(self, argv, env=None):
        return self._processes.start(argv, env)

    def new_folder(self):
        return self._processes.new_folder()

    def load(self, target, *flags):
        """The load, begun. See chaos_load.cc for `flags`."""
        return Load(self.start([os.path.join(self.bin, "chaos_load"), "--target=" + target,
                                "--contender=" + self.contender, "--mode=" + self._mode,
                                *flags]), self.record)

    @staticmethod
    def pause(seconds):
        """Lets the load go on for so long."""
        time.sleep(seconds)


class Load:
    """A chaos_load that runs."""

    def __init__(self, process, record):
        self._process = process
        self._record = record
        self.pid = process.pid
        process.await_line("ready", timeout=60)

    def start_the_other_callers(self):
        self._process.signal(signal.SIGUSR1)

    def stop(self):
        """Ends the load and gives its Result."""
        self._process.signal(signal.SIGTERM)
        return self.await_end(timeout=60)

    def await_end(self, timeout):
        """The Result of a load that ends by itself."""
        code = self._process.await_end(timeout)
        lines = self._process.output().splitlines()
        if code or len(lines) != 2:
            raise Error("chaos_load ended with %d: %s" % (code, self._process.errors()))
        # One file for all servers of the load, before and after a restart: what is counted is every
        # RPC that reached a server's code, answered or not.
        with open(self._record, encoding="ascii") as f:
            return Result(json.loads(lines[1]), f.read().split())
