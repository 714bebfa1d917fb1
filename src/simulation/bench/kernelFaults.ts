/** Has this machine's own kernel take minor faults, with a small C program, for comparison. */

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface KernelFaults {
  /** Nanoseconds of one fault, sample by sample; none where it could not be measured. */
  readonly times: readonly number[];
  /** Why there are none; empty otherwise. */
  readonly reason: string;
}

const FAULTS = 16_384;
const COMPILE_MS_MAX = 20_000;
const RUN_MS_MAX = 20_000;

/** `source` is the path of the program. It is compiled with gcc into a folder that is removed afterwards. The signal ends it, compiler and all. */
export async function measureKernelFaults(
  source: string,
  samples: number,
  signal?: AbortSignal,
): Promise<KernelFaults> {
  const control = signal === undefined ? {} : { signal };
  const folder = await mkdtemp(join(tmpdir(), 'svmsim-faults-'));
  try {
    const program = join(folder, 'minorFaults');
    await run('gcc', ['-O2', '-o', program, source], { timeout: COMPILE_MS_MAX, ...control });
    const options = { timeout: RUN_MS_MAX, ...control };
    const { stdout } = await run(program, [String(FAULTS), String(samples)], options);
    const times = stdout.trim().split('\n').map(Number);
    const good = times.length === samples && times.every((ns) => ns > 0);
    return good ? { times, reason: '' } : { times: [], reason: 'its program printed something else' };
  } catch (error) {
    return { times: [], reason: reasonOf(error) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'AbortError') return 'it was interrupted';
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 'there is no gcc';
  return 'its program could not be compiled or run';
}
