import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { edgeId } from '@/data/graph-keys'
import { HealthState } from '@/gen/runtime/v1/health_pb'
import { ServiceState } from '@/gen/runtime/v1/service_pb'
import {
  ConnectionState,
  EdgeKind,
  ServiceLanguage,
  type TopologyEdge,
  TopologyEdgeSchema,
  type TopologyNode,
  TopologyNodeSchema,
} from '@/gen/runtime/v1/topology_pb'
import { draw, edgeWidth, lookOf, toneOf, type View } from '@/pages/topology/model'

const VIEW: View = {
  grouping: 'none',
  collapsed: new Set(),
  hidden: new Set(),
  focus: '',
  languages: new Set(),
  discovery: true,
  dependencies: false,
}

function nodes(...names: string[]): Map<string, TopologyNode> {
  return new Map(
    names.map((name) => {
      const [serviceName = '', namespace = ''] = name.split('@')
      const language = serviceName.endsWith('-rs') ? ServiceLanguage.RUST : ServiceLanguage.GO
      const builtin = serviceName === 'broker'
      return [
        serviceName,
        create(TopologyNodeSchema, { serviceName, namespace, language, builtin }),
      ]
    }),
  )
}

function edges(...arrows: string[]): Map<string, TopologyEdge> {
  return new Map(
    arrows.map((arrow) => {
      const [source = '', sign = '', target = '', rps = '0'] = arrow.split(' ')
      const kind = { '->': EdgeKind.CALL, '?>': EdgeKind.DISCOVERY, '.>': EdgeKind.DEPENDENCY }[
        sign
      ]!
      const edge = create(TopologyEdgeSchema, { source, target, kind, totalRps: Number(rps) })
      return [edgeId(source, target, kind), edge]
    }),
  )
}

const arrows = (drawn: ReturnType<typeof draw>) =>
  drawn.edges.map((edge) => `${edge.source} ${edge.target}`).sort()

describe('what the graph shows', () => {
  const all = nodes('a@x', 'b@x', 'c@y', 'd-rs@y', 'broker')
  const links = edges(
    'a -> c 10',
    'b -> c 30',
    'c -> d-rs 5',
    'a ?> broker',
    'broker ?> c',
    'b .> a',
  )

  it('is everything but dependencies, unless asked', () => {
    const drawn = draw(all, links, VIEW)
    expect(drawn.nodes).toEqual(['a', 'b', 'broker', 'c', 'd-rs'])
    expect(arrows(drawn)).toEqual(['a broker', 'a c', 'b c', 'broker c', 'c d-rs'])
    expect(arrows(draw(all, links, { ...VIEW, dependencies: true }))).toContain('b a')
  })

  it('leaves the broker out with the discovery edges', () => {
    const drawn = draw(all, links, { ...VIEW, discovery: false })
    expect(drawn.nodes).toEqual(['a', 'b', 'c', 'd-rs'])
    expect(arrows(drawn)).toEqual(['a c', 'b c', 'c d-rs'])
  })

  it('hides, focuses and filters by language', () => {
    expect(draw(all, links, { ...VIEW, hidden: new Set(['c']) }).edges).toHaveLength(1)
    expect(draw(all, links, { ...VIEW, focus: 'd-rs' }).nodes).toEqual(['c', 'd-rs'])
    expect(draw(all, links, { ...VIEW, focus: 'nobody' }).nodes).toHaveLength(5)
    expect(draw(all, links, { ...VIEW, languages: new Set(['Rust']) }).nodes).toEqual(['d-rs'])
  })

  it('frames groups, and sums the edges of collapsed ones', () => {
    const framed = draw(all, links, { ...VIEW, grouping: 'namespace' })
    expect(framed.frames.map((group) => group.name)).toEqual(['x', 'y'])
    const view: View = { ...VIEW, grouping: 'namespace', collapsed: new Set(['x']) }
    const drawn = draw(all, links, view)
    expect(drawn.nodes).toEqual(['broker', 'c', 'd-rs'])
    expect(drawn.collapsed[0]?.members).toEqual(['a', 'b'])
    const sum = drawn.edges.find((edge) => edge.target === 'c' && edge.kind === EdgeKind.CALL)!
    expect(lookOf(sum, links).rps).toBe(40)
  })
})

it('draws edges as wide as the specification says', () => {
  expect(edgeWidth(0)).toBe(2)
  expect(edgeWidth(999)).toBe(5)
  expect(edgeWidth(1e9)).toBe(8)
})

describe('the fill of a node', () => {
  const dead = { state: ConnectionState.DEAD, health: HealthState.UNHEALTHY }
  const unknown = { state: ConnectionState.CONNECTION_UNKNOWN, health: HealthState.HEALTH_UNKNOWN }

  it('is red for who died, not for who was done', () => {
    expect(toneOf(dead, { state: ServiceState.BACKING_OFF })).toBe('unhealthy')
    expect(toneOf(dead, undefined)).toBe('unhealthy')
    expect(toneOf(dead, { state: ServiceState.COMPLETED })).toBe('healthy')
    expect(toneOf(dead, { state: ServiceState.STOPPED })).toBe('unknown')
  })

  it('is what the orchestrator knows where nobody gives signs of life', () => {
    expect(toneOf(unknown, { state: ServiceState.FAILED })).toBe('unhealthy')
    expect(toneOf(unknown, { state: ServiceState.WAITING })).toBe('starting')
    expect(toneOf(unknown, { state: ServiceState.HEALTHY })).toBe('healthy')
    expect(toneOf(unknown, undefined)).toBe('unknown')
  })
})
