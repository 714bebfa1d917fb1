/** The check of a forked child: that it finds a child, or a parent, whose memory is not what it must be. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { type Vpn, vpn } from '../../src/base/units.js';
import { pfn } from '../../src/memory/pfn.js';
import { PhysicalLayout } from '../../src/memory/physicalLayout.js';
import { PhysicalMemory } from '../../src/memory/physicalMemory.js';
import type { Steps } from '../../src/sim/steps.js';
import { IoctlRequest } from '../../src/uapi/ioctlRequest.js';
import { type ForkHost, type ForkResult, forkAndCheck } from '../../src/workload/forkedChild.js';
import type { CallReply } from '../../src/workload/workload.js';

const WORDS = 1024;
const PARENT_PAGE = 600;
const CHILD_PAGE = 601;

/** One page, of which the parent and the child each have a frame once the child has stored. */
class TwoProcesses {
  readonly memory = PhysicalMemory.allocate(new PhysicalLayout({ ramPages: 512, vram: [] }));
  readonly calls: string[] = [];
  private process = 1;
  private copied = false;

  constructor(private readonly bug: 'none' | 'stale child' | 'shared' | 'no memory' = 'none') {}

  get host(): ForkHost {
    return {
      memory: this.memory,
      tryPage: (_page: Vpn, write: boolean) => this.wordOf(write),
      release: () => {},
      ioctl: (request: number) => this.ioctl(request),
      enterProcess: (mm: number) => this.enter(mm),
      fault: () => {
        throw new Error('all pages are there');
      },
    };
  }

  private wordOf(write: boolean): number {
    if (this.process === 1 || this.bug === 'shared') return PARENT_PAGE * WORDS;
    if (write && !this.copied) {
      this.memory.copyPages(pfn(CHILD_PAGE), pfn(PARENT_PAGE), 1);
      this.copied = true;
    }
    if (this.bug === 'stale child') return CHILD_PAGE * WORDS;
    return (this.copied ? CHILD_PAGE : PARENT_PAGE) * WORDS;
  }

  private *ioctl(request: number): Steps<CallReply> {
    this.calls.push(request === IoctlRequest.fork ? 'fork' : 'exit');
    const errno = this.bug === 'no memory' ? Errno.ENOMEM : Errno.OK;
    return { errno, a: 2, b: 0 };
  }

  private *enter(mm: number): Steps<Errno> {
    this.calls.push(`enter ${mm}`);
    this.process = mm;
    return Errno.OK;
  }
}

function check(machine: TwoProcesses): ForkResult & { readonly parentWord: number } {
  machine.memory.words[PARENT_PAGE * WORDS + 5] = 42;
  const steps = forkAndCheck(machine.host, [{ page: vpn(7), slot: 5, value: 42 }]);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return { ...value, parentWord: machine.memory.words[PARENT_PAGE * WORDS + 5] };
  }
}

describe('a fork under load', () => {
  it('finds nothing where the child has what the parent had, and the parent keeps it', () => {
    const machine = new TwoProcesses();
    expect(check(machine)).toEqual({ errno: Errno.OK, wrong: null, parentWord: 42 });
    expect(machine.calls).toEqual(['fork', 'enter 2', 'enter 1', 'exit']);
  });

  it('finds a child that lacks what was stored before the fork', () => {
    expect(check(new TwoProcesses('stale child')).wrong).toMatch(
      /a child has 0x0 in word 5, forked from 0x2a/,
    );
  });

  it('leaves in the parent what a child that shares its page has stored, for the next load of the parent to find', () => {
    expect(check(new TwoProcesses('shared'))).toMatchObject({ wrong: null, parentWord: ~42 });
  });

  it('is over where there is no memory for a child', () => {
    const machine = new TwoProcesses('no memory');
    expect(check(machine)).toMatchObject({ errno: Errno.ENOMEM, wrong: null });
    expect(machine.calls).toEqual(['fork']);
  });
});
