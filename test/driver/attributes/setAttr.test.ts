/** KFD's request to set attributes: a part that fails holds up no other, and whose mapping is made anew. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { SvmAccess, type SvmChange } from '../../../src/driver/attributes/kfdSvm.js';
import { Location } from '../../../src/driver/attributes/location.js';
import type { ProcessAttributes } from '../../../src/driver/attributes/processAttributes.js';
import { SetAttr, type SpanActions } from '../../../src/driver/attributes/setAttr.js';
import type { Span } from '../../../src/driver/attributes/span.js';
import type { GpuHandle } from '../../../src/driver/gpuHandle.js';
import { System } from '../harness.js';

const AREA = 0x1000;
const PREFETCH: SvmChange = { kind: 'prefetch', place: 1 };

let system: System;
let said: ProcessAttributes;
/** What was asked, by the first page of the piece, and what that ends with. */
let asked: string[];
let errnos: Map<string, Errno>;

function answer(what: string): Errno {
  asked.push(what);
  return errnos.get(what) ?? Errno.OK;
}

const actions: SpanActions = {
  *follow({ start }: Span, refault: boolean) {
    answer(`follow ${start - AREA}${refault ? ' refault' : ''}`);
  },
  *prefetch({ start }: Span, place: number) {
    return answer(`prefetch ${start - AREA} to ${place}`);
  },
  *bindInPlace({ start }: Span, gpu: GpuHandle) {
    return answer(`bind ${start - AREA} for ${gpu.index}`);
  },
  *unbind({ start }: Span, gpu: GpuHandle) {
    answer(`unbind ${start - AREA} for ${gpu.index}`);
  },
};

beforeEach(() => {
  system = new System({ devices: 2 });
  system.map(AREA, 8);
  const { coordinator } = system;
  const attributes = coordinator.mirrors.attributesOf(coordinator.mm);
  if (attributes === null) throw new Error('the process is not mirrored');
  said = attributes;
  // Two pieces, of which different things were said.
  said.kfd.apply(vpn(AREA), vpn(AREA + 4), [{ kind: 'granularity', order: 1 }]);
  said.kfd.apply(vpn(AREA + 4), vpn(AREA + 8), [{ kind: 'granularity', order: 2 }]);
  asked = [];
  errnos = new Map();
});

function set(...changes: SvmChange[]): Errno {
  const { mm, gpus, mirrors } = system.coordinator;
  const request = new SetAttr(gpus, mirrors, () => true, actions);
  return system.run(request.run({ mm, start: vpn(AREA), end: vpn(AREA + 8) }, said, changes));
}

describe('a part that fails', () => {
  it('to be mapped holds up no other, and what it ends with is told', () => {
    said.kfd.xnackEnabled = false;
    errnos.set('bind 0 for 0', Errno.EFAULT);
    expect(set({ kind: 'access', device: 0, access: SvmAccess.InPlace })).toBe(Errno.EFAULT);
    expect(asked.filter((what) => what.endsWith('for 0'))).toEqual(['bind 0 for 0', 'bind 4 for 0']);
  });

  it('to reach a device is told to nobody, and holds up no other', () => {
    errnos.set('prefetch 0 to 1', Errno.EBUSY);
    expect(set(PREFETCH)).toBe(Errno.OK);
    expect(asked).toEqual(['follow 0', 'follow 4', 'prefetch 0 to 1', 'prefetch 4 to 1']);
  });
});

it('leaves alone what nothing was said of any more when its turn comes', () => {
  const later = { ...actions };
  later.prefetch = function* ({ start }: Span, place: number) {
    said.shared.delete(AREA + 4, AREA + 6);
    return answer(`prefetch ${start - AREA} to ${place}`);
  };
  const { mm, gpus, mirrors } = system.coordinator;
  const request = new SetAttr(gpus, mirrors, () => true, later);
  expect(system.run(request.run({ mm, start: vpn(AREA), end: vpn(AREA + 8) }, said, [PREFETCH]))).toBe(
    Errno.OK,
  );
  expect(asked.filter((what) => what.startsWith('prefetch'))).toEqual(['prefetch 0 to 1', 'prefetch 6 to 1']);
});

it('has devices lose what they have of it where flags change', () => {
  expect(set({ kind: 'setFlags', flags: 1 })).toBe(Errno.OK);
  expect(asked.slice(0, 2)).toEqual(['follow 0 refault', 'follow 4 refault']);
});

it('moves and maps nothing for a place that is only preferred', () => {
  expect(set({ kind: 'preferred', place: Location.System })).toBe(Errno.OK);
  expect(asked).toEqual(['follow 0', 'follow 4']);
  expect(said.shared.get(AREA)?.preferred).toBe(Location.System);
});
