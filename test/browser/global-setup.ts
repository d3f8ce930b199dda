import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chromium } from "playwright-core";
import type { TestProject } from "vitest/node";
import { CHROMIUM_ARGUMENTS, findChromium, HOW_TO_INSTALL } from "./chromium.ts";

/** Where the lab and the browser are; nothing where there is no Chromium. */
export interface LabUnderTest {
  /** the browser's own address */
  readonly browser: string;
  /** the lab served with the headers that let threads share memory, and without them */
  readonly isolated: string;
  readonly plain: string;
}

declare module "vitest" {
  export interface ProvidedContext {
    lab: LabUnderTest | undefined;
  }
}

/** Builds the lab if it is stale, serves it twice and starts one Chromium for all test files. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const executablePath = findChromium();
  if (!executablePath) {
    if (process.env.CI) throw new Error(HOW_TO_INSTALL);
    console.warn(`\n${HOW_TO_INSTALL} They are skipped.\n`);
    project.provide("lab", undefined);
    return undefined;
  }
  const build = spawnSync(process.execPath, ["scripts/lab.mjs", "build"], { encoding: "utf8" });
  if (build.status !== 0) throw new Error(`the lab could not be built:\n${build.stdout}${build.stderr}`);
  const servers = [serve(4310), serve(4320, "--no-isolation")];
  const [isolated, plain] = await Promise.all(servers.map(addressOf));
  const browser = await chromium.launchServer({ executablePath, args: CHROMIUM_ARGUMENTS });
  project.provide("lab", { browser: browser.wsEndpoint(), isolated, plain });
  return async () => {
    await browser.close();
    for (const server of servers) server.kill();
  };
}

function serve(port: number, ...more: string[]): ChildProcess {
  return spawn(process.execPath, ["scripts/lab.mjs", "serve", "--no-open", "--port", String(port), ...more]);
}

/** The address that the server prints once it listens. */
function addressOf(server: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const listen = (text: Buffer) => {
      said += text;
      const address = said.match(/http:\/\/\S+/)?.[0];
      if (address) resolve(address);
    };
    server.stdout!.on("data", listen);
    server.stderr!.on("data", listen);
    server.on("exit", (code) => reject(new Error(`the lab's server ended with ${code}:\n${said}`)));
  });
}
