import { describe, expect } from "vitest";
import { seriousFaults, test } from "./harness.ts";

const TITLES = {
  why: ["Why", "为什么"],
  layer: ["One layer", "一层之内"],
  shapes: ["Who shares a mean", "谁和谁取平均"],
  train: ["Train it", "训练一次"],
  model: ["Your model", "你的模型"],
};
/** What stands on the page where a text is missing: its key. */
const KEY = /(^|\s)[a-z]+\.[a-z]+[a-zA-Z]*(\.[a-z]+[a-zA-Z]*)*(\s|$)/;

describe.each(Object.entries(TITLES))("%s", (room, [english, chinese]) => {
  test("speaks both languages, without serious faults in either and in either theme", async ({ visit }) => {
    const page = await visit(room);
    expect(await page.title()).toBe(`${english} · evenkeel lab`);
    expect(await page.locator("main").innerText()).not.toMatch(KEY);
    expect(await seriousFaults(page)).toEqual([]);
    await page.getByRole("button", { name: "中文" }).click();
    await page.locator("html[lang=zh-CN]").waitFor();
    await expect.poll(() => page.title()).toBe(`${chinese} · evenkeel lab`);
    expect(await page.locator("main").innerText()).not.toMatch(KEY);
    await page.getByRole("button", { name: "配色" }).click();
    await page.getByRole("button", { name: "配色" }).click();
    await page.locator("html[data-theme=dark]").waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    await page.reload();
    await page.locator("html[lang=zh-CN][data-theme=dark] h1").waitFor();
  });

  test("fits a phone: nothing is wider than the screen", async ({ visit }) => {
    const page = await visit(room, { width: 390, language: "zh-CN", plain: true });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    expect(await page.locator(".bottom").innerText()).toContain("训练只用一个线程");
  });
});
