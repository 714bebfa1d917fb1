/** A failing run as lanes: what it was, and a picture to walk through step by step. */

import type { FailureData } from '../html/reportData.js';
import { formatCount } from '../units.js';
import { h, note } from './dom.js';
import { lanesView } from './lanesView.js';
import type { Section } from './section.js';
import { factList } from './summarySection.js';

export function failureSections(failure: FailureData): Section[] {
  return [
    {
      id: 'summary',
      title: 'Summary',
      intro: null,
      body: [
        h(
          'div',
          { class: 'card' },
          h(
            'p',
            { class: 'verdict failed', role: 'status' },
            h('span', { class: 'mark', 'aria-hidden': 'true' }, '✘'),
            h('strong', {}, 'FAILED'),
            ` ${failure.verdict.title}`,
          ),
          ...(failure.verdict.details.length === 0
            ? []
            : [h('pre', { class: 'failure' }, failure.verdict.details.join('\n'))]),
          factList([
            ['program', failure.name],
            ...(failure.bug === null ? [] : ([['bug put in', failure.bug]] as const)),
            ...failure.facts,
            ['file', failure.source],
          ]),
        ),
      ],
    },
    {
      id: 'lanes',
      title: 'Step by step',
      intro:
        'A lane for each actor, a row for each step. Arrows are messages, bars at the left of a lane are locks that its tasks hold. Step with the buttons, the slider, or the up and down keys; Home and End go to the ends.',
      body:
        failure.steps.length === 0
          ? [note('The run failed before its first step.')]
          : [
              ...(failure.stepsLeftOut === 0
                ? []
                : [note(`The first ${formatCount(failure.stepsLeftOut)} steps are left out.`)]),
              lanesView(failure),
            ],
    },
    {
      id: 'standing',
      title: 'At the end',
      intro: 'What everybody has and wants when the run stops.',
      body:
        failure.standing.length === 0
          ? [note('All tasks had ended.')]
          : [h('ul', { class: 'standing' }, ...failure.standing.map((line) => h('li', {}, line)))],
    },
  ];
}
