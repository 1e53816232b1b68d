import { EventEmitter } from "node:events";
import { hostname } from "node:os";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { Backoff, pause, type RuntimeConnection, wait } from "./connection.js";
import { correlationId } from "./correlation.js";
import type { TopologyReporter } from "./reporter.js";
import { BalancingPolicy, type BrokerInstance, BrokerService } from "./gen/runtime/v1/broker_pb.js";
import type { Revision } from "./gen/runtime/v1/common_pb.js";

/** Which service is looked for, and how one is chosen. */
export interface LookupOptions {
  /** In which role; left out: any. */
  role?: string;
  /** Left out: the one configured for the service, otherwise round robin. */
  policy?: BalancingPolicy;
  /** The same key leads to the same instance as long as that one is usable. */
  stickyKey?: string;
  /** Only instances with these metadata. */
  metadata?: Record<string, string>;
  /** The request that the lookup is for; left out: the current one. */
  correlationId?: string;
}

/** What a service offers. */
export interface Offer {
  /** What others look up: `CalculatorService`. */
  name: string;
  /** Left out: `server`. */
  role?: string;
  /** Where it is reached: `127.0.0.1:50051`. */
  address: string;
  /** Its share among others; left out: 1. */
  weight?: number;
  metadata?: Record<string, string>;
  /** How instances are chosen where a lookup does not say. */
  defaultPolicy?: BalancingPolicy;
}

/** How calls end when the runtime is not there. */
const AWAY = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Aborted,
  Code.Canceled,
  Code.Internal,
  Code.Unknown,
]);

/** Finds services by name, and offers this one's. */
export class Broker {
  private readonly client?: Client<typeof BrokerService>;
  private readonly offers: Array<{ offer: Offer; registrationId?: string }> = [];
  private readonly watches = new Set<ServiceWatch>();
  private readonly found = new Map<string, BrokerInstance[]>();

  constructor(
    connection: RuntimeConnection | undefined,
    private readonly reporter: TopologyReporter,
  ) {
    this.client = connection?.client(BrokerService);
  }

  /**
   * Offers a service, for as long as this process is registered; again by itself after a restart of
   * the runtime.
   */
  async offer(offer: Offer): Promise<void> {
    const entry = { offer };
    this.offers.push(entry);
    if (this.reporter.serviceId) await this.register(entry);
  }

  /** Withdraws what was offered under that name. */
  async withdraw(name: string): Promise<void> {
    const withdrawn = this.offers.filter((entry) => entry.offer.name === name);
    for (const entry of withdrawn) {
      this.offers.splice(this.offers.indexOf(entry), 1);
      if (entry.registrationId)
        await this.client
          ?.deregisterInstance({ registrationId: entry.registrationId })
          .catch(() => {});
    }
  }

  /**
   * The usable instances, the one to call first. Empty when there is none, or no runtime; while the
   * runtime is away, those that were found last.
   */
  async lookup(name: string, options: LookupOptions = {}): Promise<BrokerInstance[]> {
    if (!this.client) return [];
    const key = `${name}/${options.role ?? ""}`;
    try {
      const { instances } = await this.client.lookupService(
        {
          name,
          ...options,
          correlationId: options.correlationId ?? correlationId() ?? "",
          serviceId: this.reporter.serviceId ?? "",
          host: hostname(),
        },
        { timeoutMs: 2000 },
      );
      this.found.set(key, instances);
      return instances;
    } catch (error) {
      const { code } = ConnectError.from(error);
      if (code === Code.NotFound) return [];
      if (AWAY.has(code)) return this.found.get(key) ?? [];
      throw error;
    }
  }

  /** Keeps a list of the usable instances up to date. */
  watch(name: string, options: Pick<LookupOptions, "role" | "metadata"> = {}): ServiceWatch {
    const watch = new ServiceWatch(this.client, this.reporter, name, options, () =>
      this.watches.delete(watch),
    );
    this.watches.add(watch);
    return watch;
  }

  /** Makes all offers again: the runtime may have forgotten them. */
  async offerAgain(): Promise<void> {
    await Promise.all(this.offers.map((entry) => this.register(entry).catch(() => {})));
  }

  close(): void {
    for (const watch of this.watches) watch.close();
  }

  private async register(entry: { offer: Offer; registrationId?: string }): Promise<void> {
    if (!this.client) return;
    const { registrationId } = await this.client.registerInstance(
      { ...entry.offer, serviceId: this.reporter.serviceId ?? "" },
      { timeoutMs: 5000 },
    );
    entry.registrationId = registrationId;
  }
}

/**
 * The usable instances of a service, kept up to date by the broker: `change` is emitted whenever one
 * comes, goes or changes. While the runtime is away the last list stays.
 */
export class ServiceWatch extends EventEmitter<{ change: [BrokerInstance[]] }> {
  /** The usable instances, by registration id. */
  instances: BrokerInstance[] = [];

  private readonly stopping = new AbortController();
  private credits = new Map<string, number>();

  constructor(
    client: Client<typeof BrokerService> | undefined,
    private readonly reporter: TopologyReporter,
    readonly name: string,
    private readonly options: Pick<LookupOptions, "role" | "metadata">,
    private readonly closed: () => void,
  ) {
    super();
    if (client) void this.run(client);
  }

  /** The next one to call: in turn, as often as the weights say. Undefined when there is none. */
  next(): BrokerInstance | undefined {
    let chosen: BrokerInstance | undefined;
    let total = 0;
    for (const instance of this.instances) {
      const credit = (this.credits.get(instance.registrationId) ?? 0) + instance.weight;
      this.credits.set(instance.registrationId, credit);
      total += instance.weight;
      if (!chosen || credit > this.credits.get(chosen.registrationId)!) chosen = instance;
    }
    if (chosen)
      this.credits.set(chosen.registrationId, this.credits.get(chosen.registrationId)! - total);
    return chosen;
  }

  /** The next one to call, waited for when there is none; undefined when none comes in time. */
  async ready(timeoutMs = 5000): Promise<BrokerInstance | undefined> {
    if (this.instances.length === 0) {
      const over = new AbortController();
      const changed = () => this.instances.length > 0 && over.abort();
      this.on("change", changed);
      await wait(timeoutMs, AbortSignal.any([over.signal, this.stopping.signal]));
      this.off("change", changed);
    }
    return this.next();
  }

  close(): void {
    this.stopping.abort();
    this.closed();
  }

  private async run(client: Client<typeof BrokerService>): Promise<void> {
    const backoff = new Backoff();
    let resumeAfter: Revision | undefined;
    while (!this.stopping.signal.aborted) {
      try {
        const request = {
          name: this.name,
          ...this.options,
          serviceId: this.reporter.serviceId ?? "",
          resumeAfter,
        };
        for await (const state of client.watchService(request, { signal: this.stopping.signal })) {
          backoff.reset();
          resumeAfter = state.revision;
          this.instances = state.instances;
          const known = new Set(state.instances.map((instance) => instance.registrationId));
          for (const id of this.credits.keys()) if (!known.has(id)) this.credits.delete(id);
          this.emit("change", this.instances);
        }
      } catch {
        // The runtime is away: the last list stays, and the watch is tried again.
      }
      await pause(backoff.next(), this.stopping.signal);
    }
  }
}
