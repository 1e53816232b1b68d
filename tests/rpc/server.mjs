// The server under test, as a child of a test in Node.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

// Starts it; gives where it listens and its tokens, and stop(), which resolves to whether it ended well.
export async function startServer(program, ...options) {
  const child = spawn(program, options, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise(done => child.on('exit', code => done(code === 0)))
  process.on('exit', () => child.kill('SIGKILL'))
  const [line] = await Promise.race([
    new Promise(done => createInterface(child.stdout).once('line', text => done([text]))),
    ended.then(() => { throw new Error(`${program} did not start`) }),
  ])
  return { ...JSON.parse(line), stop: () => { child.kill('SIGTERM'); return ended } }
}

// Prints what failed and the sum, as the suites of ./dev test end; sets the exit status.
export function report(results) {
  const failures = results.flatMap(one => one.failures)
  const passed = results.reduce((sum, one) => sum + one.passed, 0)
  for (const failure of failures) console.log(failure)
  console.log(`${passed} passed, ${failures.length} failed`)
  process.exit(failures.length ? 1 : 0)
}
