import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";

/** The metadata key that a correlation id travels under. */
export const CORRELATION_HEADER = "x-correlation-id";

const current = new AsyncLocalStorage<string>();

/** The correlation id of the request being worked on; undefined outside of one. */
export function correlationId(): string | undefined {
  return current.getStore();
}

/** Runs `work` under a correlation id: all that it calls, awaits and logs carries it. */
export function withCorrelationId<T>(id: string, work: () => T): T {
  return current.run(id, work);
}

/** A new id for a request that begins here. */
export function newCorrelationId(): string {
  return `req-${randomUUID().slice(0, 8)}`;
}
