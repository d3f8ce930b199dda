/** Why a job ended, as far as its error output tells. */
export interface Cause {
  /** such as "rank 2" */
  readonly who: string;
  /** such as "was ended by signal 9 (Killed)" */
  readonly what: string;
}

const NOTICED = /noticed that process rank (\d+) with PID \d+ on node (\S+) exited on\s+signal (\d+)( \([^)]*\))?/;

function endedBySignal([, rank, node, signal, name = ""]: readonly string[]): Cause {
  return { who: `rank ${rank} (${node})`, what: `was ended by signal ${signal}${name}` };
}

/** What is said of a process by itself and by launchers of MPI. Of several causes the one with the smallest weight came first: what a rank says of itself, then what was seen of it. */
const SAYINGS: readonly { weight: number; pattern: RegExp; cause: (found: readonly string[]) => Cause }[] = [
  {
    weight: 0,
    pattern: /^evenkeel: (rank \d+) of \S+ \(([^)]*)\) (.*)$/m,
    cause: ([, rank, where, what]) => ({ who: `${rank} (${where})`, what }),
  },
  { weight: 1, pattern: NOTICED, cause: endedBySignal },
  {
    weight: 1,
    pattern: /Process name: \[\[\d+,\d+\],(\d+)\]\s+Exit code: +(\d+)/,
    cause: ([, rank, code]) => ({ who: `rank ${rank}`, what: `ended with exit code ${code}` }),
  },
  {
    // The process that MPICH names may be another one than the first to end.
    weight: 1,
    pattern: /BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES[\s\S]*?EXIT CODE: (\d+)/,
    cause: ([, code]) => ({ who: "a rank", what: `ended with code ${code} (MPICH does not tell which)` }),
  },
  {
    weight: 2,
    pattern: /lost communication with a remote daemon\.[\s\S]*?node[^:]*:\s+(\S+)|MPIRUN has lost communication/i,
    cause: ([, node = "another host"]) => ({ who: node, what: "cannot be reached any more" }),
  },
];

/** Ranks that reached their time-out say so, all within a moment: the others are those they waited for. */
function waitedInVain(output: string): Cause | null {
  const sayings = [...output.matchAll(/^evenkeel: rank (\d+) of (\d+) \([^)]*\) waited (\S+ s in \S+)/gm)];
  if (sayings.length === 0 || /^evenkeel: rank \d+ of \S+ \([^)]*\) (?!waited)/m.test(output)) return null;
  const [, , worldSize, call] = sayings[0];
  const waiting = new Set(sayings.map(([, rank]) => Number(rank)));
  const missing = Array.from({ length: Number(worldSize) }, (_, rank) => rank).filter((rank) => !waiting.has(rank));
  // Why a rank did not answer says more; on a busy computer that may come after the time-out.
  const noticed = NOTICED.exec(output);
  if (noticed && missing.includes(Number(noticed[1]))) return endedBySignal(noticed);
  const many = (ranks: Iterable<number>) => [...ranks].sort((a, b) => a - b).join(", ");
  return missing.length > 0
    ? { who: `rank ${many(missing)}`, what: `did not answer: rank ${many(waiting)} waited ${call}` }
    : { who: "all ranks", what: `waited ${call}: they cannot reach each other, or made different calls` };
}

/** The first cause in the error output of a job, or null. */
export function causeOf(output: string): Cause | null {
  const waited = waitedInVain(output);
  if (waited) return waited;
  let best: { weight: number; cause: Cause } | null = null;
  for (const { weight, pattern, cause } of SAYINGS) {
    if (best && best.weight <= weight) continue;
    const found = pattern.exec(output);
    if (found) best = { weight, cause: cause(found) };
  }
  return best?.cause ?? null;
}
