import { beforeAll } from "vitest";

// Files of one project share a process and its tensor heap: what the file before left to the collector goes before the next begins.
beforeAll(async () => {
  for (let i = 0; i < 2; i++) {
    gc?.();
    await new Promise((resolve) => setTimeout(resolve));
  }
});
