"""Stage: where servers and probes run that a test drives by the lines on their stdin.

See commands.h for the lines, server.cc and probe.cc for what they can say.
"""
import json
import os
import tempfile
import time

import namespace
from peer import node_modules, program
from processes import Error, Processes

_HERE = os.path.dirname(os.path.realpath(__file__))
_PROTO = os.path.join(_HERE, "..", "..", "proto")


class Driven:
    """A process that answers commands."""

    def __init__(self, process, begins):
        self.process = process
        self.first_line = process.await_line(begins, timeout=60)
        self._commands = 0

    def ask(self, command):
        """The answer, once it is there."""
        self._commands += 1
        self.process.tell("%d %s" % (self._commands, command))
        return json.loads(self.process.await_line("%d " % self._commands, timeout=60))

    def close(self):
        """Lets it end by itself, which has to go well."""
        self.process.tell_no_more()
        code = self.process.await_end(60)
        if code:
            raise Error("%s ended with %d: %s" % (self.process.name, code, self.process.errors()))


class Server(Driven):
    """One of server.cc, node_server.js, python_server.py."""

    def __init__(self, process, name, port):
        super().__init__(process, "listening on ")
        self.name = name
        self.port = port
        self.address = "127.0.0.1:%d" % port  # of one that listens on no other

    def set(self, status, service="-"):
        self.ask("set %s %s" % (service, status))


class Probe(Driven):
    """A channel, and what RPCs over it come to."""

    def __init__(self, process):
        super().__init__(process, "ready")

    def pool(self):
        return Pool(self.ask("pool"))

    def await_pool(self, condition, what, timeout=30):
        """The first Pool for which `condition` is true."""
        deadline = time.monotonic() + timeout
        while True:
            pool = self.pool()
            if condition(pool):
                return pool
            if time.monotonic() > deadline:
                raise Error("waited %g s in vain for %s: %s" % (timeout, what, pool))

    def calls(self, count):
        return self.ask("calls %d" % count)


class Pool:
    """A snapshot of a pool: report.proto's, with questions."""

    def __init__(self, report):
        self.report = report
        self.state = report["state"]
        self.panic = report["panic"]
        self.endpoints = {endpoint["address"]: endpoint for endpoint in report["endpoints"]}

    def __str__(self):
        return json.dumps(self.report, indent=1)

    def ready(self, *addresses):
        """Ready members of these endpoints; 0 for one that is not there."""
        return sum(self.endpoints[address]["ready"] for address in addresses
                   if address in self.endpoints)

    def decisions(self, what, address):
        """The reasons of the decisions of this kind about that endpoint or its members."""
        return [decision["reason"] for decision in self.report["decisions"]
                if decision["what"] == what and decision["endpoint"] == address]


class Stage:
    """A context: what it starts has ended, and its folder is gone, when its `with` has ended."""

    def __init__(self, binaries):
        self._bin = binaries
        self._scratch = tempfile.TemporaryDirectory(prefix="predial-stage.",
                                                    ignore_cleanup_errors=True)
        self._processes = Processes(self._scratch.name)
        self._driven = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            for driven in reversed(self._driven):
                if kind is None:
                    driven.close()
        finally:
            self._processes.__exit__()
            self._scratch.cleanup()

    def start(self, argv, env=None, told=False):
        return self._processes.start(argv, env, told)

    def new_folder(self):
        return self._processes.new_folder()

    def probe(self, target, *flags):
        """See probe.cc for `flags`."""
        argv = [os.path.join(self._bin, "probe"), "--target=" + target, *flags]
        return self._add(Probe(self.start(argv, told=True)))

    def server(self, name, *flags, addresses=None, port=None):
        """The C++ one; see server.cc for `flags`. On `addresses`, or on `port` of 127.0.0.1."""
        port = port or namespace.new_port()
        addresses = addresses or ["127.0.0.1:%d" % port]
        argv = [os.path.join(self._bin, "server"), "--name=" + name,
                "--addresses=" + ",".join(addresses), *flags]
        return self._add(Server(self.start(argv, told=True), name, port))

    def node_server(self, name, health=True):
        port = namespace.new_port()
        argv = [program("node"), os.path.join(_HERE, "node_server.js"),
                os.path.join(_PROTO, "echo.proto"), name, str(port),
                "health" if health else "none"]
        return self._add(Server(self.start(argv, {"NODE_PATH": node_modules()}, told=True), name,
                                port))

    def python_server(self, name, health=True):
        """On Debian's Python, which has the packages python3-grpcio and python3-protobuf."""
        port = namespace.new_port()
        argv = ["/usr/bin/python3", "-B", os.path.join(_HERE, "python_server.py"), _PROTO,
                self.new_folder(), name, str(port), "health" if health else "none"]
        return self._add(Server(self.start(argv, told=True), name, port))

    def end(self, driven):
        """Ends one before its time, well; again: does nothing."""
        if driven in self._driven:
            self._driven.remove(driven)
            driven.close()

    def _add(self, driven):
        self._driven.append(driven)
        return driven
