import { describe, expect, it } from "vitest";
import { cost, type Job } from "../../src/study/jobs.ts";
import { plans } from "../../src/study/presets.ts";
import { JobQueue } from "../../src/study/queue.ts";

const jobs = plans("quick", 0).flatMap((plan) => plan.jobs);

/** What each worker does and when the last of it ends, if every run takes as long as its cost says. */
function schedule(workers: number): { done: Job[][]; ends: number[] } {
  const queue = new JobQueue(jobs);
  const done = Array.from({ length: workers }, (): Job[] => []);
  const ends = done.map(() => 0);
  const running = new Map<number, Job>();
  const idle = new Set<number>();
  while (idle.size < workers) {
    const free = ends.reduce((best, end, i) => (!idle.has(i) && (idle.has(best) || end < ends[best]) ? i : best), 0);
    running.delete(free);
    const job = queue.take(done[free].at(-1) ?? null, [...running.values()]);
    if (!job) {
      idle.add(free);
      continue;
    }
    running.set(free, job);
    done[free].push(job);
    ends[free] += cost(job);
  }
  return { done, ends };
}

describe("the queue of a study's runs", () => {
  it.each([1, 2, 3, 8, 200])("gives each run out once, to %i workers", (workers) => {
    const ids = schedule(workers).done.flatMap((own) => own.map(({ id }) => id));
    expect(ids.sort((a, b) => a - b)).toEqual(jobs.map(({ id }) => id));
  });

  it("lets two workers begin with a network each, and only one of them change to the other's", () => {
    const { done, ends } = schedule(2);
    expect(new Set(done.map(([first]) => first.network)).size).toBe(2);
    const changes = done.map((own) => own.filter((job, i) => i > 0 && job.network !== own[i - 1].network).length);
    expect(changes.sort()).toEqual([0, 1]);
    expect(Math.abs(ends[0] - ends[1])).toBeLessThan(0.03 * ends[0]);
  });

  it.each([3, 8])("keeps %i workers busy to the end", (workers) => {
    const { ends } = schedule(workers);
    const ideal = jobs.reduce((sum, job) => sum + cost(job), 0) / workers;
    const longest = Math.max(...jobs.map(cost));
    expect(Math.max(...ends)).toBeLessThan(Math.max(1.15 * ideal, 1.01 * longest));
  });

  it("is empty once cleared", () => {
    const queue = new JobQueue(jobs);
    queue.clear();
    expect(queue.take(null, [])).toBeUndefined();
    expect(queue.take(jobs[0], [])).toBeUndefined();
  });
});
