/** A failure of `explore` as a report shows it: played again, step by step. */

import { basename } from 'node:path';
import type { Failure } from '../../explore/failureFile.js';
import { type LaneRecording, recordLanes } from '../../explore/replay/lanes.js';
import { verdictTitle } from '../exploreReport.js';
import { formatCount } from '../units.js';
import type { FailureData, LaneStep } from './reportData.js';

/** Steps that a page shows at once; what leads to a failure are the last ones. */
const STEPS_MAX = 3000;

/** Of the file `path`; what the failure needs to be played is loaded. */
export function failureData(path: string, failure: Failure): FailureData {
  const recording = recordLanes(failure);
  const { target, verdict } = failure;
  const busy = recording.steps.filter(({ isIdle }) => !isIdle);
  const first = Math.max(0, busy.length - STEPS_MAX);
  return {
    source: basename(path),
    name: target.source.kind === 'case' ? target.source.program.name : target.source.path,
    bug: target.bug,
    verdict: { title: verdictTitle(verdict), details: verdict.details },
    facts: [
      ['found by', `${failure.strategy}, schedule ${formatCount(failure.schedule + 1)}`],
      ['steps', stepsText(recording.steps.length, busy.length, first)],
      [
        'played again',
        recording.isExact ? 'every choice as it was' : 'NOT as it was: not every choice could be made',
      ],
    ],
    ...shown(recording, busy.slice(first)),
    stepsLeftOut: first,
  };
}

/** Of so many steps, in which somebody did something in so many, and of these the first ones are left out. */
export function stepsText(steps: number, busy: number, leftOut: number): string {
  const idle = `in ${formatCount(steps - busy)} a task that serves others found nothing to do`;
  const early = leftOut === 0 ? '' : `, and the first ${formatCount(leftOut)} of the rest are left out`;
  return `${formatCount(steps)}, of which ${formatCount(busy - leftOut)} are shown: ${idle}${early}`;
}

function shown(
  { actors, messages, holds, pages, standing }: LaneRecording,
  steps: readonly LaneStep[],
): Omit<FailureData, 'source' | 'name' | 'bug' | 'verdict' | 'facts' | 'stepsLeftOut'> {
  const firstStep = steps[0]?.step ?? 1;
  const lastStep = steps.at(-1)?.step ?? 0;
  return {
    actors,
    steps,
    messages: messages.filter(({ fromStep }) => fromStep >= firstStep),
    holds: holds
      .filter(({ toStep }) => toStep >= firstStep)
      .map((hold) => ({ ...hold, toStep: Math.min(hold.toStep, lastStep) })),
    pages,
    standing,
  };
}
