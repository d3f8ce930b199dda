#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { EvenkeelError } from "../util/errors.ts";
import { compareCommand } from "./compare.ts";
import { convertCommand } from "./convert.ts";
import { exportCommand } from "./export.ts";
import { foldCommand } from "./fold.ts";
import { inspectCommand } from "./inspect.ts";
import { launchCommand } from "./launch.ts";
import { studyCommand } from "./study.ts";
import { endWithPipe } from "./terminal.ts";
import { packageVersion } from "./version.ts";

/** Exit codes: 0 done, 1 done and something found (compare: a difference; inspect: see --fail-on), 2 the command line or a file is wrong, 130 stopped by Ctrl-C. */
async function main(): Promise<number> {
  const program = new Command("evenkeel")
    .description("Networks that depend on batch normalization: look into them, convert, fold and ship them.")
    .version(packageVersion())
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError("(evenkeel --help shows the commands, evenkeel COMMAND --help their options)")
    .enablePositionalOptions()
    .addHelpText(
      "after",
      `
Examples:
  evenkeel inspect resnet18.pth                    what its batch norms look like
  evenkeel convert resnet18.pth resnet18.safetensors
  evenkeel export resnet18.pth resnet18.onnx --fold
  evenkeel study                                   what batch norm does, measured here`,
    )
    .exitOverride();
  let code = 0;
  const onExit = (result: number) => {
    code = result;
  };
  const commands = [
    inspectCommand(onExit),
    compareCommand(onExit),
    convertCommand(),
    foldCommand(),
    exportCommand(),
    studyCommand(onExit),
    launchCommand(onExit),
  ];
  for (const command of commands) program.addCommand(command);
  endWithPipe();
  for (const command of program.commands) command.copyInheritedSettings(program);
  try {
    await program.parseAsync();
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof EvenkeelError) {
      process.stderr.write(`evenkeel: ${error.message}\n`);
      return 2;
    }
    if (process.env.EVENKEEL_DEBUG) throw error;
    process.stderr.write(
      `evenkeel: this should not have happened: ${error instanceof Error ? error.message : String(error)}\n` +
        "Please report it, with what EVENKEEL_DEBUG=1 prints.\n",
    );
    return 2;
  }
}

process.exitCode = await main();
