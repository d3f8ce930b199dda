import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/**
 * A process that one library runs in, asked by a JSON object on a line and answering by one. It lives as long as the run, so that interleaving costs
 * nothing, and a library's memory or crash disturbs no other.
 */
export class Peer {
  #child;
  #waiting = null;
  #errors = "";

  constructor(command, args, env) {
    this.#child = spawn(command, args, { env, stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stderr.on("data", (text) => {
      this.#errors = (this.#errors + text).slice(-2000);
    });
    this.#child.on("error", (error) => this.#end(error.message));
    this.#child.on("close", (code, signal) => this.#end(`it ended (${signal ?? code})\n${this.#errors}`));
    this.#child.stdin.on("error", () => {});
    // Libraries print banners: what is no JSON object is not for us.
    createInterface({ input: this.#child.stdout }).on("line", (line) => line.startsWith("{") && this.#answer(line));
  }

  /** The answer. Throws where the peer says that it failed, died, or gave none in time; a late one is killed. */
  ask(request, seconds = 120) {
    return new Promise((resolve, reject) => {
      if (this.ended) return reject(new Error(this.ended));
      const timer = setTimeout(() => this.#end(`no answer within ${seconds} s`), seconds * 1000);
      this.#waiting = { resolve, reject, timer };
      this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    });
  }

  /** Ends the process. */
  close() {
    this.#end("closed");
  }

  #answer(line) {
    const { resolve, reject } = this.#take();
    const { error, ...answer } = JSON.parse(line);
    if (error) reject?.(new Error(error));
    else resolve?.(answer);
  }

  #end(reason) {
    this.ended ??= reason.trim();
    this.#child.kill("SIGKILL");
    this.#take().reject?.(new Error(this.ended));
  }

  #take() {
    const waiting = this.#waiting;
    this.#waiting = null;
    clearTimeout(waiting?.timer);
    return waiting ?? {};
  }
}
