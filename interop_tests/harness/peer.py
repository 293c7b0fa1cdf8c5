"""Peers: servers and proxies on ports of the namespace."""
import hashlib
import os
import shutil
import signal
import socket

import namespace
from processes import Error

_HERE = os.path.dirname(os.path.realpath(__file__))


class Peer:
    """A program that listens."""

    def __init__(self, start, argv, port, says_so=True, env=None):
        self.port = port
        self._start = start
        self._argv = argv
        self._env = env
        self._says_so = says_so
        self.process = None
        self.start()

    def start(self):
        """Also again after stop(): on the same port."""
        self.process = self._start(self._argv, self._env)
        if self._says_so:
            self.process.await_line("listening on ")
        else:
            self.process.await_condition(self._accepts, 30, "to listen")

    def _accepts(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self, number=signal.SIGTERM):
        """Signals it and waits for its end."""
        self.process.signal(number)
        code = self.process.await_end()
        if code not in (0, -number):
            raise Error("%s ended with %d: %s" % (self.process.name, code, self.process.errors()))


def target(*peers):
    return "ipv4:" + ",".join("127.0.0.1:%d" % peer.port for peer in peers)


def program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/bin:/usr/sbin:/sbin")
    if path is None:
        raise Error("%s is not installed: bazel/install.sh does that" % name)
    return path


def node_modules():
    """Where bazel/install.sh has put what package.json lists: both have to find the same place."""
    with open(os.path.join(_HERE, "package.json"), "rb") as f:
        version = hashlib.sha256(f.read()).hexdigest()[:16]
    path = os.path.join(namespace.home(), ".cache", "predial", "node-" + version, "node_modules")
    if not os.path.isdir(path):
        raise Error("the packages of interop_tests/harness/package.json are not in %s: "
                    "bazel/install.sh installs them" % path)
    return path
