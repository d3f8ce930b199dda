import { startPeer } from "./lanes.mjs";

/** A lane that takes longer than this for one iteration is left out: it would take the others' time. */
const LONGEST_ITERATION = 5e9;

/**
 * Times a workload in all its lanes: prepares and warms each, then goes around them round by round, each round beginning with another lane, and every
 * second one backwards. A sample is the median of so many iterations that it takes about `sampleMs`, after iterations of about `settleMs` that are not counted: since the others had their turn, the
 * caches hold their tensors, and the first ten iterations of a batch norm take up to twice as long as those behind them.
 */
export async function measure(workload, lanes, peers, { rounds, settleMs, sampleMs, laneSeconds, clock }) {
  const running = [];
  const results = [];
  for (const lane of lanes.filter((lane) => wanted(workload, lane))) {
    const result = { lane: lane.id, samples: [] };
    try {
      const processes = await peers.get(lane);
      const request = {
        do: "prepare",
        key: lane.id,
        layout: lane.layout,
        workload: taskFor(workload, lane),
        sampleMs,
        clock,
      };
      const [{ ns, check, unsupported }] = await askAll(processes, request, 60);
      if (unsupported) result.unsupported = unsupported;
      else if (ns > LONGEST_ITERATION) result.unsupported = `${(ns / 1e9).toFixed(0)} s an iteration`;
      else {
        if (check !== undefined) result.check = check;
        result.iterations = Math.max(1, Math.min(10_000, Math.round((sampleMs * 1e6) / ns)));
        const most = Math.min(rounds, workload.rounds ?? rounds);
        const laneRounds = Math.max(2, Math.min(most, Math.round((laneSeconds * 1e9) / (ns * result.iterations))));
        running.push({ lane, processes, result, expected: ns, rounds: laneRounds });
      }
    } catch (error) {
      result.unsupported = error.message.split("\n")[0].slice(0, 200);
    }
    results.push(result);
  }
  for (let round = 0; round < rounds; round++) {
    const turn = round % Math.max(1, running.length);
    const order = [...running.slice(turn), ...running.slice(0, turn)];
    if (round % 2 === 1) order.reverse();
    for (const entry of order) {
      if (round >= entry.rounds) continue;
      try {
        const { iterations } = entry.result;
        const answers = await askAll(entry.processes, {
          do: "run",
          key: entry.lane.id,
          iterations,
          settle: Math.ceil((settleMs * 1e6) / entry.expected),
          expected: entry.expected,
          clock,
        });
        addSample(entry.result, answers);
      } catch (error) {
        entry.result.unsupported = error.message.split("\n")[0].slice(0, 200);
        entry.rounds = 0;
      }
    }
  }
  for (const { lane, processes } of running) {
    for (const peer of processes) if (!peer.ended) await peer.ask({ do: "drop", key: lane.id });
  }
  return { ...workload, unit: "ns", clock, date: new Date().toISOString(), lanes: results.map(withoutFailed) };
}

/** The answers of all processes of a lane, asked at once. */
function askAll(processes, request, seconds) {
  return Promise.all(processes.map((peer) => peer.ask(request, seconds)));
}

/** The mean of what the processes of a lane took at the same time, and the times of its parts if it tells them. */
function addSample(result, answers) {
  result.samples.push(Math.round(answers.reduce((sum, { ns }) => sum + ns, 0) / answers.length));
  const [{ parts }] = answers;
  if (!parts) return;
  result.parts ??= {};
  for (const [name, ns] of Object.entries(parts)) {
    result.parts[name] ??= [];
    result.parts[name].push(ns);
  }
}

function withoutFailed(result) {
  return result.unsupported ? { lane: result.lane, unsupported: result.unsupported, samples: [] } : result;
}

/** Peak resident memory of a fresh process that trains `steps` steps, several times over. */
export async function measureMemory(workload, lanes, { rounds }) {
  const results = [];
  for (const lane of lanes.filter((lane) => wanted(workload, lane))) {
    const result = { lane: lane.id, samples: [], loaded: [] };
    for (let round = 0; round < rounds; round++) {
      const peer = startPeer(lane.peer, lane.threads);
      try {
        await peer.ask({ do: "load" });
        const { bytes: loaded } = await peer.ask({ do: "memory" });
        const request = { do: "prepare", key: lane.id, layout: lane.layout, workload, sampleMs: 0, clock: "wall" };
        const { unsupported } = await peer.ask(request);
        if (unsupported) throw new Error(unsupported);
        await peer.ask({
          do: "run",
          key: lane.id,
          iterations: workload.steps,
          settle: 0,
          expected: 1e6,
          clock: "wall",
        });
        const { bytes } = await peer.ask({ do: "memory" });
        result.samples.push(bytes);
        result.loaded.push(loaded);
      } catch (error) {
        result.unsupported = error.message.split("\n")[0].slice(0, 200);
      } finally {
        peer.close();
      }
      if (result.unsupported) break;
    }
    results.push(result);
  }
  return { ...workload, unit: "bytes", date: new Date().toISOString(), lanes: results.map(withoutFailed) };
}

/** The machine's own lanes run the workload's limit: the same bytes moved, or the same operations done. */
function taskFor(workload, lane) {
  if (lane.peer === "limits") return workload.limit;
  return lane.byKernel ? { ...workload, byKernel: true } : workload;
}

function wanted(workload, lane) {
  if (workload.asks) return workload.asks.includes(lane.id);
  if (lane.asked) return false;
  if (lane.peer === "limits") return workload.limit !== undefined;
  if (lane.layout === "nhwc" && lane.peer === "torch" && !workload.layouts) return false;
  return workload.peers === "all" || workload.peers.includes(lane.peer);
}
