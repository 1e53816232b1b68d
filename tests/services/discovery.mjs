// BrokerService and HealthService of the program itself, by grpc-js. Faults are discovery.py's.
//
//     node discovery.mjs MUSTER DESCRIPTOR-SET GRPCURL
import assert from 'node:assert/strict'
import { clientOf, runCases, Runtime, until } from './runtime.mjs'

const [, , program, set] = process.argv
const NOT_FOUND = 5
const runtime = new Runtime(program)
await runtime.start()
const clientFor = service => clientOf(runtime.address, set, `runtime.v1.${service}`)
const topology = clientFor('TopologyService'), broker = clientFor('BrokerService'), health = clientFor('HealthService')
const register = async name => (await topology.unary('RegisterService', { service_name: name })).service_id
const refusal = promise => promise.then(() => assert.fail('it was not refused'), error => error)

await runCases({
  async 'offers are made, found, renewed and withdrawn'() {
    const service_id = await register('by-js')
    const { registration_id } = await broker.unary('RegisterInstance', { name: 'ByJs', address: '127.0.0.1:1', service_id, weight: 3 })
    const { instances } = await broker.unary('LookupService', { name: 'ByJs', role: 'server', policy: 'BALANCING_POLICY_LEAST_LOADED' })
    assert.deepEqual(instances.map(one => [one.registration_id, one.address, one.weight, one.service_name]),
      [[registration_id, '127.0.0.1:1', 3, 'by-js']])
    assert.equal((await broker.unary('RenewInstance', { registration_id })).expires_at_ms, '0')
    assert.equal((await broker.unary('ListInstances', { name: 'ByJs' })).instances.length, 1)
    assert.equal((await broker.unary('DeregisterInstance', { registration_id })).existed, true)
    assert.equal((await broker.unary('LookupService', { name: 'ByJs' })).instances.length, 0)
    const error = await refusal(broker.unary('RenewInstance', { registration_id }))
    assert.equal(error.code, NOT_FOUND)
    assert.match(error.details, /register it again/)
  },

  async 'a watch tells what comes and goes'() {
    const told = []
    const call = broker.serverStream('WatchService', { name: 'Watched' })
    call.on('data', message => told.push(message.instances.map(one => one.address).join()))
    await until(() => told.length === 1, 'the beginning')
    const service_id = await register('watched-js')
    await broker.unary('RegisterInstance', { name: 'Watched', address: '127.0.0.1:2', service_id })
    await until(() => told.at(-1) === '127.0.0.1:2', 'it comes')
    await topology.unary('UnregisterService', { service_id })
    await until(() => told.at(-1) === '', 'it goes')
    call.cancel()
  },

  async 'health is reported, asked for and watched'() {
    const service_id = await register('patient-js')
    const events = []
    const call = health.serverStream('WatchHealth')
    call.on('data', event => event.status.service_name === 'patient-js' && events.push(event))
    await until(() => events.length === 1, 'the present state')
    assert.equal(events[0].initial, true)
    const ack = await health.clientStream('ReportHealth',
      [{ service_id, state: 'DEGRADED', message: 'slow' }, { service_id: 'nobody', state: 'HEALTHY' }])
    assert.deepEqual([ack.accepted, ack.rejected], ['1', '1'])
    await until(() => events.at(-1).status.state === 'DEGRADED', 'the change')
    assert.equal(events.at(-1).previous_state, 'HEALTHY')
    assert.equal((await health.unary('CheckHealth', { service_name: 'patient-js' })).message, 'slow')
    const { histories } = await health.unary('GetHealthHistory', { service_name: 'patient-js', resolution: 'HEALTH_RESOLUTION_HOUR' })
    assert.equal(histories[0].incidents[0].message, 'slow')
    assert.equal(histories[0].summaries.at(-1).last_state, 'DEGRADED')
    const { statistics } = await health.unary('ListHeartbeats', { service_name: 'patient-js', include_instances: true })
    assert.deepEqual(statistics.map(one => one.service_id), ['', service_id])
    call.cancel()
    assert.equal((await refusal(health.unary('CheckHealth', { service_name: 'nobody' }))).code, NOT_FOUND)
  },
})
