"""Servers: the peers, each on another implementation of gRPC; what they take, and how they start."""
import os

import namespace
from peer import Peer, node_modules, program

_HERE = os.path.dirname(os.path.realpath(__file__))
_SOURCES = os.path.join(_HERE, "..", "peers")
_PROTO = os.path.join(_HERE, "..", "..", "proto")
# Debian's own, which has Debian's grpcio; another may come first in PATH.
PYTHON = "/usr/bin/python3"

# The Debian packages of each, beyond those of bazel/install.sh.
# protoc-gen-go-1-3: what the later ones make does not go with Debian's grpc-go 1.33.
PACKAGES = {
    "cpp": (),
    "node": (),
    "go": ("golang-go", "golang-google-grpc-dev", "protoc-gen-go-1-3"),
    "python": ("python3-grpcio", "python3-protobuf"),
}
NAMES = tuple(PACKAGES)


class Servers:
    """Starts them. `bench` is where what they take is made: it has to stay while they run."""

    def __init__(self, bench, cpp_server):
        self._bench = bench
        self._argv = {"cpp": [cpp_server]}
        self._env = {}

    def prepare(self, names):
        for name in names:
            getattr(self, "_prepare_" + name)()

    def start(self, bench, name):
        """A Peer that listens; it ends with `bench`. `name` has been prepared."""
        port = namespace.new_port()
        flag = "--port=%d" if name == "cpp" else "%d"
        return Peer(bench.start, [*self._argv[name], flag % port], port, env=self._env.get(name))

    def _prepare_cpp(self):
        """Nothing to do: Bazel has built it."""

    def _prepare_node(self):
        self._argv["node"] = [program("node"), os.path.join(_SOURCES, "node_server.js"),
                              os.path.join(_PROTO, "test_service.proto")]
        self._env["node"] = {"NODE_PATH": node_modules()}

    def _prepare_python(self):
        folder = self._bench.new_folder()
        self._run([program("protoc"), "-I", _PROTO, "--python_out=" + folder,
                   "test_service.proto", "health.proto"])
        self._argv["python"] = [PYTHON, "-B", os.path.join(_SOURCES, "python_server.py")]
        self._env["python"] = {"PYTHONPATH": folder}

    def _prepare_go(self):
        folder = self._bench.new_folder()
        messages = os.path.join(folder, "src", "predial", "testservice")
        os.makedirs(messages)
        self._run([program("protoc"), "-I", _PROTO,
                   "--go_out=plugins=grpc,import_path=testservice:" + messages,
                   "test_service.proto"])
        server = os.path.join(folder, "go_server")
        self._run([program("go"), "build", "-o", server, os.path.join(_SOURCES, "go_server.go")],
                  {"GO111MODULE": "off", "GOFLAGS": "", "GOPATH": folder + ":/usr/share/gocode",
                   "GOCACHE": _go_cache() or os.path.join(folder, "cache")})
        self._argv["go"] = [server]

    def _run(self, argv, env=None):
        self._bench.start(argv, env).await_success(300)


def _go_cache():
    """Where compiled packages of Go may stay for the next time; None in a sandbox."""
    cache = os.path.join(namespace.home(), ".cache", "predial")
    return os.path.join(cache, "go-build") if os.access(cache, os.W_OK) else None
