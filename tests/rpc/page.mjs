// What browser.mjs has a page do. Bundled into the page by esbuild.
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-web'
import { connectClient, readTypes } from './connect_client.mjs'
import { runScenarios } from './scenarios.mjs'

const TRANSPORTS = { connect: createConnectTransport, 'grpc-web': createGrpcWebTransport }

window.runScenarios = async (name, protocol, options, set, context) => {
  const types = readTypes(Uint8Array.from(set))
  const client = connectClient(TRANSPORTS[protocol](options), types, ['trailers'])
  return runScenarios(name, client, context)
}

// What becomes of a request: the status it was answered with, or "refused".
window.request = (url, options) => fetch(url, options).then(answer => answer.status, () => 'refused')
