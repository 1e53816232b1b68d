import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { BalancedTransport, type DiscoveryOptions } from "./balancer.js";
import { Broker } from "./broker.js";
import { RuntimeConnection } from "./connection.js";
import { readEnvironment } from "./environment.js";
import { serverInterceptor } from "./interceptor.js";
import { Logger } from "./logger.js";
import { TopologyReporter, type TopologyReporterOptions } from "./reporter.js";

/**
 * A service's connection to Muster: registration and heartbeats, the broker, and logs.
 *
 * ```ts
 * const muster = await Muster.start({ serviceType: ServiceType.CLIENT });
 * const calculator = muster.client(CalculatorService, "CalculatorService");
 * const { result } = await calculator.add({ a: 2, b: 3 });
 * muster.log.info(`the result is ${result}`);
 * await muster.stop();
 * ```
 */
export class Muster {
  /** Registration, heartbeats, activity. */
  readonly topology: TopologyReporter;
  /** Offers and lookups. */
  readonly broker: Broker;
  /** Structured logs. */
  readonly log: Logger;
  /** For the interceptors of a server: correlation ids, calls in flight, errors. */
  readonly serverInterceptor: Interceptor;

  private readonly connection?: RuntimeConnection;
  private readonly transports: BalancedTransport[] = [];

  private constructor(options: TopologyReporterOptions) {
    const environment = readEnvironment();
    const address = options.topologyAddress ?? environment.address;
    this.connection = address
      ? new RuntimeConnection(address, options.token ?? environment.token)
      : undefined;
    this.topology = new TopologyReporter(options, this.connection);
    this.broker = new Broker(this.connection, this.topology);
    this.topology.onRegistered = () => void this.broker.offerAgain();
    this.log = new Logger(this.connection, this.topology.serviceName, this.topology.instanceId);
    this.serverInterceptor = serverInterceptor(this.topology);
  }

  /**
   * Connects to the runtime that the environment names, and registers there. Goes on without one: what
   * is offered, reported and logged then waits, or goes nowhere.
   */
  static async start(options: TopologyReporterOptions = {}): Promise<Muster> {
    const muster = new Muster(options);
    await muster.topology.register();
    return muster;
  }

  /** Whether there is a runtime to talk to at all. */
  get enabled(): boolean {
    return this.connection !== undefined;
  }

  /** A client of a service that is found by its name in the broker. */
  client<S extends DescService>(
    service: S,
    name: string,
    options: DiscoveryOptions = {},
  ): Client<S> {
    const transport = new BalancedTransport(this.broker, this.topology, name, options);
    this.transports.push(transport);
    return createClient(service, transport);
  }

  /** Ends in good order: what is left is sent, the node and its offers disappear. */
  async stop(): Promise<void> {
    for (const transport of this.transports) transport.close();
    this.broker.close();
    await this.log.close();
    await this.topology.unregister();
    this.connection?.close();
  }
}
