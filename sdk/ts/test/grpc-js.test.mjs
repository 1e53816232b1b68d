// The interceptors for grpc-js: a client and a server of that make, against a real runtime.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  credentials,
  makeGenericClientConstructor,
  Metadata,
  Server,
  ServerCredentials,
  status,
} from "@grpc/grpc-js";
import { correlationId, Muster, ServiceType, withCorrelationId } from "@muster/client";
import { grpcClientInterceptor, grpcServerInterceptor } from "@muster/client/grpc-js";
import { Runtime, until } from "./kit.mjs";

const json = {
  requestSerialize: (value) => Buffer.from(JSON.stringify(value)),
  requestDeserialize: (bytes) => JSON.parse(bytes),
  responseSerialize: (value) => Buffer.from(JSON.stringify(value)),
  responseDeserialize: (bytes) => JSON.parse(bytes),
};
const method = (name, requestStream, responseStream) => ({
  path: `/words.v1.Words/${name}`,
  requestStream,
  responseStream,
  ...json,
});
const Words = {
  say: method("Say", false, false),
  count: method("Count", false, true),
  join: method("Join", true, false),
  hang: method("Hang", false, false),
};

const runtime = new Runtime();
let client, server, listening, words;
before(async () => {
  await runtime.start();
  const start = (serviceName, serviceType) =>
    Muster.start({ topologyAddress: runtime.address, serviceName, serviceType });
  [server, client] = [
    await start("words-server", ServiceType.SERVER),
    await start("words-client", ServiceType.CLIENT),
  ];
  listening = new Server({ interceptors: [grpcServerInterceptor(server.topology)] });
  listening.addService(Words, {
    say(call, answer) {
      if (call.request.word === "bad")
        answer({ code: status.INVALID_ARGUMENT, details: "not that word" });
      else
        setTimeout(
          () => answer(null, { id: correlationId(), inFlight: server.topology.usage.inFlight }),
          5,
        );
    },
    count(call) {
      for (let i = 1; i <= call.request.to; i++) call.write({ i, id: correlationId() });
      call.end();
    },
    join(call, answer) {
      const ids = new Set();
      call.on("data", () => ids.add(correlationId()));
      call.on("end", () => answer(null, { ids: [...ids] }));
    },
    hang() {},
  });
  const port = await new Promise((resolve, reject) =>
    listening.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const Client = makeGenericClientConstructor(Words, "Words");
  words = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    interceptors: [grpcClientInterceptor(client.topology, "words-server")],
  });
});
after(async () => {
  words.close();
  listening.forceShutdown();
  await Promise.all([client.stop(), server.stop()]);
  await runtime.close();
});

const say = (word, metadata = new Metadata()) =>
  new Promise((resolve, reject) =>
    words.say({ word }, metadata, (error, answer) => (error ? reject(error) : resolve(answer))),
  );

test("a call runs under the caller's id, or one of its own", async () => {
  assert.equal((await withCorrelationId("req-js", () => say("hello"))).id, "req-js");
  const own = new Metadata();
  own.set("x-correlation-id", "req-own");
  assert.equal((await withCorrelationId("req-js", () => say("hello", own))).id, "req-own");
  assert.match((await say("hello")).id, /^req-/);
});

test("streams carry it, too", async () => {
  const counted = await withCorrelationId("req-stream", () => words.count({ to: 3 })).toArray();
  assert.deepEqual(
    counted.map((one) => [one.i, one.id]),
    [
      [1, "req-stream"],
      [2, "req-stream"],
      [3, "req-stream"],
    ],
  );
  const joined = await new Promise((resolve, reject) =>
    withCorrelationId("req-join", () => {
      const call = words.join((error, answer) => (error ? reject(error) : resolve(answer)));
      for (let i = 0; i < 3; i++) call.write({ i });
      call.end();
    }),
  );
  assert.deepEqual(joined.ids, ["req-join"]);
});

test("calls in flight are counted, and come back to none", async () => {
  const answers = await Promise.all([say("a"), say("b"), say("c")]);
  assert.ok(Math.max(...answers.map((one) => one.inFlight)) >= 2);
  const cancelled = new Promise((resolve) => {
    const call = words.hang({}, (error) => resolve(error.code));
    void until("it has begun", () => server.topology.usage.inFlight === 1).then(() =>
      call.cancel(),
    );
  });
  assert.equal(await cancelled, status.CANCELLED);
  await until("none is left", () => server.topology.usage.inFlight === 0);
});

test("calls and errors become an edge", async () => {
  const before = 9; // in the tests above, one of them cancelled
  await assert.rejects(() => withCorrelationId("req-bad", () => say("bad")), /not that word/);
  const edge = await until("all calls are counted", async () => {
    const { edges } = await runtime.get("/v1/topology");
    const found = edges.find(
      (one) =>
        one.source === "words-client" &&
        one.target === "words-server" &&
        one.kind === "EDGE_KIND_CALL",
    );
    return found?.request_count === String(before + 1) && found;
  });
  assert.equal(edge.error_count, "2");
  const found = await runtime.get("/v1/topology/edges/words-client/words-server?request_limit=100");
  assert.deepEqual(
    found.methods.map((one) => one.method).sort(),
    ["Count", "Hang", "Join", "Say"].map((name) => `/words.v1.Words/${name}`),
  );
  assert.ok(
    found.requests.some(
      (one) => one.correlation_id === "req-bad" && one.error_message.includes("INVALID_ARGUMENT"),
    ),
  );
});
