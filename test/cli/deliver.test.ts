/** What becomes of a result of which a part cannot be written. */

import { beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { deliver } from '../../src/cli/deliver.js';
import { ExitStatus } from '../../src/cli/exitStatus.js';
import { runCli } from '../../src/cli/program.js';
import { runReport } from '../report/fixtures.js';
import { FakeHost } from './fakeHost.js';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});

const full = (): never => {
  throw new UserError({ where: '--trace x', found: 'a full disk', allowed: 'a file that can be written' });
};

describe('deliver', () => {
  it('goes on with the other parts and tells what was not written', async () => {
    const written: string[] = [];
    const status = await deliver(host, ExitStatus.Ok, [full, () => void written.push('table')]);
    expect(written).toEqual(['table']);
    expect(host.stderr.text).toBe(
      'svmsim: --trace x: found a full disk, allowed: a file that can be written\n',
    );
    expect(status).toBe(ExitStatus.BadInput);
  });

  it.each([ExitStatus.CheckFailed, ExitStatus.InternalError, ExitStatus.Interrupted])(
    'leaves the status %s of the result as it is',
    async (found) => {
      expect(await deliver(host, found, [full])).toBe(found);
    },
  );

  it('passes on what is no mistake of the user', async () => {
    const broken = async (): Promise<void> => {
      throw new TypeError('x is not a function');
    };
    await expect(deliver(host, ExitStatus.Ok, [broken])).rejects.toThrow(TypeError);
  });
});

describe.runIf(process.platform === 'linux')('on a full disk', () => {
  it('a failed run fails as such, and its table is there', async () => {
    host.run = async () => runReport({ checks: [{ name: 'content', ok: false, detail: 'wrong byte' }] });
    expect(await runCli(['run', '--json', '/dev/full'], host)).toBe(ExitStatus.CheckFailed);
    expect(host.stdout.text).toContain('wrong byte');
    expect(host.stderr.text).toContain('--json /dev/full: found');
  });

  it('a case run has its table and its document without the file for JUnit', async () => {
    host.cases = [{ suite: 's', name: 'one', needs: [], deterministic: true, steps: [], expect: [] }];
    expect(await runCli(['case', 'a.json', '--junit', '/dev/full', '--json', '-'], host)).toBe(
      ExitStatus.BadInput,
    );
    expect(JSON.parse(host.stdout.text).command).toBe('case');
  });
});
