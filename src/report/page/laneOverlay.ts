/** What is drawn over the rows of lanes: bars for locks, arrows for messages. */

import type { FailureData } from '../html/reportData.js';
import { svg } from './dom.js';
import { lineStyle, onThemeChange } from './theme.js';

export const ROW_HEIGHT = 22;
export const LANES_LEFT = 52;
const BAR = 5;
const BAR_GAP = 2;
/** Bars beside one another; more share the last place. */
const BARS_MAX = 6;
const WIDTH_MIN = 190;
const WIDTH_ALL = 800;
const ARROW = 6;

export function laneWidthFor(actors: number): number {
  return Math.max(WIDTH_MIN, Math.floor(WIDTH_ALL / Math.max(1, actors)));
}

interface Drawn {
  readonly element: SVGElement;
  readonly from: number;
  readonly to: number;
}

export class LaneOverlay {
  readonly element: SVGElement;
  private readonly drawn: Drawn[] = [];

  constructor(
    private readonly failure: FailureData,
    private readonly laneWidth: number,
  ) {
    this.element = svg('svg', {
      class: 'overlay',
      'aria-hidden': 'true',
      width: LANES_LEFT + laneWidth * failure.actors.length,
      height: failure.steps.length * ROW_HEIGHT,
    });
    this.drawHolds();
    this.drawMessages();
  }

  /** What has to do with this step stands out. */
  select(step: number): void {
    for (const { element, from, to } of this.drawn)
      element.classList.toggle('current', from === step || to === step);
  }

  private drawHolds(): void {
    const locks = [...new Set(this.failure.holds.map(({ lock }) => lock))];
    /** By actor and place: the step at which it is free again. */
    const taken = this.failure.actors.map((): number[] => []);
    for (const { lock, mode, task, actor, fromStep, toStep } of this.failure.holds) {
      const places = taken[actor];
      let place = places.findIndex((until) => until <= fromStep);
      if (place < 0) place = Math.min(places.length, BARS_MAX - 1);
      places[place] = toStep;
      const top = this.top(fromStep) + ROW_HEIGHT / 2;
      const bar = svg(
        'rect',
        {
          x: this.left(actor) + 3 + place * (BAR + BAR_GAP),
          y: top,
          width: BAR,
          height: Math.max(4, this.top(toStep) + ROW_HEIGHT / 2 - top),
          rx: 2,
          class: `hold ${mode}`,
        },
        title(`${task} holds ${lock} for ${mode}, steps ${fromStep} to ${toStep}`),
      );
      const paint = (): void => {
        const { stroke } = lineStyle(locks.indexOf(lock));
        bar.setAttribute('fill', mode === 'write' ? stroke : 'transparent');
        bar.setAttribute('stroke', stroke);
      };
      paint();
      onThemeChange(paint);
      this.element.append(bar);
    }
  }

  private drawMessages(): void {
    for (const { name, fromStep, fromActor, toStep, toActor } of this.failure.messages) {
      const forward = toActor > fromActor;
      const x1 = forward
        ? this.left(fromActor) + this.laneWidth - 8
        : this.left(fromActor) + BARS_MAX * (BAR + BAR_GAP);
      const x2 = forward
        ? this.left(toActor) + BARS_MAX * (BAR + BAR_GAP)
        : this.left(toActor) + this.laneWidth - 8;
      const y1 = this.top(fromStep) + ROW_HEIGHT / 2;
      const y2 = this.top(toStep) + ROW_HEIGHT / 2;
      const bend = (x2 - x1) / 2;
      const back = forward ? -ARROW : ARROW;
      const arrow = svg(
        'g',
        { class: 'message' },
        svg('path', { d: `M ${x1} ${y1} C ${x1 + bend} ${y1}, ${x2 - bend} ${y2}, ${x2} ${y2}` }),
        svg('path', { d: `M ${x2 + back} ${y2 - 4} L ${x2} ${y2} L ${x2 + back} ${y2 + 4}` }),
        title(`${name}: sent in step ${fromStep}, delivered in step ${toStep}`),
      );
      this.element.append(arrow);
      this.drawn.push({ element: arrow, from: fromStep, to: toStep });
    }
  }

  private top(step: number): number {
    return this.rowOf(step) * ROW_HEIGHT;
  }

  /** That of the last shown step up to this one. */
  private rowOf(step: number): number {
    const { steps } = this.failure;
    let low = 0;
    let high = steps.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (steps[middle].step <= step) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private left(actor: number): number {
    return LANES_LEFT + actor * this.laneWidth;
  }
}

function title(text: string): SVGElement {
  const element = svg('title');
  element.textContent = text;
  return element;
}
