"""Python's grpcio against the echo server: python_client.py DESCRIPTOR-SET ECHO-SERVER"""

import json
import subprocess
import sys
import threading
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SET, SERVER = sys.argv[1:]

pool = descriptor_pool.DescriptorPool()
with open(SET, "rb") as file:
    for one in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
        pool.Add(one)


def message(name):
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


Request = message("echo.v1.Request")
SERVICE = pool.FindServiceByName("echo.v1.Calls")
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def method(channel, name):
    found = SERVICE.methods_by_name[name]
    described = descriptor_pb2.MethodDescriptorProto()
    found.CopyToProto(described)
    kind = ("stream" if described.client_streaming else "unary") + "_" + (
        "stream" if described.server_streaming else "unary")
    answer = message_factory.GetMessageClass(found.output_type)
    return getattr(channel, kind)(
        f"/{SERVICE.full_name}/{name}",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=answer.FromString)


def stats(channel):
    empty = message("google.protobuf.Empty")()
    return method(channel, "GetStats")(empty)


def same(got, wanted):
    assert got == wanted, f"got {got!r}, want {wanted!r}"


def eventually(condition):
    for _ in range(100):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("the server never saw it")


def fails(code, run):
    try:
        run()
    except grpc.RpcError as error:
        same(error.code(), code)
        return error
    raise AssertionError(f"it did not fail with {code}")


# ---- the table: each function whose name begins with "test_" is a scenario ----


def test_unary_with_metadata(channel, **_):
    binary = bytes([0, 255, 10, 13, 1])
    metadata = (("x-echo-a", "one"), ("x-echo-b-bin", binary), ("x-trailer-c", "two"), ("x-trailer-d-bin", b""))
    answer, call = method(channel, "Unary").with_call(Request(text="grüße", payload=b"\0" * 100), metadata=metadata)
    same((answer.text, len(answer.payload)), ("grüße", 100))
    initial, trailing = dict(call.initial_metadata()), dict(call.trailing_metadata())
    same((initial["x-echo-a"], initial["x-echo-b-bin"]), ("one", binary))
    same((trailing["x-trailer-c"], trailing["x-trailer-d-bin"]), ("two", b""))


def test_error_with_details(channel, **_):
    request = Request()
    request.failure.code, request.failure.message = 9, "nö, 100 %\n"
    request.failure.fields.extend(["a", "b.c"])
    error = fails(grpc.StatusCode.FAILED_PRECONDITION, lambda: method(channel, "Unary")(request))
    same(error.details(), "nö, 100 %\n")
    status = message("google.rpc.Status").FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    bad = message("google.rpc.BadRequest")()
    assert status.details[0].Unpack(bad)
    same([violation.field for violation in bad.field_violations], ["a", "b.c"])


def test_server_stream(channel, **_):
    same([m.index for m in method(channel, "ServerStream")(Request(count=100, size=2000))], list(range(100)))
    same(list(method(channel, "ServerStream")(Request())), [])


def test_error_after_messages(channel, **_):
    request = Request(count=3)
    request.failure.code = 11
    got = []
    fails(grpc.StatusCode.OUT_OF_RANGE, lambda: got.extend(m.index for m in method(channel, "ServerStream")(request)))


def test_flood(channel, **_):
    same(sum(len(m.payload) for m in method(channel, "Flood")(Request(count=2000, size=10000))), 20000000)


def test_client_stream(channel, **_):
    for name in ("ClientStream", "RawStream"):
        same(method(channel, name)(Request(payload=b"x" * 10) for _ in range(500)).messages, 500)
    same(method(channel, "ClientStream")(iter(())).messages, 0)


def test_both_ways_in_turns(channel, **_):
    heard = threading.Semaphore(0)

    def requests():
        for i in range(20):
            yield Request(text=str(i))
            assert heard.acquire(timeout=10)

    texts = []
    for answer in method(channel, "Bidi")(requests()):
        texts.append(answer.text)
        heard.release()
    same(texts, [str(i) for i in range(20)] + ["19"])


def test_half_close(channel, **_):
    same([m.messages for m in method(channel, "Bidi")(iter([Request(), Request()]))], [1, 2, 2])


def test_deadline(channel, **_):
    before = stats(channel)
    fails(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: method(channel, "Unary")(Request(delay_ms=30000), timeout=0.1))
    fails(grpc.StatusCode.DEADLINE_EXCEEDED,
          lambda: list(method(channel, "ServerStream")(Request(count=1, delay_ms=30000), timeout=0.1)))
    ended = before.deadline_exceeded + before.cancelled + 2
    eventually(lambda: stats(channel).deadline_exceeded + stats(channel).cancelled >= ended)
    left = method(channel, "Unary")(Request(), timeout=60).timeout_ms
    assert 50000 < left < 61000, left


def test_cancellation(channel, **_):
    before = stats(channel).cancelled
    call = method(channel, "ServerStream")(Request(count=1000, delay_ms=20))
    next(call)
    call.cancel()
    fails(grpc.StatusCode.CANCELLED, lambda: list(call))
    future = method(channel, "Unary").future(Request(delay_ms=30000))
    time.sleep(0.05)
    assert future.cancel()
    eventually(lambda: stats(channel).cancelled >= before + 2)


def test_large_messages(channel, **_):
    payload = bytes(range(256)) * 12000
    same(method(channel, "Unary")(Request(payload=payload)).payload, payload)
    same(len(method(channel, "Unary")(Request(size=30 << 20)).payload), 30 << 20)
    error = fails(grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: method(channel, "Unary")(Request(payload=b"x" * (5 << 20))))
    assert "larger than" in error.details(), error.details()


def test_compression(channel, **_):
    for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        payload = b"compressible " * 20000
        answer = method(channel, "Unary")(Request(payload=payload), compression=compression)
        same(answer.payload, payload)
        answers = method(channel, "Bidi")(iter([Request(payload=payload)] * 3), compression=compression)
        same([len(one.payload) for one in answers], [len(payload)] * 4)


def test_unimplemented(channel, **_):
    fails(grpc.StatusCode.UNIMPLEMENTED, lambda: method(channel, "Missing")(Request()))
    unknown = channel.unary_unary("/no.Service/Method", lambda request: b"", lambda answer: answer)
    fails(grpc.StatusCode.UNIMPLEMENTED, lambda: unknown(None))


def test_tokens(channel, tokens, **_):
    call = method(channel, "NeedsControl")
    bearer = lambda token: (("authorization", "Bearer " + token),)
    fails(grpc.StatusCode.UNAUTHENTICATED, lambda: call(Request()))
    fails(grpc.StatusCode.PERMISSION_DENIED, lambda: call(Request(), metadata=bearer(tokens["read"])))
    call(Request(), metadata=bearer(tokens["control"]))


def test_many_at_once(channel, **_):
    futures = [method(channel, "Unary").future(Request(text=str(i), delay_ms=i % 7)) for i in range(500)]
    same([future.result().text for future in futures], [str(i) for i in range(500)])


def main():
    server = subprocess.Popen([SERVER, "--compress"], stdout=subprocess.PIPE, text=True)
    passed = failed = 0
    try:
        where = json.loads(server.stdout.readline())
        with grpc.insecure_channel(where["address"], OPTIONS) as channel:
            for name, test in list(globals().items()):
                if not name.startswith("test_"):
                    continue
                try:
                    test(channel, tokens=where["tokens"])
                    passed += 1
                except Exception as error:  # whatever went wrong is the finding
                    failed += 1
                    print(f"{name}: {type(error).__name__}: {error}")
    finally:
        server.terminate()
        if server.wait(10) != 0:
            failed += 1
            print("the server ended badly")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
