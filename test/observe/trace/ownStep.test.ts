/** Steps of a user's own code are in a trace: as instants, or as a span where two are named as its ends, whatever program reads it. */

import { beforeAll, describe, expect, it } from 'vitest';
import { type DriverMaker, defineStep, type OwnDriver, simulate } from '../../../src/index.js';
import { ownStepOf, ownStepText } from '../../../src/observe/trace/ownStep.js';
import { type Instant, readTimeline, type Span } from '../../../src/observe/trace/timeline.js';
import type { Trace } from '../../../src/observe/trace/trace.js';
import { readTrace } from '../../../src/observe/trace/traceReader.js';
import { recordedRun } from './recordedRun.js';

const ASKED = defineStep('card.asked', 'vpn', 'device');
const READ_START = defineStep('card.readStart', 'vpn');
const READ_END = defineStep('card.readEnd', 'errno');

const driver: DriverMaker = ({ kernel: { sched } }): OwnDriver => ({
  *serveFault({ page, gpu }, byDefault) {
    sched.at(ASKED, page, gpu.index);
    sched.at(READ_START, page);
    const errno = yield* byDefault();
    sched.at(READ_END, errno);
    return errno;
  },
  register() {},
  notifiersOf: () => 0,
  *closeAll() {},
});

const spans: { span: Span; endNs: number; args: unknown }[] = [];
const instants: Instant[] = [];
let trace: Trace;

beforeAll(async () => {
  trace = await new Promise<Trace>((resolve, reject) => {
    const scenario = {
      ram: '16MiB',
      devices: { count: 1, vram: '8MiB' },
      workloads: [{ kind: 'saxpy' as const, elements: 4096 }],
    };
    simulate({ scenario, drivers: [driver] }, { onTrace: resolve }).catch(reject);
  });
  readTimeline(trace, {
    onBegin: () => {},
    onEnd: (span, endNs, args) => spans.push({ span, endNs, args }),
    onInstant: (instant) => instants.push(instant),
    onCounter: () => {},
  });
});

it('are those of nobody where no code of the user takes part', async () => {
  const own: string[] = [];
  readTrace(await recordedRun(), {
    onStep: () => {},
    onBlocked: () => {},
    onWoken: () => {},
    onSpawned: () => {},
    onOwnStep: (_event, { name }) => own.push(name),
  });
  expect(own).toEqual([]);
});

describe('a driver of the user', () => {
  it('has its steps in the trace with their arguments', () => {
    const asked = instants.filter(({ name }) => name === 'card.asked');
    expect(asked.length).toBeGreaterThan(0);
    expect(asked[0].args).toEqual({ address: expect.stringMatching(/^0x/), device: 0 });
  });

  it('has a span where two steps are its ends, around what happened in between', () => {
    const reads = spans.filter(({ span }) => span.category === 'own');
    expect(reads.length).toBe(instants.filter(({ name }) => name === 'card.asked').length);
    expect(reads[0].span.name).toBe('card.read');
    expect(reads[0].args).toEqual({ errno: '0' });
    const within = spans.filter(
      ({ span, endNs }) =>
        span.name === 'bind' &&
        span.lane === reads[0].span.lane &&
        span.beginNs >= reads[0].span.beginNs &&
        endNs <= reads[0].endNs,
    );
    expect(within.length).toBeGreaterThan(0);
  });
});

it('is read from the text that it is kept as, up to a field that is not known', () => {
  expect(ownStepOf(ownStepText(ASKED))).toEqual({ name: 'card.asked', fields: ['vpn', 'device'] });
  expect(ownStepOf('card.future\nvpn\nparsec\ndevice')).toEqual({ name: 'card.future', fields: ['vpn'] });
});
