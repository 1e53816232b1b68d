import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { create } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { type Activity, ActivityBatches } from "./activity.js";
import { Backoff, pause, RuntimeConnection, wait } from "./connection.js";
import { correlationId } from "./correlation.js";
import { readEnvironment } from "./environment.js";
import { SendQueue } from "./queue.js";
import { Usage } from "./usage.js";
import { HealthState } from "./gen/runtime/v1/health_pb.js";
import {
  ApplicationHealthSchema,
  HeartbeatRequestSchema,
  type HeartbeatRequest,
  type ServiceHandle,
  ServiceLanguage,
  ServiceMetadataSchema,
  ServiceType,
  TopologyService,
} from "./gen/runtime/v1/topology_pb.js";

/** How a service presents itself. What is left out comes from the environment. */
export interface TopologyReporterOptions {
  /** Where the runtime is; left out: `MUSTER_ADDRESS`. Without either, nothing is reported. */
  topologyAddress?: string;
  /** Left out: `MUSTER_TOKEN`. */
  token?: string;
  /** Left out: `MUSTER_SERVICE`. */
  serviceName?: string;
  /** Left out: CLIENT. */
  serviceType?: ServiceType;
  /** Left out: `MUSTER_INSTANCE`, otherwise one that is made up for this process. */
  instanceId?: string;
  /** Left out: TYPESCRIPT. */
  language?: ServiceLanguage;
  /** Left out: `npm_package_version`. */
  version?: string;
  /** Where it can be reached: `127.0.0.1:50051`. */
  address?: string;
  metadata?: {
    region?: string;
    environment?: string;
    team?: string;
    versionHash?: string;
    labels?: Record<string, string>;
  };
  /** The heartbeat interval it would like. */
  heartbeatIntervalMs?: number;
  /** Whether calls are reported; left out: they are. */
  enableActivityReporting?: boolean;
  /** How often; left out: every second. */
  activityIntervalMs?: number;
}

/**
 * Registers the service with the topology and keeps it alive there: heartbeats with processor time,
 * memory and health, and the calls it makes, in batches.
 *
 * When the runtime restarts it connects and registers again by itself; since it says the same
 * instance, no second node appears. When there is no runtime, nothing happens at all.
 */
export class TopologyReporter {
  /** What the heartbeats tell of this process. */
  readonly usage = new Usage();
  /** The service's name. */
  readonly serviceName: string;
  /** What names this process to the runtime. */
  readonly instanceId: string;
  /** Called after each registration, the first and those after a restart of the runtime. */
  onRegistered?: (handle: ServiceHandle) => void;

  private readonly options: TopologyReporterOptions;
  private readonly connection?: RuntimeConnection;
  private readonly ownsConnection: boolean;
  private readonly activities = new ActivityBatches();
  private readonly stopping = new AbortController();
  private handle?: ServiceHandle;
  private sequence = 0n;
  private roundTripUs?: bigint;
  private health?: { state: HealthState; message?: string };
  private errorsSinceBeat = 0;
  private beatNow?: () => void;
  private running?: Promise<void>;
  private waiters: Array<() => void> = [];

  constructor(options: TopologyReporterOptions = {}, connection?: RuntimeConnection) {
    const environment = readEnvironment();
    const address = options.topologyAddress ?? environment.address;
    this.options = options;
    this.serviceName = options.serviceName ?? environment.service ?? "";
    this.instanceId = options.instanceId ?? environment.instance ?? randomUUID();
    this.ownsConnection = !connection;
    this.connection =
      connection ??
      (address ? new RuntimeConnection(address, options.token ?? environment.token) : undefined);
  }

  /** The id that the topology gave; undefined while not registered. */
  get serviceId(): string | undefined {
    return this.handle?.serviceId;
  }

  /**
   * Begins to report. True once registered; false when no runtime has answered within `timeoutMs`:
   * it is then still tried on in the background.
   */
  async register(timeoutMs = 3000): Promise<boolean> {
    if (!this.connection || !this.serviceName) return false;
    this.running ??= this.run(this.connection.client(TopologyService));
    if (!this.handle) {
      const over = new AbortController();
      this.waiters.push(() => over.abort());
      await wait(timeoutMs, AbortSignal.any([over.signal, this.stopping.signal]));
    }
    return this.handle !== undefined;
  }

  /** How the service is, in its own judgement; told at once. */
  reportHealth(state: HealthState, message?: string): void {
    this.health = { state, message };
    this.beatNow?.();
  }

  /** Counts an error for the next heartbeat. */
  countError(): void {
    this.errorsSinceBeat++;
  }

  /** Reports a call, with the next batch. */
  reportActivity(targetService: string, method: string, latencyMs: number): void;
  reportActivity(activity: Activity): void;
  reportActivity(target: string | Activity, method?: string, latencyMs = 0): void {
    if (!this.connection || this.options.enableActivityReporting === false) return;
    const activity =
      typeof target === "string" ? { targetService: target, method, latencyMs } : target;
    this.activities.add({ correlationId: correlationId(), ...activity });
  }

  /** Says good-bye: what is left to report is sent, the node disappears. */
  async unregister(): Promise<void> {
    if (!this.connection || this.stopping.signal.aborted) return;
    const { handle } = this;
    if (handle) {
      const client = this.connection.client(TopologyService);
      await this.sendActivities(client).catch(() => {});
      this.stopping.abort();
      await client.unregisterService(handle, { timeoutMs: 2000 }).catch(() => {});
    }
    this.stopping.abort();
    this.handle = undefined;
    if (this.ownsConnection) this.connection.close();
  }

  /** Registers and beats, again and again, until told to stop. */
  private async run(client: Client<typeof TopologyService>): Promise<void> {
    const backoff = new Backoff();
    const reporting = this.reportActivities(client);
    while (!this.stopping.signal.aborted) {
      try {
        this.handle = await client.registerService(this.registration(), { timeoutMs: 5000 });
        for (const resolve of this.waiters.splice(0)) resolve();
        this.onRegistered?.(this.handle);
        backoff.reset();
        await this.beat(client, this.handle);
      } catch {
        // The runtime is not there, or went away: a service does not fail for that.
      }
      if (!this.stopping.signal.aborted) await pause(backoff.next(), this.stopping.signal);
    }
    await reporting;
  }

  private registration() {
    const { options } = this;
    return {
      serviceName: this.serviceName,
      serviceType: options.serviceType ?? ServiceType.CLIENT,
      language: options.language ?? ServiceLanguage.TYPESCRIPT,
      version: options.version ?? process.env.npm_package_version,
      address: options.address,
      host: hostname(),
      metadata: options.metadata ? create(ServiceMetadataSchema, options.metadata) : undefined,
      instanceId: this.instanceId,
      heartbeatIntervalMs: options.heartbeatIntervalMs,
    };
  }

  /** One heartbeat stream, until it breaks or a beat is not acknowledged. */
  private async beat(client: Client<typeof TopologyService>, handle: ServiceHandle): Promise<void> {
    const beats = new SendQueue<HeartbeatRequest>();
    const over = new AbortController();
    const end = () => over.abort();
    this.stopping.signal.addEventListener("abort", end, { once: true });
    let sentAt = 0n;
    const send = () => {
      sentAt = process.hrtime.bigint();
      beats.push(this.nextBeat(handle));
    };
    this.beatNow = send;
    send();
    const timer = setInterval(send, handle.heartbeatIntervalMs);
    timer.unref();
    try {
      for await (const response of client.heartbeat(beats, { signal: over.signal })) {
        this.roundTripUs = (process.hrtime.bigint() - sentAt) / 1000n;
        if (!response.acknowledged) break;
      }
    } finally {
      clearInterval(timer);
      this.beatNow = undefined;
      this.stopping.signal.removeEventListener("abort", end);
      beats.end();
      over.abort();
    }
  }

  private nextBeat(handle: ServiceHandle): HeartbeatRequest {
    const beat = create(HeartbeatRequestSchema, {
      serviceId: handle.serviceId,
      sequence: ++this.sequence,
      metrics: this.usage.measure(),
      roundTripUs: this.roundTripUs,
    });
    if (this.health || this.errorsSinceBeat > 0) {
      const { state, message } = this.health ?? { state: HealthState.HEALTHY, message: undefined };
      beat.health = create(ApplicationHealthSchema, {
        state,
        message,
        errorCount: this.errorsSinceBeat,
      });
    }
    this.errorsSinceBeat = 0;
    return beat;
  }

  private async reportActivities(client: Client<typeof TopologyService>): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await pause(this.options.activityIntervalMs ?? 1000, this.stopping.signal);
      // What cannot be told now is lost: it is about that second only.
      if (this.handle && !this.stopping.signal.aborted)
        await this.sendActivities(client).catch(() => {});
    }
  }

  private async sendActivities(client: Client<typeof TopologyService>): Promise<void> {
    if (!this.handle || this.activities.empty) return;
    const events = this.activities.take(this.handle.serviceId);
    await client.reportActivity(
      (async function* () {
        yield* events;
      })(),
      { timeoutMs: 2000 },
    );
  }
}
