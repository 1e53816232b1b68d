import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bucketOf,
  correlationId,
  Histogram,
  Muster,
  readEnvironment,
  withCorrelationId,
} from "@muster/client";
import { ActivityBatches } from "../dist/activity.js";

test("latencies fall into the buckets of the contract", () => {
  assert.deepEqual(
    [0, 1, 15, 16, 31, 32, 33, 34, 1000].map(bucketOf),
    [0, 1, 15, 16, 31, 32, 32, 33, 111],
  );
  assert.equal(bucketOf(2 ** 37), 543);
  for (let value = 1; value < 1e9; value = Math.ceil(value * 1.1)) {
    const exponent = Math.floor(Math.log2(value));
    const bucket = bucketOf(value);
    const lower = value < 16 ? bucket : (16 + (bucket % 16)) * 2 ** (exponent - 4);
    assert.ok(lower <= value && value - lower <= lower / 16, `${value} in ${bucket}`);
  }
});

test("a histogram adds up", () => {
  const histogram = new Histogram();
  for (const latency of [5, 5, 100, 2000]) histogram.add(latency);
  const message = histogram.message();
  assert.deepEqual(message.buckets, [5, bucketOf(100), bucketOf(2000)]);
  assert.deepEqual(message.counts, [2n, 1n, 1n]);
  assert.deepEqual([message.sumUs, message.minUs, message.maxUs], [2110n, 5n, 2000n]);
});

test("calls are batched by target and method", () => {
  const batches = new ActivityBatches();
  for (let i = 0; i < 10; i++)
    batches.add({ targetService: "a", method: "M", latencyMs: 2, success: i !== 3, error: "no" });
  batches.add({ targetService: "b", method: "M", latencyMs: 1, correlationId: "req-1" });
  const [a, b] = batches.take("id");
  assert.deepEqual([a.batchSize, a.errorCount, a.errorMessage, a.serviceId], [10, 1, "no", "id"]);
  assert.equal(b.correlationId, "req-1");
  assert.ok(batches.empty);
});

test("batches have a bound", () => {
  const batches = new ActivityBatches();
  for (let i = 0; i < 5000; i++) batches.add({ targetService: `t${i}`, latencyMs: 1 });
  assert.equal(batches.take("id").length, 1000);
});

test("the correlation id follows what is awaited", async () => {
  assert.equal(correlationId(), undefined);
  await withCorrelationId("req-1", async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(correlationId(), "req-1");
    await withCorrelationId("req-2", async () => assert.equal(correlationId(), "req-2"));
    assert.equal(correlationId(), "req-1");
  });
});

test("the environment is read", () => {
  assert.deepEqual(
    readEnvironment({
      MUSTER_ADDRESS: "http://a",
      MUSTER_SERVICE: "s",
      MUSTER_INSTANCE: "i",
      MUSTER_TOKEN: "",
    }),
    {
      address: "http://a",
      service: "s",
      instance: "i",
      token: undefined,
    },
  );
});

test("without a runtime everything goes on, quietly", async () => {
  const muster = await Muster.start({ serviceName: "alone" });
  assert.equal(muster.enabled, false);
  await muster.broker.offer({ name: "Alone", address: "127.0.0.1:1" });
  assert.deepEqual(await muster.broker.lookup("Alone"), []);
  muster.topology.reportActivity("somebody", "M", 1);
  await muster.stop();
});

test("a runtime that does not answer holds nothing up", async () => {
  const muster = await Muster.start({
    serviceName: "early",
    topologyAddress: "http://127.0.0.1:9",
  });
  assert.equal(muster.topology.serviceId, undefined);
  assert.deepEqual(await muster.broker.lookup("Anything"), []);
  await muster.stop();
});
