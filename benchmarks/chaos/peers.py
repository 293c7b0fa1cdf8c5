"""Servers of the scenarios: started on a port of the namespace, listening when these return."""
import os

import namespace
from peer import Peer, node_modules, program

HERE = os.path.dirname(os.path.realpath(__file__))
_PROTO = os.path.join(HERE, "..", "..", "proto", "echo.proto")


def cpp_server(bench, *flags):
    port = namespace.new_port()
    return Peer(bench.start, [os.path.join(bench.bin, "chaos_server"), "--port=%d" % port,
                              "--record=" + bench.record, *flags], port)


def node_server(bench, max_connection_age_ms):
    """grpc-js."""
    port = namespace.new_port()
    return Peer(bench.start, [program("node"), os.path.join(HERE, "echo_server.js"), _PROTO,
                              bench.record, str(port), str(max_connection_age_ms)], port,
                env={"NODE_PATH": node_modules()})


def poisoned_server(bench):
    """See poisoned_server.js."""
    port = namespace.new_port()
    return Peer(bench.start, [program("node"), os.path.join(HERE, "poisoned_server.js"),
                              bench.record, str(port)], port)
