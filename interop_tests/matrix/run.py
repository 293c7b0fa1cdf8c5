"""Run: the cases over one server, through one proxy or directly, over all channels asked for."""
import collections
import os
import tempfile
import time

import proxies
from peer import target
from processes import Error, Processes

# passed     whether the case did
# ms         how long it took
# reason     what was expected and what came; may be empty
Result = collections.namedtuple("Result", "channel case api passed ms reason")

CHANNELS = ("ordinary", "round_robin", "power_of_two_choices", "least_loaded", "peak_ewma",
            "affinity", "exclusive", "anchor")
CONTROL = "ordinary"  # what the others are held against
AUTHORITY = "interop.test"  # the only one that nginx-host takes

# As a proxy of gRPC is set up: no limit on bodies, patience with streams that are quiet. And no
# connection ends for the number of its requests: chaos.sh has that, and the cases want to see their
# RPCs go over members, which are away while they are replaced.
_NGINX = ("client_max_body_size 0; grpc_read_timeout 120s; grpc_send_timeout 120s; "
          "keepalive_requests 1000000;")
# A stream that its caller reads slowly holds up the others that HAProxy 2.6 has on the same
# connection to the server, whatever the caller's channel: so each gets one of its own.
_HAPROXY = "max-reuse 0"

# Each a function of where it is to run and of the server.
PROXIES = {
    "direct": None,
    "nginx": lambda bench, server: proxies.nginx(bench, server, _NGINX),
    "haproxy": lambda bench, server: proxies.haproxy(bench, server, _HAPROXY),
    "haproxy-tcp": proxies.haproxy_tcp,
    "nghttpx": proxies.nghttpx,
    "nginx-host": lambda bench, server: proxies.nginx_host(bench, server, AUTHORITY, _NGINX),
}
_TIMEOUT = 300


class Run:
    """A context: its processes have ended, and its folder is gone, when its `with` has ended."""

    def __init__(self, servers, client, peer, proxy, channels, cases, flags=()):
        self.peer = peer
        self.proxy = proxy
        self.seconds = None
        self._channels = channels
        self._scratch = tempfile.TemporaryDirectory(prefix="predial-interop.",
                                                    ignore_cleanup_errors=True)
        self._processes = Processes(self._scratch.name)
        self._started = time.monotonic()
        try:
            self._begin(servers, client, cases, flags)
        except BaseException:
            self.__exit__()
            raise

    def _begin(self, servers, client, cases, flags):
        front = servers.start(self._processes, self.peer)
        if PROXIES[self.proxy]:
            front = PROXIES[self.proxy](self._processes, front)
        argv = [client, "--target=" + target(front)]
        if self.proxy == "nginx-host":
            self._expect_refusal(argv)
            argv.append("--authority=" + AUTHORITY)
        self._cases = cases
        self._client = self._processes.start(
            [*argv, "--channels=" + ",".join(self._channels), "--cases=" + ",".join(cases), *flags])

    def _expect_refusal(self, argv):
        """Else it would show nothing that a case passes with the right authority."""
        probe = self._processes.start([*argv, "--authority=other.test", "--channels=" + CONTROL,
                                       "--cases=empty_unary", "--apis=sync"])
        probe.await_success(60)
        if any(result.passed for result in parse(probe.output())):
            raise Error("nginx-host takes any authority")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._processes.__exit__()
        self._scratch.cleanup()

    def ends_within(self, seconds):
        """Whether all cases are through, or are within this time."""
        if self._client.ends_within(seconds):
            return True
        if time.monotonic() - self._started > _TIMEOUT:
            raise Error("the cases have not ended after %d s; the last results: %s"
                        % (_TIMEOUT, self._client.output().splitlines()[-3:]))
        return False

    def results(self):
        """The Results, once ends_within() is true. All of them, or an Error."""
        self._client.await_success()
        self.seconds = time.monotonic() - self._started
        results = parse(self._client.output())
        check_complete(results, self._channels, self._cases)
        return results


def parse(output):
    """The Results in what interop_client prints."""
    results = []
    for line in output.splitlines():
        if not line.startswith("RESULT "):
            continue
        fields = line.split(" ", 6)
        if len(fields) < 6 or fields[4] not in ("pass", "fail") or not fields[5].isdigit():
            raise Error("not a result: " + line)
        _, channel, case, api, outcome, ms = fields[:6]
        reason = fields[6] if len(fields) > 6 else ""
        results.append(Result(channel, case, api, outcome == "pass", int(ms), reason))
    return results


def check_complete(results, channels, cases):
    """Every case has to be there over every channel, through the same APIs, once."""
    seen = collections.Counter((each.channel, each.case, each.api) for each in results)
    for key, count in seen.items():
        if count > 1:
            raise Error("%d results for %s" % (count, " ".join(key)))
        if key[0] not in channels or key[1] not in cases:
            raise Error("nobody asked for %s" % " ".join(key))
    for case in cases:
        wanted = {api for _, each, api in seen if each == case}
        if not wanted:
            raise Error("no result for " + case)
        for channel in channels:
            for api in sorted(wanted):
                if (channel, case, api) not in seen:
                    raise Error("no result for %s %s %s" % (channel, case, api))
