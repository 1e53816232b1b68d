import { connect as connectSocket } from "node:net";
import { createClient, type Client, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { DescService } from "@bufbuild/protobuf";

/** A transport and how to end it. */
export interface Connection {
  transport: Transport;
  close(): void;
}

/** Opens nothing yet: the connection is made with the first call, and again whenever it was lost. */
export function openConnection(address: string, interceptors: Interceptor[] = []): Connection {
  const unix = address.startsWith("unix:") ? address.slice("unix:".length) : undefined;
  const baseUrl = unix
    ? "http://localhost"
    : address.includes("://")
      ? address
      : `http://${address}`;
  const options = unix ? { createConnection: () => connectSocket(unix) } : {};
  const sessions = new Http2SessionManager(
    baseUrl,
    { pingIntervalMs: 20_000, idleConnectionTimeoutMs: 60_000 },
    options,
  );
  return {
    transport: createGrpcTransport({ baseUrl, sessionManager: sessions, interceptors }),
    close: () => sessions.abort(),
  };
}

/** The connection to the runtime, which carries this process's token. */
export class RuntimeConnection {
  readonly address: string;
  private readonly connection: Connection;
  private readonly clients = new Map<string, Client<DescService>>();

  constructor(address: string, token?: string) {
    this.address = address;
    const authorize: Interceptor = (next) => (request) => {
      if (token) request.header.set("authorization", `Bearer ${token}`);
      return next(request);
    };
    this.connection = openConnection(address, [authorize]);
  }

  client<S extends DescService>(service: S): Client<S> {
    let client = this.clients.get(service.typeName);
    if (!client) {
      client = createClient(service, this.connection.transport) as Client<DescService>;
      this.clients.set(service.typeName, client);
    }
    return client as Client<S>;
  }

  close(): void {
    this.connection.close();
  }
}

/** Pauses that grow from 100 ms to 5 s, a little different each time so that not all come back at once. */
export class Backoff {
  private attempts = 0;

  next(): number {
    const pause = Math.min(5000, 100 * 2 ** this.attempts++);
    return pause * (0.75 + Math.random() / 2);
  }

  reset(): void {
    this.attempts = 0;
  }
}

/** Waits in the background: the process may end meanwhile. Returns early when the signal aborts. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return wait(milliseconds, signal, true);
}

/** Waits while somebody awaits it: the process does not end. Returns early when the signal aborts. */
export function wait(
  milliseconds: number,
  signal?: AbortSignal,
  background = false,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    if (background) timer.unref();
    signal?.addEventListener("abort", done, { once: true });
  });
}
