// A runtime as a child of a test in Node, and grpc-js calls to it by the contract's own messages.
import { create, createFileRegistry, fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import * as grpc from '@grpc/grpc-js'
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export const sleep = ms => new Promise(done => setTimeout(done, ms))

// Waits until `holds` gives something, which it gives back.
export async function until(holds, what, ms = 5000) {
  for (const end = Date.now() + ms; ;) {
    const value = await holds()
    if (value) return value
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`)
    await sleep(10)
  }
}

// Starts `muster serve`; start() again after kill() listens at the same address.
export class Runtime {
  constructor(program) {
    this.program = program
    this.data = mkdtempSync(join(tmpdir(), 'muster-'))
    this.address = '127.0.0.1:0'
    process.on('exit', () => { this.child?.kill('SIGKILL'); rmSync(this.data, { recursive: true, force: true }) })
  }

  async start() {
    this.child = spawn(this.program, ['serve', '--quiet', '--listen', this.address, '--data', this.data],
      { stdio: ['ignore', 'pipe', 'inherit'] })
    this.ended = new Promise(done => this.child.on('exit', (code, signal) => done(signal ?? code)))
    const line = await new Promise(done => createInterface(this.child.stdout).once('line', done))
    this.address = line.replace(/.*http:\/\//, '')
    this.url = `http://${this.address}`
  }

  signal(name) { this.child.kill(name) }

  async kill() {
    this.child.kill('SIGKILL')
    await this.ended
  }
}

// Methods of one service, with messages as JSON objects of the protos' own field names.
export function clientOf(address, set, serviceName) {
  const types = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(set)))
  const service = types.getService(serviceName)
  const channel = new grpc.Client(address, grpc.credentials.createInsecure())
  const options = { registry: types }
  const of = name => {
    const method = service.methods.find(one => one.name === name)
    return {
      path: `/${service.typeName}/${name}`,
      encode: message => Buffer.from(toBinary(method.input, fromJson(method.input, message, options))),
      decode: bytes => toJson(method.output, fromBinary(method.output, bytes),
        { ...options, useProtoFieldName: true, alwaysEmitImplicit: true }),
    }
  }
  return {
    unary: (name, message = {}) => new Promise((done, fail) => {
      const { path, encode, decode } = of(name)
      channel.makeUnaryRequest(path, encode, decode, message, (error, answer) => error ? fail(error) : done(answer))
    }),
    clientStream: (name, messages) => new Promise((done, fail) => {
      const { path, encode, decode } = of(name)
      const call = channel.makeClientStreamRequest(path, encode, decode, (error, answer) => error ? fail(error) : done(answer))
      for (const message of messages) call.write(message)
      call.end()
    }),
    serverStream: (name, message = {}) => {
      const { path, encode, decode } = of(name)
      const call = channel.makeServerStreamRequest(path, encode, decode, message)
      call.on('error', () => {})
      return call
    },
    bidi: name => {
      const { path, encode, decode } = of(name)
      const call = channel.makeBidiStreamRequest(path, encode, decode)
      call.on('error', () => {})
      return call
    },
    close: () => channel.close(),
  }
}

// What a command prints, errors included.
export const command = (program, ...options) => new Promise(done =>
  execFile(program, options, { timeout: 20000 }, (error, stdout, stderr) => done(stdout + stderr)))

// Runs the cases of a table in turn; prints what failed and the sum.
export async function runCases(cases) {
  let passed = 0, failed = 0
  for (const [title, run] of Object.entries(cases)) {
    try {
      await run()
      passed++
    } catch (error) {
      failed++
      console.log(`${title}: ${error.stack}`)
    }
  }
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed ? 1 : 0)
}
