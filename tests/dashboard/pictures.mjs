// The pictures of docs/images: each page, with the calculator running.
//
//     node pictures.mjs MUSTER PROJECT-FOLDER OUTPUT-FOLDER [CHROMIUM]
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openBrowser, Project, sleep } from './run.mjs'

const [, , program, folder, output, chromium] = process.argv
const PICTURES = [
  ['topology-light', '/topology', 'light'],
  ['topology-dark', '/topology?node=calculator-server', 'dark'],
  ['services', '/services', 'light'],
  ['service-output', '/services/calculator-server?tab=output', 'light'],
  ['health', '/health', 'light'],
  ['logs', '/logs', 'dark'],
  ['events', '/events', 'light'],
  ['configuration', '/configuration', 'light'],
]

mkdirSync(output, { recursive: true })
const project = new Project(program, folder)
await project.start()
const browser = await openBrowser(chromium)
try {
  const link = await project.link()
  const base = new URL(link).origin
  const context = await browser.newContext({ viewport: { width: 1280, height: 760 } })
  const page = await context.newPage()
  await page.goto(link)
  await sleep(20_000) // something to show
  for (const [name, path, scheme] of PICTURES)
    for (const [suffix, width, height] of [['', 1280, 760], ['-narrow', 390, 780]]) {
      await page.emulateMedia({ colorScheme: scheme })
      await page.setViewportSize({ width, height })
      await page.goto(base + path)
      await sleep(2500)
      await page.screenshot({ path: join(output, `${name}${suffix}.png`) })
    }
} finally {
  await browser.close()
  project.stop()
}
