#!/usr/bin/env node
/** The program `svmsim`. */

// A question to a run, however early it comes: without a listener Node would wait for a debugger. Everything else takes longer to load than this line.
process.on('SIGUSR1', () => {});

await import('./runProcess.js').catch(refuse);

/** Bug overlays are looked at as they load, before any command is there that could tell of a mistake in one. */
async function refuse(error: unknown): Promise<void> {
  const { answerTo, wantsStack } = await import('./exitStatus.js');
  const { status, message } = answerTo(error, wantsStack({ variables: process.env }));
  if (message !== null) process.stderr.write(`${message}\n`);
  process.exitCode = status;
}
