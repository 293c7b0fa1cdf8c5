"""What a peer or a proxy cannot do, whoever asks: not a matter of Predial's, and the reasons.

These cells are run all the same. One that passes everywhere does not belong here, and is an error;
one that the ordinary channel passes and the pool does not is a failure like any other.
"""
import collections

# peers, proxies   names, or None for all
# cases            names
Entry = collections.namedtuple("Entry", "peers proxies cases reason")

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

# What fails now and then, over whatever channel, and with RACE_TEXT only.
RACES = (
    Entry(None, ("haproxy",), ("status_code_and_message",),
          "HAProxy 2.6 at times resets a stream that the server ends before the client has, and "
          "drops the status (of 135 calls an ordinary channel lost 46 so, a pool 23)"),
)
RACE_TEXT = 'CANCELLED "Received RST_STREAM with error code 8"'


def reason(peer, proxy, case, entries=ENTRIES):
    """Why this cell is not to be expected to pass, or what `entries` say otherwise; None if it is."""
    for entry in entries:
        if ((entry.peers is None or peer in entry.peers)
                and (entry.proxies is None or proxy in entry.proxies) and case in entry.cases):
            return entry.reason
    return None
