import { spawnSync } from "node:child_process";

export interface Outcome {
  code: number | null;
  out: string;
  err: string;
}

/** Runs the command as a user does, without a terminal. */
export function evenkeel(args: readonly string[], env: Record<string, string> = {}): Outcome {
  const { NO_COLOR: _, FORCE_COLOR: __, ...rest } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["dist/cli/main.js", ...args], {
    encoding: "utf8",
    env: { ...rest, COLUMNS: "80", ...env },
  });
  return { code: status, out: stdout, err: stderr };
}
