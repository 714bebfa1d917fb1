/** The command line's surroundings when it runs for real: this process, and the simulator. */

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { assert } from '../base/assert.js';
import type { Environment } from '../report/json.js';
import type { StatusOutput } from '../report/statusLine.js';
import { loadScenario } from '../scenario/loadScenario.js';
import { checkMachine, memoryNeed, thisMachine } from '../scenario/memoryNeed.js';
import { configDir } from '../scenario/presets.js';
import { tuneForSearching } from '../simulation/engine.js';
import type { CliHost, Simulator } from './cliHost.js';
import { untilInterrupted } from './interrupts.js';
import { processScreen } from './processScreen.js';
import { stolenMs } from './stolenTime.js';

const COLUMNS_WITHOUT_TERMINAL = 100;
const KIB = 1024;

export function processHost(): CliHost {
  const version = packageVersion();
  return {
    version,
    stdout: outputTo(process.stdout),
    stderr: outputTo(process.stderr),
    variables: process.env,
    simulator,
    environment: () => environmentOf(version),
    nowMs: () => performance.now(),
    stolenMs: () => stolenMs(),
    onQuestion: (listener) => {
      process.on('SIGUSR1', listener);
      return () => process.off('SIGUSR1', listener);
    },
    screen: () => processScreen(process),
    interruptible: (work, onInterrupt) =>
      untilInterrupted(
        process,
        (signal) => process.kill(process.pid, signal),
        work,
        onInterrupt,
        () => performance.now(),
      ),
  };
}

/** The protocol's code is loaded when a run needs it: help and mistakes answer at once. */
const simulator: Simulator = {
  loadScenario,
  checkMachine: (config) => checkMachine(config),
  withPrograms: async (config) =>
    config.policyFile === undefined
      ? config
      : (await import('../simulation/withPrograms.js')).withModulePrograms(config),
  refusePrograms: async (policyFile, allowed) =>
    (await import('../simulation/withPrograms.js')).refusePrograms(policyFile, allowed),
  runsThatFit: (config) => Math.floor(thisMachine().availableBytes / memoryNeed(config).bytes),
  makeSimulation: async (config) => (await import('../simulation/makeSimulation.js')).makeSimulation(config),
  bench: {
    migrate: async (config, options) =>
      (await import('../simulation/bench/migrate.js')).runBenchMigrate(config, options),
    fault: async (config, options) =>
      (await import('../simulation/bench/fault.js')).runBenchFault(config, options),
    invalidate: async (config, options) =>
      (await import('../simulation/bench/invalidate.js')).runBenchInvalidate(config, options),
    access: async (config, options) =>
      (await import('../simulation/bench/access.js')).runBenchAccess(config, options),
    engine: async (config, options) =>
      (await import('../simulation/bench/engine.js')).runBenchEngine(config, options),
    lookup: async (config, options) =>
      (await import('../simulation/bench/lookup.js')).runBenchLookup(config, options),
    mirror: async (config, options) =>
      (await import('../simulation/bench/mirror.js')).runBenchMirror(config, options),
    calibrate: async (config, options) =>
      (await import('../simulation/bench/calibrate.js')).runBenchCalibrate(config, options),
  },
  loadCases: async (paths) => {
    const { loadCaseFiles } = await import('../scenario/case/loadCases.js');
    return loadCaseFiles(paths).flatMap(({ cases }) => cases);
  },
  checkCheckers: async (checks, executor) =>
    (await import('../simulation/withChecks.js')).requireCheckers(checks, executor),
  runCase: async (one, options) => (await import('../simulation/case/runCase.js')).runCase(one, options),
  checkFile: async (path, kind) => (await import('../scenario/checkFile.js')).checkFile(path, kind),
  editorSchema: async (kind) => (await import('../scenario/editorSchema.js')).editorSchema(kind),
  openSweepPool: async (jobs, loadsModules) =>
    (await import('./workerPool.js')).openTaskPool('sweep', jobs, loadsModules),
  openCasePool: async (jobs) => (await import('./workerPool.js')).openTaskPool('case', jobs),
  openExplorePool: async (jobs, loadsModules) => {
    tuneForSearching();
    return (await import('./workerPool.js')).openTaskPool('explore', jobs, loadsModules);
  },
};

function outputTo(stream: NodeJS.WriteStream): StatusOutput {
  return {
    get isTTY() {
      return stream.isTTY === true;
    },
    get columns() {
      return stream.columns > 0 ? stream.columns : COLUMNS_WITHOUT_TERMINAL;
    },
    write: (text) => {
      stream.write(text);
    },
  };
}

function environmentOf(version: string): Environment {
  return {
    svmsim: version,
    node: process.version,
    platform: process.platform,
    arch: process.arch,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    peakMemoryBytes: process.resourceUsage().maxRSS * KIB,
  };
}

/** Of the package that this program comes in. */
function packageVersion(): string {
  const text = readFileSync(join(dirname(configDir()), 'package.json'), 'utf8');
  const version: unknown = JSON.parse(text).version;
  assert(typeof version === 'string', 'package.json has no version');
  return version;
}
