/** Names of files that are empty, as a variable that nobody has set leaves them. */

import { expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { FakeHost } from './fakeHost.js';

it.each([
  [['run', ''], "run ''"],
  [['case', 'a.json', ''], "case ''"],
  [['import', ''], "import ''"],
  [['report', ''], "report ''"],
  [['replay', ''], "replay ''"],
  [['validate', ''], "validate ''"],
  [['init', ''], "init ''"],
  [['run', '--policy', ''], '--policy'],
  [['run', '--preset', ''], '--preset'],
  [['bench', '--baseline', ''], '--baseline'],
  [['explore', '--output', ''], '--output'],
])('%j is told that the name is empty', async (words, where) => {
  const host = new FakeHost();
  expect(await runCli(words, host)).toBe(2);
  expect(host.stderr.text).toBe(
    `svmsim: ${where}: found a name that is empty, allowed: the name of a file\n`,
  );
});

it('the document on standard output says so too', async () => {
  const host = new FakeHost();
  expect(await runCli(['run', '--trace', '', '--json', '-'], host)).toBe(2);
  expect(JSON.parse(host.stdout.text)).toMatchObject({ command: 'run', ok: false });
});
