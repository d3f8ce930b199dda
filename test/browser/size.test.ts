import { gzipSync } from "node:zlib";
import { expect } from "vitest";
import { test } from "./harness.ts";

/** Bytes of JavaScript, compressed, that the first view may take. */
const MOST = 250_000;

test("the first view takes less than 250 KB of JavaScript, and none of it from elsewhere", async ({ visit }) => {
  const scripts: Promise<Buffer>[] = [];
  const hosts = new Set<string>();
  const page = await visit("why", {
    watch: (page) =>
      page.on("response", (response) => {
        hosts.add(new URL(response.url()).hostname);
        if (/\.js($|\?)/.test(response.url())) scripts.push(response.body());
      }),
  });
  await page.locator(".valley-path").first().waitFor();
  await page.waitForLoadState("networkidle");
  const bytes = (await Promise.all(scripts)).reduce((sum, body) => sum + gzipSync(body).length, 0);
  expect(bytes).toBeGreaterThan(20_000);
  expect(bytes).toBeLessThan(MOST);
  expect([...hosts]).toEqual(["localhost"]);
});
