import { create } from "@bufbuild/protobuf";
import { type ServiceMetrics, ServiceMetricsSchema } from "./gen/runtime/v1/topology_pb.js";

/** What this process uses: processor time since it was asked last, memory, calls in flight. */
export class Usage {
  /** Requests that are being answered. */
  inFlight = 0;
  /** How busy the service is in its own measure, 0 idle to 1 full. */
  load?: number;
  /** Figures of its own, by name. */
  readonly gauges: Record<string, number> = {};

  private before = process.cpuUsage();
  private beforeAt = process.hrtime.bigint();

  measure(): ServiceMetrics {
    const used = process.cpuUsage(this.before);
    const now = process.hrtime.bigint();
    const microseconds = Number(now - this.beforeAt) / 1000;
    this.before = process.cpuUsage();
    this.beforeAt = now;
    return create(ServiceMetricsSchema, {
      cpuPercent: microseconds > 0 ? (100 * (used.user + used.system)) / microseconds : undefined,
      memoryBytes: BigInt(process.memoryUsage.rss()),
      inFlight: this.inFlight,
      load: this.load,
      gauges: this.gauges,
    });
  }
}
