// connect-web in Chromium: from a page of the server itself, from one of another origin that is
// allowed, and from one that is not, which gets nothing.
//
//     node browser.mjs DESCRIPTOR-SET ECHO-SERVER [CHROMIUM]
import { build } from 'esbuild'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { chromium } from 'playwright-core'
import { report, startServer } from './server.mjs'

const [, , set, program, executablePath = '/usr/bin/chromium'] = process.argv
const bundle = await build({
  entryPoints: [join(import.meta.dirname, 'page.mjs')],
  bundle: true, write: false, format: 'iife', logLevel: 'error',
})
const script = bundle.outputFiles[0].text.replaceAll('</script', '<\\/script')
const html = `<!doctype html><meta charset="utf-8"><title>page</title><script>${script}</script>`
const page = join(dirname(set), 'page.html')
writeFileSync(page, html)

// A web server of another origin; gives that origin.
async function otherOrigin() {
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(html))
  await new Promise(done => server.listen(0, '127.0.0.1', done))
  server.unref()
  return `http://127.0.0.1:${server.address().port}`
}

const allowed = await otherOrigin(), stranger = await otherOrigin()
const server = await startServer(program, '--origin', allowed, '--page', page, '--compress')
const baseUrl = `http://${server.address}`
const browser = await chromium.launch({
  executablePath,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})
const results = []

async function open(origin) {
  const tab = await browser.newPage()
  await tab.goto(`${origin}/`)
  return tab
}

for (const [place, origin] of [['own page', baseUrl], ['allowed page', allowed]]) {
  const tab = await open(origin)
  for (const protocol of ['connect', 'grpc-web'])
    for (const options of [{}, { useBinaryFormat: false, useHttpGet: true }]) {
      const name = `${place}, ${protocol}${options.useHttpGet ? ', JSON, GET' : ''}`
      const result = await tab.evaluate(args => window.runScenarios(...args),
        [name, protocol, { baseUrl, ...options }, [...readFileSync(set)], { tokens: server.tokens }])
      console.log(`${name}: ${result.passed} passed, ${result.failures.length} failed`)
      results.push(result)
    }
  await tab.close()
}

// ---- what pages may do at all ----

const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
const blind = { method: 'POST', mode: 'no-cors', headers: { 'content-type': 'text/plain' }, body: '{}' }
const unary = `${baseUrl}/echo.v1.Calls/Unary`, rest = `${baseUrl}/v1/things`
const named = name => rest.replace('127.0.0.1', name)
const ASKED = [
  ['an allowed page calls', allowed, unary, json, 200],
  ['an allowed page creates', allowed, rest, json, 200],
  ['an allowed page calls localhost', allowed, named('localhost'), json, 200],
  ['a strange page calls', stranger, unary, json, 'refused'],
  ['a strange page reads', stranger, `${rest}/a`, {}, 'refused'],
  ['a strange page creates', stranger, rest, json, 'refused'],
  ['a strange page calls localhost', stranger, named('localhost'), json, 'refused'],
  ['a strange page is told nothing', stranger, rest, blind, 0],
]
for (const [title, origin, url, options, wanted] of ASKED) {
  const tab = await open(origin)
  const got = await tab.evaluate(args => window.request(...args), [url, options])
  const good = got === wanted
  results.push({ passed: Number(good), failures: good ? [] : [`${title}: got ${got}, want ${wanted}`] })
  await tab.close()
}
await browser.close()
results.push({ passed: 0, failures: (await server.stop()) ? [] : ['the server ended badly'] })
report(results)
