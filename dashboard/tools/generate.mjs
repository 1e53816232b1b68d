// Makes src/gen/ from the protos: the messages and services that the page uses.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const protos = join(root, '..', 'proto')
const out = join(root, 'src', 'gen')
const files = readdirSync(join(protos, 'runtime', 'v1'))
  .filter((name) => name.endsWith('.proto'))
  .map((name) => `runtime/v1/${name}`)
  .concat('google/api/annotations.proto', 'google/api/http.proto', 'muster/options.proto')

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
const { status } = spawnSync(
  'protoc',
  [
    `--plugin=protoc-gen-es=${join(root, 'node_modules', '.bin', 'protoc-gen-es')}`,
    `--es_out=${out}`,
    '--es_opt=target=ts,import_extension=none',
    `-I${protos}`,
    '-I/usr/include',
    ...files,
  ],
  { stdio: 'inherit' },
)
process.exit(status ?? 1)
