// A project that runs under the real program, and a browser that looks at it; shared by the test
// of the page, its pictures and its measurement.
import { execFile, execFileSync } from 'node:child_process'
import { appendFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'

const run = promisify(execFile)

export const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds))

// Asks until the answer is true; says what it waited for when it never is.
export async function until(what, ask, seconds = 20) {
  const end = Date.now() + seconds * 1000
  let last
  while (Date.now() < end) {
    try {
      last = await ask()
      if (last) return last
    } catch (error) {
      last = error.message
    }
    await sleep(50)
  }
  throw new Error(`not within ${seconds} s: ${what}; last: ${last}`)
}

export class Project {
  // Copies the folder, adds to its configuration, and starts it in the background.
  constructor(program, folder, configuration = '') {
    this.program = resolve(program)
    this.folder = mkdtempSync(join(tmpdir(), 'muster-page-'))
    cpSync(folder, this.folder, { recursive: true, filter: (path) => !path.includes('.muster') })
    if (configuration) appendFileSync(join(this.folder, 'muster.yaml'), configuration)
  }

  muster(...args) {
    return run(this.program, args, {
      cwd: this.folder,
      maxBuffer: 1 << 26,
      env: { ...process.env, NO_COLOR: '1' },
    })
  }

  async start() {
    await this.muster('up', '-d', '--listen', '127.0.0.1:0')
  }

  async services() {
    const { stdout } = await this.muster('ps', '--json')
    return Object.fromEntries(JSON.parse(stdout).services.map((service) => [service.name, service]))
  }

  async runtimePid() {
    return JSON.parse(
      (await this.muster('call', '.', 'runtime.v1.RuntimeService/GetRuntime', '{}')).stdout,
    ).pid
  }

  async link(...options) {
    return (await this.muster('link', ...options)).stdout.trim()
  }

  stop() {
    try {
      execFileSync(this.program, ['down'], { cwd: this.folder, stdio: 'ignore', timeout: 60_000 })
    } finally {
      rmSync(this.folder, { recursive: true, force: true })
    }
  }
}

export function openBrowser(executablePath = '/usr/bin/chromium', extra = []) {
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...extra,
    ],
  })
}
