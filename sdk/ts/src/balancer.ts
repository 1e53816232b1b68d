import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import type { Broker, LookupOptions, ServiceWatch } from "./broker.js";
import { type Connection, openConnection } from "./connection.js";
import { clientInterceptor } from "./interceptor.js";
import type { TopologyReporter } from "./reporter.js";
import type { BrokerInstance } from "./gen/runtime/v1/broker_pb.js";

/** How a client finds whom it calls. */
export interface DiscoveryOptions extends LookupOptions {
  /**
   * `watch` (left out): the broker tells when instances come and go, and calls are spread here, in turn.
   * `lookup`: the broker is asked before each call, and chooses by its policy.
   */
  discovery?: "watch" | "lookup";
  /** How long a call waits for an instance when there is none; left out: 5 s. */
  waitMs?: number;
  interceptors?: Interceptor[];
}

/** A transport that finds a usable instance for each call, by the name of the service. */
export class BalancedTransport implements Transport {
  private readonly watch?: ServiceWatch;
  private readonly connections = new Map<string, Connection>();

  constructor(
    private readonly broker: Broker,
    private readonly reporter: TopologyReporter,
    private readonly name: string,
    private readonly options: DiscoveryOptions,
  ) {
    if (options.discovery === "lookup") return;
    this.watch = broker.watch(name, options);
    this.watch.on("change", (instances) => this.keepOnly(instances));
  }

  unary: Transport["unary"] = async (...args) => (await this.choose()).unary(...args);

  stream: Transport["stream"] = async (...args) => (await this.choose()).stream(...args);

  close(): void {
    this.watch?.close();
    for (const connection of this.connections.values()) connection.close();
    this.connections.clear();
  }

  private async choose(): Promise<Transport> {
    const waitMs = this.options.waitMs ?? 5000;
    const instance = this.watch
      ? await this.watch.ready(waitMs)
      : (await this.broker.lookup(this.name, this.options))[0];
    if (!instance)
      throw new ConnectError(`nobody offers ${this.name} at the moment`, Code.Unavailable);
    return this.connectionTo(instance).transport;
  }

  private connectionTo(instance: BrokerInstance): Connection {
    let connection = this.connections.get(instance.address);
    if (!connection) {
      const report = clientInterceptor(this.reporter, instance.serviceName || this.name);
      connection = openConnection(instance.address, [report, ...(this.options.interceptors ?? [])]);
      this.connections.set(instance.address, connection);
    }
    return connection;
  }

  /** Connections to instances that are gone end once their calls have. */
  private keepOnly(instances: BrokerInstance[]): void {
    const addresses = new Set(instances.map((instance) => instance.address));
    for (const [address, connection] of this.connections)
      if (!addresses.has(address)) {
        this.connections.delete(address);
        setTimeout(() => connection.close(), 10_000).unref();
      }
  }
}
