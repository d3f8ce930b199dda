// Figures of the lab in headless Chromium: what the first view costs, and whether the page stays smooth while it trains.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("..", import.meta.url));
const RUNS = 5;
const SLOWED = 4;
const TRAINING_MS = 10_000;

export async function measure() {
  const { chromium } = await import("playwright-core");
  const server = spawn(process.execPath, ["scripts/lab.mjs", "serve", "--no-open", "--port", "4390"], { cwd: root });
  const address = await new Promise((resolve, reject) => {
    server.stdout.on("data", (text) => resolve(String(text).match(/http:\S+/)?.[0]));
    server.on("exit", () => reject(new Error("the lab's server ended")));
  });
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: ["--headless", "--no-sandbox", "--disable-gpu"] });
  try {
    const views = [];
    for (let run = 0; run < RUNS; run++) views.push(await firstView(browser, address));
    const median = (key) => views.map((view) => view[key]).sort((a, b) => a - b)[RUNS >> 1];
    console.log(`First view, the processor slowed ${SLOWED} times, medians of ${RUNS} fresh visits:`);
    console.log(`  first contentful paint    ${Math.round(median("paint"))} ms`);
    console.log(`  largest contentful paint  ${Math.round(median("largest"))} ms`);
    console.log(`  the first picture drawn   ${Math.round(median("picture"))} ms`);
    console.log(`  JavaScript, compressed    ${(views[0].script / 1000).toFixed(1)} kB in ${views[0].scripts} files`);
    const frames = await framesWhileTraining(browser, address);
    const at = (part) => frames[Math.min(frames.length - 1, Math.floor(part * frames.length))].toFixed(1);
    console.log(`Frames while it trains, ${frames.length} in ${TRAINING_MS / 1000} s:`);
    console.log(`  median ${at(0.5)} ms, 95 of 100 under ${at(0.95)} ms, longest ${at(1)} ms`);
  } finally {
    await browser.close();
    server.kill();
  }
}

/** Times since navigation began until the first view is there, and the JavaScript that it took. */
async function firstView(browser, address) {
  const page = await (await browser.newContext()).newPage();
  const bodies = [];
  page.on("response", (response) => {
    if (/\.js($|\?)/.test(response.url())) bodies.push(response.body());
  });
  const session = await page.context().newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: SLOWED });
  await page.addInitScript(() => {
    globalThis.largest = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) globalThis.largest = entry.startTime;
    }).observe({ type: "largest-contentful-paint", buffered: true });
    const watch = () => {
      if (document.querySelector(".valley-path")) globalThis.picture = performance.now();
      else requestAnimationFrame(watch);
    };
    watch();
  });
  await page.goto(address);
  await page.waitForFunction(() => globalThis.picture !== undefined);
  await page.waitForTimeout(1000);
  const times = await page.evaluate(() => ({
    paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN,
    largest: globalThis.largest,
    picture: globalThis.picture,
  }));
  const scripts = await Promise.all(bodies);
  await page.context().close();
  return { ...times, scripts: scripts.length, script: scripts.reduce((sum, body) => sum + gzipSync(body).length, 0) };
}

/** The times between frames while two networks train, sorted. */
async function framesWhileTraining(browser, address) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${address}#/train`);
  await page.getByRole("button", { name: /^Train$/ }).click();
  await page.waitForTimeout(2000);
  const frames = await page.evaluate(
    (duration) =>
      new Promise((resolve) => {
        const times = [];
        const started = performance.now();
        let last = started;
        const frame = (now) => {
          times.push(now - last);
          last = now;
          if (now - started < duration) requestAnimationFrame(frame);
          else resolve(times.slice(1));
        };
        requestAnimationFrame(frame);
      }),
    TRAINING_MS,
  );
  await page.context().close();
  return frames.sort((a, b) => a - b);
}
