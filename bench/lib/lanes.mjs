import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Peer } from "./peer.mjs";

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** The python that Debian's python3-torch belongs to; another one can be named. */
const PYTHON = process.env.PYTHON ?? (existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3");

/** Settings that hold the BLAS back on kernels or caches of another processor. */
const HELD_BACK = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"];

/** The libraries: where their workers are, and what to do where one is missing. */
const LIBRARIES = {
  evenkeel: { title: "evenkeel", script: "peers/evenkeel.mjs", install: "npm run build" },
  torch: {
    title: "PyTorch",
    script: "peers/torch_peer.py",
    install: "apt-get install python3-torch libopenblas0 (or set PYTHON to a python that has torch and numpy)",
  },
  "tfjs-wasm": { title: "TensorFlow.js wasm", script: "peers/tfjs.mjs", install: "npm install --prefix bench" },
  "tfjs-cpu": { title: "TensorFlow.js cpu", script: "peers/tfjs.mjs", install: "npm install --prefix bench" },
  jax: { title: "jax-js wasm", script: "peers/jax.mjs", install: "npm install --prefix bench" },
  limits: { title: "the machine", script: "peers/limits.mjs", install: "a Node with relaxed SIMD (20.12 or newer)" },
};

/** Names that --peers takes. */
export const PEERS = Object.keys(LIBRARIES);

/**
 * A lane is what is timed side by side: a library with a number of threads and a memory layout. Those with `asked` run only in workloads that name their lanes: `copies` processes at once, which
 * shows what the cores give when nothing is shared, or with the time of every kernel.
 */
export function lanesFor(peers, threads) {
  const lanes = [];
  for (const peer of peers) {
    const { title } = LIBRARIES[peer];
    if (peer === "evenkeel") {
      for (const t of threads) lanes.push({ id: `evenkeel-${t}`, peer, threads: t, layout: "nchw", title });
      const one = { peer, threads: 1, layout: "nchw", asked: true };
      lanes.push({ ...one, id: "evenkeel-1-twice", copies: 2, title: `${title}, two processes at once` });
      lanes.push({ ...one, id: "evenkeel-1-kernels", byKernel: true, title: `${title}, its kernels timed` });
    } else if (peer === "torch") {
      for (const t of threads) {
        lanes.push({ id: `torch-${t}`, peer, threads: t, layout: "nchw", title });
        lanes.push({ id: `torch-${t}-last`, peer, threads: t, layout: "nhwc", title: `${title}, channels-last` });
      }
    } else if (peer === "limits") {
      for (const t of new Set([1, ...threads])) {
        lanes.push({ id: t === 1 ? peer : `${peer}-${t}`, peer, threads: t, layout: "nchw", title, asked: t > 1 });
      }
    } else {
      lanes.push({ id: peer, peer, threads: 1, layout: peer.startsWith("tfjs") ? "nhwc" : "nchw", title });
    }
  }
  return lanes;
}

/** Starts a process for a library with a number of threads. */
export function startPeer(peer, threads) {
  const env = { ...process.env, OMP_NUM_THREADS: String(threads), OPENBLAS_NUM_THREADS: String(threads) };
  for (const name of HELD_BACK) delete env[name];
  const script = path(LIBRARIES[peer].script);
  if (script.endsWith(".py")) return new Peer(PYTHON, [script, String(threads)], env);
  return new Peer(process.execPath, [script, peer, String(threads)], env);
}

/** One process for each library and number of threads, and others for lanes that need some of their own; starts them as they are asked for, and again where one died. */
export class Peers {
  #running = new Map();

  /** The processes of a lane, mostly one. */
  get({ id, peer, threads, copies = 1, byKernel = false }) {
    const own = copies > 1 || byKernel;
    const keys = Array.from({ length: copies }, (_, i) => (own ? `${id}/${i}` : `${peer}/${threads}`));
    return Promise.all(keys.map((key) => this.#process(key, peer, threads)));
  }

  async #process(key, peer, threads) {
    const known = this.#running.get(key);
    if (known && !known.ended) return known;
    const started = startPeer(peer, threads);
    this.#running.set(key, started);
    await started.ask({ do: "load" });
    return started;
  }

  close() {
    for (const peer of this.#running.values()) peer.close();
  }
}

/** Asks each library what it is; those that do not load are missing, with the reason and the remedy. */
export async function survey(peers, threads) {
  const about = {};
  for (const peer of peers) {
    const { title, install } = LIBRARIES[peer];
    const process = startPeer(peer, threads.at(-1));
    try {
      about[peer] = { title, ...(await process.ask({ do: "load" })) };
    } catch (error) {
      about[peer] = { title, missing: reasonOf(error), install };
    } finally {
      process.close();
    }
  }
  return about;
}

/** The line that says what went wrong; a stack and Node's version are no reasons. */
function reasonOf({ message }) {
  const lines = message.split("\n").map((line) => line.trim());
  return (lines.find((line) => /Error\b.*:/.test(line)) ?? lines[0]).slice(0, 200);
}
