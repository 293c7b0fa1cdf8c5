"""What a peer or a proxy cannot do, whoever asks: not a matter of Predial's, and the reasons.

These cells are run all the same. One that passes everywhere does not belong here, and is an error;
one that the ordinary channel passes and the pool does not is a failure like any other.
"""
import collections

# peers, proxies   names, or None for all
# cases            names
Entry = collections.namedtuple("Entry", "peers proxies cases reason")
# text   what a failure says; one that says anything else is none of it
Race = collections.namedtuple("Race", "peers proxies cases reason text")

_CLIENT_COMPRESSED = ("client_compressed_unary", "client_compressed_streaming")
_SERVER_COMPRESSED = ("server_compressed_unary", "server_compressed_streaming")

ENTRIES = (
    Entry(("node",), None, _CLIENT_COMPRESSED,
          "grpc-js does not show its servers whether a message came compressed"),
    Entry(("node",), None, _SERVER_COMPRESSED,
          "grpc-js servers compress nothing"),
    Entry(("go",), None, _SERVER_COMPRESSED,
          "grpc-go 1.33 compresses an answer if the request was compressed; a server has no say"),
    Entry(("python",), None, _CLIENT_COMPRESSED,
          "grpcio does not show its servers whether a message came compressed"),
)

# What fails now and then, over whatever channel.
RACES = (
    Race(None, ("haproxy",), ("status_code_and_message", "client_compressed_streaming"),
         "HAProxy 2.6 at times resets a stream that the server ends before the client has, and "
         "drops the status (of 135 calls an ordinary channel lost 46 so, a pool 23)",
         'CANCELLED "Received RST_STREAM with error code 8"'),
    Race(None, ("nginx", "nginx-host"), ("timeout_on_sleeping_server",),
         "the deadline of 1 ms is the server's as well, and what nginx makes of its end may come "
         "before the client's own (of 831 runs with the Python server 1 over an ordinary channel, "
         "10 over a pool, whose request is there sooner)",
         'INTERNAL "Received RST_STREAM with error code 2"'),
    Race(("node",), ("nginx", "nginx-host"), ("unimplemented_method", "unimplemented_service"),
         "nginx answers 502 at times when grpc-js rejects an RPC (to an ordinary channel 153 of "
         "162,589 such RPCs)",
         'UNAVAILABLE "Received http2 header with status: 502"'),
)


def find(peer, proxy, case, entries):
    """The first of the entries that is about this cell, or None."""
    for entry in entries:
        if ((entry.peers is None or peer in entry.peers)
                and (entry.proxies is None or proxy in entry.proxies) and case in entry.cases):
            return entry
    return None


def reason(peer, proxy, case, entries=ENTRIES):
    """Why this cell is not to be expected to pass, or what `entries` say otherwise; None if it is."""
    entry = find(peer, proxy, case, entries)
    return entry.reason if entry else None
