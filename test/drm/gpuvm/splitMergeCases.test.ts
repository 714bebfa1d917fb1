/** The split and merge cases that the kernel documents, as recorded in the case file. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { applyOps } from '../../../src/drm/gpuvm/applyOps.js';
import type { GpuVaPlace } from '../../../src/drm/gpuvm/gpuVa.js';
import { GpuVa } from '../../../src/drm/gpuvm/gpuVa.js';
import type { GpuVaOp } from '../../../src/drm/gpuvm/gpuVaOps.js';
import type { GpuVm } from '../../../src/drm/gpuvm/gpuVm.js';
import { GemObjects, listed, newVm, plainVa } from './gemObjects.js';

interface Step {
  readonly op: string;
  readonly args: { start: number; end: number; bo: string | null; bo_off: number };
}

interface Case {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly expect: readonly { type: string; ops?: unknown; vas?: unknown }[];
}

const cases: readonly Case[] = JSON.parse(
  readFileSync(new URL('../../cases/drm-gpuvm-split-merge.json', import.meta.url), 'utf8'),
);

function placeFields({ start, end, obj, offset }: GpuVaPlace): object {
  return { op: 'map', start, end, bo: obj?.name ?? null, bo_off: obj === null ? null : offset };
}

function tuple({ start, end, obj, offset }: GpuVaPlace): unknown[] {
  return [start, end, obj?.name ?? null, obj === null ? null : offset];
}

function fields(op: GpuVaOp): object {
  if (op.op === 'map') return placeFields(op.place);
  if (op.op === 'unmap') return { ...placeFields(op.va), op: 'unmap', keep: op.keep };
  if (op.op !== 'remap') throw new Error('no such step in these cases');
  const { prev, next, unmap } = op;
  return {
    op: 'remap',
    unmap: tuple(unmap.va),
    keep: unmap.keep,
    prev: prev === null ? null : placeFields(prev),
    next: next === null ? null : placeFields(next),
  };
}

function request(vm: GpuVm, objects: GemObjects, { op, args }: Step): readonly GpuVaOp[] {
  if (op === 'gpuvm_sm_map')
    return listed(vm.splitMerge.smMapOpsCreate(objects.place(args.start, args.end, args.bo, args.bo_off)));
  if (op === 'gpuvm_sm_unmap') return listed(vm.splitMerge.smUnmapOpsCreate(args.start, args.end));
  return listed(vm.splitMerge.madviseOpsCreate(args.start, args.end));
}

describe('documented split and merge cases', () => {
  it.each(cases)('$name', ({ steps, expect: expectations }) => {
    const vm = newVm();
    const objects = new GemObjects();
    let found: readonly GpuVaOp[] = [];
    for (const step of steps) {
      const { start, end, bo, bo_off } = step.args;
      if (step.op === 'gpuvm_insert') {
        expect(vm.insert(new GpuVa(objects.place(start, end, bo, bo_off)))).toBe(Errno.OK);
        continue;
      }
      found = request(vm, objects, step);
    }
    const described = found.map(fields);
    applyOps(vm, found, plainVa);
    for (const wanted of expectations) {
      if (wanted.type === 'vm_ops') expect(described).toEqual(wanted.ops);
      else expect([...vm].map(tuple)).toEqual(wanted.vas);
    }
  });

  it('are the sixteen of the file', () => expect(cases).toHaveLength(16));
});
