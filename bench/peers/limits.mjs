// The machine itself: moving bytes, and the peak of fused multiply-adds of 128 bits. node limits.mjs limits THREADS
import { setFlagsFromString } from "node:v8";
import { multiplyAdds, TRIP_FLOPS } from "./loops.mjs";
import { move } from "./move.mjs";
import { serve, Unsupported } from "./serve.mjs";

setFlagsFromString("--experimental-wasm-relaxed-simd");

const threads = Number(process.argv[3] ?? 1);

function fma({ flops }) {
  const run = multiplyAdds();
  const trips = Math.max(1, Math.round(flops / TRIP_FLOPS));
  return { body: () => void run(trips) };
}

/** Between two buffers, as a forward pass reads one tensor and writes another. */
function copy({ bytes }) {
  const [from, to] = [new Uint8Array(bytes).fill(1), new Uint8Array(bytes).fill(2)];
  return { body: () => void to.set(from) };
}

function load() {
  multiplyAdds()(1);
  return { version: process.versions.v8, details: "memcpy; 128-bit fused multiply-adds in WebAssembly" };
}

await serve(load, (task) => {
  const made = { fma, copy, move: () => move(task, threads) }[task.op]?.(task);
  if (!made) throw new Unsupported(`no limit called ${task.op}`);
  return made;
});
