/** Every named step of the protocol has a number that all threads agree on. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { MmapStep } from '../../src/mm/area/mmap.js';
import {
  catalogedStep,
  hasArguments,
  OTHER_STEP,
  STEP_NUMBERS,
  stepNumber,
} from '../../src/observe/stepCatalog.js';
import { defineStep, PARK } from '../../src/sim/steps.js';

const src = fileURLToPath(new URL('../../src', import.meta.url));

function namesInSource(): string[] {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  return files.flatMap((file) =>
    [...readFileSync(join(src, file), 'utf8').matchAll(/defineStep\('([^']+)'/g)].map((match) => match[1]),
  );
}

describe('step catalog', () => {
  it('lists every step of the protocol once', () => {
    const listed = Array.from({ length: STEP_NUMBERS }, (_, number) => catalogedStep(number).name);
    expect(new Set(listed).size).toBe(listed.length);
    expect([...listed].sort()).toEqual([...namesInSource(), 'other'].sort());
  });

  it('gives name and fields back', () => {
    expect(catalogedStep(stepNumber(MmapStep.munmap))).toMatchObject({
      name: 'mm.munmap',
      fields: ['vpn', 'npages', 'id'],
    });
    expect(catalogedStep(stepNumber(PARK)).name).toBe('sim.park');
  });

  it('has one number for all that it does not know', () => {
    const own = defineStep('test.unlisted', 'vpn');
    expect(stepNumber(own)).toBe(OTHER_STEP);
    expect(catalogedStep(OTHER_STEP).name).toBe('other');
    expect(() => catalogedStep(STEP_NUMBERS)).toThrow('does not exist');
  });

  it('knows which steps say more than their name', () => {
    expect(hasArguments(stepNumber(PARK))).toBe(false);
    expect(hasArguments(stepNumber(MmapStep.munmap))).toBe(true);
    expect(hasArguments(OTHER_STEP)).toBe(true);
  });
});
