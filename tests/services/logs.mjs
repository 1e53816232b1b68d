// LoggerService of the program itself, by grpc-js, grpcurl, curl and muster logs; killed and flooded.
//
//     node logs.mjs MUSTER DESCRIPTOR-SET GRPCURL
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clientOf, command, runCases, Runtime, sleep, until } from './runtime.mjs'

const [, , program, set, grpcurl] = process.argv
const runtime = new Runtime(program)
await runtime.start()
const connect = () => clientOf(runtime.address, set, 'runtime.v1.LoggerService')
let client = connect()

const entry = (service_name, message, more = {}) => ({ service_name, message, level: 'INFO', ...more })
const send = (...entries) => client.clientStream('StreamLogs', entries)
const collect = call => new Promise((done, fail) => {
  const messages = []
  call.on('data', message => messages.push(message))
  call.on('end', () => done(messages))
  call.on('error', fail)
})
const query = request => collect(client.serverStream('QueryLogs', request))
const texts = async filter => (await query({ filter })).map(one => one.message)
const muster = (...options) => command(program, ...options, '--address', runtime.url, '--data', runtime.data)

await runCases({
  'entries are taken, found and counted': async () => {
    const ack = await send(entry('calc', 'Calling Add(2,3)', { correlation_id: 'req-123' }),
      entry('broker', 'Lookup CalculatorService', { correlation_id: 'req-123' }),
      entry('calc', 'Timeout', { level: 'ERROR', attributes: { http: { status: 503 } } }),
      { message: 'of nobody' })
    assert.deepEqual(ack, { accepted: '3', rejected: '1', message: 'service_name is missing' })
    assert.deepEqual(await texts('corr:req-123'), ['Calling Add(2,3)', 'Lookup CalculatorService'])
    assert.deepEqual(await texts('service:calc @http.status>=500 timeout'), ['Timeout'])
    assert.deepEqual(await texts('/Add\\(\\d,/'), ['Calling Add(2,3)'])
    const histogram = await client.unary('GetLogHistogram', { query: { filter: 'service:calc' }, buckets: 4 })
    assert.equal(histogram.total, '2')
    assert.equal(histogram.buckets.length, 4)
    const { fields } = await client.unary('ListLogFields')
    assert.deepEqual(fields.find(one => one.name === '@http.status').values, ['503'])
  },

  'pages, in either order': async () => {
    await send(...Array.from({ length: 25 }, (_, i) => entry('pages', `page ${i}`)))
    const first = await query({ service_names: ['pages'], limit: 10, order: 'LOG_ORDER_NEWEST_FIRST' })
    assert.equal(first[0].message, 'page 24')
    const second = await query({ service_names: ['pages'], limit: 10, order: 'LOG_ORDER_NEWEST_FIRST', cursor: first[9].sequence })
    assert.equal(second[0].message, 'page 14')
    const forwards = await query({ service_names: ['pages'], limit: 3, cursor: second[9].sequence })
    assert.deepEqual(forwards.map(one => one.message), ['page 6', 'page 7', 'page 8'])
  },

  'a mistake in a filter has its column': async () => {
    await assert.rejects(query({ filter: 'calc servce:x' }), /column 6: no field 'servce'/)
    await assert.rejects(query({ regex: '(' }), /regex: missing \)/)
    assert.match(await muster('logs', 'level:loud'), /column 7: no such level/)
  },

  'a subscriber hears what comes': async () => {
    await send(entry('live', 'before'))
    const call = client.serverStream('SubscribeLogs', { filter: 'service:live', replay: 1 })
    const heard = []
    call.on('data', message => heard.push(message.message))
    await until(() => heard.length === 1, 'the replay')
    await send(entry('live', 'after'), entry('dead', 'nothing for it'))
    await until(() => heard.length === 2, 'the entry')
    assert.deepEqual(heard, ['before', 'after'])
    call.cancel()
  },

  'a subscriber that never reads holds nobody up': async () => {
    const asleep = client.serverStream('SubscribeLogs', { filter: 'service:flood' })
    const text = 'x'.repeat(1000)
    for (let round = 0; round < 20; round++)
      await send(...Array.from({ length: 1000 }, (_, i) => entry('flood', `${round} ${i} ${text}`)))
    assert.equal((await query({ service_names: ['flood'], limit: -1 })).length, 20000)
    asleep.cancel()
  },

  'grpcurl, curl and muster logs see the same': async () => {
    const rest = await command('curl', '-sS', `${runtime.url}/v1/logs?filter=corr:req-123`)
    assert.equal(JSON.parse(rest.split('\n')[0]).message, 'Calling Add(2,3)')
    const lines = `${JSON.stringify(entry('rest', 'one'))}\n${JSON.stringify(entry('rest', 'two'))}\n`
    const ack = await command('curl', '-sS', '-H', 'content-type: application/json', '--data-binary', lines, `${runtime.url}/v1/log-entries`)
    assert.equal(JSON.parse(ack).accepted, '2')
    const other = await command(grpcurl, '-plaintext', '-d', '{"service_names": ["rest"]}', runtime.address, 'runtime.v1.LoggerService/QueryLogs')
    assert.match(other, /"message": "one"[^]*"message": "two"/)
    assert.equal(await muster('logs', '--corr', 'req-123'), 'calc | Calling Add(2,3)\nbroker | Lookup CalculatorService\n')
    assert.equal(await muster('logs', 'rest', '-n', '1'), 'rest | two\n')
    assert.equal(JSON.parse(await muster('logs', 'calc', '--json', '--level', 'error')).message, 'Timeout')
  },

  'muster export packs it': async () => {
    const file = join(runtime.data, 'x.zip')
    assert.match(await muster('export', file), /log entries/)
    assert.ok(existsSync(file))
    rmSync(file)
  },

  'the runtime killed: what was acknowledged is there, and nothing twice': async () => {
    await send(...Array.from({ length: 500 }, (_, i) => entry('phoenix', `egg ${i}`)))
    const heard = []
    const listen = after => {
      const call = client.serverStream('SubscribeLogs', { filter: 'service:phoenix', after_sequence: after })
      call.on('data', message => heard.push(message))
      return call
    }
    const [before] = await query({ service_names: ['phoenix'], limit: 1 })
    listen(String(BigInt(before.sequence) - 1n))
    await until(() => heard.length === 500, 'all that were')
    await runtime.kill()
    await runtime.start()
    client.close()
    client = connect()
    assert.equal((await query({ service_names: ['phoenix'], limit: -1 })).length, 500)
    const call = listen(heard.at(-1).sequence)
    await sleep(50)
    await send(entry('phoenix', 'risen'))
    await until(() => heard.length === 501, 'the new one')
    assert.equal(heard.at(-1).message, 'risen')
    assert.equal(new Set(heard.map(one => one.sequence)).size, 501)
    call.cancel()
  },

  'output: each line once and in its order, whenever the runtime is killed; secrets hidden': async () => {
    const folder = mkdtempSync(join(tmpdir(), 'muster-project-'))
    writeFileSync(join(folder, 'muster.yaml'), `project: printing
services:
  ticker:
    command: 'i=0; while [ $i -lt 2000 ]; do echo "tick $i password=hunter2"; i=$((i+1)); [ $((i % 20)) != 0 ] || sleep 0.05; done; exec sleep 1000'
    logs: {mask: ['hunter[0-9]']}
`)
    const data = join(folder, '.muster')
    const inProject = (...options) => command(program, ...options, '--data', data)
    try {
      await command(program, 'up', '-d', '--quiet', '--file', join(folder, 'muster.yaml'), '--listen', '127.0.0.1:0')
      for (let kills = 0; kills < 3; kills++) {
        await sleep(1000)
        const pid = JSON.parse(await command('curl', '-sS', `${readFileSync(join(data, 'address'), 'utf8').trim()}/v1/runtime`)).pid
        process.kill(Number(pid), 'SIGKILL')
      }
      const lines = await until(async () => {
        const lines = (await inProject('logs', 'ticker', '-n', 'all')).trim().split('\n')
        return lines.at(-1).includes('tick 1999') && lines
      }, 'the last line', 40000)
      assert.deepEqual(lines, Array.from({ length: 2000 }, (_, i) => `ticker | tick ${i} password=*******`))
      const raw = await inProject('logs', 'ticker', '--raw')
      assert.equal(raw, Array.from({ length: 2000 }, (_, i) => `tick ${i} password=hunter2\n`).join(''))
    } finally {
      await inProject('down')
      rmSync(folder, { recursive: true, force: true })
    }
  },
})
