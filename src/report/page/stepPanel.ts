/** Everything about one step of a failing run: what happened, who holds what, and what its pages are. */

import type { FailureData, PageChange } from '../html/reportData.js';
import { h, note } from './dom.js';

/** Pages that are listed: those that changed last. */
const PAGES_MAX = 8;

export class StepPanel {
  readonly element = h('aside', { class: 'panel', 'aria-live': 'polite' });

  constructor(private readonly failure: FailureData) {}

  show(index: number): void {
    const { steps, actors } = this.failure;
    const { step, actor, task, events, waits } = steps[index];
    this.element.replaceChildren(
      h('h3', {}, `Step ${step}: ${actors[actor]}`),
      h('p', { class: 'task' }, task),
      h(
        'ul',
        { class: 'events' },
        ...events.map((event) => h('li', {}, event)),
        ...(waits === '' ? [] : [h('li', { class: 'waits' }, `waits for ${waits}`)]),
      ),
      h('h4', {}, 'Locks held after it'),
      this.locks(step),
      h('h4', {}, 'Pages after it'),
      this.pages(step),
    );
  }

  private locks(step: number): HTMLElement {
    const held = this.failure.holds.filter(({ fromStep, toStep }) => fromStep <= step && step < toStep);
    if (held.length === 0) return note('None.');
    return h(
      'ul',
      { class: 'events' },
      ...held.map(({ task, lock, mode }) => h('li', {}, `${task}: ${lock} for ${mode}`)),
    );
  }

  private pages(step: number): HTMLElement {
    const last = new Map<string, PageChange>();
    const before = new Map<string, readonly string[]>();
    for (const change of this.failure.pages) {
      if (change.step > step) break;
      before.set(change.page, last.get(change.page)?.parts ?? []);
      // The one that changed last comes last.
      last.delete(change.page);
      last.set(change.page, change);
    }
    const shown = [...last.values()].reverse().slice(0, PAGES_MAX);
    if (shown.length === 0) return note('No page has changed yet.');
    const more = last.size - shown.length;
    return h(
      'div',
      {},
      ...shown.map((change) => pageState(change, before.get(change.page) ?? [], change.step === step)),
      more > 0 ? note(`and ${more} that changed before these`) : null,
    );
  }
}

function pageState(
  { page, parts, step }: PageChange,
  before: readonly string[],
  isNow: boolean,
): HTMLElement {
  const lines = parts.length === 0 ? ['gone everywhere'] : parts;
  return h(
    'div',
    { class: isNow ? 'page now' : 'page' },
    h('p', {}, h('b', {}, page), isNow ? ' changes in this step' : ` since step ${step}`),
    h(
      'ul',
      {},
      ...lines.map((line) => h('li', { class: isNow && !before.includes(line) ? 'changed' : null }, line)),
      ...(isNow
        ? before.filter((line) => !parts.includes(line)).map((line) => h('li', {}, h('s', {}, line)))
        : []),
    ),
  );
}
