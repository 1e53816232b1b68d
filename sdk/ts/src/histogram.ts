import { create } from "@bufbuild/protobuf";
import { type LatencyHistogram, LatencyHistogramSchema } from "./gen/runtime/v1/common_pb.js";

const LAST_BUCKET = 543;

/** The bucket of a latency in microseconds, as runtime.v1.LatencyHistogram defines it. */
export function bucketOf(microseconds: number): number {
  const value = Math.max(0, Math.floor(microseconds));
  if (value < 16) return value;
  const exponent = Math.floor(Math.log2(value));
  return Math.min(LAST_BUCKET, 16 * (exponent - 4) + Math.floor(value / 2 ** (exponent - 4)));
}

/** Latencies of calls, in buckets. */
export class Histogram {
  private readonly buckets = new Map<number, bigint>();
  private sum = 0;
  private min = Infinity;
  private max = 0;

  add(microseconds: number): void {
    const value = Math.max(0, Math.floor(microseconds));
    const bucket = bucketOf(value);
    this.buckets.set(bucket, (this.buckets.get(bucket) ?? 0n) + 1n);
    this.sum += value;
    this.min = Math.min(this.min, value);
    this.max = Math.max(this.max, value);
  }

  message(): LatencyHistogram {
    const buckets = [...this.buckets.keys()].sort((a, b) => a - b);
    return create(LatencyHistogramSchema, {
      buckets,
      counts: buckets.map((bucket) => this.buckets.get(bucket)!),
      sumUs: BigInt(this.sum),
      minUs: BigInt(buckets.length > 0 ? this.min : 0),
      maxUs: BigInt(this.max),
    });
  }
}
