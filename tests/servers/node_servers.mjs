// Servers of echo.v1.Calls by grpc-js and connect-node, with types from a descriptor set:
//
//     node node_servers.mjs DESCRIPTOR-SET
//
// Listens on free loopback ports and prints them as one line of JSON:
// {"grpcJs":…,"connectHttp1":…,"connectHttp2":…}. Ends when its stdin does.
import { create, createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { ConnectError } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import * as grpc from '@grpc/grpc-js'
import { readFileSync } from 'node:fs'
import * as http from 'node:http'
import * as http2 from 'node:http2'

const types = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(process.argv[2])))
const calls = types.getService('echo.v1.Calls')
const badRequest = types.getMessage('google.rpc.BadRequest')
const rpcStatus = types.getMessage('google.rpc.Status')
const sleep = millis => new Promise(resolve => setTimeout(resolve, millis))

// ---- what the methods do: generators of responses, whatever carries them ----

class Failure extends Error {
  constructor({ code, message, fields }) {
    super(message)
    this.code = code
    this.detail = create(badRequest, { fieldViolations: fields.map(field => ({ field, description: 'is wrong' })) })
  }
}

function respond(request, index, messages) {
  return { text: request?.text ?? '', payload: request?.payload, index, messages }
}

async function* unary(requests) {
  for await (const request of requests) {
    await sleep(request.delayMs)
    if (request.failure) throw new Failure(request.failure)
    yield respond(request, 0, 1)
  }
}

async function* serverStream(requests) {
  for await (const request of requests) {
    for (let i = 0; i < request.count; i++) {
      await sleep(request.delayMs)
      yield respond(request, i, 1)
    }
    if (request.failure) throw new Failure(request.failure)
  }
}

async function* clientStream(requests) {
  let messages = 0, last
  for await (last of requests) messages++
  yield respond(last, 0, messages)
}

async function* bidi(requests) {
  let index = 0
  for await (const request of requests) {
    yield respond(request, index++, index)
    if (request.failure) throw new Failure(request.failure)
  }
}

const BEHAVIOURS = { unary, get: unary, serverStream, clientStream, bidi }

// ---- connect-node ----

async function* connectResponses(behaviour, requests, context) {
  for (const [name, value] of context.requestHeader)
    if (name.startsWith('x-')) {
      context.responseHeader.append(name, value)
      context.responseTrailer.append(name, value)
    }
  try {
    yield* behaviour(requests)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const trailers = [...context.responseTrailer]
    throw new ConnectError(error.message, error.code, trailers, [{ desc: badRequest, value: error.detail }])
  }
}

async function* once(value) {
  yield value
}

async function first(responses) {
  let found
  for await (const response of responses) found = response
  return found
}

function connectHandler(method, behaviour) {
  const many = requests => (method.methodKind.startsWith('server') || method.methodKind === 'unary' ? once(requests) : requests)
  const responses = (requests, context) => connectResponses(behaviour, many(requests), context)
  const givesOne = method.methodKind === 'unary' || method.methodKind === 'client_streaming'
  return givesOne ? (requests, context) => first(responses(requests, context)) : responses
}

const connectAdapter = connectNodeAdapter({
  routes: router =>
    router.service(
      calls,
      Object.fromEntries(
        Object.entries(BEHAVIOURS).map(([name, behaviour]) => [name, connectHandler(calls.method[name], behaviour)]),
      ),
    ),
})

// ---- grpc-js ----

// (Iterating over the call itself would destroy it at the end of the requests.)
async function* grpcRequests(call, takesOne) {
  const arrived = takesOne ? [call.request] : []
  let ended = takesOne, wake = () => {}
  call.on('data', message => wake(arrived.push(message)))
  call.on('end', () => wake((ended = true)))
  for (;;) {
    if (arrived.length) yield arrived.shift()
    else if (ended) return
    else await new Promise(resolve => (wake = resolve))
  }
}

function grpcFailure(error, trailers) {
  if (!(error instanceof Failure)) return { code: grpc.status.INTERNAL, details: String(error) }
  const detail = { typeUrl: 'type.googleapis.com/google.rpc.BadRequest', value: toBinary(badRequest, error.detail) }
  const status = create(rpcStatus, { code: error.code, message: error.message, details: [detail] })
  trailers.set('grpc-status-details-bin', Buffer.from(toBinary(rpcStatus, status)))
  return { code: error.code, details: error.message, metadata: trailers }
}

function grpcHandler(method, behaviour) {
  const takesOne = method.methodKind === 'unary' || method.methodKind === 'server_streaming'
  const givesOne = method.methodKind === 'unary' || method.methodKind === 'client_streaming'
  return async (call, callback) => {
    const echoed = new grpc.Metadata(), trailers = new grpc.Metadata()
    for (const [name, value] of Object.entries(call.metadata.getMap()))
      if (name.startsWith('x-')) {
        echoed.set(name, value)
        trailers.set(name, value)
      }
    call.sendMetadata(echoed)
    try {
      let last
      for await (const response of behaviour(grpcRequests(call, takesOne)))
        if (givesOne) last = response
        else call.write(response)
      if (givesOne) callback(null, last, trailers)
      else call.end(trailers)
    } catch (error) {
      const failure = grpcFailure(error, trailers)
      if (givesOne) callback(failure)
      else call.emit('error', failure)
    }
  }
}

function grpcDefinition(method) {
  return {
    path: `/${calls.typeName}/${method.name}`,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: message => Buffer.from(toBinary(method.input, create(method.input, message))),
    requestDeserialize: bytes => fromBinary(method.input, bytes),
    responseSerialize: message => Buffer.from(toBinary(method.output, create(method.output, message))),
    responseDeserialize: bytes => fromBinary(method.output, bytes),
  }
}

// ---- listening ----

const grpcServer = new grpc.Server()
grpcServer.addService(
  Object.fromEntries(Object.keys(BEHAVIOURS).map(name => [name, grpcDefinition(calls.method[name])])),
  Object.fromEntries(Object.entries(BEHAVIOURS).map(([name, behaviour]) => [name, grpcHandler(calls.method[name], behaviour)])),
)
const listenGrpc = () =>
  new Promise((resolve, reject) =>
    grpcServer.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  )
const listen = server => new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server.address().port)))

console.log(
  JSON.stringify({
    grpcJs: await listenGrpc(),
    connectHttp1: await listen(http.createServer(connectAdapter)),
    connectHttp2: await listen(http2.createServer(connectAdapter)),
  }),
)
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
