import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem, type } from "node:os";

/** What the numbers depend on besides the programs. */
export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    features: cpuFeatures(),
    memory: totalmem(),
    system: `${type()} ${process.arch}`,
    node: process.versions.node,
    v8: process.versions.v8,
    load: loadavg()[0],
  };
}

/** The vector instructions that the peers choose their kernels by, where the system tells. */
function cpuFeatures() {
  if (!existsSync("/proc/cpuinfo")) return [];
  const flags = new Set(/^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1].split(" "));
  return ["sse4_2", "avx2", "fma", "avx512f", "avx512_vnni", "amx_tile"].filter((flag) => flags.has(flag));
}
