/**
 * For clients and servers on `@grpc/grpc-js`: what the interceptors of `@muster/client` do for those
 * on Connect. Imported from `@muster/client/grpc-js`, so that nobody else needs that package.
 */
import {
  InterceptingCall,
  type Interceptor,
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptor,
  status,
} from "@grpc/grpc-js";
import {
  CORRELATION_HEADER,
  correlationId,
  newCorrelationId,
  withCorrelationId,
} from "./correlation.js";
import type { TopologyReporter } from "./reporter.js";

function idIn(metadata: Metadata): string | undefined {
  return metadata.get(CORRELATION_HEADER)[0]?.toString();
}

/**
 * For clients (`interceptors` of a client's or a call's options): passes the correlation id on, and
 * reports each call as activity once it is over. `target` names whom the client calls: the service's
 * name, or what it is looked up by.
 */
export function grpcClientInterceptor(
  reporter: TopologyReporter,
  target: string | (() => string),
): Interceptor {
  return (options, nextCall) => {
    const method = options.method_definition.path;
    return new InterceptingCall(nextCall(options), {
      start(metadata, _listener, next) {
        const id = idIn(metadata) ?? correlationId();
        if (id) metadata.set(CORRELATION_HEADER, id);
        const begin = performance.now();
        next(metadata, {
          onReceiveStatus(result, tell) {
            const success = result.code === status.OK;
            reporter.reportActivity({
              targetService: typeof target === "string" ? target : target(),
              method,
              latencyMs: performance.now() - begin,
              success,
              error: success
                ? undefined
                : `${result.code} ${status[result.code]}: ${result.details}`,
              correlationId: id,
            });
            tell(result);
          },
        });
      },
    });
  };
}

/**
 * For servers (`interceptors` of a server's options): runs each call under the correlation id that
 * came with it, or a new one, counts calls in flight, and errors for the next heartbeat.
 */
export function grpcServerInterceptor(reporter: TopologyReporter): ServerInterceptor {
  return (_method, call) => {
    let id = "";
    let inFlight = false;
    const over = () => {
      if (inFlight) reporter.usage.inFlight--;
      inFlight = false;
    };
    return new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, tell) {
            id = idIn(metadata) ?? newCorrelationId();
            inFlight = true;
            reporter.usage.inFlight++;
            withCorrelationId(id, () => tell(metadata));
          },
          onReceiveMessage: (message, tell) => withCorrelationId(id, () => tell(message)),
          onReceiveHalfClose: (tell) => withCorrelationId(id, tell),
          onCancel() {
            over();
          },
        });
      },
      sendStatus(result, next) {
        if (result.code !== status.OK) reporter.countError();
        over();
        next(result);
      },
    });
  };
}
