// Sums over and over until rank argv[3] fails as argv[2] says.
import { full } from "evenkeel";
import { init } from "evenkeel/distributed";

const ranks = await init();
const [how, who] = [process.argv[2], Number(process.argv[3])];
console.log(`process ${process.pid} runs`);
for (let i = 0; ; i++) {
  ranks.allReduce(full([100], 1));
  await new Promise((done) => setTimeout(done, 1));
  if (i < 20 || ranks.rank !== who) continue;
  if (how === "kill") process.kill(process.pid, "SIGKILL");
  if (how === "throw") throw new TypeError("a mistake in the script");
  if (how === "leave") process.exit(0);
  if (how === "hang") for (;;);
}
