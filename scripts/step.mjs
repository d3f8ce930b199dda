/** Runs one step, saying what it is when it starts and how long it took when it ends. */
export function step(name, run) {
  const started = performance.now();
  process.stdout.write(`evenkeel: ${name} … `);
  try {
    run();
  } catch (error) {
    process.stdout.write("failed\n");
    throw error;
  }
  process.stdout.write(`${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}
