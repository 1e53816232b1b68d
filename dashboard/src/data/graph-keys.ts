import type { EdgeKind } from '@/gen/runtime/v1/topology_pb'

/** What names an edge among all edges. */
export const edgeId = (source: string, target: string, kind: EdgeKind) =>
  `${source}\u0000${target}\u0000${kind}`
