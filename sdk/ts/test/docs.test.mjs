// The programs of docs/typescript.md, run as they are written.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { Runtime, until } from "./kit.mjs";

const document = readFileSync(new URL("../../../docs/typescript.md", import.meta.url), "utf8");
const programs = [...document.matchAll(/^```ts\n([^]*?)^```$/gm)]
  .map((match) => match[1])
  .filter((text) => text.includes("@muster/client"));
const place = new URL("../../../examples/calculator/ts/dist/", import.meta.url);
const example = new URL("../../../examples/calculator/", import.meta.url);
/** Where a program finds the packages that it imports. */
const folderOf = (program) =>
  program.includes("@grpc/") ? new URL("../dist/", import.meta.url) : place;

const runtime = new Runtime();
const children = [];
before(() => runtime.start());
after(async () => {
  for (const child of children) child.kill("SIGKILL");
  await runtime.close();
});

function run(file) {
  const child = spawn(process.execPath, [fileURLToPath(file)], {
    cwd: example,
    env: { ...process.env, MUSTER_ADDRESS: runtime.address },
    stdio: ["ignore", "inherit", "inherit"],
  });
  children.push(child);
  return child;
}

test("there are programs to run", () => assert.equal(programs.length, 5));

for (const [index, program] of programs.entries()) {
  test(`program ${index + 1}`, { timeout: 30_000 }, async () => {
    const file = new URL(`document-${index + 1}.js`, folderOf(program));
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
    writeFileSync(file, ts.transpileModule(program, { compilerOptions: options }).outputText);
    const offers = async () =>
      (await runtime.get("/v1/instances")).instances.map((instance) => instance.name);
    if (program.includes("muster.client(")) {
      run(new URL("server.js", place));
      await until("the calculator is there", async () =>
        (await offers()).includes("CalculatorService"),
      );
    }
    const child = run(file);
    if (program.includes("SIGTERM")) {
      await until("it offers its service", async () => (await offers()).includes("AdderService"));
      child.kill("SIGTERM");
    }
    const [code] = await once(child, "exit");
    assert.equal(code, 0);
    rmSync(file);
  });
}
