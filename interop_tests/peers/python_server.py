"""grpc.testing.TestService on grpcio: a peer of the interop cases.

    python_server.py PORT

Runs on Debian's python3-grpcio (/usr/bin/python3). Prints `listening on 127.0.0.1:PORT`; SIGTERM ends
it. PYTHONPATH has to have what protoc --python_out makes of proto/test_service.proto and
proto/health.proto: ../matrix/peers.py does that.

expect_compressed is ignored: grpcio shows no server whether a message came compressed.
"""
import concurrent.futures
import signal
import sys
import threading

import grpc
import health_pb2
import test_service_pb2 as pb

_INITIAL_KEY = "x-grpc-test-echo-initial"
_TRAILING_KEY = "x-grpc-test-echo-trailing-bin"
# RPCs at a time: each has a thread, and each of a pool's health watches is one of them.
_RPCS_MAX = 100


def _echoed(context, key):
    return tuple(item for item in context.invocation_metadata() if item[0] == key)


def _end_as_asked(wanted, context):
    if wanted.code:
        context.set_code(_CODES[wanted.code])
        context.set_details(wanted.message)


_CODES = {code.value[0]: code for code in grpc.StatusCode}


def _gone(context):
    """Set when the RPC has ended."""
    event = threading.Event()
    if not context.add_callback(event.set):
        event.set()
    return event


def empty_call(_, context):
    context.send_initial_metadata(_echoed(context, _INITIAL_KEY))
    context.set_trailing_metadata(_echoed(context, _TRAILING_KEY))
    return pb.Empty()


def unary_call(request, context):
    if request.response_compressed.value:
        context.set_compression(grpc.Compression.Gzip)
    context.send_initial_metadata(_echoed(context, _INITIAL_KEY))
    context.set_trailing_metadata(_echoed(context, _TRAILING_KEY))
    _end_as_asked(request.response_status, context)
    return pb.SimpleResponse(payload=pb.Payload(body=bytes(request.response_size)))


def streaming_input_call(requests, _):
    return pb.StreamingInputCallResponse(
        aggregated_payload_size=sum(len(request.payload.body) for request in requests))


def streaming_output_call(request, context):
    if any(wanted.compressed.value for wanted in request.response_parameters):
        context.set_compression(grpc.Compression.Gzip)
    yield from _answers(request, context, _gone(context))


def _answers(request, context, gone):
    for wanted in request.response_parameters:
        if wanted.interval_us and gone.wait(wanted.interval_us / 1e6):
            return
        if not wanted.compressed.value:
            context.disable_next_message_compression()
        yield pb.StreamingOutputCallResponse(payload=pb.Payload(body=bytes(wanted.size)))
    _end_as_asked(request.response_status, context)


def full_duplex_call(requests, context):
    context.send_initial_metadata(_echoed(context, _INITIAL_KEY))
    context.set_trailing_metadata(_echoed(context, _TRAILING_KEY))
    gone = _gone(context)
    for request in requests:
        yield from _answers(request, context, gone)
        if request.response_status.code:
            return


def half_duplex_call(requests, context):
    gone = _gone(context)
    for request in list(requests):
        yield from _answers(request, context, gone)


_SERVING = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
_SERVICE_UNKNOWN = health_pb2.HealthCheckResponse(
    status=health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)


def check(request, context):
    if request.service:
        context.abort(grpc.StatusCode.NOT_FOUND, "only the server as a whole has a health")
    return _SERVING


def watch(request, context):
    """What it says first stays true: it waits for the caller to leave."""
    yield _SERVICE_UNKNOWN if request.service else _SERVING
    _gone(context).wait()


def _handlers(service, **methods):
    return grpc.method_handlers_generic_handler(service, {
        name: make(behavior, request.FromString, response.SerializeToString)
        for name, (make, behavior, request, response) in methods.items()})


_HANDLERS = (
    _handlers(
        "grpc.testing.TestService",
        EmptyCall=(grpc.unary_unary_rpc_method_handler, empty_call, pb.Empty, pb.Empty),
        UnaryCall=(grpc.unary_unary_rpc_method_handler, unary_call, pb.SimpleRequest,
                   pb.SimpleResponse),
        StreamingInputCall=(grpc.stream_unary_rpc_method_handler, streaming_input_call,
                            pb.StreamingInputCallRequest, pb.StreamingInputCallResponse),
        StreamingOutputCall=(grpc.unary_stream_rpc_method_handler, streaming_output_call,
                             pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse),
        FullDuplexCall=(grpc.stream_stream_rpc_method_handler, full_duplex_call,
                        pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse),
        HalfDuplexCall=(grpc.stream_stream_rpc_method_handler, half_duplex_call,
                        pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse)),
    _handlers(
        "grpc.health.v1.Health",
        Check=(grpc.unary_unary_rpc_method_handler, check, health_pb2.HealthCheckRequest,
               health_pb2.HealthCheckResponse),
        Watch=(grpc.unary_stream_rpc_method_handler, watch, health_pb2.HealthCheckRequest,
               health_pb2.HealthCheckResponse)),
)


def main(port):
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(_RPCS_MAX), handlers=_HANDLERS,
                         options=[("grpc.so_reuseport", 0)])
    bound = server.add_insecure_port("127.0.0.1:" + port)
    if not bound:
        sys.exit("cannot listen on port " + port)
    server.start()
    print("listening on 127.0.0.1:%d" % bound, flush=True)
    ending.wait()
    server.stop(grace=None).wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
