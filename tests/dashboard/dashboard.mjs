// The page in real Chromium, served by the real program, which runs the calculator.
//
//     node dashboard.mjs MUSTER PROJECT-FOLDER [CHROMIUM]
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openBrowser, Project, sleep, until } from './run.mjs'

const [, , program, folder, chromium] = process.argv
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const SERVER = 'calculator-server',
  CLIENT = 'calculator-client'
const EXTRA = `
  parrot:
    command: ["sh", "-c", "while read -r line; do echo \\"parrot says $line\\"; done"]
    tty: true
`

const project = new Project(program, folder, EXTRA)
let passed = 0,
  failed = 0,
  page,
  base

async function test(name, body) {
  const start = Date.now()
  try {
    await body()
    passed++
    console.log(`ok ${name} (${Date.now() - start} ms)`)
  } catch (error) {
    failed++
    console.log(`not ok ${name}: ${error.message}`)
    await page
      ?.screenshot({ path: join(process.env.SHOTS ?? '.', `failed-${failed}.png`) })
      .catch(() => undefined)
  }
}

const node = (name) => page.locator(`.react-flow [data-service="${name}"]`)
const row = (name) => page.locator(`tr[data-service="${name}"]`)
const open = (path) => page.goto(base + path)

async function look(where) {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { resultTypes: ['violations'] }),
  )
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  if (serious.length)
    throw new Error(
      `${where}: ${serious
        .map(
          (v) =>
            `${v.id} (${v.nodes
              .slice(0, 3)
              .map((n) => n.html.slice(0, 160))
              .join(' | ')})`,
        )
        .join('; ')}`,
    )
}

await project.start()
const browser = await openBrowser(chromium)
try {
  const context = await browser.newContext({ viewport: { width: 1400, height: 860 } })
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  page = await context.newPage()
  const errors = []
  page.on('pageerror', (error) => errors.push(error.message))
  const link = await project.link()
  base = new URL(link).origin

  await test('a link logs in once, and leaves no token behind', async () => {
    await page.goto(link)
    await node(SERVER).waitFor()
    if (page.url().includes('token')) throw new Error(page.url())
    if (await page.evaluate(() => document.cookie)) throw new Error('scripts can read the cookie')
    const stranger = await (await browser.newContext()).newPage()
    await stranger.goto(link)
    await stranger.getByText('Read only').waitFor()
    await stranger.close()
  })

  await test('the graph shows who talks to whom, with live rates', async () => {
    await node(CLIENT).waitFor()
    await page
      .getByRole('navigation', { name: 'Connections' })
      .getByRole('button', { name: `${CLIENT} → ${SERVER}` })
      .first()
      .evaluate((button) => button.click())
    const panel = page.getByRole('complementary', { name: new RegExp('Connection') })
    await until(
      'a rate above zero',
      async () => parseFloat(await panel.locator('dd').first().textContent()) > 0,
    )
    await panel.getByText('Add').first().waitFor()
  })

  await test('the first page is small', async () => {
    const fresh = await browser.newContext()
    const tab = await fresh.newPage()
    const files = []
    tab.on('response', (response) => {
      if (response.request().method() === 'GET') files.push(response.request().sizes())
    })
    await tab.goto(`${base}/topology`)
    await tab.locator(`.react-flow [data-service="${SERVER}"]`).waitFor()
    await sleep(1000)
    const bytes = (await Promise.all(files)).reduce((sum, file) => sum + file.responseBodySize, 0)
    await fresh.close()
    if (!(bytes > 100_000 && bytes <= 300_000)) throw new Error(`${bytes} bytes`)
  })

  await test('a request leads from the graph to its logs across services', async () => {
    await page.getByRole('complementary').locator('a[href*="corr="]').first().click()
    await page.waitForURL(/logs\?corr=/)
    await until('entries of client and server', async () => {
      const names = await page
        .locator('[data-log]')
        .evaluateAll((rows) => rows.map((r) => r.dataset.log))
      return names.includes(SERVER) && names.includes(CLIENT)
    })
  })

  await test('logs are filtered by the runtime, and mistakes are shown', async () => {
    await open(`/logs?filter=${encodeURIComponent(`service:${SERVER}`)}`)
    await page.locator(`[data-log="${SERVER}"]`).first().waitFor()
    if (await page.locator(`[data-log="${CLIENT}"]`).count())
      throw new Error('an entry of another service')
    await page.getByLabel('Filter logs').first().fill('level>>')
    await page
      .getByText(/column|expected|unexpected/i)
      .first()
      .waitFor()
  })

  await test('a killed server goes red and comes back', async () => {
    await open('/topology')
    await node(SERVER).waitFor()
    const before = (await project.services())[SERVER]
    const seen = page.evaluate(
      (name) =>
        new Promise((done) => {
          const states = []
          const note = () => {
            const element = document.querySelector(`.react-flow [data-service="${name}"]`)
            const state = element?.dataset.health ?? 'gone'
            if (states.at(-1) !== state) states.push(state)
            if (states.includes('unhealthy') && state === 'healthy') done(states)
            else requestAnimationFrame(note)
          }
          note()
        }),
      SERVER,
    )
    await sleep(300)
    process.kill(before.instances.find((each) => each.pid > 0).pid, 'SIGKILL')
    const states = await Promise.race([
      seen,
      sleep(30_000).then(() => {
        throw new Error('it did not come back')
      }),
    ])
    if (states[0] !== 'healthy') throw new Error(states.join(' → '))
    const after = (await project.services())[SERVER]
    if (after.restarts <= before.restarts) throw new Error('not restarted')
  })

  await test('a service is restarted from the table', async () => {
    await open('/services')
    await row(SERVER).waitFor()
    const before = (await project.services())[SERVER].instances.find((each) => each.pid > 0).pid
    await row(SERVER)
      .getByRole('button', { name: `Restart ${SERVER}`, exact: true })
      .click()
    await page.getByText(`Restart: ${SERVER} done`).waitFor()
    const after = (await project.services())[SERVER].instances.find((each) => each.pid > 0).pid
    if (before === after) throw new Error('the same process')
  })

  await test('what one types reaches the service, and its answer the page', async () => {
    await open('/services/parrot?tab=output')
    await page.locator('[data-output="parrot"] .xterm-screen').click()
    await page.keyboard.type('good morning\n')
    await until('the answer', async () =>
      (await page.locator('[data-output="parrot"] .xterm-rows').textContent()).includes(
        'parrot says good morning',
      ),
    )
  })

  await test('the configuration is edited, checked, reviewed and applied', async () => {
    await open('/configuration?tab=edit')
    const editor = page.locator('.cm-content')
    await editor.click()
    await page.keyboard.press('Control+End')
    await page.keyboard.type('    commandd: echo\n')
    await page
      .getByText(/commandd/)
      .last()
      .waitFor()
    await until('the mistake', async () =>
      (await page.locator('section[aria-live]').textContent()).includes('command'),
    )
    if (await page.getByRole('button', { name: 'Review changes' }).isEnabled())
      throw new Error('it could be applied')
    await page.keyboard.press('Control+Shift+Home')
    const text = readFileSync(join(project.folder, 'muster.yaml'), 'utf8').replace(
      'parrot says',
      'polly says',
    )
    await page.evaluate((words) => navigator.clipboard.writeText(words), text)
    await page.keyboard.press('Control+a')
    await page.keyboard.press('Control+v')
    await page.getByRole('button', { name: 'Review changes' }).click()
    await page.locator('.cm-changedLine, .cm-insertedLine').first().waitFor()
    await page.getByText('parrot').first().waitFor()
    await page.getByRole('button', { name: 'Apply' }).click()
    await page.getByText(/is in force/).waitFor()
    if (!readFileSync(join(project.folder, 'muster.yaml'), 'utf8').includes('polly says'))
      throw new Error('not written')
  })

  await test('dark, German, and a deep link survive a reload', async () => {
    await open(`/topology?node=${SERVER}&group=language`)
    await page.getByRole('button', { name: /Appearance/ }).click()
    await page.getByRole('button', { name: /Appearance/ }).click()
    await page.getByRole('button', { name: /Language/ }).click()
    await page.reload()
    await page.getByRole('complementary', { name: `Dienst ${SERVER}` }).waitFor()
    if ((await page.evaluate(() => document.documentElement.dataset.theme)) !== 'dark')
      throw new Error('not dark')
    await page.getByRole('button', { name: /Sprache/ }).click()
  })

  await test('many visible tabs are all live, and calls find a connection', async () => {
    const tabs = []
    for (let n = 0; n < 4; n++) tabs.push(await context.newPage())
    await Promise.all(tabs.map((tab) => tab.goto(`${base}/topology?node=${CLIENT}`)))
    for (const tab of tabs) {
      await tab.locator(`.react-flow [data-service="${SERVER}"]`).waitFor()
      const panel = tab.getByRole('complementary', { name: `Service ${CLIENT}` })
      await panel.getByText('Result').first().waitFor() // its logs come by a call
      await until('live', async () =>
        (await tab.getByRole('status').first().textContent()).includes('Live'),
      )
    }
    const before = (await project.services())[SERVER].instances.find((each) => each.pid > 0).pid
    const red = tabs.map((tab) =>
      tab
        .locator(`.react-flow [data-service="${SERVER}"]:not([data-health="healthy"])`)
        .waitFor({ state: 'attached' }),
    )
    process.kill(before, 'SIGSTOP') // a check that fails lasts longer than an end
    await Promise.all(red)
    process.kill(before, 'SIGCONT')
    await Promise.all(tabs.map((tab) => tab.close()))
    await until('the server well again', async () =>
      ['SERVICE_STATE_HEALTHY'].includes((await project.services())[SERVER].state),
    )
  })

  await test('the palette finds and leads', async () => {
    await page.keyboard.press('Control+k')
    await page.getByRole('dialog').getByRole('combobox').waitFor()
    await page.keyboard.type('health')
    await page.locator('[cmdk-item][aria-selected=true]', { hasText: 'Health' }).waitFor()
    await page.keyboard.press('Enter')
    await page.waitForURL(/health/)
    await page.locator(`li[data-service="${SERVER}"]`).waitFor()
  })

  await test('the runtime is killed, and the page goes on where it was', async () => {
    await open(`/topology?node=${SERVER}`)
    await node(SERVER).waitFor()
    const pid = await project.runtimePid()
    const pids = (await project.services())[SERVER].instances.map((each) => each.pid)
    process.kill(pid, 'SIGKILL')
    await until('another runtime', async () => {
      const services = await project.services()
      return (
        services[SERVER].instances.some((each) => pids.includes(each.pid)) &&
        (await project.runtimePid()) !== pid
      )
    })
    await until('the page live again', async () =>
      (await page.getByRole('status').first().textContent()).includes('Live'),
    )
    await page.getByRole('complementary', { name: `Service ${SERVER}` }).waitFor()
    await node(CLIENT).waitFor()
  })

  for (const path of [
    '/topology',
    `/topology?node=${SERVER}`,
    '/services',
    `/services/${SERVER}`,
    '/health',
    '/logs',
    '/events',
    '/configuration',
  ])
    await test(`nothing serious for those who cannot see: ${path}`, async () => {
      await open(path)
      await sleep(800)
      await look(path)
    })

  await test('no page failed', () => {
    if (errors.length) throw new Error(errors.join('\n'))
  })
} finally {
  await browser.close()
  project.stop()
}

console.log(`${passed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
