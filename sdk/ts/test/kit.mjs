// A real runtime for tests: the program that MUSTER names, in a folder of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const program = process.env.MUSTER ?? new URL("../../../build/muster", import.meta.url).pathname;

export class Runtime {
  folder = mkdtempSync(join(tmpdir(), "muster-ts-"));
  listen = "127.0.0.1:0";

  async start() {
    this.process = spawn(
      program,
      ["serve", "--quiet", "--listen", this.listen, "--data", this.folder],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    for await (const line of createInterface({ input: this.process.stdout })) {
      this.address = line.replace("listening on ", "");
      this.listen = this.address.replace("http://", ""); // the next start takes the same place
      return this;
    }
    throw new Error("the runtime ended at once");
  }

  async kill(signal = "SIGKILL") {
    const exited = once(this.process, "exit");
    this.process.kill(signal);
    await exited;
  }

  async close() {
    if (this.process.exitCode === null && this.process.signalCode === null) await this.kill();
    rmSync(this.folder, { recursive: true });
  }

  /** One call as REST. */
  async get(path) {
    const response = await fetch(this.address + path);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** A call that answers with a stream: all its messages. */
  async list(path) {
    const text = await (await fetch(this.address + path)).text();
    return text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }
}

/** Waits until `probe` gives something true; fails with `what` after ten seconds. */
export async function until(what, probe) {
  for (let i = 0; i < 200; i++) {
    const found = await probe();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`it did not come to pass: ${what}`);
}
