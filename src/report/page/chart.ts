/** A chart of several lines over one axis: uPlot, with this page's colours, keys and width. */

import uPlot from 'uplot';
import { h } from './dom.js';
import { lineStyle, onThemeChange, palette } from './theme.js';

export interface ChartLine {
  readonly name: string;
  readonly values: readonly number[];
  /** Filled below. */
  readonly isArea?: boolean;
  /** Position in the palette, where it is not that in the chart. */
  readonly color?: number;
}

export interface ChartOptions {
  /** For those who do not see it. */
  readonly label: string;
  readonly x: readonly number[];
  readonly lines: readonly ChartLine[];
  /** What is along the bottom, for the legend. */
  readonly nameX: string;
  readonly formatX: (value: number) => string;
  readonly formatY: (value: number) => string;
  readonly height?: number;
  readonly isLog?: boolean;
  /** Upwards there are bytes: round numbers of them. */
  readonly isBinary?: boolean;
  /** Vertical lines with a word. */
  readonly marks?: readonly { readonly at: number; readonly text: string }[];
}

const HEIGHT = 220;
const ZOOM = 0.6;
const PAN = 0.25;
const BINARY = Array.from({ length: 50 }, (_, i) => 2 ** i);
const FONT = '12px system-ui, sans-serif';
/** Charts of one page, for tests and for all that changes them together. */
const charts: Chart[] = [];

export function chart(options: ChartOptions): HTMLElement {
  const made = new Chart(options);
  charts.push(made);
  return made.element;
}

/** Once the page is in the document, since widths are known only then. */
export function drawCharts(): void {
  for (const one of charts) one.draw();
}

class Chart {
  readonly element: HTMLElement;
  private plot: uPlot | null = null;
  private readonly full: readonly [number, number];

  constructor(private readonly options: ChartOptions) {
    const { label, x } = options;
    this.full = [x[0], x[x.length - 1]];
    this.element = h('div', {
      class: 'chart',
      tabindex: 0,
      role: 'group',
      'aria-label': `${label}. Keys: plus and minus zoom, arrows move, 0 shows all.`,
    });
    this.element.addEventListener('keydown', (event) => this.onKey(event));
    onThemeChange(() => this.draw());
    new ResizeObserver(() => this.resize()).observe(this.element);
  }

  draw(): void {
    this.plot?.destroy();
    const { x, lines } = this.options;
    const data: uPlot.AlignedData = [[...x], ...lines.map(({ values }) => [...values])];
    this.plot = new uPlot(this.uplotOptions(), data, this.element);
  }

  private resize(): void {
    const width = this.element.clientWidth;
    if (this.plot !== null && width > 0 && width !== this.plot.width)
      this.plot.setSize({ width, height: this.plot.height });
  }

  private uplotOptions(): uPlot.Options {
    const { lines, nameX, formatX, formatY, height = HEIGHT, isLog = false, isBinary = false } = this.options;
    const colors = palette();
    const axis = {
      stroke: colors.muted,
      font: FONT,
      grid: { stroke: colors.line, width: 1 },
      ticks: { stroke: colors.line, width: 1 },
    };
    const all = lines.flatMap(({ values }) => values);
    const top = Math.max(0, ...all.filter(Number.isFinite));
    return {
      width: Math.max(200, this.element.clientWidth),
      height,
      cursor: { drag: { x: true, y: false } },
      scales: { x: { time: false, distr: isLog ? 3 : 1 }, y: { range: [0, top === 0 ? 1 : top * 1.08] } },
      axes: [
        {
          ...axis,
          ...this.decades(axis),
          values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : formatX(tick))),
          space: 80,
        },
        {
          ...axis,
          values: (_, ticks) => ticks.map((tick) => formatY(tick)),
          size: 72,
          ...(isBinary ? { incrs: BINARY } : {}),
        },
      ],
      legend: { markers: { width: 2, dash: (_, i) => dashWord(i - 1) } },
      series: [
        { label: nameX, value: (_, value) => (value === null ? '-' : formatX(value)) },
        ...lines.map((line, i) => seriesOf(line, i, formatY)),
      ],
      hooks: { draw: [(plot) => this.drawMarks(plot)], setScale: [(plot) => this.noteRange(plot)] },
    };
  }

  /** Of a logarithmic axis that is long enough only the powers of ten have words and lines. */
  private decades({ grid, ticks }: Pick<uPlot.Axis, 'grid' | 'ticks'>): Partial<uPlot.Axis> {
    const [low, high] = this.full;
    if (this.options.isLog !== true || high < 30 * low) return {};
    const filter = (_: uPlot, splits: number[]): (number | null)[] =>
      splits.map((split) =>
        Math.abs(Math.log10(split) - Math.round(Math.log10(split))) < 1e-6 ? split : null,
      );
    return { filter, grid: { ...grid, filter }, ticks: { ...ticks, filter } };
  }

  private drawMarks(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const { text, muted, surface } = palette();
    ctx.save();
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    (this.options.marks ?? []).forEach(({ at, text: word }, i) => {
      const x = plot.valToPos(at, 'x', true);
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      ctx.strokeStyle = muted;
      ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.fillStyle = text;
      const isRight = x > bbox.left + 0.8 * bbox.width;
      ctx.textAlign = isRight ? 'right' : 'left';
      const wordX = x + (isRight ? -4 : 4) * devicePixelRatio;
      const wordY = bbox.top + (12 + 14 * i) * devicePixelRatio;
      ctx.setLineDash([]);
      ctx.lineWidth = 4 * devicePixelRatio;
      ctx.strokeStyle = surface;
      ctx.strokeText(word, wordX, wordY);
      ctx.lineWidth = 1;
      ctx.fillText(word, wordX, wordY);
    });
    ctx.restore();
  }

  /** For tests, which cannot look into a canvas. */
  private noteRange({ scales: { x } }: uPlot): void {
    this.element.dataset.range = `${x.min} ${x.max}`;
  }

  private onKey(event: KeyboardEvent): void {
    const { plot } = this;
    const { min, max } = plot?.scales.x ?? {};
    if (plot === null || min === undefined || max === undefined) return;
    const next = this.rangeFor(event.key, min, max);
    if (next === null) return;
    event.preventDefault();
    plot.setScale('x', { min: Math.max(this.full[0], next[0]), max: Math.min(this.full[1], next[1]) });
  }

  private rangeFor(key: string, min: number, max: number): readonly [number, number] | null {
    const middle = (min + max) / 2;
    const half = (max - min) / 2;
    const step = Math.min(2 * half * PAN, key === 'ArrowLeft' ? min - this.full[0] : this.full[1] - max);
    switch (key) {
      case '+':
      case '=':
        return [middle - half * ZOOM, middle + half * ZOOM];
      case '-':
        return [middle - half / ZOOM, middle + half / ZOOM];
      case '0':
        return this.full;
      case 'ArrowLeft':
        return [min - step, max - step];
      case 'ArrowRight':
        return [min + step, max + step];
      default:
        return null;
    }
  }
}

/** How the legend shows the dash of a line. */
function dashWord(index: number): string {
  const { dash } = lineStyle(Math.max(0, index));
  if (dash.length === 0) return 'solid';
  return dash[0] <= 2 ? 'dotted' : 'dashed';
}

function seriesOf(
  { name, isArea = false, color }: ChartLine,
  index: number,
  formatY: (value: number) => string,
): uPlot.Series {
  const { stroke, dash } = lineStyle(color ?? index);
  return {
    label: name,
    stroke,
    dash: isArea ? [] : dash,
    width: 1.5,
    ...(isArea ? { fill: `${stroke}40` } : {}),
    ...(uPlot.paths.stepped === undefined ? {} : { paths: uPlot.paths.stepped({ align: 1 }) }),
    points: { show: false },
    value: (_, value) => (value === null ? '-' : formatY(value)),
  };
}
