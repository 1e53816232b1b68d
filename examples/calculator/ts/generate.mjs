// Makes calculator.proto into TypeScript: src/gen, which is not committed.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
mkdirSync(join(here, "src/gen"), { recursive: true });
execFileSync(
  "protoc",
  [
    `--plugin=protoc-gen-es=${join(here, "node_modules/.bin/protoc-gen-es")}`,
    `--proto_path=${join(here, "..")}`,
    `--es_out=${join(here, "src/gen")}`,
    "--es_opt=target=ts,import_extension=js",
    "calculator.proto",
  ],
  { stdio: "inherit" },
);
