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

/** (trips: i32) → f32: TRIP multiply-adds a trip into CHAINS registers, of registers, so that nothing but arithmetic is measured. */
function multiplyAdds(relaxed) {
  const [get, set] = [(i) => [32, ...leb(i)], (i) => [33, ...leb(i)]];
  const splat = (i) => [67, 0, 0, 128, 63, 253, 19, ...set(i)]; // f32.const 1; f32x4.splat
  const [add, mul, madd] = [[253, 228, 1], [253, 230, 1], [253, 133, 2]];
  const [x, y] = [CHAINS + 1, CHAINS + 2];
  const one = (i) => {
    if (relaxed) return [...get(x), ...get(y), ...get(i), ...madd, ...set(i)];
    return [...get(x), ...get(y), ...mul, ...get(i), ...add, ...set(i)];
  };
  const chains = Array.from({ length: CHAINS }, (_, i) => i + 1);
  const body = [
    ...leb(1), ...leb(CHAINS + 2), 123, // locals: v128
    ...splat(x), ...splat(y),
    3, 64, // loop
    ...Array.from({ length: TRIP / CHAINS }, () => chains.flatMap(one)).flat(),
    ...get(0), 65, 1, 107, 34, 0, 13, 0, 11, // trips −= 1; br_if; end
    ...chains.slice(1).reduce((sum, i) => [...sum, ...get(i), ...add], get(1)),
    253, 31, 0, 11, // f32x4.extract_lane 0; end
  ]; // biome-ignore format: a line an idea
  const bytes = [
    0, 97, 115, 109, 1, 0, 0, 0,
    ...section(1, [1, 96, 1, 127, 1, 125]),
    ...section(3, [1, 0]),
    ...section(7, [1, 1, 102, 0, 0]),
    ...section(10, [1, ...leb(body.length), ...body]),
  ];
  return new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes))).exports.f;
}

function fma({ flops }) {
  const run = multiplyAdds(true);
  const trips = Math.max(1, Math.round(flops / (TRIP * 4 * 2)));
  return { body: () => void run(trips) };
}

/** Between two buffers, as a forward pass reads one tensor and writes another. */
function copy({ bytes }) {
  const [from, to] = [new Uint8Array(bytes).fill(1), new Uint8Array(bytes).fill(2)];
  return { body: () => void to.set(from) };
}

function load() {
  multiplyAdds(true)(1);
  return { version: process.versions.v8, details: "memcpy; 128-bit fused multiply-adds in WebAssembly" };
}

await serve(load, (task) => {
  const made = { fma, copy }[task.op]?.(task);
  if (!made) throw new Unsupported(`no limit called ${task.op}`);
  return made;
});
