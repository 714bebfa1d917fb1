/** The SQL snippets for Perfetto name what a trace has: every name, category, argument and counter in them, and tables that Perfetto has. */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { EventArguments } from '../../../src/observe/trace/eventArguments.js';
import { instantSteps, spanRules } from '../../../src/observe/trace/spanRules.js';
import { readTimeline } from '../../../src/observe/trace/timeline.js';
import { recordedRun } from '../../observe/trace/recordedRun.js';

const folder = fileURLToPath(new URL('../../../sql', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.sql'));
const page = readFileSync(fileURLToPath(new URL('../../../docs/perfetto.md', import.meta.url)), 'utf8');

/** Without comments. */
function sqlOf(file: string): string {
  return readFileSync(`${folder}/${file}`, 'utf8').replace(/--.*$/gm, '');
}

/** What a string in a snippet may be beside a name: a success, and the parts that names are taken apart by. */
const others = new Set(['0', 'wait for ', 'send ', 'receive ', ': bytes carried']);
/** Rare things too, which a short run need not have. */
const emitted = new Set<string>([
  ...instantSteps,
  ...spanRules.flatMap(({ name, phases, lastPhase = '' }) => [name, ...Object.values(phases), lastPhase]),
]);

function note(names: readonly string[], args: EventArguments): void {
  for (const name of names) emitted.add(name);
  for (const key of Object.keys(args)) emitted.add(`debug.${key}`);
}

beforeAll(async () => {
  readTimeline(await recordedRun(), {
    onBegin: ({ name, category, args }) => note([name, category], args),
    onEnd: (_span, _endNs, args) => note([], args),
    onInstant: ({ name, args }) => note([name, 'step'], args),
    onCounter: (_actor, name) => note([name], {}),
  });
});

describe.each(files)('%s', (file) => {
  it('is explained', () => {
    expect(page).toContain(`| \`${file}\` |`);
    expect(readFileSync(`${folder}/${file}`, 'utf8')).toMatch(/^-- [A-Z].*\.\n/);
  });

  it('names what a trace has', () => {
    const texts = [...sqlOf(file).matchAll(/'([^']*)'/g)].map(([, text]) => text);
    const unknown = texts.filter((text) => !others.has(text) && !isEmitted(text));
    expect(unknown).toEqual([]);
  });

  it('uses tables of Perfetto, or its own', () => {
    const sql = sqlOf(file);
    const own = [...sql.matchAll(/(?:WITH(?: RECURSIVE)?|,)\s+(\w+)(?:\(\w+\))? AS \(/g)].map(
      ([, name]) => name,
    );
    const tables = ['slice', 'flow', 'counter', 'process', 'process_track', 'process_counter_track', ...own];
    const used = [...sql.matchAll(/(?:FROM|JOIN)\s+(\w+)/g)].map(([, name]) => name);
    expect(used.filter((name) => !tables.includes(name))).toEqual([]);
  });
});

/** A pattern names something when it fits. */
function isEmitted(text: string): boolean {
  if (!text.includes('*')) return emitted.has(text);
  const [before, after] = text.split('*');
  return [...emitted].some((name) => name.startsWith(before) && name.endsWith(after));
}
