import { createInterface } from "node:readline";

/** What a peer throws at a workload that its library cannot do. */
export class Unsupported extends Error {}

/**
 * The values of every input, the same in every library: −1 … 1, spread evenly, in the order of [N, C, H, W]. With `seed` another sequence.
 */
export function values(count, seed) {
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = 2 * ((i * 0.6180339887498949 + seed * 0.7548776662466927) % 1) - 1;
  return out;
}

/** Mean of the absolute values: by this the harness sees that all libraries computed the same. */
export function meanAbsolute(data) {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += Math.abs(data[i]);
  return sum / data.length;
}

/** Milliseconds that a body runs before it is timed: compilers and caches settle. */
const WARM_UP_MS = 400;
/** Milliseconds at most, where a workload asks for so many iterations before it is timed; quick runs, of shorter samples than this, do fewer. */
const LONG_WARM_UP_MS = 12_000;
const WHOLE_SAMPLE_MS = 40;
/** Nanoseconds of an iteration that is not worth repeating before it is timed. */
const SLOW = 1e9;

/** Nanoseconds that a reading of the clock may stand for: its own cost disappears in them. */
const CHUNK = 2e5;

/** Nanoseconds by the clock on the wall, or those that the processor spent on this process. */
const CLOCKS = {
  wall: () => Number(process.hrtime.bigint()),
  cpu() {
    const { user, system } = process.cpuUsage();
    return (user + system) * 1000;
  },
};

/** Nanoseconds of one iteration, the median over chunks: what else runs on the machine stops some of them, seldom most. */
async function repeat(body, iterations, clock, expected = CHUNK) {
  const size = Math.max(1, Math.min(iterations, Math.round(CHUNK / expected)));
  const chunks = [];
  for (let done = 0; done < iterations; done += size) {
    const began = clock();
    for (let i = 0; i < size; i++) {
      const pending = body();
      if (pending) await pending;
    }
    chunks.push((clock() - began) / size);
  }
  return chunks.sort((a, b) => a - b)[chunks.length >> 1];
}

/** Runs a body until it is warm and returns what an iteration took then; a slow one is not run again and again. */
async function warmUp(body, sampleMs, clock, warmUps = 0) {
  if (sampleMs === 0) return 0;
  let ns = await repeat(body, 1, clock);
  if (ns > SLOW) return ns;
  const least = warmUps * Math.min(1, sampleMs / WHOLE_SAMPLE_MS);
  const isCold = (done, spent) =>
    spent < Math.min(WARM_UP_MS, 10 * sampleMs) * 1e6 || (done < least && spent < LONG_WARM_UP_MS * 1e6);
  for (let done = 1, spent = ns; isCold(done, spent); done++, spent += ns) ns = await repeat(body, 1, clock);
  return repeat(body, Math.max(1, Math.min(100, Math.floor((sampleMs * 1e6) / 4 / ns))), clock, ns);
}

/**
 * Answers the harness's requests, one a line.
 *
 * @param load () → what the library is: { version, details }
 * @param prepare (workload, layout) → { body, check, drop, parts }: one iteration, what its result is known by, how its memory goes back, and the times of its parts
 */
export async function serve(load, prepare) {
  const prepared = new Map();
  const answers = {
    load,
    async prepare({ key, workload, layout, sampleMs, clock }) {
      const task = await prepare(workload, layout);
      prepared.set(key, task);
      const check = await task.check?.();
      return { ns: await warmUp(task.body, sampleMs, CLOCKS[clock], workload.warmUps), check };
    },
    async run({ key, iterations, settle, expected, clock }) {
      const { body, parts } = prepared.get(key);
      if (settle > 0) await repeat(body, settle, CLOCKS[clock], expected);
      parts?.();
      const ns = await repeat(body, iterations, CLOCKS[clock], expected);
      return { ns, parts: parts?.() };
    },
    drop({ key }) {
      prepared.get(key)?.drop?.();
      prepared.delete(key);
      globalThis.gc?.();
      return {};
    },
    // maxRSS is in KiB on every system: libuv sees to it.
    memory: () => ({ bytes: process.resourceUsage().maxRSS * 1024 }),
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    let answer;
    try {
      answer = await answers[request.do](request);
    } catch (error) {
      if (error instanceof Unsupported) answer = { unsupported: error.message };
      else answer = { error: `${error.message}\n${error.stack}` };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}
