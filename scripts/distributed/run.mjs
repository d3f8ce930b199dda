// What training on several processes costs: the ranks' calls by size, gradients of ResNet-20, SyncBatchNorm, buckets that travel while backward goes on.
//   npm run bench:distributed -- --ranks 2 --launch --host=a:1,b:1
// Everything after --launch is handed to `evenkeel launch`. Prints JSON with --json.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const at = process.argv.indexOf("--launch");
const own = process.argv.slice(2, at < 0 ? undefined : at);
const flags = at < 0 ? [] : process.argv.slice(at + 1);
const { values } = parseArgs({
  args: own,
  options: {
    ranks: { type: "string", default: "2" },
    batch: { type: "string", default: "64" },
    steps: { type: "string", default: "12" },
    json: { type: "boolean", default: false },
  },
});
const [cli, measure] = ["../../dist/cli/main.js", "measure.mjs"].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);
const args = [cli, "launch", "-n", values.ranks, "--threads", "1", ...flags, measure, values.batch, values.steps];
const { stdout, status } = spawnSync(process.execPath, args, {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "inherit"],
});
const line = stdout.split("\n").find((text) => text.startsWith("{"));
if (!line) {
  process.stdout.write(stdout);
  process.exit(status || 1);
}
const found = JSON.parse(line);
if (values.json) console.log(JSON.stringify(found));
else {
  const us = (ms) => (ms < 1 ? `${(ms * 1000).toFixed(1)} µs` : `${ms.toFixed(2)} ms`);
  console.log(`${found.ranks} ranks, one thread each; medians, and the fastest in brackets\n`);
  for (const { name, bytes, median, least } of found.calls) {
    console.log(`${name.padEnd(28)} ${String(bytes).padStart(9)} bytes  ${us(median).padStart(9)} (${us(least)})`);
  }
  console.log(`\nResNet-20, ${found.batch} images of 32 × 32 a rank, forward, backward and step:`);
  for (const { name, median, least } of found.steps)
    console.log(`${name.padEnd(38)} ${us(median).padStart(9)} (${us(least)})`);
}
