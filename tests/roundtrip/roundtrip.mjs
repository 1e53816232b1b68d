// Random messages of every type of runtime.v1 travel between our codec and @bufbuild/protobuf, in
// binary and in JSON, and must be the same at the end.
//
//     node roundtrip.mjs DESCRIPTOR_SET PEER [ARGUMENT…]
//
// PEER is peer.c. MESSAGES=100 and SEED=1 may be given by the environment. Prints what went wrong,
// a line for each type, and `N passed, N failed`: a type is a case.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { createFileRegistry, fromBinary, fromJsonString, toBinary, toJsonString } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { dice, randomMessage } from './random_message.mjs'

const JSON_INPUT = 1
const PROTO_NAMES = 2
const EMIT_DEFAULTS = 4

const UNKNOWN_FIELD = Uint8Array.of(0x80, 0xea, 0x30, 0x01) // 100000: 1

const [set, program, ...args] = process.argv.slice(2)
const count = Number(process.env.MESSAGES ?? 100)
const seed = Number(process.env.SEED ?? 1)

/** The program at the other end: `ask` sends a message and gives what it says. */
class Peer {
  #waiting = []
  #received = Buffer.alloc(0)

  constructor(program, args) {
    this.process = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.process.stdout.on('data', (bytes) => this.#receive(bytes))
    this.ended = new Promise((resolve) => this.process.on('close', resolve))
    this.ended.then((status) => this.#waiting.forEach(({ reject }) => reject(Error(`the peer ended with ${status}`))))
  }

  /** Gives {binary, json}; throws what the peer found wrong with the message. */
  ask(schema, flags, message) {
    const name = Buffer.from(schema.typeName)
    const head = Buffer.alloc(6)
    head.writeUInt32BE(2 + name.length + message.length)
    head[4] = flags
    head[5] = name.length
    this.process.stdin.write(Buffer.concat([head, name, message]))
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  end() {
    this.process.stdin.end()
    return this.ended
  }

  #receive(bytes) {
    this.#received = Buffer.concat([this.#received, bytes])
    while (this.#received.length >= 4) {
      const end = 4 + this.#received.readUInt32BE()
      if (this.#received.length < end) return
      this.#answer(this.#received.subarray(4, end))
      this.#received = this.#received.subarray(end)
    }
  }

  #answer(answer) {
    const { resolve, reject } = this.#waiting.shift()
    if (answer[0] !== 0) return reject(Error(answer.toString('utf8', 1)))
    const json = 5 + answer.readUInt32BE(1)
    resolve({ binary: Uint8Array.from(answer.subarray(5, json)), json: answer.toString('utf8', json) })
  }
}

/** theirs → ours → theirs → ours, by each form; throws where a message has changed. */
async function roundTrip(peer, schema, message, flags) {
  const json = { registry, useProtoFieldName: (flags & PROTO_NAMES) !== 0 }
  const ours = [
    ['binary', await peer.ask(schema, flags, toBinary(schema, message))],
    ['JSON', await peer.ask(schema, flags | JSON_INPUT, Buffer.from(toJsonString(schema, message, json)))],
  ]
  for (const [form, answer] of ours) {
    expect(isDeepStrictEqual(fromBinary(schema, answer.binary), message), `${form} read, binary written`)
    expect(isDeepStrictEqual(readJson(schema, answer.json), message), `${form} read, JSON written`)
  }
  const [[, first]] = ours
  const again = [
    await peer.ask(schema, 0, toBinary(schema, fromBinary(schema, first.binary))),
    await peer.ask(schema, JSON_INPUT, Buffer.from(toJsonString(schema, readJson(schema, first.json), json))),
  ]
  for (const answer of again) expect(isDeepStrictEqual(answer.binary, first.binary), 'ours, read by them and by us again')

  const more = Buffer.concat([first.binary, UNKNOWN_FIELD])
  const kept = await peer.ask(schema, 0, more)
  expect(more.equals(kept.binary), 'a field that the type does not have')
}

/** A float that they read from JSON keeps the digits of a double until it is written in binary. */
function readJson(schema, text) {
  return fromBinary(schema, toBinary(schema, fromJsonString(schema, text, { registry })))
}

function expect(holds, what) {
  if (!holds) throw Error(`changed: ${what}`)
}

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(set)))
const types = [...registry].filter((type) => type.kind === 'message' && type.file.proto.package === 'runtime.v1')
const peer = new Peer(program, args)
const roll = dice(seed)
let failed = 0
for (const schema of types) {
  let message
  try {
    for (let i = 0; i < count; i++) {
      message = randomMessage(schema, roll).message
      await roundTrip(peer, schema, message, roll(2) * PROTO_NAMES + roll(2) * EMIT_DEFAULTS)
    }
  } catch (error) {
    failed++
    console.log(`${schema.typeName}: ${error.message}`)
    console.log(`    ${toJsonString(schema, message, { registry })}`)
    console.log(`    ${Buffer.from(toBinary(schema, message)).toString('hex')}`)
  }
}
const status = await peer.end()
if (status !== 0) failed++
console.log(`${types.length} types, ${count} messages each, seed ${seed}`)
console.log(`${types.length - failed} passed, ${failed} failed`)
process.exitCode = failed ? 1 : 0
