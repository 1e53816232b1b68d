// The client against a real runtime.
import assert from "node:assert/strict";
import { createServer } from "node:http2";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  BalancingPolicy,
  HealthState,
  Muster,
  ServiceType,
  TopologyReporter,
  withCorrelationId,
} from "@muster/client";
import { HealthService, ListHealthResponseSchema } from "../dist/gen/runtime/v1/health_pb.js";
import { Runtime, until } from "./kit.mjs";

const runtime = new Runtime();
before(() => runtime.start());
after(() => runtime.close());

const start = (serviceName, more = {}) =>
  Muster.start({
    topologyAddress: runtime.address,
    serviceName,
    serviceType: ServiceType.SERVER,
    ...more,
  });

const node = async (name) =>
  (await runtime.get("/v1/topology")).nodes.find((one) => one.service_name === name);

/** A server of some real service, HealthService's, that says who it is. */
async function serve(muster, name, offered, more = {}) {
  const routes = (router) =>
    router.service(HealthService, {
      listHealth: () => {
        muster.log.info("listing");
        return create(ListHealthResponseSchema, { statuses: [{ serviceName: name }] });
      },
      checkHealth: () => {
        throw new ConnectError("not today", Code.FailedPrecondition);
      },
    });
  const server = createServer(
    connectNodeAdapter({ routes, interceptors: [muster.serverInterceptor] }),
  );
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  await muster.broker.offer({
    name: offered,
    address: `127.0.0.1:${server.address().port}`,
    ...more,
  });
  return server;
}

test("a service registers, beats with what it uses, and is gone when it says so", async () => {
  const muster = await start("beater", { heartbeatIntervalMs: 100, version: "1.2.3" });
  const found = await until("memory is known", async () => {
    const one = await node("beater");
    return one?.metrics?.memory_bytes > 0 && one;
  });
  assert.equal(found.language, "TYPESCRIPT");
  assert.equal(found.version, "1.2.3");
  assert.equal(found.health, "HEALTHY");
  const { statistics } = await runtime.get("/v1/heartbeats/beater");
  assert.ok(Number(statistics[0].beats_received) >= 1);
  await muster.stop();
  assert.equal(await node("beater"), undefined);
});

test("the reporter of the specification", async () => {
  const topology = new TopologyReporter({
    topologyAddress: runtime.address,
    serviceName: "reporter",
    activityIntervalMs: 50,
  });
  assert.equal(await topology.register(), true);
  topology.reportActivity("calculator-server", "Add", 12);
  await until("the edge is there", async () =>
    (await runtime.get("/v1/topology")).edges.find(
      (edge) =>
        edge.source === "reporter" &&
        edge.target === "calculator-server" &&
        edge.request_count === "1",
    ),
  );
  await topology.unregister();
});

test("offers are found, by health, policy and key", async () => {
  const one = await start("finder-one");
  const two = await start("finder-two");
  await one.broker.offer({ name: "Finder", address: "127.0.0.1:1", metadata: { zone: "a" } });
  await two.broker.offer({ name: "Finder", address: "127.0.0.1:2", metadata: { zone: "b" } });
  const addresses = async (options) =>
    (await one.broker.lookup("Finder", options)).map((instance) => instance.address);
  assert.deepEqual((await addresses()).sort(), ["127.0.0.1:1", "127.0.0.1:2"]);
  assert.deepEqual(await addresses({ metadata: { zone: "b" } }), ["127.0.0.1:2"]);
  const [sticky] = await addresses({ stickyKey: "user-7" });
  for (let i = 0; i < 5; i++) assert.equal((await addresses({ stickyKey: "user-7" }))[0], sticky);
  one.topology.usage.load = 0.9;
  two.topology.usage.load = 0.1;
  one.topology.reportHealth(HealthState.HEALTHY); // with a beat, which carries the load
  two.topology.reportHealth(HealthState.HEALTHY);
  await until(
    "the less loaded is chosen",
    async () => (await addresses({ policy: BalancingPolicy.LEAST_LOADED }))[0] === "127.0.0.1:2",
  );
  two.topology.reportHealth(HealthState.UNHEALTHY, "DB gone");
  await until(
    "the unhealthy one is left out",
    async () => (await addresses()).join() === "127.0.0.1:1",
  );
  two.topology.reportHealth(HealthState.HEALTHY);
  await until("it is back", async () => (await addresses()).length === 2);
  await two.stop();
  assert.deepEqual(await addresses(), ["127.0.0.1:1"]);
  await one.broker.withdraw("Finder");
  assert.deepEqual(await addresses(), []);
  await one.stop();
});

test("calls are spread over what the broker tells, and carry the correlation id", async () => {
  const [a, b, client] = [
    await start("spread-a"),
    await start("spread-b"),
    await start("spread-client", { serviceType: ServiceType.CLIENT }),
  ];
  const servers = [await serve(a, "a", "Spread"), await serve(b, "b", "Spread", { weight: 2 })];
  const health = client.client(HealthService, "Spread");
  const answers = { a: 0, b: 0 };
  await until("both are known", async () => {
    answers[(await health.listHealth({})).statuses[0].serviceName]++;
    return answers.a > 0 && answers.b > 0;
  });
  answers.a = answers.b = 0;
  for (let i = 0; i < 30; i++) answers[(await health.listHealth({})).statuses[0].serviceName]++;
  assert.deepEqual(answers, { a: 10, b: 20 });

  await withCorrelationId("req-spread", () => health.listHealth({}));
  await assert.rejects(() => withCorrelationId("req-fails", () => health.checkHealth({})));
  const entries = await until("the entry of the server", async () => {
    const found = await runtime.list("/v1/logs?correlation_id=req-spread");
    return found.length > 0 && found;
  });
  assert.match(entries[0].service_name, /^spread-[ab]$/);
  await until("calls and errors are counted", async () => {
    const edges = (await runtime.get("/v1/topology")).edges.filter(
      (edge) => edge.source === "spread-client" && edge.kind === "EDGE_KIND_CALL",
    );
    const count = (field) => edges.reduce((sum, edge) => sum + Number(edge[field]), 0);
    return count("request_count") >= 33 && count("error_count") === 1;
  });

  await b.stop();
  servers[1].close();
  await until("only one is left", async () => {
    const names = new Set();
    for (let i = 0; i < 3; i++) names.add((await health.listHealth({})).statuses[0].serviceName);
    return names.size === 1 && names.has("a");
  });
  await Promise.all([a.stop(), client.stop()]);
  servers[0].close();
});

test("a lookup before each call is logged with the request", async () => {
  const [server, client] = [
    await start("asked"),
    await start("asking", { serviceType: ServiceType.CLIENT }),
  ];
  const http = await serve(server, "asked", "Asked");
  const health = client.client(HealthService, "Asked", { discovery: "lookup" });
  await withCorrelationId("req-123", async () => {
    client.log.info("Calling");
    await health.listHealth({});
    client.log.info("Result");
  });
  const entries = await until("all four entries", async () => {
    const found = await runtime.list("/v1/logs?correlation_id=req-123");
    return found.length === 4 && found;
  });
  const lines = entries.sort(
    (a, b) => Number(a.timestamp) - Number(b.timestamp) || a.nanoseconds - b.nanoseconds,
  );
  assert.deepEqual(
    lines.map((entry) => `${entry.service_name} ${entry.message}`),
    ["asking Calling", "broker Lookup Asked", "asked listing", "asking Result"],
  );
  await Promise.all([server.stop(), client.stop()]);
  http.close();
});

test("a runtime that was killed is met again, without a second node", async () => {
  const [server, client] = [
    await start("survivor"),
    await start("caller", { serviceType: ServiceType.CLIENT }),
  ];
  const http = await serve(server, "survivor", "Survivor");
  const watched = client.client(HealthService, "Survivor");
  const asked = client.client(HealthService, "Survivor", { discovery: "lookup" });
  await watched.listHealth({});
  await asked.listHealth({});
  await runtime.kill();
  for (let i = 0; i < 5; i++) {
    await watched.listHealth({}); // what was known stays known
    await asked.listHealth({});
  }
  await runtime.start();
  await until(
    "both are registered again",
    async () => (await node("survivor")) && (await node("caller")),
  );
  const { nodes } = await runtime.get("/v1/topology?include_instances=true");
  for (const name of ["survivor", "caller"]) {
    assert.equal(nodes.filter((one) => one.service_name === name).length, 1);
    assert.equal(nodes.find((one) => one.service_name === name).instance_count, 1);
  }
  await until(
    "it is offered again",
    async () => (await client.broker.lookup("Survivor")).length === 1,
  );
  await Promise.all([server.stop(), client.stop()]);
  http.close();
});
