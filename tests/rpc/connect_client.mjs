// The client of scenarios.mjs on any transport of Connect's; in Node and in browsers.
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, createClient } from '@connectrpc/connect'

// Types of the descriptor set that the test's protos were compiled to.
export const readTypes = bytes => createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes))

const SERVICE = 'echo.v1.Calls'
const DETAIL = 'google.rpc.BadRequest'

async function* each(requests) {
  yield* requests
}

function readError(error, types) {
  const { code, rawMessage, details } = ConnectError.from(error)
  const fields = details
    .filter(detail => detail.type === DETAIL)
    .flatMap(detail => fromBinary(types.getMessage(DETAIL), detail.value).fieldViolations)
    .map(violation => violation.field)
  return { code: code ?? Code.Unknown, message: rawMessage, fields }
}

export function connectClient(transport, types, can) {
  const service = types.getService(SERVICE)
  const client = createClient(service, transport)
  const call = async (name, requests, { onMessage = () => {}, ...options } = {}) => {
    const method = service.methods.find(one => one.name === name)
    const result = { messages: [], headers: new Headers(), trailers: new Headers(), error: null }
    options.onHeader = headers => { result.headers = headers }
    options.onTrailer = trailers => { result.trailers = trailers }
    const take = message => { result.messages.push(message); onMessage(message) }
    try {
      const manyIn = method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming'
      const answer = client[method.localName](manyIn ? each(requests) : requests[0], options)
      if (method.methodKind === 'unary' || method.methodKind === 'client_streaming') take(await answer)
      else for await (const message of answer) take(message)
    } catch (error) {
      result.error = readError(error, types)
    }
    return result
  }
  return { call, can }
}
