// TopologyService of the program itself, by grpc-js, grpcurl and curl; and what goes wrong in the field.
//
//     node topology.mjs MUSTER DESCRIPTOR-SET GRPCURL
import assert from 'node:assert/strict'
import { clientOf, command, runCases, Runtime, sleep, until } from './runtime.mjs'

const [, , program, set, grpcurl] = process.argv
const runtime = new Runtime(program)
await runtime.start()
const connect = () => clientOf(runtime.address, set, 'runtime.v1.TopologyService')
let client = connect()

const curl = async (path, ...options) => {
  const text = await command('curl', '-sS', `${runtime.url}${path}`, ...options)
  return text.trim().split('\n').map(line => JSON.parse(line))
}
const grpcurlCall = (method, data) =>
  command(grpcurl, '-plaintext', '-d', data, runtime.address, `runtime.v1.TopologyService/${method}`)
const register = (name, more = {}) => client.unary('RegisterService', { service_name: name, ...more })
const unregister = handle => client.unary('UnregisterService', { service_id: handle.service_id })
const called = (id, target, more = {}) =>
  ({ service_id: id, target_service: target, type: 'RESPONSE_RECEIVED', latency_us: '1500', method: 'Add', ...more })
const node = async name =>
  (await client.unary('GetTopology', { service_names: [name] })).nodes[0]

// Keeps a graph as WatchTopology tells it.
class Viewer {
  nodes = new Map()
  edges = new Map()
  states = [] // of nodes, in the order in which they were told
  updates = 0
  resets = 0

  watch(query = {}) {
    this.call = client.serverStream('WatchTopology', query)
    this.call.on('data', update => this.hear(update))
    return this
  }

  hear(update) {
    this.updates++
    if (update.reset) {
      this.resets++
      this.nodes.clear()
      this.edges.clear()
    }
    for (const name of update.removed_nodes) this.nodes.delete(name)
    for (const edge of update.removed_edges) this.edges.delete(`${edge.source}>${edge.target}`)
    for (const one of update.nodes) {
      this.nodes.set(one.service_name, one)
      this.states.push(`${one.service_name} ${one.state}`)
    }
    for (const one of update.edges) this.edges.set(`${one.source}>${one.target}`, one)
    if (!update.more) this.revision = update.revision
  }

  stop() { this.call.cancel() }
}

// Beats for a service every `ms` until it is told to stop.
function beating(handles, ms) {
  const call = client.bidi('Heartbeat')
  const answers = []
  let sequence = 0
  call.on('data', answer => answers.push(answer))
  const beat = () => {
    sequence++
    for (const handle of handles) call.write({ service_id: handle.service_id, sequence: String(sequence) })
  }
  beat()
  const timer = setInterval(beat, ms)
  return { answers, call, stop: () => { clearInterval(timer); call.end() } }
}

await runCases({
  'curl: registers, beats, reports, asks, unregisters': async () => {
    const json = body => ['-d', typeof body === 'string' ? body : JSON.stringify(body)]
    const [client] = await curl('/v1/registrations', ...json({ service_name: 'rest-client', service_type: 'CLIENT' }))
    const [server] = await curl('/v1/registrations', ...json({ service_name: 'rest-server' }))
    assert.match(client.service_id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.equal(client.heartbeat_interval_ms, 5000)
    const [beat, unknown] = await curl('/v1/heartbeats', ...json(
      `{"service_id":"${client.service_id}","sequence":7,"metrics":{"cpu_percent":12.5}}\n{"service_id":"nobody","sequence":8}\n`))
    assert.deepEqual([beat.acknowledged, beat.sequence], [true, '7'])
    assert.equal(unknown.acknowledged, false)
    assert.match(unknown.message, /RegisterService/)
    const [ack] = await curl('/v1/activities', ...json(JSON.stringify(called(client.service_id, 'rest-server')) + '\n'))
    assert.equal(ack.accepted, '1')
    const [graph] = await curl('/v1/topology?service_names=rest-client&depth=1&include_instances=true')
    assert.deepEqual(graph.nodes.map(one => [one.service_name, one.state]), [['rest-client', 'ACTIVE'], ['rest-server', 'ACTIVE']])
    assert.equal(graph.nodes[0].metrics.cpu_percent, 12.5)
    assert.equal(graph.edges[0].state, 'ACTIVE')
    assert.equal(graph.instances.length, 2)
    const [edge] = await curl('/v1/topology/edges/rest-client/rest-server')
    assert.equal(edge.methods[0].method, 'Add')
    assert.equal(edge.requests.length, 1)
    const [series] = await curl('/v1/topology/edges/rest-client/rest-server/series')
    assert.equal(series.step_ms, 1000)
    const [missing] = await curl('/v1/topology/edges/rest-client/nobody')
    assert.match(missing.message, /no edge from "rest-client" to "nobody"/)
    const [gone] = await curl(`/v1/registrations/${client.service_id}`, '-X', 'DELETE')
    assert.equal(gone.success, true)
    const [again] = await curl(`/v1/registrations/${client.service_id}`, '-X', 'DELETE')
    assert.equal(again.success, false)
    await curl(`/v1/registrations/${server.service_id}`, '-X', 'DELETE')
    assert.deepEqual((await curl('/v1/topology?service_names=rest-server'))[0].nodes, [])
  },

  'grpcurl: lists, registers, beats, asks': async () => {
    assert.match(await command(grpcurl, '-plaintext', runtime.address, 'list', 'runtime.v1.TopologyService'), /WatchTopology/)
    const { serviceId } = JSON.parse(await grpcurlCall('RegisterService', '{"service_name":"g","language":"GO"}'))
    assert.match(await grpcurlCall('Heartbeat', `{"service_id":"${serviceId}","sequence":1}{"service_id":"x"}`),
      /"acknowledged": true[^]*"message": "this service_id is not registered/)
    assert.match(await grpcurlCall('GetTopology', '{"languages":["GO"]}'), /"serviceName": "g"/)
    assert.match(await grpcurlCall('RegisterService', '{}'), /InvalidArgument[^]*service_name is empty/)
    assert.match(await grpcurlCall('WatchTopology', '{"min_interval_ms":5}'), /InvalidArgument[^]*min_interval_ms/)
    assert.match(await grpcurlCall('GetTopologySeries', '{"service_name":"nobody"}'), /NotFound[^]*no node "nobody"/)
    assert.match(await grpcurlCall('UnregisterService', `{"service_id":"${serviceId}"}`), /"success": true/)
  },

  'grpc-js: what happens is told as it happens': async () => {
    const viewer = new Viewer().watch({ min_interval_ms: 100 })
    await until(() => viewer.resets, 'a snapshot')
    const a = await register('a', { service_type: 'CLIENT' }), b = await register('b')
    await until(() => viewer.nodes.get('a')?.state === 'REGISTERED' && viewer.nodes.has('b'), 'two nodes')
    await client.clientStream('ReportActivity', [called(a.service_id, 'b'), called(a.service_id, 'b', { success: false })])
    await until(() => viewer.edges.get('a>b')?.state === 'ACTIVE' && viewer.nodes.get('b').state === 'ACTIVE', 'an edge')
    await until(() => viewer.edges.get('a>b').request_count === '2' && viewer.edges.get('a>b').error_rate === 0.5, 'figures')
    await unregister(b)
    await until(() => !viewer.nodes.has('b') && !viewer.edges.has('a>b'), 'nothing but a')
    viewer.stop()

    // resumed: what has changed, and no more
    await register('c')
    const resumed = new Viewer()
    resumed.nodes.set('kept', {})
    resumed.watch({ min_interval_ms: 100, resume_after: viewer.revision })
    await until(() => resumed.nodes.has('c'), 'c')
    assert.equal(resumed.resets, 0)
    assert.ok(resumed.nodes.has('kept') && !resumed.nodes.has('b'))
    resumed.stop()
    await unregister(a)
  },

  'grpc-js: one that is known gets its id back': async () => {
    const first = await register('twin', { instance_id: 'twin-1' })
    const second = await register('twin', { instance_id: 'twin-1', version: '2' })
    assert.equal(first.service_id, second.service_id)
    await register('twin', { instance_id: 'twin-2' })
    const { instance_count, version } = await node('twin')
    assert.deepEqual([instance_count, version], [2, ''])
    await assert.rejects(register('other', { instance_id: 'twin-1' }), /belongs to the service twin/)
  },

  'a client that ceases to beat but stays connected': async () => {
    const viewer = new Viewer().watch()
    const quick = { heartbeat_interval_ms: 300, timeout_multiplier: 4 }
    const silent = await register('silent', quick), alive = await register('alive', quick)
    const both = beating([silent, alive], 200)
    await sleep(600)
    both.stop()
    const one = beating([alive], 200) // over the same connection
    await until(() => viewer.states.includes('silent STALE'), 'STALE')
    await until(() => viewer.states.includes('silent STALE') && !viewer.nodes.has('silent'), 'gone')
    assert.equal(viewer.nodes.get('alive').state, 'REGISTERED')
    assert.ok(!viewer.states.includes('alive STALE'))
    const late = beating([silent], 1000)
    await until(() => late.answers.length, 'an answer')
    assert.equal(late.answers[0].acknowledged, false)
    late.stop()
    one.stop()
    viewer.stop()
  },

  'the runtime stopped and continued calls nobody stale': async () => {
    const viewer = new Viewer().watch()
    const handle = await register('patient', { heartbeat_interval_ms: 400 })
    const beats = beating([handle], 200)
    await until(() => viewer.nodes.has('patient'), 'a node')
    runtime.signal('SIGSTOP')
    await sleep(4000)
    runtime.signal('SIGCONT')
    await sleep(1500)
    assert.ok(!viewer.states.some(one => /^patient (STALE|DEAD)/.test(one)), viewer.states.join())
    assert.ok(viewer.nodes.has('patient'))
    beats.stop()
    viewer.stop()
  },

  'a hundred thousand names from one client': async () => {
    const flood = await register('flood')
    const names = function* () { for (let i = 0; i < 100000; i++) yield called(flood.service_id, `name-${i}`) }
    const ack = await client.clientStream('ReportActivity', names())
    assert.deepEqual([ack.accepted, ack.rejected], ['1000', '99000'])
    assert.match(ack.message, /more than 1000 distinct targets of flood: report names of services/)
    await unregister(flood)
    assert.equal(await node('name-5'), undefined)
  },

  'a watcher that never reads holds nobody up': async () => {
    const asleep = client.serverStream('WatchTopology', { min_interval_ms: 100, include_instances: true })
    asleep.pause()
    const viewer = new Viewer().watch({ min_interval_ms: 100, include_instances: true })
    const from = await register('from', { version: 'v'.repeat(1000) })
    const reports = client
    for (let round = 0; round < 10; round++) {
      await reports.clientStream('ReportActivity',
        Array.from({ length: 900 }, (_, i) => called(from.service_id, `to-${i}`, { method: `method-${'m'.repeat(200)}` })))
      await sleep(100)
    }
    const marker = await register('marker')
    await until(() => viewer.nodes.has('marker'), 'the marker', 2000)
    asleep.cancel()
    viewer.stop()
    await unregister(marker)
    await unregister(from)
  },

  'the runtime killed: who registers again is one node': async () => {
    const before = await register('phoenix', { instance_id: 'phoenix-1' })
    await runtime.kill()
    await runtime.start()
    client.close()
    client = connect()
    const beats = beating([before], 1000)
    await until(() => beats.answers.length, 'an answer')
    assert.equal(beats.answers[0].acknowledged, false)
    beats.stop()
    await register('phoenix', { instance_id: 'phoenix-1' })
    await register('phoenix', { instance_id: 'phoenix-1' })
    assert.equal((await node('phoenix')).instance_count, 1)
    const graph = await client.unary('GetTopology')
    assert.equal(graph.nodes.length, 1)
  },
})
