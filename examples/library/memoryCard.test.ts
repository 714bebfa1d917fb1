/** A driver idea under test: the card of `memoryCard.ts`, under schedules that look for a moment at which it reads what is not the process's any more. */

import {
  Advice,
  type CallReply,
  Errno,
  explore,
  type HostContext,
  holdPage,
  mapBuffer,
  type OwnProgram,
  type Setup,
  type Steps,
  type Vpn,
  vpn,
} from 'svmsim';
import { describe, expect, it } from 'vitest';
import { type CardMistakes, CardRequest, MemoryCard } from './memoryCard.js';

const PAGES = 2;

/** The card reads pages while the process drops them; what it reads afterwards must be what the process would read there: zeros. */
function readsWhileDropping(start: Vpn): OwnProgram {
  const sum = (host: HostContext): Steps<CallReply> => call(host, CardRequest.sum);
  return {
    *run(host: HostContext): Steps<string | null> {
      if ((yield* mapBuffer(host, start, PAGES)) !== Errno.OK) return 'no memory';
      yield* fill(host, start);
      yield* call(host, CardRequest.register, start, PAGES);
      function* reads(): Steps<Errno> {
        return (yield* sum(host)).errno;
      }
      yield* host.parallel([reads(), host.madvise(start, PAGES, Advice.DontNeed)]);
      const { a } = yield* sum(host);
      return a === 0 ? null : `the card read ${a} from pages that were dropped`;
    },
  };
}

function call(host: HostContext, request: number, page = vpn(0), npages = 0): Steps<CallReply> {
  return host.ioctl(request, -1, page, npages, 0, 0);
}

function* fill(host: HostContext, start: Vpn): Steps<void> {
  for (let i = 0; i < PAGES; i++) {
    const base = yield* holdPage(host, vpn(start + i), true);
    host.memory.words[base] = 1;
    host.release();
  }
}

function cardUnderTest(mistakes: CardMistakes): Setup {
  return {
    scenario: { ram: '1MiB', devices: { count: 1, vram: '1MiB' } },
    drivers: [(services) => new MemoryCard(services, mistakes)],
    programs: { 'reads while dropping': ({ start }) => readsWhileDropping(start) },
  };
}

describe('a card that reads memory in place', () => {
  it('reads what the process could read, whatever comes in between', async () => {
    const { failure, schedules } = await explore(cardUnderTest({}), { schedules: 200 });
    expect(failure).toBeNull();
    expect(schedules).toBe(200);
  });

  it('needs the retry check: without it a schedule is found in which it reads what was dropped', async () => {
    const { failure } = await explore(cardUnderTest({ skipsRetry: true }), { schedules: 1000 });
    expect(failure?.verdict.message).toMatch(/the card read \d+ from pages that were dropped/);
    expect(failure?.replay().some((line) => line.includes('notifier.invStart'))).toBe(true);
  });
});
