// What every client of another make is put through: a table of scenarios over
//
//     client.call(method, requests, {headers, timeoutMs, signal, onMessage})
//         → {messages, headers, trailers, error: null | {code, message, fields}}
//
// which never throws. `requests` is an array or an async iterable. `client.can` names what the
// client's protocol and platform allow: "client-stream", "duplex" (responses before the request
// has ended), "trailers". Runs in Node and in browsers.

const CANCELLED = 1, INVALID_ARGUMENT = 3, DEADLINE_EXCEEDED = 4, PERMISSION_DENIED = 7
const RESOURCE_EXHAUSTED = 8, OUT_OF_RANGE = 11, UNIMPLEMENTED = 12, UNAUTHENTICATED = 16

const pause = ms => new Promise(done => setTimeout(done, ms))
const bytes = size => Uint8Array.from({ length: size }, (_, i) => (i * 31) & 255)

function same(what, got, wanted) {
  const text = value => JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? Number(v) : v))
  if (text(got) !== text(wanted)) throw new Error(`${what}: got ${text(got)}, want ${text(wanted)}`)
}

function sameBytes(what, got, wanted) {
  if (got.length !== wanted.length || got.some((byte, i) => byte !== wanted[i]))
    throw new Error(`${what}: ${got.length} bytes differ from the ${wanted.length} sent`)
}

async function ok(client, method, requests, options) {
  const result = await client.call(method, requests, options)
  if (result.error) throw new Error(`${method}: ${JSON.stringify(result.error)}`)
  return result
}

async function fails(client, code, method, requests, options) {
  const result = await client.call(method, requests, options)
  same('code', result.error?.code, code)
  return result
}

async function stats(client) {
  return (await ok(client, 'GetStats', [{}])).messages[0]
}

// Until the server has seen what it is to see.
async function until(client, what, condition) {
  for (let i = 0; i < 100; i++) {
    if (condition(await stats(client))) return
    await pause(20)
  }
  throw new Error(`the server never saw ${what}`)
}

const base64 = data => btoa(String.fromCharCode(...data))

export const SCENARIOS = {
  async unary(client) {
    const { messages } = await ok(client, 'Unary', [{ text: 'grüße', payload: bytes(300) }])
    same('text', messages[0].text, 'grüße')
    sameBytes('payload', messages[0].payload, bytes(300))
  },
  async 'an empty message'(client) {
    same('count', (await ok(client, 'Unary', [{}])).messages.length, 1)
  },
  async metadata(client) {
    const binary = base64(Uint8Array.of(0, 255, 10, 13, 65))
    const headers = { 'x-echo-a': 'one, two', 'x-trailer-b': 'three', 'x-echo-c-bin': binary }
    const got = await ok(client, 'ServerStream', [{ count: 1 }], { headers })
    same('header', got.headers.get('x-echo-a'), 'one, two')
    same('binary', got.headers.get('x-echo-c-bin')?.replace(/=+$/, ''), binary.replace(/=+$/, ''))
    if (client.can.includes('trailers')) same('trailer', got.trailers.get('x-trailer-b'), 'three')
  },
  async 'an error with details'(client) {
    const failure = { code: INVALID_ARGUMENT, message: 'bäd, 100 %\n"', fields: ['a.b', 'c'] }
    const { error } = await fails(client, INVALID_ARGUMENT, 'Unary', [{ failure }])
    same('error', error, failure)
  },
  async 'every code'(client) {
    for (let code = 1; code <= 16; code++)
      await fails(client, code, 'Unary', [{ failure: { code, message: 'no' } }])
  },
  async 'a method that is not there'(client) {
    await fails(client, UNIMPLEMENTED, 'Missing', [{}])
  },
  async 'server streaming'(client) {
    const { messages } = await ok(client, 'ServerStream', [{ count: 50, size: 1000 }])
    same('indexes', messages.map(m => m.index), [...Array(50).keys()])
    same('size', messages[49].payload.length, 1000)
  },
  async 'an empty stream'(client) {
    same('messages', (await ok(client, 'ServerStream', [{}])).messages, [])
  },
  async 'an error after messages'(client) {
    const failure = { code: OUT_OF_RANGE, message: 'enough', fields: ['x'] }
    const got = await fails(client, OUT_OF_RANGE, 'ServerStream', [{ count: 3, delayMs: 10, failure }])
    if (!client.dropsBeforeError) same('messages', got.messages.length, 3)
    same('error', got.error, failure)
  },
  async 'a stream larger than every window'(client) {
    const { messages } = await ok(client, 'Flood', [{ count: 1000, size: 6000 }])
    same('messages', messages.length, 1000)
    same('order', messages[999].index, 999)
  },
  async 'client streaming'(client) {
    if (!client.can.includes('client-stream')) return
    const requests = Array.from({ length: 20 }, () => ({ payload: bytes(100) }))
    for (const method of ['ClientStream', 'RawStream']) {
      const { messages } = await ok(client, method, requests)
      same('count', messages[0].messages, 20)
      if (method === 'ClientStream') same('bytes', messages[0].bytes, 2000)
    }
  },
  async 'client streaming of nothing'(client) {
    if (!client.can.includes('client-stream')) return
    same('count', (await ok(client, 'ClientStream', [])).messages[0].messages, 0)
  },
  async 'both ways, in turns'(client) {
    if (!client.can.includes('duplex')) return
    let heard = 0, wake = () => {}
    const onMessage = () => { heard++; wake() }
    async function* requests() {
      for (let i = 0; i < 10; i++) {
        yield { text: String(i) }
        while (heard <= i) await new Promise(done => { wake = done })
      }
    }
    const { messages } = await ok(client, 'Bidi', requests(), { onMessage })
    same('texts', messages.map(m => m.text), [...'0123456789', '9'])
  },
  async 'an answer after the client has ended its side'(client) {
    if (!client.can.includes('client-stream')) return
    const { messages } = await ok(client, 'Bidi', [{ text: 'a' }, { text: 'b' }])
    same('texts', messages.map(m => m.text), ['a', 'b', 'b'])
  },
  async 'an error before the client has ended its side'(client) {
    if (!client.can.includes('duplex')) return
    async function* requests() {
      yield { failure: { code: OUT_OF_RANGE, message: 'stop', fields: [] } }
      await pause(20000)
    }
    await fails(client, OUT_OF_RANGE, 'Bidi', requests())
  },
  async 'a deadline that the server is told'(client) {
    const { messages } = await ok(client, 'Unary', [{}], { timeoutMs: 60000 })
    const left = Number(messages[0].timeoutMs)
    if (left < 50000 || left > 60000) throw new Error(`the server was told ${left} ms`)
  },
  async 'a deadline that passes'(client) {
    const before = await stats(client)
    for (const method of ['Unary', 'ServerStream'])
      await fails(client, DEADLINE_EXCEEDED, method, [{ count: 1, delayMs: 30000 }], { timeoutMs: 100 })
    await until(client, 'the calls end', now =>
      now.deadlineExceeded + now.cancelled >= before.deadlineExceeded + before.cancelled + 2n)
  },
  async cancellation(client) {
    const before = await stats(client)
    const controller = new AbortController()
    const onMessage = () => controller.abort()
    const options = { signal: controller.signal, onMessage }
    const got = await fails(client, CANCELLED, 'ServerStream', [{ count: 9999, delayMs: 20 }], options)
    if (got.messages.length > 3) throw new Error('it went on')
    await until(client, 'the cancellation', now => now.cancelled > before.cancelled)
  },
  async 'messages of 3 MB'(client) {
    const payload = new Uint8Array(3000000).fill(7)
    const { messages } = await ok(client, 'Unary', [{ payload }])
    sameBytes('payload', messages[0].payload, payload)
  },
  async 'a message that is too large'(client) {
    await fails(client, RESOURCE_EXHAUSTED, 'Unary', [{ payload: new Uint8Array(6000000) }])
    await ok(client, 'Unary', [{}])
  },
  async 'many calls at once'(client) {
    const one = async i => (await ok(client, 'Unary', [{ text: `${i}`, delayMs: i % 5 }])).messages[0].text
    same('texts', await Promise.all(Array.from({ length: 200 }, (_, i) => one(i))),
      Array.from({ length: 200 }, (_, i) => `${i}`))
  },
  async tokens(client, { tokens }) {
    const bearer = token => ({ headers: { authorization: `Bearer ${token}` } })
    await ok(client, 'NeedsReport', [{}])
    await fails(client, UNAUTHENTICATED, 'NeedsControl', [{}])
    await fails(client, UNAUTHENTICATED, 'NeedsControl', [{}], bearer('control.dGVzdA.AAAA'))
    await fails(client, PERMISSION_DENIED, 'NeedsControl', [{}], bearer(tokens.report))
    await ok(client, 'NeedsControl', [{}], bearer(tokens.control))
  },
}

// Runs the table; gives {passed, failures: [text]}.
export async function runScenarios(name, client, context) {
  const result = { passed: 0, failures: [] }
  for (const [title, run] of Object.entries(SCENARIOS)) {
    let timer
    const late = new Promise((_, no) => { timer = setTimeout(no, 30000, new Error('took 30 s')) })
    try {
      await Promise.race([run(client, context), late])
      result.passed++
    } catch (error) {
      result.failures.push(`${name}: ${title}: ${error.message}`)
    }
    clearTimeout(timer)
  }
  return result
}
