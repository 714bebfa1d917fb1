/** Limits of figures: how they are written, which figures they concern, and when they hold. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FigureUnit, figuresOf } from '../../../src/report/bench/figure.js';
import { formatFigure, parseFigure } from '../../../src/report/bench/figureUnits.js';
import {
  checkThreshold,
  matches,
  parseThreshold,
  thresholdProblem,
} from '../../../src/report/bench/threshold.js';

const metrics = {
  ratio: { unit: 'plain', clock: 'wall', better: 'higher', what: '' },
  latency: { unit: 'ns', clock: 'wall', better: 'lower', what: '' },
} as const;
const figures = figuresOf(
  'migrate',
  [
    { key: 'up.2MiB', samples: { ratio: [0.5, 0.7, 0.6], latency: [1000] } },
    { key: 'down.2MiB', samples: { ratio: [0.9], latency: [2500] } },
    { key: 'down.4KiB', samples: { ratio: null } },
  ],
  metrics,
);
const known = new Map<string, FigureUnit>(figures.map(({ name, metric }) => [name, metric.unit]));

function check(typed: string) {
  const threshold = parseThreshold(typed);
  if (threshold === null) throw new Error(`${typed} is no threshold`);
  return { ...checkThreshold(threshold, figures, known.keys()), problem: thresholdProblem(threshold, known) };
}

describe('a threshold', () => {
  it.each([
    ['migrate.up.2MiB.ratio>=0.6', true],
    ['migrate.up.2MiB.ratio > 0.6', false],
    ['migrate.up.2MiB.ratio==60%', true],
    ['migrate.up.2MiB.ratio != 0.6', false],
    ['migrate.up.2MiB.latency<=1us', true],
    ['migrate.up.2MiB.latency < 1000', false],
    ['migrate.*.2MiB.ratio>=0.6', true],
    ['migrate.*.2MiB.ratio>=0.8', false],
    ['migrate.*.latency<1s', false],
  ])('%s: %s, by the median', (typed, ok) => {
    expect(check(typed).ok).toBe(ok);
  });

  it('says which of several figures decided', () => {
    expect(check('migrate.*.2MiB.ratio>=0.8').detail).toBe(
      'migrate.*.2MiB.ratio>=0.8: 0.6, migrate.up.2MiB.ratio',
    );
    expect(check('migrate.*.2MiB.ratio>=0.5').detail).toContain('0.6, migrate.up.2MiB.ratio, nearest of 2');
  });

  it('is answered in its own terms, with all digits where fewer would seem to say otherwise', () => {
    expect(check('migrate.up.2MiB.ratio>=50%').detail).toBe('migrate.up.2MiB.ratio>=50%: 60%');
    const close = figuresOf('b', [{ key: 'c', samples: { latency: [24_449.4] } }], metrics);
    const threshold = parseThreshold('b.c.latency<=24449ns');
    if (threshold === null) throw new Error('no threshold');
    expect(checkThreshold(threshold, close, ['b.c.latency'])).toMatchObject({
      ok: false,
      detail: 'b.c.latency<=24449ns: 24449.4ns',
    });
    const share = figuresOf('b', [{ key: 'c', samples: { ratio: [0.599999] } }], metrics);
    const most = parseThreshold('b.c.ratio>=60%');
    if (most === null) throw new Error('no threshold');
    expect(checkThreshold(most, share, ['b.c.ratio'])).toMatchObject({
      ok: false,
      detail: 'b.c.ratio>=60%: 59.9999%',
    });
  });

  it('does not hold where nothing was measured', () => {
    expect(check('migrate.down.4KiB.ratio>=0')).toMatchObject({ ok: false, figure: null });
  });

  it('does not hold on figures of which some were not measured, though all others do', () => {
    const many = parseThreshold('migrate.*.*.ratio>=0.1');
    const few = parseThreshold('migrate.*.2MiB.ratio>=0.8');
    if (many === null || few === null) throw new Error('no threshold');
    const names = [...known.keys(), 'migrate.down.4KiB.ratio'];
    expect(checkThreshold(many, figures, names)).toMatchObject({
      ok: false,
      figure: null,
      detail: 'migrate.*.*.ratio>=0.1: not measured, migrate.down.4KiB.ratio',
    });
    expect(checkThreshold(many, figures, [...names, 'migrate.up.4KiB.ratio']).detail).toBe(
      'migrate.*.*.ratio>=0.1: not measured, migrate.down.4KiB.ratio and 1 more',
    );
    // One that breaks it says more.
    expect(checkThreshold(few, figures, [...names, 'migrate.to.2MiB.ratio']).detail).toContain(
      '0.6, migrate.up',
    );
  });

  it.each(['', 'migrate', 'a=1', 'a>=', '>=1', 'a>b c d e>=', 'a b>=1'])('refuses %j', (typed) => {
    const threshold = parseThreshold(typed);
    const problem = threshold === null ? 'no threshold' : thresholdProblem(threshold, known);
    expect(problem).not.toBeNull();
  });

  it('is told from an unknown name and from a unit of another kind', () => {
    expect(check('migrate.up.2MiB.speed>=1').problem).toBe('unknown name');
    expect(check('migrate.up.2MiB.ratio>=1us').problem).toEqual({ allowed: 'a number, alone or with %' });
    expect(check('migrate.up.2MiB.latency<1us').problem).toBeNull();
  });
});

describe('matches', () => {
  const part = fc.stringMatching(/^[a-z0-9_]{1,6}$/);

  it('takes * for any one part, and nothing else for anything but itself', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), fc.nat(), (parts, at) => {
        const name = parts.join('.');
        const index = at % parts.length;
        const pattern = parts.map((text, i) => (i === index ? '*' : text)).join('.');
        expect(matches(pattern, name)).toBe(true);
        expect(matches(name, name)).toBe(true);
        expect(matches(pattern, `${name}.more`)).toBe(false);
        expect(matches(name, `x${name}`)).toBe(false);
      }),
    );
  });
});

describe('units of figures', () => {
  it.each([
    ['4GB/s', 'B/s', 4e9],
    ['1.5 us', 'ns', 1500],
    ['100,000/s', '/s', 100_000],
    ['30M/s', '/s', 30e6],
    ['48B', 'B', 48],
    ['1e3', 'plain', 1000],
    ['-2', 'plain', -2],
    ['4GB/s', 'ns', null],
    ['fast', 'ns', null],
    ['', 'plain', null],
  ] as const)('%j as %s is %j', (typed, unit, value) => {
    expect(parseFigure(typed, unit)).toBe(value);
  });

  it('reads what it writes, to three digits', () => {
    const units = fc.constantFrom<FigureUnit>('B/s', 'ns', '/s', 'B', 'plain');
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e12, noNaN: true }), units, (value, unit) => {
        const read = parseFigure(formatFigure(value, unit), unit);
        expect(read).not.toBeNull();
        expect(Math.abs((read ?? 0) - value)).toBeLessThanOrEqual(value * 0.006);
      }),
    );
  });
});
