// The machine itself: copying bytes, and the peak of fused multiply-adds of 128 bits. node limits.mjs limits
import { setFlagsFromString } from "node:v8";
import { serve, Unsupported } from "./serve.mjs";

setFlagsFromString("--experimental-wasm-relaxed-simd");

/** Accumulators of the loop: enough to hide the latency of four cycles on two ports. */
const CHAINS = 8;
/** Multiply-adds of a trip around the loop, each of four lanes. */
const TRIP = CHAINS * 8;

const leb = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >> 7)]);
const section = (id, bytes) => [id, ...leb(bytes.length), ...bytes];

/** (trips: i32) → f32: TRIP fused multiply-adds a trip into CHAINS registers, of registers, so that nothing but arithmetic is measured. */
function multiplyAdds() {
  const get = (i) => [32, ...leb(i)];
  const set = (i) => [33, ...leb(i)];
  const splat = (i) => [67, 0, 0, 128, 63, 253, 19, ...set(i)]; // f32.const 1; f32x4.splat
  const add = [253, 228, 1];
  const relaxedMadd = [253, 133, 2];
  const [x, y] = [CHAINS + 1, CHAINS + 2];
  const chains = Array.from({ length: CHAINS }, (_, i) => i + 1);
  const multiplyAdd = (i) => [...get(x), ...get(y), ...get(i), ...relaxedMadd, ...set(i)];
  const locals = [1, CHAINS + 2, 123]; // all v128
  const loop = [3, 64];
  const again = [...get(0), 65, 1, 107, 34, 0, 13, 0, 11]; // trips −= 1; br_if; end
  const sum = [...get(1), ...chains.slice(1).flatMap((i) => [...get(i), ...add])];
  const firstLane = [253, 31, 0, 11]; // f32x4.extract_lane 0; end
  const trip = Array.from({ length: TRIP / CHAINS }, () => chains.flatMap(multiplyAdd)).flat();
  const body = [...locals, ...splat(x), ...splat(y), ...loop, ...trip, ...again, ...sum, ...firstLane];
  const header = [0, 97, 115, 109, 1, 0, 0, 0];
  const type = section(1, [1, 96, 1, 127, 1, 125]);
  const exported = section(7, [1, 1, 102, 0, 0]);
  const code = section(10, [1, ...leb(body.length), ...body]);
  const bytes = [...header, ...type, ...section(3, [1, 0]), ...exported, ...code];
  return new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes))).exports.f;
}

function fma({ flops }) {
  const run = multiplyAdds();
  const trips = Math.max(1, Math.round(flops / (TRIP * 4 * 2)));
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
  const made = { fma, copy }[task.op]?.(task);
  if (!made) throw new Unsupported(`no limit called ${task.op}`);
  return made;
});
