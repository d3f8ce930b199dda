import type { Reporter, TestCase, TestModule, TestSuite, Vitest } from "vitest/node";
import { ROWS, RUNS } from "../../scripts/parity/page.ts";
import type { Evidence } from "../../scripts/parity/row.ts";

/** Where a row's test is, and which of its tests are meant. */
function meant(evidence: Evidence): { file: string; matches: (name: string) => boolean } | null {
  if ("live" in evidence) return null;
  if ("golden" in evidence)
    return { file: `${RUNS[evidence.golden]}.test.ts`, matches: (name) => name.includes(evidence.name) };
  // a title of test.each has places for the entry
  const places = /%[sdifjoO#%$]|\$\w+(?:\.\w+)*/;
  const parts = evidence.title.split(places).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(`^'?${parts.join(".*")}'?$`, "s");
  return { file: evidence.test, matches: (name) => pattern.test(name) };
}

/** Whether the test, or a suite it is in, has that name. */
function isNamed(test: TestCase | TestSuite, matches: (name: string) => boolean): boolean {
  // $name of an entry comes in quotes, with its own ones escaped
  return matches(test.name.replaceAll("\\'", "'")) || (test.parent.type === "suite" && isNamed(test.parent, matches));
}

/**
 * Fails the run where a row of PARITY.md names a test of it that did not pass: skipped, left to do, or never collected. Files that were not run
 * are not asked for.
 */
export default class ParityReporter implements Reporter {
  private vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    if (this.vitest?.config.testNamePattern) return;
    const lost = notPassed(modules);
    if (lost.length === 0) return;
    console.error(`\nPARITY.md names what did not pass in this run:\n${lost.map((line) => `  ${line}`).join("\n")}`);
    process.exitCode = 1;
  }
}

/** Rows and the tests that they name in vain. */
export function notPassed(modules: readonly TestModule[], rows = ROWS): string[] {
  const byFile = new Map<string, TestCase[]>();
  for (const module of modules) {
    const file = module.moduleId.replace(/^.*\/test\//, "");
    byFile.set(file, [...(byFile.get(file) ?? []), ...module.children.allTests()]);
  }
  return rows.flatMap(({ api, argument, evidence }) =>
    evidence.flatMap((each) => {
      const sought = meant(each);
      const tests = sought && byFile.get(sought.file);
      if (!tests) return [];
      // On a backend that it is not for a test may be skipped; on another one it has to pass.
      const states = tests.filter((test) => isNamed(test, sought.matches)).map((test) => test.result().state);
      if (states.includes("passed") && !states.includes("failed")) return [];
      const title = "golden" in each ? each.name : "test" in each ? each.title : "";
      return [`${api} · ${argument}: ${sought.file}: ${title} (${[...new Set(states)].join(", ") || "no such test"})`];
    }),
  );
}
