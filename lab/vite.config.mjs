import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/** What makes a page cross-origin isolated, so that threads may share memory. */
export const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  root: at("."),
  // Relative addresses: the built page may lie in any folder of any host.
  base: "./",
  // The library as it is published: its own list of modules with side effects holds, and the browser's platform file is chosen.
  resolve: {
    alias: [
      { find: /^evenkeel$/, replacement: at("../dist/index.js") },
      { find: /^evenkeel\/(\w+)$/, replacement: at("../dist/$1/index.js") },
    ],
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  worker: { format: "es" },
  build: {
    target: "es2022",
    outDir: at("../build/lab"),
    emptyOutDir: true,
    chunkSizeWarningLimit: 800,
    // Layers print their own class names.
    rolldownOptions: { output: { keepNames: true } },
  },
  server: { headers: ISOLATION },
});
