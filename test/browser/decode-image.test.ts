import { build } from "vite";
import { beforeAll, expect } from "vitest";
import type { data } from "../../src/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { test } from "./harness.ts";

interface Image {
  kind: "image" | "pipeline";
  name: string;
  file: string;
  mode: "unchanged" | "rgb";
  output: Golden;
}

/** What a page is given: the package bundled by its own browser entry. */
let script: string;
beforeAll(async () => {
  const built = await build({
    configFile: false,
    logLevel: "error",
    build: {
      write: false,
      minify: false,
      target: "es2022",
      lib: { entry: "dist/data/index.js", formats: ["es"], fileName: "data" },
      // One file: what only Node imports later comes with it.
      rolldownOptions: { output: { codeSplitting: false } },
    },
  });
  const [{ output }] = built as { output: { code: string }[] }[];
  expect(output.length).toBe(1);
  script = `${output[0].code}\nglobalThis.decodeImage = decodeImage;`;
}, 60_000);

const images = readGolden<Image>("images").filter(({ kind }) => kind === "image");

test("images are decoded by the browser as by torchvision: JPEG and PNG of every kind", async ({ visit }) => {
  const page = await visit("why");
  await page.addScriptTag({ type: "module", content: script });
  await page.waitForFunction(() => "decodeImage" in globalThis);
  const decoded = await page.evaluate(
    async (files) => {
      const { decodeImage } = globalThis as unknown as { decodeImage: typeof data.decodeImage };
      const all: { shape: number[]; dtype: string; values: number[] }[] = [];
      for (const { file, mode } of files) {
        const image = await decodeImage(
          Uint8Array.from(atob(file), (c) => c.charCodeAt(0)),
          { mode },
        );
        all.push({ shape: [...image.shape], dtype: image.dtype, values: Array.from(image.toTypedArray(), Number) });
      }
      const refused = await decodeImage(new Blob(["no image"])).catch((error: Error) => String(error));
      return { all, refused };
    },
    images.map(({ file, mode }) => ({ file, mode })),
  );
  expect(images.filter(({ name }) => name.startsWith("JPEG")).length).toBeGreaterThan(5);
  expect(images.filter(({ name }) => name.startsWith("PNG")).length).toBeGreaterThan(5);
  for (const [i, { name, output }] of images.entries()) {
    const { shape, dtype, values } = decoded.all[i];
    expect(dtype, name).toBe("uint8");
    expect(shape, name).toEqual([...output.shape]);
    const most = Math.max(...values.map((value, k) => Math.abs(value - Number((output.data as Uint8Array)[k]))));
    expect(most, name).toBe(0);
  }
  expect(decoded.refused).toContain("the image cannot be decoded");
});
