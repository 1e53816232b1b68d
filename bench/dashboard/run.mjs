// Measures the page in Chromium while a synthetic project changes every second: the runtime is real,
// what its services report is made up.
//
//     node run.mjs MUSTER [--json] [--minutes N]
//
// Frames are counted by the page itself; long tasks are those that the browser reports (over 50 ms)
// once the graph stands; memory is the page's after a collection, at the beginning and at the end.
// No peer has such a graph for services outside of Kubernetes, so there is none beside it.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBrowser, Project, sleep, until } from '../../tests/dashboard/run.mjs'

const [, , program, ...options] = process.argv
const asJson = options.includes('--json')
const minutes = options.includes('--minutes')
  ? Number(options[options.indexOf('--minutes') + 1])
  : 1
const rows = []

function note(measure, unit, value) {
  rows.push({ measure, unit, value })
  if (!asJson)
    console.log(
      `${measure.padEnd(58)} ${unit.padEnd(8)} ${value >= 100 ? Math.round(value) : value.toFixed(1)}`,
    )
}

// One random series for all runs.
function random(seed) {
  return () => (seed = (seed * 16807) % 2147483647) / 2147483647
}

class Synthetic {
  constructor(nodes, edges) {
    const next = random(nodes)
    this.names = Array.from({ length: nodes }, (_, at) => `service-${String(at).padStart(4, '0')}`)
    this.edges = new Map()
    while (this.edges.size < edges) {
      const [a, b] = [Math.floor(next() * nodes), Math.floor(next() * nodes)].sort((x, y) => x - y)
      if (a !== b)
        this.edges.set(`${a}-${b}`, {
          a,
          b,
          rps: 1 + next() * next() * 500,
          latency: 500 + next() * 40_000,
        })
    }
    this.folder = mkdtempSync(join(tmpdir(), 'muster-bench-'))
  }

  async start() {
    this.runtime = spawn(
      program,
      ['serve', '--listen', '127.0.0.1:0', '--data', join(this.folder, '.muster')],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    this.base = await new Promise((done) =>
      this.runtime.stdout.on('data', (text) => done(/listening on (\S+)/.exec(String(text))[1])),
    )
    this.ids = await Promise.all(
      this.names.map(
        async (name, at) =>
          (
            await this.post('/v1/registrations', [
              {
                service_name: name,
                service_type: 'HYBRID',
                language: ['GO', 'RUST', 'TYPESCRIPT', 'C', 'PYTHON'][at % 5],
                instance_id: `${name}-1`,
                metadata: { namespace: `group-${at % 12}` },
              },
            ])
          ).service_id,
      ),
    )
    this.beat()
    this.report()
    this.timers = [setInterval(() => this.beat(), 3000), setInterval(() => this.report(), 1000)]
  }

  async post(path, messages) {
    const response = await fetch(this.base + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: messages.map((message) => JSON.stringify(message)).join('\n'),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
    return messages.length === 1 ? JSON.parse(text) : text
  }

  beat() {
    this.sequence = (this.sequence ?? 0) + 1
    void this.post(
      '/v1/heartbeats',
      this.ids.map((service_id) => ({
        service_id,
        sequence: this.sequence,
        health: { state: 'HEALTHY' },
        metrics: {
          cpu_percent: Math.random() * 60,
          memory_bytes: 40_000_000 + Math.round(Math.random() * 4e6),
        },
      })),
    ).catch(() => undefined)
  }

  report() {
    void this.post(
      '/v1/activities',
      [...this.edges.values()].map(({ a, b, rps, latency }) => ({
        service_id: this.ids[a],
        target_service: this.names[b],
        type: 'RESPONSE_RECEIVED',
        method: 'Get',
        batch_size: Math.max(1, Math.round(rps * (0.7 + Math.random() * 0.6))),
        latency_us: Math.round(latency * (0.7 + Math.random() * 0.6)),
        error_count: Math.random() < 0.02 ? 1 : 0,
      })),
    ).catch(() => undefined)
  }

  stop() {
    this.timers.forEach(clearInterval)
    this.runtime.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

async function heap(session) {
  await session.send('HeapProfiler.collectGarbage')
  return (await session.send('Runtime.getHeapUsage')).usedSize / 1e6
}

// Frames a second, and what held the page up for more than 50 ms.
function countFrames(page, seconds) {
  return page.evaluate(
    (time) =>
      new Promise((done) => {
        const long = []
        new PerformanceObserver((list) =>
          long.push(...list.getEntries().map((entry) => entry.duration)),
        ).observe({ type: 'longtask' })
        const start = performance.now()
        let count = 0
        const tick = (now) => {
          count++
          if (now - start < time * 1000) requestAnimationFrame(tick)
          else done({ frames: count / ((now - start) / 1000), tasks: long })
        }
        requestAnimationFrame(tick)
      }),
    seconds,
  )
}

async function watchPage(label, nodes, edges, seconds, withMemory) {
  const synthetic = new Synthetic(nodes, edges)
  await synthetic.start()
  const browser = await openBrowser(process.env.CHROMIUM)
  try {
    const page = await browser.newPage({ viewport: { width: 1400, height: 860 } })
    const begun = Date.now()
    await page.goto(`${synthetic.base}/topology`)
    await page.locator('.react-flow [data-service]').first().waitFor()
    note(`${label}: graph stands`, 'ms', Date.now() - begun)
    await sleep(5000)
    const session = await page.context().newCDPSession(page)
    const before = withMemory ? await heap(session) : 0
    await sleep(1000) // the collection itself takes a while
    const { frames, tasks } = await countFrames(page, seconds)
    note(`${label}: frames`, '1/s', frames)
    note(`${label}: long tasks in ${seconds} s`, '', tasks.length)
    if (tasks.length) note(`${label}: the longest`, 'ms', Math.max(...tasks))
    if (withMemory) {
      note(`${label}: memory at the beginning`, 'MB', before)
      note(`${label}: memory after ${Math.round(seconds / 60)} min`, 'MB', await heap(session))
    }
  } finally {
    await browser.close()
    synthetic.stop()
  }
}

// The logs page with as many rows as it keeps, scrolled by the wheel.
async function scrollLogs() {
  const rows = 100_000
  const synthetic = new Synthetic(4, 3)
  await synthetic.start()
  const browser = await openBrowser(process.env.CHROMIUM)
  try {
    const page = await browser.newPage({ viewport: { width: 1400, height: 860 } })
    await page.goto(`${synthetic.base}/logs`)
    await page.getByText('Nothing has been logged yet').waitFor()
    for (let sent = 0; sent < rows * 1.05; sent += 5000) {
      await synthetic.post(
        '/v1/log-entries',
        Array.from({ length: 5000 }, (_, at) => ({
          service_name: synthetic.names[at % 4],
          level: ['INFO', 'DEBUG', 'WARN', 'ERROR'][at % 4],
          message: `request ${sent + at} took ${at % 97} ms and answered ${at % 13 ? 200 : 500}`,
        })),
      )
      await sleep(300) // a reader that is too slow is told what it missed, instead of all
    }
    await until(
      'all rows on the page',
      async () => /100.000/.test((await page.locator('main').textContent()).slice(0, 300)),
      90,
    )
    await page.mouse.move(700, 500)
    await page.mouse.wheel(0, -600)
    await sleep(1000)
    const counting = countFrames(page, 8)
    for (let at = 0; at < 100; at++) {
      await page.mouse.wheel(0, at < 50 ? -2500 : 2500)
      await sleep(60)
    }
    const { frames, tasks } = await counting
    note('logs, 100,000 rows scrolled: frames', '1/s', frames)
    note('logs, 100,000 rows scrolled: long tasks in 8 s', '', tasks.length)
  } finally {
    await browser.close()
    synthetic.stop()
  }
}

// From the end of a process to its node being drawn red, by one clock.
async function redTime() {
  const folder = mkdtempSync(join(tmpdir(), 'muster-bench-'))
  writeFileSync(
    join(folder, 'muster.yaml'),
    'services:\n  victim:\n    command: [sleep, "1000"]\n    max_retries: 100\n    restart: { policy: always, initial: 100ms, max: 100ms }\n',
  )
  const project = new Project(program, folder)
  await project.start()
  const browser = await openBrowser(process.env.CHROMIUM)
  const times = []
  try {
    const page = await browser.newPage()
    await page.goto(`${new URL(await project.link()).origin}/topology`)
    await page.locator('[data-service="victim"][data-health="healthy"]').first().waitFor()
    for (let round = 0; round < 5; round++) {
      const pid = await until(
        'the victim',
        async () =>
          (await project.services()).victim.instances.find(
            (each) => each.pid > 0 && /RUNNING|HEALTHY/.test(each.state),
          )?.pid,
      )
      await page.locator('[data-service="victim"][data-health="healthy"]').first().waitFor()
      const red = page.evaluate(
        () =>
          new Promise((done) => {
            const look = () =>
              document.querySelector('[data-service="victim"]')?.dataset.health === 'unhealthy'
                ? requestAnimationFrame(() => done(Date.now()))
                : requestAnimationFrame(look)
            look()
          }),
      )
      await sleep(200)
      const killed = Date.now()
      process.kill(pid, 'SIGKILL')
      times.push((await red) - killed)
    }
  } finally {
    await browser.close()
    project.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  note(
    'from the end of a process to its node being red, median',
    'ms',
    times.sort((a, b) => a - b)[2],
  )
}

await watchPage('300 nodes, 1,000 edges', 300, 1000, minutes * 60, true)
await watchPage('1,000 nodes, 3,000 edges', 1000, 3000, 20, false)
await scrollLogs()
await redTime()
if (asJson) console.log(JSON.stringify({ bench: 'dashboard', results: rows }, null, 2))
