/**
 * The graph as this page knows it: nodes, edges and instances by their identity, kept up to date
 * by WatchTopology. Views subscribe to single objects, or to the structure (what there is).
 */
import { create } from '@bufbuild/protobuf'
import { useCallback, useSyncExternalStore } from 'react'
import { topology } from '@/api/client'
import { watch } from '@/api/watch'
import { Emitter } from '@/data/emitter'
import { edgeId } from '@/data/graph-keys'
import { forgetUsage, noteUsage } from '@/data/usage'
import type { Revision } from '@/gen/runtime/v1/common_pb'
import {
  type TopologyEdge,
  type TopologyInstance,
  type TopologyNode,
  TopologyQuerySchema,
  type TopologyUpdate,
} from '@/gen/runtime/v1/topology_pb'

class TopologyStore {
  readonly nodes = new Map<string, TopologyNode>()
  readonly edges = new Map<string, TopologyEdge>()
  readonly instances = new Map<string, TopologyInstance>()
  readonly emitter = new Emitter()
  /** Differs whenever nodes or edges have come or gone. */
  structure = 0
  /** Whether a snapshot has come. */
  ready = false
  /** Why there will be none. */
  refused = ''
  private revision: Revision | undefined
  private pending: TopologyUpdate[] = []
  private users = 0
  private stop: (() => void) | undefined

  /** Watches as long as somebody uses it, and a moment longer. */
  readonly use = (): (() => void) => {
    if (this.users++ === 0 && !this.stop) this.start()
    return () => {
      this.users--
      setTimeout(() => {
        if (this.users > 0) return
        this.stop?.()
        this.stop = undefined
      }, 5000)
    }
  }

  private start(): void {
    this.pending = []
    this.stop = watch<TopologyUpdate>({
      open: (signal) => {
        this.pending = []
        return topology.watchTopology(
          create(TopologyQuerySchema, { includeInstances: true, resumeAfter: this.revision }),
          { signal },
        )
      },
      take: (update) => this.take(update),
      refused: (error) => {
        this.refused = error.rawMessage
        this.emitter.emit('structure')
      },
    })
  }

  private take(update: TopologyUpdate): void {
    this.pending.push(update)
    if (update.more) return
    const pieces = this.pending
    this.pending = []
    let changed = !this.ready
    for (const piece of pieces) changed = this.apply(piece) || changed
    this.revision = update.revision
    this.ready = true
    this.refused = ''
    if (!changed) return
    this.structure++
    this.emitter.emit('structure')
  }

  /** True when something has come or gone. */
  private apply(update: TopologyUpdate): boolean {
    let changed = false
    if (update.reset) {
      changed = this.nodes.size + this.edges.size > 0
      this.nodes.clear()
      this.edges.clear()
      this.instances.clear()
    }
    for (const name of update.removedNodes) changed = this.removeNode(name) || changed
    for (const key of update.removedEdges)
      changed = this.edges.delete(edgeId(key.source, key.target, key.kind)) || changed
    for (const id of update.removedInstances) this.instances.delete(id)
    for (const node of update.nodes) changed = this.putNode(node) || changed
    for (const edge of update.edges) changed = this.putEdge(edge) || changed
    for (const instance of update.instances) this.instances.set(instance.serviceId, instance)
    return changed
  }

  private putNode(node: TopologyNode): boolean {
    const name = node.serviceName
    const before = this.nodes.get(name)
    this.nodes.set(name, node)
    // What Muster started is measured by it, and comes with the services.
    if (node.metrics && !node.managed)
      noteUsage(name, node.metrics.cpuPercent ?? 0, Number(node.metrics.memoryBytes ?? 0))
    if (before && before.state === node.state && before.health === node.health)
      this.emitter.defer(name)
    else this.emitter.emit(name)
    return !before || before.namespace !== node.namespace || before.language !== node.language
  }

  private putEdge(edge: TopologyEdge): boolean {
    const id = edgeId(edge.source, edge.target, edge.kind)
    const before = this.edges.get(id)
    this.edges.set(id, edge)
    this.emitter.defer(id)
    return !before
  }

  private removeNode(name: string): boolean {
    for (const [id, edge] of this.edges)
      if (edge.source === name || edge.target === name) this.edges.delete(id)
    for (const [id, instance] of this.instances)
      if (instance.serviceName === name) this.instances.delete(id)
    forgetUsage(name)
    return this.nodes.delete(name)
  }

  instancesOf(name: string): TopologyInstance[] {
    return [...this.instances.values()].filter((instance) => instance.serviceName === name)
  }
}

export const graph = new TopologyStore()

/** One node, and again when it changes. */
export function useNode(name: string): TopologyNode | undefined {
  return useSyncExternalStore(
    useCallback((changed) => graph.emitter.on(name, changed), [name]),
    () => graph.nodes.get(name),
  )
}

export function useEdge(id: string): TopologyEdge | undefined {
  return useSyncExternalStore(
    useCallback((changed) => graph.emitter.on(id, changed), [id]),
    () => graph.edges.get(id),
  )
}

/** A number that differs when nodes or edges have come or gone. */
export function useStructure(): number {
  return useSyncExternalStore(
    useCallback((changed) => graph.emitter.on('structure', changed), []),
    () => graph.structure + (graph.refused ? 0.5 : 0),
  )
}
