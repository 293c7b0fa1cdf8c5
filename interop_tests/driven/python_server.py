"""driven/server.cc on Python's grpcio, with a health service of its own.

    python3 python_server.py PROTO_FOLDER SCRATCH NAME PORT health|none

Takes the commands of server.cc; instead of the authority, which grpcio does not show, it says
`seen-authority: (none)`.
"""
import collections
import json
import queue
import subprocess
import sys
import time
from concurrent import futures

import grpc

PROTO, SCRATCH, NAME, PORT, HEALTH = sys.argv[1:]
subprocess.run(["protoc", "-I", PROTO, "--python_out", SCRATCH, "echo.proto", "health.proto"],
               check=True)
sys.path.insert(0, SCRATCH)

import echo_pb2
import health_pb2

Response = health_pb2.HealthCheckResponse
CODES = {code.value[0]: code for code in grpc.StatusCode}
THREADS = 16  # each open Watch takes one


class Health:
    """Its answers, and the watches that hear of them. One lock: Python's own."""

    def __init__(self):
        self.statuses = {"": Response.SERVING}
        self.watchers = collections.defaultdict(list)
        self.manners = {"check": ("answer", 0), "watch": ("answer", 0)}
        self.checks = 0
        self.open = 0
        self.began = []
        self._start = time.monotonic()

    def set(self, service, status):
        self.statuses[service] = Response.ServingStatus.Value(status)
        for watcher in list(self.watchers[service]):
            watcher.put(self.statuses[service])

    def check(self, request, context):
        self.checks += 1
        kind, code = self.manners["check"]
        if kind == "hang":
            news = queue.Queue()
            context.add_callback(lambda: news.put(None))
            news.get()
        if kind == "end":
            context.abort(CODES[code], "as told")
        status = self.statuses.get(request.service)
        if status is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return Response(status=status)

    def watch(self, request, context):
        self.began.append(int(1000 * (time.monotonic() - self._start)))
        self.open += 1
        news = queue.Queue()
        self.watchers[request.service].append(news)
        context.add_callback(lambda: news.put(None))
        try:
            kind, code = self.manners["watch"]
            if kind in ("answer", "answer-end"):
                yield Response(status=self.statuses.get(request.service, Response.SERVICE_UNKNOWN))
            while kind in ("answer", "hang"):
                status = news.get()
                if status is None:
                    return
                if kind == "answer":
                    yield Response(status=status)
            if code:
                context.abort(CODES[code], "as told")
        finally:
            self.watchers[request.service].remove(news)
            self.open -= 1


class Echo:
    rpcs = 0

    def unary(self, request, context):
        self.rpcs += 1
        context.send_initial_metadata((("server-name", NAME), ("seen-authority", "(none)")))
        return echo_pb2.EchoResponse(message=request.message)


def handlers(service, request, response, unary=None, streams=None):
    methods = {}
    for name, method in (unary or {}).items():
        methods[name] = grpc.unary_unary_rpc_method_handler(
            method, request.FromString, response.SerializeToString)
    for name, method in (streams or {}).items():
        methods[name] = grpc.unary_stream_rpc_method_handler(
            method, request.FromString, response.SerializeToString)
    return grpc.method_handlers_generic_handler(service, methods)


def main():
    echo = Echo()
    health = Health()
    server = grpc.server(futures.ThreadPoolExecutor(THREADS), options=(("grpc.so_reuseport", 0),))
    services = [handlers("predial.echo.v1.Echo", echo_pb2.EchoRequest, echo_pb2.EchoResponse,
                         {"Unary": echo.unary})]
    if HEALTH == "health":
        services.append(handlers("grpc.health.v1.Health", health_pb2.HealthCheckRequest, Response,
                                 {"Check": health.check}, {"Watch": health.watch}))
    server.add_generic_rpc_handlers(tuple(services))
    if server.add_insecure_port("127.0.0.1:" + PORT) == 0:
        sys.exit("cannot listen on port " + PORT)
    server.start()
    print("listening on 127.0.0.1:" + PORT, flush=True)
    for line in sys.stdin:
        number, command, *words = line.split()
        if command == "set":
            health.set("" if words[0] == "-" else words[0], words[1])
        elif command in ("check", "watch"):
            health.manners[command] = (words[0], int(words[1]) if words[1:] else 0)
        elif command != "seen":
            sys.exit(line + ": unknown command")
        print(number, json.dumps({
            "rpcs": echo.rpcs, "checks": health.checks, "watches": len(health.began),
            "open_watches": health.open, "watch_began_ms": health.began[:1000]}), flush=True)
    server.stop(None).wait()


if __name__ == "__main__":
    main()
