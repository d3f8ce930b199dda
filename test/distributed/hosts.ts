import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folder, run } from "./launcher.ts";

/*
 * Two hosts on one computer: network namespaces with a link between them, a host name each, and in the place of ssh a script that runs a command in the namespace
 * of an address.
 */

const PREFIX = `ek${process.pid}`;
const NAMES = [`${PREFIX}a`, `${PREFIX}b`];
/** of a network that is reserved for tests (RFC 2544) */
export const ADDRESSES = ["198.18.77.1", "198.18.77.2"];

const ip = (...args: string[]) => spawnSync("ip", args, { encoding: "utf8" });

/** Makes them. Says why it cannot be done, or "". */
export function makeHosts(): string {
  const steps = [
    ["netns", "add", NAMES[0]],
    ["netns", "add", NAMES[1]],
    ["link", "add", NAMES[0], "type", "veth", "peer", "name", NAMES[1]],
    ...NAMES.flatMap((name, i) => [
      ["link", "set", name, "netns", name],
      ["-n", name, "addr", "add", `${ADDRESSES[i]}/30`, "dev", name],
      ["-n", name, "link", "set", "lo", "up"],
      ["-n", name, "link", "set", name, "up"],
    ]),
  ];
  for (const step of steps) {
    const { status, stderr, error } = ip(...step);
    if (status !== 0)
      return `network namespaces are not allowed here (ip ${step.join(" ")}: ${(error?.message ?? stderr).trim()})`;
  }
  const inside = (i: number) => `exec ip netns exec ${NAMES[i]} unshare --uts sh -c "hostname ${NAMES[i]}; $*"`;
  // mpirun gives the host, and the command as words for a shell.
  const agent = `#!/bin/sh\nhost=$1\nshift\ncase $host in\n${ADDRESSES.map((address, i) => `${address}) ${inside(i)} ;;`).join("\n")}\nesac\nexit 1\n`;
  writeFileSync(join(folder, "agent"), agent);
  chmodSync(join(folder, "agent"), 0o755);
  return "";
}

/** Removes them, and whatever still runs in them. */
export function removeHosts(): void {
  for (const name of NAMES) {
    for (const pid of ip("netns", "pids", name).stdout.split("\n")) if (pid) spawnSync("kill", ["-9", pid]);
    ip("netns", "del", name);
  }
}

/** Processes in both namespaces. */
export function processesInHosts(): string[] {
  return NAMES.flatMap((name) => ip("netns", "pids", name).stdout.split("\n").filter(Boolean));
}

/** Bytes that have crossed the link, both ways, as the kernel counts them. */
export function bytesAcross(): number {
  const { stdout } = ip("-n", NAMES[0], "-s", "-j", "link", "show", NAMES[0]);
  const [{ stats64 }] = JSON.parse(stdout);
  return stats64.rx.bytes + stats64.tx.bytes;
}

/** Takes the link down. */
export function cutLink(): void {
  ip("-n", NAMES[1], "link", "set", NAMES[1], "down");
}

/** `evenkeel launch` on the first host, with a rank on each. */
export function launchOnHosts(
  flags: readonly string[],
  script: string,
  args: readonly string[],
  onOutput?: (output: string) => void,
) {
  const launch = [
    process.execPath,
    "dist/cli/main.js",
    "launch",
    "-n",
    "2",
    "--host",
    ADDRESSES.map((a) => `${a}:1`).join(","),
  ];
  const inside = ["netns", "exec", NAMES[0], "unshare", "--uts", "sh", "-c", `hostname ${NAMES[0]}; exec "$@"`, "sh"];
  const env = {
    OMPI_MCA_plm_rsh_agent: join(folder, "agent"),
    OMPI_MCA_btl_tcp_if_include: "198.18.77.0/30",
    OMPI_MCA_oob_tcp_if_include: "198.18.77.0/30",
  };
  return run("ip", [...inside, ...launch, ...flags, script, ...args], { env, onOutput });
}
