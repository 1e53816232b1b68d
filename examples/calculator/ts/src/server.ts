// A calculator that others find through the broker.
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { HealthState, Muster, ServiceType } from "@muster/client";
import { CalculatorService, type CalculationRequest } from "./gen/calculator_pb.js";

const muster = await Muster.start({
  serviceName: "calculator-server",
  serviceType: ServiceType.SERVER,
});

function calculate(name: string, operation: (a: number, b: number) => number) {
  return ({ a, b }: CalculationRequest) => {
    const result = operation(a, b);
    muster.log.info(`${name}(${a},${b}) = ${result}`);
    return { result };
  };
}

const routes = (router: ConnectRouter) =>
  router.service(CalculatorService, {
    add: calculate("Add", (a, b) => a + b),
    subtract: calculate("Subtract", (a, b) => a - b),
    multiply: calculate("Multiply", (a, b) => a * b),
    divide: calculate("Divide", (a, b) => {
      if (b === 0) throw new ConnectError("b: division by zero", Code.InvalidArgument);
      return a / b;
    }),
  });

const server = createServer(
  connectNodeAdapter({ routes, interceptors: [muster.serverInterceptor] }),
);
await new Promise<void>((resolve) =>
  server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", resolve),
);
const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;

await muster.broker.offer({ name: "CalculatorService", role: "server", address });
muster.topology.reportHealth(HealthState.HEALTHY);
console.log(`calculating on ${address}`);

async function stop() {
  await muster.stop();
  process.exit(0);
}
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
