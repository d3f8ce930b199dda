#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { EvenkeelError } from "../util/errors.ts";
import { launchCommand } from "./launch.ts";
import { studyCommand } from "./study.ts";
import { packageVersion } from "./version.ts";

/** Exit codes: 0 done, 1 it could not be done, 2 the command line was wrong, 130 stopped by Ctrl-C. */
async function main(): Promise<number> {
  const program = new Command("evenkeel")
    .description("Batch normalization and its family: study, and tools for networks that depend on them.")
    .version(packageVersion())
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError("(evenkeel --help shows the commands, evenkeel COMMAND --help their options)")
    .enablePositionalOptions()
    .exitOverride();
  let code = 0;
  const onExit = (result: number) => {
    code = result;
  };
  program.addCommand(studyCommand(onExit));
  program.addCommand(launchCommand(onExit));
  for (const command of program.commands) command.copyInheritedSettings(program);
  try {
    await program.parseAsync();
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof EvenkeelError) {
      process.stderr.write(`evenkeel: ${error.message}\n`);
      return 1;
    }
    throw error;
  }
}

process.exitCode = await main();
