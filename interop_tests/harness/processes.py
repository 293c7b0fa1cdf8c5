"""Processes: children with an end. Whatever one of these starts has ended when its `with` has."""
import os
import signal
import subprocess
import sys
import time


class Error(Exception):
    """Something that the harness needs did not work: not a bar that was missed."""


def end_on_sigterm():
    """SIGTERM ends this program as an exception does: so all that it started ends as well."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class Process:
    """A running program, its output in files. In a process group of its own, with its children."""

    def __init__(self, argv, out, env):
        self.name = os.path.basename(out)
        self._out = out + ".out"
        self._err = out + ".err"
        with open(self._out, "wb") as stdout, open(self._err, "wb") as stderr:
            # setpriv: when this harness is killed, the program goes as well.
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *argv], stdin=subprocess.DEVNULL, stdout=stdout,
                stderr=stderr, env={**os.environ, **env}, start_new_session=True)
        self.pid = self._child.pid

    def await_line(self, beginning, timeout=30):
        """The rest of the first whole line of stdout that begins so."""
        def look():
            for line in self.output().splitlines(keepends=True):
                if line.startswith(beginning) and line.endswith("\n"):
                    return (line[len(beginning):-1],)
            return None
        return self.await_condition(look, timeout, "to say '%s'" % beginning)[0]

    def await_condition(self, condition, timeout, what):
        """Calls `condition` until it returns something true, and returns that."""
        deadline = time.monotonic() + timeout
        while True:
            ended = self._child.poll() is not None
            result = condition()
            if result:
                return result
            if ended:
                raise self._ended()
            if time.monotonic() > deadline:
                raise Error("waited %g s in vain for %s %s" % (timeout, self.name, what))
            try:
                self._child.wait(0.005)
            except subprocess.TimeoutExpired:
                pass

    def _ended(self):
        return Error("%s has ended with %d: %s" % (self.name, self._child.returncode,
                                                   self.errors()))

    def output(self):
        with open(self._out, encoding="utf-8") as f:
            return f.read()

    def errors(self):
        """The end of its stderr."""
        with open(self._err, encoding="utf-8", errors="replace") as f:
            return f.read()[-2000:].strip()

    def signal(self, number):
        if self._child.poll() is not None:
            raise self._ended()
        self._child.send_signal(number)

    def ends_within(self, seconds):
        """Whether it has ended, or does so in this time."""
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def await_end(self, timeout=30):
        """Its exit code; of a process that a signal ended, minus the signal."""
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Error("%s does not end" % self.name) from None

    def await_success(self, timeout=30):
        code = self.await_end(timeout)
        if code:
            raise self._ended()

    def kill(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)  # the group may outlive its leader
        except ProcessLookupError:
            pass
        self._child.wait()


class Processes:
    """Starts programs in the directory `scratch`, and ends those that still run with its `with`."""

    def __init__(self, scratch):
        self._scratch = scratch
        self._started = []
        self._folders = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self._started):
            process.kill()

    def start(self, argv, env=None):
        name = "%d-%s" % (len(self._started), os.path.basename(argv[0]))
        process = Process(argv, os.path.join(self._scratch, name), env or {})
        self._started.append(process)
        return process

    def new_folder(self):
        """An empty directory in `scratch`."""
        self._folders += 1
        path = os.path.join(self._scratch, "folder-%d" % self._folders)
        os.mkdir(path)
        return path
