// The pictures of docs/images: each page, with the calculator running.
//
//     node pictures.mjs MUSTER OUTPUT-FOLDER [CHROMIUM]
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { openBrowser, sleep } from './run.mjs'

const [, , program, output, chromium] = process.argv
const folder = resolve(import.meta.dirname, '../../examples/calculator')
const data = mkdtempSync(join(tmpdir(), 'muster-pictures-'))
const muster = (...args) =>
  execFileSync(resolve(program), [...args, '--data', data], { cwd: folder, encoding: 'utf8' })
const PICTURES = [
  ['topology-light', '/topology', 'light'],
  ['topology-dark', '/topology?node=calculator-server', 'dark'],
  ['services', '/services', 'light'],
  ['start-up', '/services?view=startup', 'light'],
  ['service-output', '/services/calculator-server?tab=output', 'light'],
  ['health', '/health', 'light'],
  ['logs', '/logs', 'dark'],
  ['events', '/events', 'light'],
  ['configuration', '/configuration', 'light'],
]

mkdirSync(output, { recursive: true })
muster('up', '-d', '-f', 'muster.yaml', '-f', 'c.yaml', '--listen', '127.0.0.1:0')
const browser = await openBrowser(chromium)
try {
  const link = muster('link').trim()
  const base = new URL(link).origin
  const context = await browser.newContext({ viewport: { width: 1280, height: 760 } })
  const page = await context.newPage()
  await page.goto(link)
  await sleep(60_000) // something to show
  for (const [name, path, scheme] of PICTURES)
    for (const [suffix, width, height] of [
      ['', 1280, 760],
      ['-narrow', 390, 844],
    ]) {
      await page.emulateMedia({ colorScheme: scheme })
      await page.setViewportSize({ width, height })
      await page.goto(base + path)
      await sleep(2500)
      await page.screenshot({ path: join(output, `${name}${suffix}.png`) })
    }
} finally {
  await browser.close()
  muster('down')
}
