/** Memory of one program that another one gets: of the same size, and zero. */

import { describe, expect, it } from 'vitest';
import { findBug } from '../../src/bugs/catalogue.js';
import { BufferStock } from '../../src/explore/bufferStock.js';
import { makeStrategy } from '../../src/explore/strategies/makeStrategy.js';
import { subjectOf } from '../../src/explore/subject.js';
import { runnerOf } from '../../src/explore/target.js';
import { bufferShape, type SharedBuffers } from '../../src/simulation/sharedBuffers.js';

function targetOf(id: string) {
  const bug = findBug(id);
  if (bug === null) throw new Error(`there is no bug ${id}`);
  return { source: bug.subject, bug: null };
}

function buffersOf(buffers: SharedBuffers): SharedArrayBuffer[] {
  return Object.values(buffers)
    .flat()
    .filter((value): value is SharedArrayBuffer => value instanceof SharedArrayBuffer);
}

describe('a stock of shared memory', () => {
  const target = targetOf('B107');
  const { config } = subjectOf(target.source);

  it('gives what it was given to who needs the same sizes, and to nobody else', () => {
    const stock = new BufferStock();
    const taken = stock.take(config);
    stock.give(config, taken);
    const larger = { ...config, ramPages: config.ramPages + 1 };
    expect(bufferShape(larger)).not.toBe(bufferShape(config));
    expect(stock.take(larger)).not.toBe(taken);
    expect(stock.take(config)).toBe(taken);
    expect(stock.take(config)).not.toBe(taken);
  });

  it('lets go of what it was given first', () => {
    const stock = new BufferStock();
    const configs = Array.from({ length: 13 }, (_, i) => ({ ...config, ramPages: config.ramPages + i }));
    const taken = configs.map((one) => stock.take(one));
    configs.forEach((one, i) => {
      stock.give(one, taken[i]);
    });
    const again = configs.map((one) => stock.take(one));
    expect(again.map((buffers, i) => buffers === taken[i])).toEqual(configs.map((_, i) => i > 0));
  });

  it('refuses memory that it has already', () => {
    const stock = new BufferStock();
    const taken = stock.take(config);
    stock.give(config, taken);
    expect(() => stock.give(config, taken)).toThrow('given back twice');
  });

  it('has memory of a program that has run as that of one that has not', () => {
    const stock = new BufferStock();
    const strategy = makeStrategy('random', 1);
    const runner = runnerOf(target, stock);
    const first = runner.run(strategy);
    runner.close();
    const taken = stock.take(config);
    const used = buffersOf(taken).filter((buffer) => new Uint8Array(buffer).some((byte) => byte !== 0));
    // Counters of the run before, which each machine begins with anew, doorbells, which count on, and what was handed over behind its length.
    const unread = [taken.observer, taken.doorbells, taken.payloads];
    expect(used.filter((buffer) => !unread.includes(buffer))).toEqual([]);
    stock.give(config, taken);
    const again = runnerOf(target, stock).run(makeStrategy('random', 1));
    expect(again).toEqual(first);
  });

  it('has no runner go on with memory that others may have', () => {
    const runner = runnerOf(target, new BufferStock());
    runner.close();
    expect(() => runner.run(makeStrategy('random', 1))).toThrow('others may have');
    expect(() => runner.close()).toThrow('closed twice');
  });
});
