// muster call and muster describe against our own server and against servers nobody here wrote:
//
//     node commands.mjs MUSTER ECHO-SET GRPC-GO LEGACY-SET
//
// Ends with `N passed, N failed`.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const [, , muster, echoSet, grpcGo, legacySet] = process.argv.map((path, i) => (i > 1 ? resolve(path) : path))
const work = mkdtempSync(join(tmpdir(), 'muster-'))
const running = []

// ---- programs ----

// Starts a server; its first line of output.
async function start(program, args, options = {}) {
  const child = spawn(program, args, { cwd: work, stdio: ['pipe', 'pipe', 'inherit'], ...options })
  running.push(child)
  for await (const line of createInterface({ input: child.stdout })) return line
  throw new Error(`${program} ended without a word`)
}

// Runs muster to its end.
function run(args, { stdin = '', cwd = work, env = {}, interrupt } = {}) {
  return new Promise(done => {
    const child = spawn(muster, args, { cwd, env: { ...process.env, NO_COLOR: '1', ...env }, timeout: 20000, killSignal: 'SIGKILL' })
    let out = '', err = ''
    child.stdout.on('data', data => {
      out += data
      if (interrupt) child.kill('SIGINT')
    })
    child.stderr.on('data', data => (err += data))
    child.stdin.on('error', () => {})
    child.stdin.end(stdin)
    child.on('close', code => done({ code, out, err, json: () => out.trim().split('\n').map(line => JSON.parse(line)) }))
  })
}

const done = async (args, options) => {
  const result = await run(args, options)
  assert.equal(result.code, 0, `${args.join(' ')}: ${result.err}`)
  return result
}
const fails = async (code, pattern, args, options) => {
  const result = await run(args, options)
  assert.equal(result.code, code, `${args.join(' ')}: ${result.err || result.out}`)
  assert.match(result.err, pattern)
  return result
}

// ---- tests ----

let passed = 0, failed = 0
async function test(name, body) {
  try {
    await body()
    passed++
  } catch (error) {
    failed++
    console.log(`not ok: ${name}\n${error.stack}`)
  }
}

async function testOwn() {
  const url = (await start(muster, ['serve', '--quiet', '--listen', '127.0.0.1:0', '--listen', `unix:${work}/socket`])).replace('listening on ', '')
  const check = 'grpc.health.v1.Health/Check'
  const serving = { status: 'SERVING' }

  await test('the running runtime, from a folder below, in every protocol', async () => {
    mkdirSync(join(work, 'a/b'), { recursive: true })
    for (const protocol of ['grpc', 'grpc-web', 'connect'])
      assert.deepEqual((await done(['call', '--protocol', protocol, '.', 'Health/Check'], { cwd: join(work, 'a/b') })).json(), [serving])
    assert.deepEqual((await done(['call', '.', 'Health/Check'], { cwd: '/', env: { MUSTER_ADDRESS: url } })).json(), [serving])
    assert.deepEqual((await done(['call', '--data', join(work, '.muster'), '.', check], { cwd: '/' })).json(), [serving])
  })
  await test('addresses', async () => {
    for (const address of [url, `${url}/`, url.replace('http://', ''), url.replace('127.0.0.1', 'localhost'), `unix:${work}/socket`])
      assert.deepEqual((await done(['call', address, check])).json(), [serving])
    await fails(2, /^muster: not an address: nonsense/, ['call', 'nonsense', check])
    await fails(3, /^muster: UNAVAILABLE: .*no such host/, ['call', 'nowhere.invalid:80', check])
    await fails(3, /^muster: UNAVAILABLE: 127.0.0.1:1: cannot connect .*refused/, ['call', '127.0.0.1:1', check])
    await fails(3, /^muster: no runtime is running: .*muster serve/, ['call', '.', check], { cwd: '/' })
  })
  await test('names that nearly fit', async () => {
    await fails(3, /did you mean 'Check'/, ['call', url, 'Health/Chek'])
    await fails(3, /did you mean 'Health'/, ['call', url, 'Helth/Check'])
    await fails(3, /did you mean 'grpc.health.v1.Health'/, ['describe', url, 'grpc.health.v1.Heath'])
    await fails(2, /not a method/, ['call', url, 'Health'])
    await fails(2, /did you mean 'service'.*muster describe/, ['call', url, check, '{"servce":"x"}'])
  })
  await test('how calls end', async () => {
    await fails(1, /^muster: NOT_FOUND: grpc.health.v1.Health\/Check: /, ['call', url, check, '{"service":"nobody"}'])
    const timed = await fails(4, /^muster: DEADLINE_EXCEEDED: /, ['call', '--timeout', '300ms', url, 'Health/Watch'])
    assert.deepEqual(timed.json(), [serving])
    assert.equal((await run(['call', url, 'Health/Watch'], { interrupt: true })).code, 130)
    await fails(2, /too many requests/, ['call', url, check, '{}', '{}'])
    await fails(2, /--timeout soon/, ['call', '--timeout', 'soon', url, check])
    await fails(2, /no such file|No such file/, ['call', url, check, '@nothing.json'])
    await fails(2, /-H 'te: x'/, ['call', '-H', 'te: x', url, check])
  })
  await test('requests from a file and from stdin', async () => {
    const info = 'grpc.reflection.v1.ServerReflection/ServerReflectionInfo'
    const text = '{"list_services":"*"}{\n  "file_by_filename":"}\\"{"\n}\n\n{"list_services":"*"}'
    writeFileSync(join(work, 'requests.json'), text)
    for (const [argument, stdin] of [['-', text], ['@requests.json', '']]) {
      const answers = (await done(['call', url, info, argument], { stdin })).json()
      assert.deepEqual(answers.map(one => Object.keys(one)[1]), ['list_services_response', 'error_response', 'list_services_response'])
    }
  })
  await test('describe', async () => {
    assert.match((await done(['describe', url])).out, /service Health \{\n {2}rpc Check\(HealthCheckRequest\) returns/)
    assert.match((await done(['describe', url, 'HealthCheckResponse'])).out, /enum ServingStatus \{\n {4}UNKNOWN = 0;/)
    assert.match((await done(['describe', url, 'Health/Watch'])).out, /rpc Watch.*stream HealthCheckResponse[^]*message HealthCheckRequest/)
    assert.equal((await done(['describe', '--json', url, 'HealthCheckRequest'])).json()[0].field[0].name, 'service')
    assert.ok((await done(['describe', '--json', url])).json()[0].file.length >= 3)
  })
}

async function testTls() {
  const cert = join(work, 'cert.pem'), key = join(work, 'key.pem')
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const serve = ['serve', '--quiet', '--listen', '127.0.0.1:0', '--tls-cert', cert, '--tls-key', key]
  const url = (await start(muster, [...serve, '--data', 'tls'])).replace('listening on ', '').replace('127.0.0.1', 'localhost')
  const closed = (await start(muster, [...serve, '--data', 'mtls', '--tls-client-ca', cert])).replace('listening on ', '').replace('127.0.0.1', 'localhost')

  await test('TLS', async () => {
    for (const protocol of ['grpc', 'grpc-web', 'connect'])
      await done(['call', '--protocol', protocol, '--cacert', cert, url, 'Health/Check'])
    await done(['call', '--cacert', cert, url.replace('https://', ''), 'Health/Check'])
    await done(['call', '--insecure', url, 'Health/Check'])
    await fails(3, /^muster: UNAVAILABLE: .*TLS: self-signed certificate/, ['call', url, 'Health/Check'])
    await fails(3, /^muster: UNAVAILABLE: .*TLS: IP address mismatch/i, ['call', '--cacert', cert, url.replace('localhost', '127.0.0.1'), 'Health/Check'])
    await fails(2, /--cert and --key/, ['call', '--cert', cert, url, 'Health/Check'])
  })
  await test('client certificates', async () => {
    await done(['call', '--cacert', cert, '--cert', cert, '--key', key, closed, 'Health/Check'])
    await fails(3, /^muster: UNAVAILABLE/, ['call', '--cacert', cert, closed, 'Health/Check'])
  })
}

async function testGrpcGo(version) {
  const address = await start(grpcGo, [legacySet, version])
  const label = name => `grpc-go, reflection ${version}: ${name}`

  await test(label('describe a proto2 schema'), async () => {
    const text = (await done(['describe', address, 'legacy.v1.Order'])).out
    for (const line of ['// What somebody wants.\nmessage Order {', '  // Which one.\n  required string id = 1;', 'optional int32 amount = 2 [default = 7];', 'optional Kind kind = 3 [default = LARGE];',
      'repeated group Line = 4 {\n    optional string item = 5;', 'map<string, int64> stock = 8;', 'oneof paid {\n    string card = 9;',
      'reserved 20 to 29;', 'extensions 100 to 199;'])
      assert.ok(text.includes(line), `${line}\nin\n${text}`)
    assert.equal((await done(['describe', '--descriptor-set', legacySet, address, 'Order'])).out, text)
    assert.match((await done(['describe', address, 'Shop'])).out, /rpc Chat\(stream Order\) returns \(stream Receipt\);/)
  })
  await test(label('every kind of call'), async () => {
    const order = { id: 'a', line: [{ item: 'tea', price: 1.5 }], stock: { x: '5' }, card: 'c' }
    assert.deepEqual((await done(['call', address, 'Shop/Place', JSON.stringify(order)])).json(), [{ order, count: 1 }])
    assert.equal((await done(['call', address, 'Shop/List', '{"id":"a","amount":3}'])).json().length, 3)
    assert.equal((await done(['call', address, 'Shop/Fill', '{"id":"a"}', '{"id":"b"}'])).json()[0].count, 2)
    assert.equal((await done(['call', address, 'Shop/Fill', '-'], { stdin: '{"id":"a"}\n'.repeat(500) })).json()[0].count, 500)
    const chat = (await done(['call', address, 'Shop/Chat', '-'], { stdin: '{"id":"a"}\n{"id":"b"}\n' })).json()
    assert.deepEqual(chat.map(one => one.order.id), ['a', 'b'])
  })
  await test(label('errors and metadata'), async () => {
    const refused = await fails(1, /^muster: INVALID_ARGUMENT: legacy.v1.Shop\/Place: that is less than nothing$/m,
      ['call', '-v', '-H', 'x-tag: one', '-H', 'x-raw-bin: AQID', address, 'Shop/Place', '{"id":"a","amount":-1}'])
    assert.deepEqual(JSON.parse(refused.err.trim().split('\n').at(-1)), {
      '@type': 'type.googleapis.com/google.rpc.BadRequest',
      field_violations: [{ field: 'amount', description: 'must not be negative' }] })
    assert.match(refused.err, /^< x-tag: one$[^]*^< x-raw-bin: AQID$/m)
    await fails(2, /required|missing/i, ['call', address, 'Shop/Place', '{}'])
  })
}

async function testEcho(label, address, { bidi = true, protocol = 'grpc' } = {}) {
  const call = (method, ...rest) => ['call', '--protocol', protocol, '--descriptor-set', echoSet, address, `Calls/${method}`, ...rest]

  await test(`${label}: every kind of call`, async () => {
    const [one] = (await done(call('Unary', '{"text":"hé","payload":"AQI="}'))).json()
    assert.deepEqual([one.text, one.payload], ['hé', 'AQI='])
    assert.equal((await done(call('Get', '{"text":"x"}'))).json()[0].text, 'x')
    assert.equal((await done(call('ServerStream', '{"count":20,"delay_ms":1}'))).json().length, 20)
    assert.equal((await done(call('ClientStream', '{}', '{}', '{}'))).json()[0].messages, 3)
    if (!bidi) return
    const chat = (await done(call('Bidi', '-'), { stdin: '{"text":"a"}{"text":"b"}' })).json()
    assert.deepEqual(chat.map(one => one.text), ['a', 'b'])
  })
  await test(`${label}: failures`, async () => {
    const failure = { code: 9, message: '50 % – not now', fields: ['payload'] }
    for (const method of ['Unary', 'ServerStream', ...(bidi ? ['Bidi'] : [])]) {
      const result = await fails(1, /^muster: FAILED_PRECONDITION: echo.v1.Calls\/\w+: 50 % – not now$/m,
        call(method, '-v', '-H', 'x-tag: one', JSON.stringify({ failure })))
      assert.match(result.err, /"field_violations":\[\{"field":"payload"/)
      assert.match(result.err, /^< x-tag: one$/m)
    }
    await fails(4, /DEADLINE_EXCEEDED/, call('Unary', '--timeout', '300ms', '{"delay_ms":3000}'))
    await fails(1, /UNIMPLEMENTED/, call('Missing'))
  })
}

try {
  await testOwn()
  await testTls()
  await testGrpcGo('v1')
  await testGrpcGo('v1alpha')
  const here = dirname(fileURLToPath(import.meta.url))
  // connect-node refuses calls that stream both ways over HTTP/1.1.
  const ports = JSON.parse(await start(process.execPath, [join(here, 'node_servers.mjs'), echoSet]))
  await testEcho('grpc-js', `127.0.0.1:${ports.grpcJs}`)
  await testEcho('connect-node, Connect over HTTP/1.1', `127.0.0.1:${ports.connectHttp1}`, { bidi: false, protocol: 'connect' })
  await testEcho('connect-node, gRPC-Web over HTTP/1.1', `127.0.0.1:${ports.connectHttp1}`, { bidi: false, protocol: 'grpc-web' })
  await testEcho('connect-node, gRPC', `127.0.0.1:${ports.connectHttp2}`)
} finally {
  for (const child of running) child.kill()
  rmSync(work, { recursive: true, force: true })
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
