/** Policies of a user's own: the modules that are refused, and runs that follow those that are not, under both executors. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { loadExtensions } from '../../src/simulation/extensionFile.js';
import { makeSimulation } from '../../src/simulation/makeSimulation.js';
import { tempFolder } from '../tempFolder.js';
import { smallScenario } from './scenarios.js';

const folder = tempFolder();

function module(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function fromRoot(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

/** The module that the guide shows. */
function snippet(): string {
  const guide = readFileSync(fromRoot('docs/writing-a-policy.md'), 'utf8');
  const [, code] = /```js\n([\s\S]*?)```/.exec(guide) ?? [];
  return module('snippet.mjs', code ?? '');
}

describe('a module that is no policy', () => {
  it.each([
    ['no.mjs', null, /found no such file/],
    ['syntax.mjs', 'export default {', /found a file that does not load: /],
    [
      'throws.mjs',
      'throw new Error("not today")',
      /found a file that does not load: not today at throws\.mjs:1,/,
    ],
    [
      'alone.mjs',
      `throw new Error("Cannot find package 'svmsim' imported from here")`,
      /Cannot find package 'svmsim'.* \(in the module's folder: npm install PATH, .* or npm link/,
    ],
    ['empty.mjs', '', /found no default export/],
    ['number.mjs', 'export default 3', /found a default export that is a number/],
    ['function.mjs', 'export default () => 0', /found a default export that is a function/],
    ['nothing.mjs', 'export default {}', /found a default export \{\}/],
    [
      'misspelled.mjs',
      'export default { placment: { name: "x", onlySystemPages: true, place: () => 0 } }',
      /found a default export \{placment: object\}/,
    ],
    [
      'half.mjs',
      'export default { name: "x", place: () => 0 }',
      /found a default export \{name: string, place: function\}, without onlySystemPages, allowed/,
    ],
  ])('%s is refused in one line', async (name, text, found) => {
    const path = text === null ? join(folder, name) : module(name, text);
    const error: unknown = await loadExtensions(path).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toMatch(found);
    expect(String(error)).toContain(`${path}: found`);
    expect(String(error)).toContain('allowed: an ES module whose default export is');
  });

  it('ends a run before it begins', async () => {
    const config = { ...smallScenario({ executor: 'virtual' }), policyFile: join(folder, 'absent.mjs') };
    await expect(makeSimulation(config).run()).rejects.toThrow(UserError);
  });
});

describe('a module that does not load in a worker', () => {
  const text = [
    'import { isMainThread } from "node:worker_threads";',
    'if (!isMainThread) throw new Error("not in this thread");',
    'export default { name: "x", onlySystemPages: false, place: () => 0 };',
  ].join('\n');

  it('is a mistake of the user, and leaves no timer of the trace behind', async () => {
    const set = vi.spyOn(globalThis, 'setInterval');
    const clear = vi.spyOn(globalThis, 'clearInterval');
    const policyFile = module('mainOnly.mjs', text);
    const config = { ...smallScenario({ executor: 'threads' }), policyFile, trace: true };
    const error: unknown = await makeSimulation(config)
      .run({ onTrace: () => expect.unreachable('there is no run of which it could be') })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toMatch(/mainOnly.mjs: found a file that does not load: not in this/);
    const begun = set.mock.results.map(({ value }) => value);
    expect(begun.length).toBeGreaterThan(0);
    const ended = clear.mock.calls.map(([timer]) => timer);
    expect(begun.filter((timer) => !ended.includes(timer))).toEqual([]);
    vi.restoreAllMocks();
  });
});

describe.each(['virtual', 'threads'] as const)('under %s', (executor) => {
  const run = async (policyFile: string, set: string[] = []) => {
    const report = await makeSimulation({ ...smallScenario({ executor, set }), policyFile }).run();
    expect(report.failure).toBeNull();
    expect(report.checks.filter(({ ok }) => !ok)).toEqual([]);
    return report;
  };

  it('the snippet of the guide sends every page to device 0', async () => {
    const { counters } = await run(snippet());
    expect(counters.svm_migrate_count).toBeGreaterThan(0);
    // Nothing is ever wanted in device 1's memory, so nothing moves between the two.
    expect(counters.svm_peer_copy_kb).toBe(0);
  });

  it('a policy of RAM migrates nothing', async () => {
    const ram = module('ram.mjs', 'export default { name: "ram", onlySystemPages: false, place: () => -1 }');
    const { counters } = await run(ram, ['devices.system-atomics=coherent']);
    expect(counters.svm_migrate_count).toBe(0);
  });

  it('the example evicts as it says, and every check holds', async () => {
    const set = ['devices.vram=128KiB', 'svm.chunks=[64KiB, 4KiB]'];
    const { counters } = await run(fromRoot('examples/policies/writersMigrate.mjs'), set);
    expect(counters.svm_evict_count).toBeGreaterThan(0);
  });

  it('a policy that evicts nothing is obeyed', async () => {
    const keep = module('keep.mjs', 'export default { eviction: { name: "keep", victim: () => null } }');
    const { counters } = await run(keep, [
      'devices.vram=128KiB',
      'svm.chunks=[64KiB, 4KiB]',
      'devices.system-atomics=coherent',
    ]);
    expect(counters.svm_evict_count).toBe(0);
  });
});
