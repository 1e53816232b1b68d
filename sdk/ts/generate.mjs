// Makes the messages and services of the runtime's protos into TypeScript: src/gen, which is not committed.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const protos = join(here, "../../proto");
const out = join(here, "src/gen");
const files = ["topology", "broker", "health", "logger", "common"].map(
  (name) => `runtime/v1/${name}.proto`,
);

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
execFileSync(
  "protoc",
  [
    `--plugin=protoc-gen-es=${join(here, "node_modules/.bin/protoc-gen-es")}`,
    `--proto_path=${protos}`,
    `--es_out=${out}`,
    "--es_opt=target=ts,import_extension=js",
    ...files,
    "google/api/annotations.proto",
    "google/api/http.proto",
    "muster/options.proto",
  ],
  { stdio: "inherit" },
);
