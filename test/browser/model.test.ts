import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { io, nn, type Tensor, tools, zeros } from "../../src/index.ts";
import { bytes, global, pickled, text, torchFile } from "../io/pickles.ts";
import { seriousFaults, shown, test } from "./harness.ts";

const SAMPLE = "lab/public/samples/resnet20-with-faults.pt";
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-lab-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const input = (page: Page) => page.locator('.model-gate input[type="file"]');
const give = (page: Page, name: string, content: Uint8Array) =>
  input(page).setInputFiles({ name, mimeType: "application/octet-stream", buffer: Buffer.from(content) });
const number = (text: string) => Number(text.replace(/\s/g, ""));

test("the sample: findings and layers as tools.inspect gives them, in both languages and in downloads", async ({
  visit,
}) => {
  const { model } = await io.load<{ model: nn.StateDict }>(readFileSync(SAMPLE));
  const { layers, findings } = await tools.inspect(model);
  const page = await visit("model");
  await page.getByRole("button", { name: "Open a ResNet-20" }).click();
  await page.locator("[data-report]").waitFor();
  const codes = await page
    .locator("[data-finding]")
    .evaluateAll((all) => all.map((one) => one.getAttribute("data-finding")));
  expect(codes).toHaveLength(6);
  expect([...codes].sort()).toEqual(findings.map(({ code }) => code).sort());
  expect(codes[0]).toBe("not-finite");
  expect(await shown(page, "layers")).toBe(layers.length);
  const first = page.locator(`[data-layer="${layers[0].path}"]`);
  expect(await first.locator(".model-plot").count()).toBe(4);
  const { min, max } = layers[0].weight!;
  const said = await first.locator("svg").first().getAttribute("aria-label");
  expect(said).toMatch(`from ${Number(min.toPrecision(3))} to ${Number(max.toPrecision(3))}`);
  expect(await seriousFaults(page)).toEqual([]);

  await page.getByRole("searchbox").first().fill("layer3");
  expect(await page.locator("[data-layer]").count()).toBe(layers.filter(({ path }) => path.includes("layer3")).length);
  await page.getByRole("checkbox").check();
  expect(await page.locator("[data-layer]").count()).toBe(3);
  await page.getByRole("searchbox").first().fill("");
  await page.locator(".model-tensors summary").click();
  expect(await page.locator(".model-tensors tbody tr").count()).toBe(Object.keys(model).length);
  await page.locator(".model-tensors summary").click();

  const saved = async (name: string) => {
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
    const path = join(folder, file.suggestedFilename());
    await file.saveAs(path);
    return readFileSync(path);
  };
  const report = JSON.parse((await saved("Report as JSON")).toString());
  expect(report.findings.map(({ code }: { code: string }) => code)).toEqual(codes);
  const html = (await saved("Report as HTML")).toString();
  expect(html).toContain("layer2.0.bn2");
  expect(html.match(/<svg/g)).toHaveLength(4 * layers.length);
  const converted = await io.load(await saved("Convert to safetensors"));
  for (const [key, tensor] of Object.entries(model) as unknown as [string, Tensor][]) {
    const bits = (of: Tensor | undefined) =>
      Buffer.from((of?.toTypedArray().buffer ?? new ArrayBuffer(0)) as ArrayBuffer);
    expect(bits(converted.get(key)).equals(bits(tensor)), key).toBe(true);
  }

  await page.getByRole("button", { name: "中文" }).click();
  await expect.poll(() => page.locator("[data-finding=dead-channels]").innerText()).toContain("16 个通道里有 5 个");
  expect(await seriousFaults(page)).toEqual([]);
});

test("a checkpoint of 100 MB that is dropped on the page opens", async ({ visit }) => {
  const shapes = Array.from({ length: 25 }, (_, i): [string, number[]][] => [
    [`${i}.conv.weight`, [1000, 1000]],
    ...["weight", "bias", "running_mean", "running_var"].map((name): [string, number[]] => [`${i}.bn.${name}`, [1000]]),
  ]).flat();
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [key, shape] of shapes) {
    const begin = end;
    end += 4 * shape.reduce((a, b) => a * b, 1);
    header[key] = { dtype: "F32", shape, data_offsets: [begin, end] };
  }
  const page = await visit("model", { plain: true });
  // Made in the page: to send it there would take longer than all the rest.
  await page.locator(".drop-zone").evaluate(
    (zone, [json, size]) => {
      const text = new TextEncoder().encode(json);
      const length = new BigUint64Array([BigInt(text.length)]);
      const data = new DataTransfer();
      data.items.add(new File([length, text, new Float32Array(size / 4).fill(0.5)], "large.safetensors"));
      zone.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    },
    [JSON.stringify(header), end] as const,
  );
  await page.locator('[data-report="large.safetensors"]').waitFor();
  expect(number(await page.locator('[data-stat="parameters"]').innerText())).toBe(25 * (1e6 + 4000));
  expect(await page.locator(".model-healthy").count()).toBe(1);
  expect(await shown(page, "layers")).toBe(25);
});

test("several state dicts in one file: the largest is shown, the others can be chosen", async ({ visit }) => {
  const page = await visit("model");
  const file = await io.save(null, {
    generator: new nn.BatchNorm1d(8).stateDict(),
    critic: new nn.BatchNorm1d(4).stateDict(),
    optimizer: { state: { 0: { exp_avg: zeros([100]) } } },
  });
  await give(page, "gan.pt", file);
  await page.locator("[data-report]").waitFor();
  const part = page.getByRole("combobox");
  expect(await part.locator("option").allInnerTexts()).toEqual(["generator (5 tensors)", "critic (5 tensors)"]);
  expect(await shown(page, "parameters")).toBe(33);
  await part.selectOption("critic");
  await expect.poll(() => shown(page, "parameters")).toBe(17);
});

describe("files that cannot be shown get a message", () => {
  test("each its own, and the page goes on", async ({ visit }) => {
    const sample = readFileSync(SAMPLE);
    const page = await visit("model");
    const files: [string, Uint8Array, string][] = [
      ["cut.pt", sample.subarray(0, sample.length / 2), "damaged"],
      ["noise.pt", Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919) % 251), "unknown"],
      ["evil.pt", torchFile(pickled(global("os", "system"), text("touch /tmp/x"), 0x85, "R")), "hostile"],
      ["class.pt", torchFile(pickled(global("torch.nn.modules.container", "Sequential"), ")", 0x81)), "whole-model"],
      ["login.safetensors", bytes("<!doctype html><title>Sign in</title>"), "damaged"],
      ["login.pt", bytes("<!doctype html><title>Sign in</title>"), "web-page"],
      ["pointer.pt", bytes("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "lfs-pointer"],
      ["empty.pth", new Uint8Array(), "empty"],
      ["numbers.pt", await io.save(null, { epoch: 3 }), "no-tensors"],
    ];
    for (const [name, content, kind] of files) {
      await give(page, name, content);
      const alert = page.locator(`[role=alert][data-failure="${kind}"]`, { hasText: name });
      await alert.waitFor({ timeout: 10_000 });
      if (kind === "hostile") {
        expect(await alert.innerText()).toContain("Nothing of it was executed");
        expect(await seriousFaults(page)).toEqual([]);
      }
    }
    const strange = '<img src=x onerror="document.title=1">.running_mean';
    const one = zeros([1]);
    await give(page, "strange.pt", await io.save(null, { [strange]: one, [strange.replace("mean", "var")]: one }));
    await page.locator('[data-report="strange.pt"]').waitFor();
    expect(await page.locator("main img").count()).toBe(0);
  });

  test("in Chinese too", async ({ visit }) => {
    const page = await visit("model", { language: "zh-CN" });
    await give(page, "page.pt", bytes("<html>"));
    await expect.poll(() => page.locator("[role=alert]").innerText()).toContain("这是网页，不是模型");
  });
});

test("every finding and failure has its words in both languages, with the same evidence", () => {
  const read = (language: string) => JSON.parse(readFileSync(`lab/src/locales/${language}/model.json`, "utf8"));
  const [english, chinese] = [read("en"), read("zh-CN")];
  const names = (value: string) => [...value.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const [code, own] of Object.entries(tools.FINDING_TEXTS)) {
    expect(english.finding[code].title).toBeTruthy();
    expect(names(chinese.finding[code].problem), code).toEqual(names(own.problem));
    expect(names(chinese.finding[code].remedy), code).toEqual(names(own.remedy));
  }
  expect(Object.keys(chinese.failure)).toEqual(Object.keys(english.failure));
});
