export { type Activity } from "./activity.js";
export { BalancedTransport, type DiscoveryOptions } from "./balancer.js";
export { Broker, type LookupOptions, type Offer, ServiceWatch } from "./broker.js";
export { RuntimeConnection } from "./connection.js";
export {
  CORRELATION_HEADER,
  correlationId,
  newCorrelationId,
  withCorrelationId,
} from "./correlation.js";
export { type Environment, readEnvironment } from "./environment.js";
export { bucketOf, Histogram } from "./histogram.js";
export { clientInterceptor, serverInterceptor } from "./interceptor.js";
export { Logger } from "./logger.js";
export { Muster } from "./muster.js";
export { TopologyReporter, type TopologyReporterOptions } from "./reporter.js";
export { Usage } from "./usage.js";

export { BalancingPolicy, type BrokerInstance } from "./gen/runtime/v1/broker_pb.js";
export { HealthState } from "./gen/runtime/v1/health_pb.js";
export { LogLevel } from "./gen/runtime/v1/logger_pb.js";
export { type ServiceHandle, ServiceLanguage, ServiceType } from "./gen/runtime/v1/topology_pb.js";
