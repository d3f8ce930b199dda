import type { Page } from "playwright-core";
import { expect } from "vitest";
import { shown, test } from "./harness.ts";

const hash = (page: Page) => page.evaluate(() => location.hash);

test("what is set in the first three rooms is in the link, and a link sets it", async ({ visit }) => {
  const why = await visit("why", { query: "ratio=2&lrAfter=0.5&mean=-3&treatment=centred&layers=99" });
  expect(await why.getByLabel("Second feature is larger by").inputValue()).toBe("2");
  expect(await why.getByLabel("Learning rate, as a number").nth(1).inputValue()).toBe("0.5");
  await why.getByLabel("Learning rate, as a number").first().fill("0.02");
  await why.keyboard.press("Tab");
  expect(await hash(why)).toBe("#/why?ratio=2&lrAfter=0.5&mean=-3&treatment=centred&layers=99&lrBefore=0.02");

  const layer = await visit("layer", { query: "size=8&gamma=-0.5&example=4&kind=cumulative" });
  await layer.getByLabel("Shift β, as a number").fill("2");
  await layer.keyboard.press("Tab");
  const link = await hash(layer);
  expect(link).toBe("#/layer?size=8&gamma=-0.5&example=4&kind=cumulative&beta=2");
  expect(await layer.getByRole("radio", { name: "cumulative" }).isChecked()).toBe(true);
  const again = await visit("layer", { query: link.split("?")[1] });
  expect(await shown(again, "y")).toBe(await shown(layer, "y"));

  const shapes = await visit("shapes", { query: "kind=group&groups=3&samples=2&c=4" });
  expect(await shapes.getByRole("radio", { name: "Group" }).isChecked()).toBe(true);
  expect(await shown(shapes, "pool")).toBe(18);
  await shapes.getByRole("radio", { name: "Batch", exact: true }).check({ force: true });
  expect(await hash(shapes)).toBe("#/shapes?groups=3&samples=2&c=4");
  expect(await shown(shapes, "pool")).toBe(18);
});
