// Installs what a folder's package-lock.json names. Uses what Node has built in, since it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Whether the folder's node_modules holds what its package-lock.json names: npm writes there what it has installed. */
export function isInstalled(folder) {
  const installedFile = join(folder, "node_modules/.package-lock.json");
  if (!existsSync(installedFile)) return false;
  const installed = JSON.parse(readFileSync(installedFile, "utf8")).packages;
  const wanted = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")).packages;
  // Optional packages are those of other systems.
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (!path.startsWith("node_modules/")) return true;
    return path in installed ? installed[path].version === version : optional === true;
  });
}

/** Installs exactly what the lock file names; npm's own words are shown only if it fails. */
export function install(folder, ...options) {
  // With these a registry that cannot be reached is reported after seconds, not minutes.
  const retry = ["--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"];
  const { status, stdout, stderr, error } = npm(
    folder,
    "ci",
    "--include=dev",
    "--include=optional",
    "--no-progress",
    ...retry,
    ...options,
  );
  if (status === 0) return;
  const output = error ? `${error.message}\n` : `${stdout}${stderr}`;
  const unreachable = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|SOCKET_TIMEOUT/.test(output);
  const registry = npm(folder, "config", "get", "registry").stdout?.trim();
  throw new Error(
    `npm ci failed. This is what it said:\n\n${output}\n` +
      (unreachable
        ? `The package registry ${registry} cannot be reached. Check the network and the proxy (npm config get https-proxy),\n` +
          "or name a registry that you can reach (npm config set registry URL), then run the same command again.\n" +
          "Without any network: run npm ci in a copy of this folder elsewhere, and copy its node_modules here."
        : "Mend what it complains about, then run the same command again."),
  );
}

function npm(folder, ...args) {
  const options = { cwd: folder, encoding: "utf8", maxBuffer: 2 ** 26 };
  const script = process.env.npm_execpath;
  if (script?.endsWith("js")) return spawnSync(process.execPath, [script, ...args], options);
  return spawnSync("npm", args, { ...options, shell: process.platform === "win32" });
}
