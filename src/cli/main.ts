#!/usr/bin/env node
/** The program `svmsim`. */

// A question to a run, however early it comes: without a listener Node would wait for a debugger. Everything else takes longer to load than this line.
process.on('SIGUSR1', () => {});

await import('./runProcess.js');
