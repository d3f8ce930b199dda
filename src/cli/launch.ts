import { Command, InvalidArgumentError } from "commander";
import { type LaunchFlags, launch } from "./launch-job.ts";

function whole(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError("Give a whole number from 1.");
  return Number(text);
}

const collect = (flag: string, before: readonly string[]) => [...before, flag];

/** `evenkeel launch`: a script on several processes, on this computer or on several. */
export function launchCommand(onExit: (code: number) => void): Command {
  return new Command("launch")
    .description("Run a script on several processes (ranks) that train together: mpirun with the right flags.")
    .argument("<script>", "JavaScript, or TypeScript where Node runs it or tsx is installed")
    .argument("[args...]", "for the script")
    .requiredOption("-n, --ranks <n>", "number of processes on all hosts together", whole)
    .option("--host <list>", "hosts, such as a:4,b:4 (the number is how many ranks each may take)")
    .option("--hostfile <file>", "a file of hosts, one a line, such as: a slots=4")
    .option("--threads <n>", "threads of each rank (default: the processors, shared by the ranks of a host)", whole)
    .option("--timeout <s>", "seconds that a rank waits for the others before it ends the job (default: 600)", whole)
    .option("--limit <s>", "seconds after which the job is ended, whatever it does", whole)
    .option("--mpi <command>", "the launcher of Open MPI or MPICH", "mpirun")
    .option(
      "--mpi-flag <flag>",
      "a further flag for the launcher, such as --mpi-flag=--tag-output; may be repeated",
      collect,
      [],
    )
    .passThroughOptions()
    .addHelpText(
      "after",
      `
Examples:
  evenkeel launch -n 4 train.js --epochs 10
  evenkeel launch -n 8 --host a:4,b:4 train.js   (ssh to both without a password; the same Node, script and packages at the same paths)`,
    )
    .action(async (script: string, args: string[], flags: LaunchFlags) => {
      onExit(await launch(script, args, flags));
    });
}
