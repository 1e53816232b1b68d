import { create, type JsonObject } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { pause, type RuntimeConnection, wait } from "./connection.js";
import { correlationId } from "./correlation.js";
import {
  type LogEntry,
  LogEntrySchema,
  LoggerService,
  LogLevel,
  LogStream,
} from "./gen/runtime/v1/logger_pb.js";

/** Entries that wait for the runtime; beyond it the oldest are dropped, and their number is logged. */
const WAITING_MAX = 10_000;
const BATCH_MAX = 500;

/** Sends structured log entries, with the correlation id of the current request. */
export class Logger {
  private waiting: LogEntry[] = [];
  private dropped = 0;
  private wake?: AbortController;
  private stopped = false;
  private readonly sending?: Promise<void>;

  constructor(
    connection: RuntimeConnection | undefined,
    private readonly serviceName: string,
    private readonly instance: string,
  ) {
    if (connection) this.sending = this.run(connection.client(LoggerService));
  }

  trace(message: string, attributes?: JsonObject): void {
    this.log(LogLevel.TRACE, message, attributes);
  }
  debug(message: string, attributes?: JsonObject): void {
    this.log(LogLevel.DEBUG, message, attributes);
  }
  info(message: string, attributes?: JsonObject): void {
    this.log(LogLevel.INFO, message, attributes);
  }
  warn(message: string, attributes?: JsonObject): void {
    this.log(LogLevel.WARN, message, attributes);
  }
  error(message: string, attributes?: JsonObject): void {
    this.log(LogLevel.ERROR, message, attributes);
  }

  /** Without a runtime the entry goes to the console instead. */
  log(level: LogLevel, message: string, attributes?: JsonObject): void {
    const id = correlationId() ?? "";
    if (!this.sending) {
      const line = `${LogLevel[level]} ${id ? `${id} ` : ""}${message}`;
      (level >= LogLevel.WARN ? console.error : console.log)(
        line,
        ...(attributes ? [attributes] : []),
      );
      return;
    }
    // Finer than a millisecond, so that entries of several services sort as they happened.
    const now = performance.timeOrigin + performance.now();
    const millisecond = Math.floor(now);
    this.enqueue(
      create(LogEntrySchema, {
        serviceName: this.serviceName,
        instance: this.instance,
        level,
        message,
        timestamp: BigInt(millisecond),
        nanoseconds: Math.floor((now - millisecond) * 1e6),
        correlationId: id,
        stream: LogStream.STRUCTURED,
        attributes,
      }),
    );
  }

  /** Sends what waits, and ends. */
  async close(): Promise<void> {
    this.stopped = true;
    this.wake?.abort();
    const sent = new AbortController();
    void this.sending?.then(() => sent.abort());
    if (this.sending) await wait(2000, sent.signal);
  }

  private enqueue(entry: LogEntry): void {
    if (this.waiting.length >= WAITING_MAX) {
      this.waiting.shift();
      this.dropped++;
    }
    this.waiting.push(entry);
  }

  private async run(client: Client<typeof LoggerService>): Promise<void> {
    while (!this.stopped || this.waiting.length > 0) {
      if (!this.stopped) {
        this.wake = new AbortController();
        await pause(100, this.wake.signal);
      }
      const sent = await this.send(client).then(
        () => true,
        () => false,
      );
      if (!sent && this.stopped) return; // it would not come before we are gone
      if (!sent) await pause(1000, this.wake?.signal);
    }
  }

  private async send(client: Client<typeof LoggerService>): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.slice(0, BATCH_MAX);
      await client.streamLogs(
        (async function* () {
          yield* batch;
        })(),
        { timeoutMs: 5000 },
      );
      this.waiting.splice(0, batch.length);
      if (this.dropped > 0) {
        const count = this.dropped;
        this.dropped = 0;
        this.warn(`${count} log entries were dropped while the runtime was away`);
      }
    }
  }
}
