"""Servers and proxies: started on a port of the namespace, listening when these return."""
import hashlib
import os
import shutil
import signal
import socket

import namespace
from processes import Error, await_until

HERE = os.path.dirname(os.path.realpath(__file__))
_PROTO = os.path.join(HERE, "..", "..", "proto", "echo.proto")


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
            await_until(self._accepts, 30, "%s to listen" % self.process.name)

    def _accepts(self):
        self.process.signal(0)  # raises if it has ended
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


def cpp_server(bench, *flags):
    port = namespace.new_port()
    return Peer(bench.start, [os.path.join(bench.bin, "chaos_server"), "--port=%d" % port,
                              "--record=" + bench.record, *flags], port)


def node_server(bench, max_connection_age_ms):
    """grpc-js."""
    port = namespace.new_port()
    return Peer(bench.start, [_program("node"), os.path.join(HERE, "echo_server.js"), _PROTO,
                              bench.record, str(port), str(max_connection_age_ms)], port,
                env={"NODE_PATH": _node_modules()})


def poisoned_server(bench):
    """See poisoned_server.js."""
    port = namespace.new_port()
    return Peer(bench.start, [_program("node"), os.path.join(HERE, "poisoned_server.js"),
                              bench.record, str(port)], port)


def nginx(bench, upstream, settings=""):
    """One worker. `settings` are of its server block."""
    port = namespace.new_port()
    folder = bench.new_folder()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temp = "".join("  %s_temp_path %s/%s;\n" % (kind, folder, kind) for kind in kinds)
    return _proxy(bench, port, folder, ["nginx", "-p", folder, "-e", "stderr", "-c"], """
daemon off;
user root;
worker_processes 1;
worker_shutdown_timeout 10s;
pid %s/pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
%s  upstream backend { server 127.0.0.1:%d; keepalive 32; }
  server {
    listen 127.0.0.1:%d http2;
    %s
    location / { grpc_pass grpc://backend; }
  }
}
""" % (folder, temp, upstream.port, port, settings))


def haproxy(bench, upstream):
    port = namespace.new_port()
    return _proxy(bench, port, bench.new_folder(), ["haproxy", "-W", "-db", "-f"], """
global
  maxconn 1000
  hard-stop-after 10s
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:%d proto h2
  default_backend back
backend back
  server one 127.0.0.1:%d proto h2
""" % (port, upstream.port))


def nghttpx(bench, upstream, settings=""):
    """`settings` are lines of its configuration."""
    port = namespace.new_port()
    folder = bench.new_folder()
    return _proxy(bench, port, folder, ["nghttpx", "--conf"], """
frontend=127.0.0.1,%d;no-tls
backend=127.0.0.1,%d;;proto=h2
pid-file=%s/pid
workers=1
log-level=ERROR
%s
""" % (port, upstream.port, folder, settings))


def _proxy(bench, port, folder, argv, configuration):
    path = os.path.join(folder, "conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write(configuration)
    return Peer(bench.start, [_program(argv[0]), *argv[1:], path], port, says_so=False)


def _program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/bin:/usr/sbin:/sbin")
    if path is None:
        raise Error("%s is not installed: bazel/install.sh does that" % name)
    return path


def _node_modules():
    """Where bazel/install.sh has put what package.json lists: both have to find the same place."""
    with open(os.path.join(HERE, "package.json"), "rb") as f:
        version = hashlib.sha256(f.read()).hexdigest()[:16]
    path = os.path.join(namespace.home(), ".cache", "predial", "node-" + version, "node_modules")
    if not os.path.isdir(path):
        raise Error("the packages of benchmarks/chaos/package.json are not in %s: "
                    "bazel/install.sh installs them" % path)
    return path
