// Asks the calculator, which it knows by name only, again and again.
//
//   CALLS_PER_SECOND   how often (default 5)
import { setTimeout as sleep } from "node:timers/promises";
import { Muster, newCorrelationId, ServiceType, withCorrelationId } from "@muster/client";
import { CalculatorService } from "./gen/calculator_pb.js";

const muster = await Muster.start({
  serviceName: process.env.MUSTER_SERVICE ?? "calculator-client",
  serviceType: ServiceType.CLIENT,
});
const calculator = muster.client(CalculatorService, "CalculatorService", {
  role: "server",
  discovery: "lookup",
});
const interval = 1000 / Number(process.env.CALLS_PER_SECOND ?? 5);

async function ask(a: number, b: number): Promise<void> {
  muster.log.info(`Calling Add(${a},${b})`);
  try {
    const { result } = await calculator.add({ a, b }, { timeoutMs: 2000 });
    muster.log.info(`Result: ${result}`);
  } catch (error) {
    muster.log.warn(`No result: ${(error as Error).message}`);
  }
}

async function stop() {
  await muster.stop();
  process.exit(0);
}
process.once("SIGTERM", stop);
process.once("SIGINT", stop);

for (let n = 1; ; n++) {
  await withCorrelationId(newCorrelationId(), () => ask(n, n + 1));
  await sleep(interval);
}
