/** Lanes of a failing run: rows of steps, bars of locks, arrows of messages, and beside them the step that is looked at with the state of its pages. */

import type { FailureData } from '../html/reportData.js';
import { button, h } from './dom.js';
import { LANES_LEFT, LaneOverlay, laneWidthFor, ROW_HEIGHT } from './laneOverlay.js';
import { StepPanel } from './stepPanel.js';

export function lanesView(failure: FailureData): HTMLElement {
  return new LanesView(failure).element;
}

class LanesView {
  readonly element: HTMLElement;
  private readonly rows: readonly HTMLElement[];
  private readonly slider: HTMLInputElement;
  private readonly position: HTMLElement;
  private readonly overlay: LaneOverlay;
  private readonly panel: StepPanel;
  private readonly scroller: HTMLElement;
  private at = 0;

  constructor(private readonly failure: FailureData) {
    const { actors, steps } = failure;
    const laneWidth = laneWidthFor(actors.length);
    this.rows = steps.map((_, i) => this.row(i));
    this.overlay = new LaneOverlay(failure, laneWidth);
    this.panel = new StepPanel(failure);
    this.slider = h('input', {
      type: 'range',
      min: 0,
      max: steps.length - 1,
      value: 0,
      'aria-label': 'step',
    });
    this.slider.addEventListener('input', () => this.go(Number(this.slider.value)));
    this.position = h('span', { class: 'position', role: 'status' });
    const head = h(
      'div',
      { class: 'lane-head' },
      h('span', { class: 'step-number' }, 'step'),
      ...actors.map((name) => h('span', {}, name)),
    );
    const body = h('div', { class: 'lane-rows' }, ...this.rows);
    body.append(this.overlay.element);
    this.scroller = h(
      'div',
      { class: 'lanes', tabindex: 0, role: 'region', 'aria-label': 'Lanes' },
      head,
      body,
    );
    this.scroller.style.setProperty('--lane', `${laneWidth}px`);
    this.scroller.style.setProperty('--lanes', String(actors.length));
    this.scroller.style.setProperty('--left', `${LANES_LEFT}px`);
    this.scroller.style.setProperty('--row', `${ROW_HEIGHT}px`);
    this.scroller.addEventListener('keydown', (event) => this.onKey(event));
    this.element = h(
      'div',
      { class: 'lanes-view' },
      this.tools(),
      h('div', { class: 'lanes-pair' }, this.scroller, this.panel.element),
    );
    this.go(steps.length - 1);
    // What is in view is known only once the page is there.
    new ResizeObserver(() => this.keepInView(this.at)).observe(this.scroller);
  }

  private tools(): HTMLElement {
    return h(
      'div',
      { class: 'tools', role: 'toolbar', 'aria-label': 'Steps' },
      button('|◀', 'first step', () => this.go(0)),
      button('◀ back', 'one step back', () => this.go(this.at - 1)),
      button('next ▶', 'one step on', () => this.go(this.at + 1)),
      button('▶|', 'last step', () => this.go(this.rows.length - 1)),
      this.slider,
      this.position,
    );
  }

  private row(index: number): HTMLElement {
    const { step, actor, task, events, waits } = this.failure.steps[index];
    const text = waits === '' ? events.join('; ') : [...events, `waits for ${waits}`].join('; ');
    const cell = h(
      'span',
      { class: waits === '' ? 'cell' : 'cell waits', title: `${task}: ${text}` },
      h('b', {}, task),
      ` ${text}`,
    );
    // Nobody else has anything in this row, so the text may go on over the lanes to the right.
    cell.style.gridColumn = `${actor + 2} / -1`;
    const row = h('div', { class: 'lane-row' }, h('span', { class: 'step-number' }, String(step)), cell);
    row.addEventListener('click', () => this.go(index));
    return row;
  }

  private go(wanted: number): void {
    const index = Math.min(this.rows.length - 1, Math.max(0, wanted));
    this.rows[this.at].classList.remove('current');
    this.at = index;
    const row = this.rows[index];
    row.classList.add('current');
    const { step } = this.failure.steps[index];
    this.slider.value = String(index);
    this.position.textContent = `step ${step} of ${this.failure.steps[this.rows.length - 1].step}`;
    this.overlay.select(step);
    this.panel.show(index);
    this.keepInView(index);
  }

  /** Scrolls the lanes alone, never the page. */
  private keepInView(index: number): void {
    const { scroller } = this;
    const top = (index + 1) * ROW_HEIGHT;
    const margin = 3 * ROW_HEIGHT;
    if (top < scroller.scrollTop + margin) scroller.scrollTop = top - margin;
    else if (top > scroller.scrollTop + scroller.clientHeight - margin)
      scroller.scrollTop = top - scroller.clientHeight + margin;
  }

  private onKey(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW_HEIGHT) - 2);
    const targets: Readonly<Record<string, number>> = {
      ArrowUp: this.at - 1,
      ArrowLeft: this.at - 1,
      ArrowDown: this.at + 1,
      ArrowRight: this.at + 1,
      PageUp: this.at - page,
      PageDown: this.at + page,
      Home: 0,
      End: this.rows.length - 1,
    };
    const target = targets[event.key];
    if (target === undefined) return;
    event.preventDefault();
    this.go(target);
  }
}
