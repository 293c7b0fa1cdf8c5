"""What the peers are, with their versions: of those that a run had."""
import json
import os
import re
import subprocess

import peer
import servers
from processes import Error


def all_of(names):
    """{name: text}. Of `direct` there is none; `nginx-host` is an nginx."""
    programs = dict.fromkeys(name.partition("-")[0] for name in names)
    return {name: _OF[name]() for name in programs if name in _OF}


def _first(pattern, *argv):
    """What `pattern` finds first in what the program says."""
    run = subprocess.run([peer.program(argv[0]), *argv[1:]], text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    found = re.search(pattern, run.stdout)
    if run.returncode or not found:
        raise Error("no version in what `%s` says: %s" % (" ".join(argv), run.stdout[-300:]))
    return found[1]


def _node():
    path = os.path.join(peer.node_modules(), "@grpc", "grpc-js", "package.json")
    with open(path, encoding="utf-8") as f:
        version = json.load(f)["version"]
    return "grpc-js %s, Node %s" % (version, _first(r"v(\S+)", "node", "--version"))


_NUMBER = r"([0-9][0-9.]*)"
_OF = {
    "cpp": lambda: "gRPC C++ " + _first(_NUMBER, "pkg-config", "--modversion", "grpc++"),
    "node": _node,
    "go": lambda: "grpc-go %s, Go %s" % (
        _first(_NUMBER, "dpkg-query", "-W", "-f", "${Version}", "golang-google-grpc-dev"),
        _first(r"go([0-9.]+) ", "go", "version")),
    "python": lambda: "grpcio %s, Python %s" % (
        _first(_NUMBER, servers.PYTHON, "-c", "import grpc; print(grpc.__version__)"),
        _first(_NUMBER, servers.PYTHON, "--version")),
    "nginx": lambda: "nginx " + _first(r"nginx/" + _NUMBER, "nginx", "-v"),
    "haproxy": lambda: "HAProxy " + _first(r"version " + _NUMBER, "haproxy", "-v"),
    "nghttpx": lambda: "nghttpx " + _first(r"nghttp2/" + _NUMBER, "nghttpx", "--version"),
}
