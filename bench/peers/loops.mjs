// WebAssembly made of bytes, without a compiler: loops that do nothing but multiply-adds, or nothing but move tensors.

/** Accumulators of the multiply-adds: enough to hide the latency of four cycles on two ports. */
const CHAINS = 8;
/** Multiply-adds of a trip around the loop, each of four lanes. */
const TRIP = CHAINS * 8;
/** Operations of a trip. */
export const TRIP_FLOPS = TRIP * 4 * 2;
/** Bytes that a trip of `stream` takes from every tensor: a cache line. */
const LINE = 64;

const I32 = 127;
const V128 = 123;
const F32 = 125;
const HEADER = [0, 97, 115, 109, 1, 0, 0, 0];

const leb = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >> 7)]);
const section = (id, bytes) => [id, ...leb(bytes.length), ...bytes];
const get = (i) => [32, ...leb(i)];
const set = (i) => [33, ...leb(i)];
const end = 11;

/** A module of one function, f; `imports` is the body of its section of imports. */
function moduleOf(parameters, results, locals, code, imports = null) {
  const body = [...locals, ...code, end];
  const type = [1, 96, parameters.length, ...parameters, results.length, ...results];
  return new WebAssembly.Module(
    Uint8Array.from([
      ...HEADER,
      ...section(1, type),
      ...(imports ? section(2, imports) : []),
      ...section(3, [1, 0]),
      ...section(7, [1, 1, 102, 0, 0]),
      ...section(10, [1, ...leb(body.length), ...body]),
    ]),
  );
}

/** (trips: i32) → f32: fused multiply-adds into registers, of registers, so that nothing but arithmetic is measured. */
export function multiplyAdds() {
  const splat = (i) => [67, 0, 0, 128, 63, 253, 19, ...set(i)]; // f32.const 1; f32x4.splat
  const add = [253, 228, 1];
  const relaxedMadd = [253, 133, 2];
  const [x, y] = [CHAINS + 1, CHAINS + 2];
  const chains = Array.from({ length: CHAINS }, (_, i) => i + 1);
  const multiplyAdd = (i) => [...get(x), ...get(y), ...get(i), ...relaxedMadd, ...set(i)];
  const trip = Array.from({ length: TRIP / CHAINS }, () => chains.flatMap(multiplyAdd)).flat();
  const again = [...get(0), 65, 1, 107, 34, 0, 13, 0, end]; // trips −= 1; br_if; end
  const sum = [...get(1), ...chains.slice(1).flatMap((i) => [...get(i), ...add])];
  const firstLane = [253, 31, 0]; // f32x4.extract_lane 0
  const code = [...splat(x), ...splat(y), 3, 64, ...trip, ...again, ...sum, ...firstLane];
  const made = moduleOf([I32], [F32], [1, CHAINS + 2, V128], code);
  return new WebAssembly.Instance(made).exports.f;
}

/**
 * (addresses of what is read, addresses of what is written, bytes), the bytes a multiple of 64: one tensor to one other by memory.copy, which is the system's memcpy; else every element that is written
 * is the sum of those that are read. The memory is imported from "env", shared.
 */
export function stream(reads, writes) {
  const count = reads + writes;
  const bytes = count;
  const memory = [1, 3, 101, 110, 118, 6, 109, 101, 109, 111, 114, 121, 2, 3, 1, ...leb(65535)]; // env.memory, shared
  const parameters = new Array(count + 1).fill(I32);
  if (count === 2) return moduleOf(parameters, [], [0], [...get(1), ...get(0), ...get(2), 252, 10, 0, 0], memory);
  const sum = count + 1;
  const load = (i, at) => [...get(i), 253, 0, 4, ...leb(at)];
  const add = [253, 228, 1]; // f32x4.add
  const indices = Array.from({ length: reads }, (_, i) => i);
  const vector = (at) => [
    ...indices.flatMap((i) => [...load(i, at), ...(i > 0 ? add : [])]),
    ...set(sum),
    ...Array.from({ length: writes }, (_, i) => [...get(reads + i), ...get(sum), 253, 11, 4, ...leb(at)]).flat(),
  ];
  const trip = [0, 16, 32, 48].flatMap(vector);
  const onward = Array.from({ length: count }, (_, i) => [...get(i), 65, ...signed(LINE), 106, ...set(i)]).flat();
  const again = [...get(bytes), 65, ...signed(LINE), 107, 34, bytes, 13, 0, end]; // bytes −= 64; br_if; end
  return moduleOf(parameters, [], [1, 1, V128], [3, 64, ...trip, ...onward, ...again], memory);
}

/** A small positive constant: the sign is its highest bit. */
function signed(n) {
  return n < 64 ? [n] : [(n & 127) | 128, n >> 7];
}
