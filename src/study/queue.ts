import { cost, type Job } from "./jobs.ts";

/**
 * Jobs that wait for a worker. A worker stays with the network that it trained last as long as such jobs wait, and in an experiment with the normalization: what V8 has
 * compiled for one is of little use for another, and two workers that go through all jobs side by side both compile everything. Otherwise jobs keep their order, in
 * which the long ones come first.
 */
export class JobQueue {
  private readonly waiting = new Map<Job["network"], Job[]>();

  constructor(jobs: readonly Job[]) {
    for (const job of jobs) {
      const alike = this.waiting.get(job.network);
      if (alike) alike.push(job);
      else this.waiting.set(job.network, [job]);
    }
  }

  /**
   * The next job of a worker, or undefined when none waits.
   * @param before what the worker did last
   * @param running what the other workers are doing
   */
  take(before: Job | null, running: readonly Job[]): Job | undefined {
    const own = before && this.waiting.get(before.network);
    const jobs = own?.length ? own : this.neediest(running);
    if (!jobs) return undefined;
    const alike = jobs.findIndex(({ experiment, norm }) => experiment === jobs[0].experiment && norm === before?.norm);
    return jobs.splice(Math.max(alike, 0), 1)[0];
  }

  /** The jobs of the network with most work for each worker that is on it. */
  private neediest(running: readonly Job[]): Job[] | undefined {
    let found: Job[] | undefined;
    let most = 0;
    for (const [network, jobs] of this.waiting) {
      const workers = running.filter((job) => job.network === network).length;
      const work = jobs.reduce((sum, job) => sum + cost(job), 0) / (workers + 1);
      if (work > most) [found, most] = [jobs, work];
    }
    return found;
  }

  /** Drops all that wait. */
  clear(): void {
    this.waiting.clear();
  }
}
