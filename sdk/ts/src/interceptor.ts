import { type Interceptor, type StreamResponse, type UnaryResponse } from "@connectrpc/connect";
import {
  CORRELATION_HEADER,
  correlationId,
  newCorrelationId,
  withCorrelationId,
} from "./correlation.js";
import type { TopologyReporter } from "./reporter.js";

/**
 * For clients: passes the correlation id on, and reports each call as activity.
 * `target` names whom the client calls: the service's name, or what it is looked up by.
 */
export function clientInterceptor(
  reporter: TopologyReporter,
  target: string | (() => string),
): Interceptor {
  return (next) => async (request) => {
    const id = request.header.get(CORRELATION_HEADER) ?? correlationId();
    if (id) request.header.set(CORRELATION_HEADER, id);
    const begin = performance.now();
    const report = (error?: unknown) =>
      reporter.reportActivity({
        targetService: typeof target === "string" ? target : target(),
        method: `/${request.service.typeName}/${request.method.name}`,
        latencyMs: performance.now() - begin,
        success: error === undefined,
        error: error === undefined ? undefined : String(error),
        correlationId: id ?? undefined,
      });
    let response: UnaryResponse | StreamResponse;
    try {
      response = await next(request);
    } catch (error) {
      report(error);
      throw error;
    }
    if (!response.stream) {
      report();
      return response;
    }
    return { ...response, message: reportedAtEnd(response.message, report) };
  };
}

/** A stream counts when it is over. */
async function* reportedAtEnd<T>(
  messages: AsyncIterable<T>,
  report: (error?: unknown) => void,
): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    report(error);
    throw error;
  }
  report();
}

/**
 * For servers: runs each call under the correlation id that came with it, or a new one, counts calls
 * in flight, and errors for the next heartbeat.
 */
export function serverInterceptor(reporter: TopologyReporter): Interceptor {
  return (next) => (request) => {
    const id = request.header.get(CORRELATION_HEADER) ?? newCorrelationId();
    reporter.usage.inFlight++;
    return withCorrelationId(id, async () => {
      try {
        return await next(request);
      } catch (error) {
        reporter.countError();
        throw error;
      } finally {
        reporter.usage.inFlight--;
      }
    });
  };
}
