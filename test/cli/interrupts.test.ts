/** The first signal stops, the second kills. */

import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { untilInterrupted } from '../../src/cli/interrupts.js';

/** Work that ends when its signal says so. */
function untilAborted(signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve('stopped')));
}

/** Such work, which nobody may kill. */
function interrupted(source: EventEmitter, onInterrupt: () => void, nowMs: () => number): Promise<string> {
  return untilInterrupted(source, expect.unreachable, untilAborted, onInterrupt, nowMs);
}

describe('untilInterrupted', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('turns %s into an abort and says so', async (name) => {
    const source = new EventEmitter();
    let told = 0;
    const ended = interrupted(
      source,
      () => told++,
      () => 0,
    );
    source.emit(name, name);
    expect(await ended).toBe('stopped');
    expect(told).toBe(1);
  });

  it('kills at the second signal, whichever it is, with no handler left', async () => {
    const source = new EventEmitter();
    const killed: string[] = [];
    let now = 1000;
    const kill = (signal: string): void => {
      killed.push(`${signal} ${source.listenerCount('SIGINT') + source.listenerCount('SIGTERM')}`);
    };
    void untilInterrupted(
      source,
      kill,
      () => new Promise(() => {}),
      () => {},
      () => now,
    );
    source.emit('SIGINT', 'SIGINT');
    expect(killed).toEqual([]);
    now += 200;
    source.emit('SIGTERM', 'SIGTERM');
    expect(killed).toEqual(['SIGTERM 0']);
  });

  it('takes a second signal that comes at once for the same one', async () => {
    const source = new EventEmitter();
    let now = 1000;
    let told = 0;
    const ended = interrupted(
      source,
      () => told++,
      () => now,
    );
    source.emit('SIGTERM', 'SIGTERM');
    now += 199;
    source.emit('SIGTERM', 'SIGTERM');
    expect(await ended).toBe('stopped');
    expect(told).toBe(1);
  });

  it('leaves signals alone once the work has ended, however it ended', async () => {
    const source = new EventEmitter();
    expect(
      await untilInterrupted(
        source,
        expect.unreachable,
        async () => 1,
        expect.unreachable,
        expect.unreachable,
      ),
    ).toBe(1);
    const failing = async (): Promise<never> => {
      throw new Error('lost');
    };
    await expect(
      untilInterrupted(source, expect.unreachable, failing, expect.unreachable, expect.unreachable),
    ).rejects.toThrow('lost');
    expect(source.eventNames()).toEqual([]);
  });
});
