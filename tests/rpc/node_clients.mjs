// grpc-js, and connect-node with every protocol, codec and HTTP version, against the echo server:
//
//     node node_clients.mjs DESCRIPTOR-SET ECHO-SERVER CERT KEY
import { fromBinary, toBinary, create } from '@bufbuild/protobuf'
import * as connect from '@connectrpc/connect-node'
import * as grpc from '@grpc/grpc-js'
import { readFileSync } from 'node:fs'
import { connectClient, readTypes } from './connect_client.mjs'
import { runScenarios } from './scenarios.mjs'
import { report, startServer } from './server.mjs'

const [, , set, program, cert, key] = process.argv
const types = readTypes(readFileSync(set))
const EVERYTHING = ['client-stream', 'duplex', 'trailers']

// ---- grpc-js ----

function grpcError(error) {
  const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? []
  const details = bytes ? fromBinary(types.getMessage('google.rpc.Status'), bytes).details : []
  const fields = details
    .flatMap(any => fromBinary(types.getMessage('google.rpc.BadRequest'), any.value).fieldViolations)
    .map(violation => violation.field)
  return { code: error.code, message: error.details, fields }
}

function toHeaders(metadata) {
  const headers = new Headers()
  for (const key of Object.keys(metadata.getMap()))
    for (const value of metadata.get(key))
      headers.append(key, Buffer.isBuffer(value) ? value.toString('base64') : value)
  return headers
}

function toMetadata(headers) {
  const metadata = new grpc.Metadata()
  for (const [key, value] of Object.entries(headers))
    metadata.add(key, key.endsWith('-bin') ? Buffer.from(value, 'base64') : value)
  return metadata
}

async function feed(stream, requests) {
  for await (const request of requests) stream.write(request)
  stream.end()
}

function grpcClient(address, credentials, options) {
  const channel = new grpc.Client(address, credentials, options)
  const service = types.getService('echo.v1.Calls')
  const call = (name, requests, { headers = {}, timeoutMs, signal, onMessage = () => {} } = {}) =>
    new Promise(done => {
      const method = service.methods.find(one => one.name === name)
      const path = `/${service.typeName}/${name}`
      const encode = message => Buffer.from(toBinary(method.input, create(method.input, message)))
      const decode = bytes => fromBinary(method.output, bytes)
      const metadata = toMetadata(headers)
      const timing = timeoutMs ? { deadline: Date.now() + timeoutMs } : {}
      const result = { messages: [], headers: new Headers(), trailers: new Headers(), error: null }
      const take = message => { result.messages.push(message); onMessage(message) }
      const answered = (error, message) => { if (message) take(message) }
      const manyIn = method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming'
      const make = {
        unary: () => channel.makeUnaryRequest(path, encode, decode, requests[0], metadata, timing, answered),
        server_streaming: () => channel.makeServerStreamRequest(path, encode, decode, requests[0], metadata, timing),
        client_streaming: () => channel.makeClientStreamRequest(path, encode, decode, metadata, timing, answered),
        bidi_streaming: () => channel.makeBidiStreamRequest(path, encode, decode, metadata, timing),
      }
      const stream = make[method.methodKind]()
      stream.on('metadata', got => { result.headers = toHeaders(got) })
      stream.on('data', take)
      stream.on('error', () => {}) /* told by the status */
      stream.on('status', status => {
        result.trailers = toHeaders(status.metadata)
        if (status.code) result.error = grpcError(status)
        if (stream.readable === undefined || stream.readableEnded) setImmediate(done, result)
        else stream.on('end', () => done(result)) /* messages may still be on their way to us */
      })
      signal?.addEventListener('abort', () => stream.cancel())
      if (manyIn) feed(stream, requests)
    })
  /* On a busy machine it drops messages that come together with an error. */
  return { call, can: EVERYTHING, dropsBeforeError: true }
}

// ---- all of them ----

const server = await startServer(program, '--cert', cert, '--key', key, '--compress')
const big = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 }
const gzip = { 'grpc.default_compression_algorithm': 2 }
const root = readFileSync(cert)
const clients = {
  'grpc-js': grpcClient(server.address, grpc.credentials.createInsecure(), big),
  'grpc-js, gzip': grpcClient(server.address, grpc.credentials.createInsecure(), { ...big, ...gzip }),
  'grpc-js, TLS': grpcClient(server.tls.replace('127.0.0.1', 'localhost'), grpc.credentials.createSsl(root), big),
}
const TRANSPORTS = {
  connect: connect.createConnectTransport,
  'grpc-web': connect.createGrpcWebTransport,
  grpc: connect.createGrpcTransport,
}
for (const [protocol, createTransport] of Object.entries(TRANSPORTS)) {
  for (const httpVersion of protocol === 'grpc' ? ['2'] : ['1.1', '2']) {
    const transport = options => connectClient(createTransport({ httpVersion, ...options }), types,
      httpVersion === '2' ? EVERYTHING : ['client-stream', 'trailers'])
    const url = `http://${server.address}`, name = `connect-node, ${protocol}, HTTP/${httpVersion}`
    clients[name] = transport({ baseUrl: url })
    if (httpVersion === '1.1' || protocol === 'grpc')
      clients[`${name}, JSON, gzip`] = transport({ baseUrl: url, useBinaryFormat: false,
        sendCompression: connect.compressionGzip, compressMinBytes: 1, useHttpGet: true })
    if (httpVersion === '2')
      clients[`${name}, TLS, br`] = transport({ baseUrl: `https://${server.tls}`, nodeOptions: { ca: root },
        sendCompression: connect.compressionBrotli, compressMinBytes: 1 })
  }
}

const results = []
for (const [name, client] of Object.entries(clients)) {
  const start = Date.now(), result = await runScenarios(name, client, server)
  console.log(`${name}: ${result.passed} passed, ${result.failures.length} failed, ${Date.now() - start} ms`)
  results.push(result)
}
results.push({ passed: 0, failures: (await server.stop()) ? [] : ['the server ended badly'] })
report(results)
