import { create } from "@bufbuild/protobuf";
import { Histogram } from "./histogram.js";
import {
  type ActivityEvent,
  ActivityEventSchema,
  ActivityType,
} from "./gen/runtime/v1/topology_pb.js";

/** One call that this service made. */
export interface Activity {
  /** Whom it called: the name of a service, or the name that it was looked up by. */
  targetService: string;
  /** The method: `Add`, or in full `/calculator.v1.CalculatorService/Add`. */
  method?: string;
  /** How long it took. */
  latencyMs: number;
  /** Whether it succeeded; left out: it did. */
  success?: boolean;
  /** What went wrong. */
  error?: string;
  /** The request it belonged to. */
  correlationId?: string;
  /** Lower case; left out: `grpc`. */
  protocol?: string;
}

interface Batch {
  activity: Activity;
  count: number;
  errors: number;
  latencies: Histogram;
  lastError?: string;
  lastCorrelationId?: string;
}

/** Most different targets and methods between two reports; further ones are left out. */
const BATCHES_MAX = 1000;

/** Adds calls up, so that a report holds one event for each target, method and protocol. */
export class ActivityBatches {
  private batches = new Map<string, Batch>();

  add(activity: Activity): void {
    const key = [activity.targetService, activity.method ?? "", activity.protocol ?? ""].join("\0");
    let batch = this.batches.get(key);
    if (!batch) {
      if (this.batches.size >= BATCHES_MAX) return;
      batch = { activity, count: 0, errors: 0, latencies: new Histogram() };
      this.batches.set(key, batch);
    }
    batch.count++;
    batch.latencies.add(activity.latencyMs * 1000);
    if (activity.success === false) {
      batch.errors++;
      batch.lastError = activity.error;
    }
    if (activity.correlationId) batch.lastCorrelationId = activity.correlationId;
  }

  get empty(): boolean {
    return this.batches.size === 0;
  }

  /** What has been added since the last time. */
  take(serviceId: string): ActivityEvent[] {
    const taken = [...this.batches.values()];
    this.batches = new Map();
    return taken.map((batch) =>
      create(ActivityEventSchema, {
        serviceId,
        targetService: batch.activity.targetService,
        method: batch.activity.method,
        protocol: batch.activity.protocol ?? "grpc",
        type:
          batch.errors === batch.count
            ? ActivityType.ACTIVITY_ERROR
            : ActivityType.RESPONSE_RECEIVED,
        timestampMs: BigInt(Date.now()),
        batchSize: batch.count,
        errorCount: batch.errors,
        errorMessage: batch.lastError,
        correlationId: batch.lastCorrelationId ?? "",
        latencyHistogram: batch.latencies.message(),
      }),
    );
  }
}
