/** The picture of residency itself: draws changes one over the other in order of time, moves its window, and tells what is under the pointer. */

import type { ResidencyData } from '../html/reportData.js';
import { formatNs } from '../units.js';
import { contextOf } from './dom.js';
import { lookOf } from './ownerLook.js';
import { ResidencyScale } from './residencyScale.js';
import { ownerColor, palette } from './theme.js';

const WORDS = 5;
const PAGE_BYTES = 4096;
const LEFT = 132;
const BOTTOM = 22;
const HEIGHT = 420;
const WHEEL_ZOOM = 0.8;
const PAN = 0.2;
const MARK = 0.02;
/** Pixels between two words of an axis. */
const LABEL_GAP = 14;
const TICKS = 6;
const NARROW = 700;
/** Stretches lower than this have no line between them: it would hide them. */
const THIN = 8;

interface Point {
  readonly timeNs: number;
  readonly row: number;
}

export class ResidencyPicture {
  private readonly scale: ResidencyScale;
  /** Window: times and rows that are shown. */
  private fromNs = 0;
  private toNs: number;
  private fromRow = 0;
  private toRow: number;
  private mark: Point | null = null;
  private dragged: { readonly x: number; readonly y: number } | null = null;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly data: ResidencyData,
    private readonly spanNs: number,
    private readonly tell: (text: string) => void,
  ) {
    this.scale = new ResidencyScale(data.bands);
    this.toNs = spanNs;
    this.toRow = this.scale.rows;
    this.listen();
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  zoomTime(factor: number, around = (this.fromNs + this.toNs) / 2): void {
    [this.fromNs, this.toNs] = zoomed(this.fromNs, this.toNs, factor, around, this.spanNs);
    this.draw();
  }

  zoomPages(factor: number, around = (this.fromRow + this.toRow) / 2): void {
    [this.fromRow, this.toRow] = zoomed(this.fromRow, this.toRow, factor, around, this.scale.rows);
    this.draw();
  }

  reset(): void {
    this.fromNs = 0;
    this.toNs = this.spanNs;
    this.fromRow = 0;
    this.toRow = this.scale.rows;
    this.draw();
  }

  /** How much of the time is shown, 1 for all; for tests. */
  get shareOfTime(): number {
    return (this.toNs - this.fromNs) / this.spanNs;
  }

  paintSwatch(canvas: HTMLCanvasElement, owner: number): void {
    const context = contextOf(canvas);
    context.fillStyle = fillOf(context, owner);
    context.fillRect(0, 0, canvas.width, canvas.height);
  }

  draw(): void {
    const { canvas } = this;
    const width = canvas.clientWidth;
    if (width === 0) return;
    const ratio = devicePixelRatio;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(HEIGHT * ratio);
    canvas.style.height = `${HEIGHT}px`;
    const context = contextOf(canvas);
    context.scale(ratio, ratio);
    this.drawChanges(context);
    this.drawAddresses(context);
    this.drawTimes(context);
    this.drawMark(context);
    canvas.dataset.share = String(this.shareOfTime);
  }

  /** A later change lies over an earlier one, to the right end. */
  private drawChanges(context: CanvasRenderingContext2D): void {
    const { changes, owners } = this.data;
    const right = this.right;
    const fills = owners.map((_, owner) => (owner === 0 ? palette().surface : fillOf(context, owner)));
    context.save();
    context.beginPath();
    context.rect(LEFT, 0, right - LEFT, HEIGHT - BOTTOM);
    context.clip();
    context.fillStyle = fills[0];
    context.fillRect(LEFT, 0, right - LEFT, HEIGHT - BOTTOM);
    for (let i = 0; i < changes.length; i += WORDS) {
      if (changes[i] > this.toNs) break;
      const [band, at, npages, owner] = [changes[i + 1], changes[i + 2], changes[i + 3], changes[i + 4]];
      const top = this.yOf(this.scale.rowOf(band, at));
      const bottom = this.yOf(this.scale.rowOf(band, at + npages));
      if (bottom < 0 || top > HEIGHT - BOTTOM) continue;
      const x = Math.max(LEFT, this.xOf(changes[i]));
      context.fillStyle = fills[owner];
      context.fillRect(x, top, right - x, Math.max(bottom - top, 0.5));
    }
    context.restore();
  }

  private drawAddresses(context: CanvasRenderingContext2D): void {
    const { muted, line } = palette();
    context.font = '11px ui-monospace, monospace';
    context.textAlign = 'right';
    context.textBaseline = 'top';
    let free = 0;
    this.data.bands.forEach((band, i) => {
      const y = this.yOf(this.scale.rowOf(i, 0));
      if (y < -1 || y > HEIGHT - BOTTOM) return;
      const isThin = this.yOf(this.scale.rowOf(i, band.npages)) - y < THIN;
      context.strokeStyle = line;
      context.beginPath();
      context.moveTo(LEFT - 4, Math.round(y) + 0.5);
      context.lineTo(isThin ? LEFT : this.right, Math.round(y) + 0.5);
      context.stroke();
      if (y < free || y > HEIGHT - BOTTOM - LABEL_GAP) return;
      context.fillStyle = muted;
      context.fillText(this.nameOf(band.process, band.start), LEFT - 8, y + 1);
      free = y + LABEL_GAP;
    });
    if (free === 0) this.nameTop(context);
  }

  /** Deep inside one stretch: the address at the top edge. */
  private nameTop(context: CanvasRenderingContext2D): void {
    const { band, page } = this.scale.at(this.fromRow);
    const { process, start } = this.data.bands[band];
    context.fillStyle = palette().muted;
    context.fillText(this.nameOf(process, start + page), LEFT - 8, 2);
  }

  private nameOf(process: number, page: number): string {
    const address = `0x${(page * PAGE_BYTES).toString(16)}`;
    const processes = new Set(this.data.bands.map((band) => band.process));
    return processes.size > 1 ? `${process}: ${address}` : address;
  }

  private drawTimes(context: CanvasRenderingContext2D): void {
    const { muted, line } = palette();
    context.fillStyle = muted;
    context.strokeStyle = line;
    context.font = '11px system-ui, sans-serif';
    context.textBaseline = 'alphabetic';
    const ticks = this.right < NARROW ? TICKS / 2 : TICKS;
    for (let i = 0; i <= ticks; i++) {
      const timeNs = this.fromNs + (i / ticks) * (this.toNs - this.fromNs);
      const x = this.xOf(timeNs);
      context.textAlign = i === 0 ? 'left' : i === ticks ? 'right' : 'center';
      context.fillText(formatNs(timeNs), x, HEIGHT - 6);
    }
    context.strokeRect(LEFT + 0.5, 0.5, this.right - LEFT - 1, HEIGHT - BOTTOM - 1);
  }

  private drawMark(context: CanvasRenderingContext2D): void {
    if (this.mark === null) return;
    const x = this.xOf(this.mark.timeNs);
    const y = this.yOf(this.mark.row);
    context.strokeStyle = palette().text;
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, HEIGHT - BOTTOM);
    context.moveTo(LEFT, y);
    context.lineTo(this.right, y);
    context.stroke();
    context.setLineDash([]);
  }

  private get right(): number {
    return this.canvas.clientWidth;
  }

  private xOf(timeNs: number): number {
    return LEFT + ((timeNs - this.fromNs) / (this.toNs - this.fromNs)) * (this.right - LEFT);
  }

  private yOf(row: number): number {
    return ((row - this.fromRow) / (this.toRow - this.fromRow)) * (HEIGHT - BOTTOM);
  }

  private pointAt(x: number, y: number): Point {
    const timeNs = this.fromNs + ((x - LEFT) / (this.right - LEFT)) * (this.toNs - this.fromNs);
    const row = this.fromRow + (y / (HEIGHT - BOTTOM)) * (this.toRow - this.fromRow);
    return {
      timeNs: Math.min(this.spanNs, Math.max(0, timeNs)),
      row: Math.min(this.scale.rows - 1e-6, Math.max(0, row)),
    };
  }

  private tellAt({ timeNs, row }: Point): void {
    const { band, page } = this.scale.at(row);
    const { process, start } = this.data.bands[band];
    const owner = this.data.owners[this.ownerAt(band, page, timeNs)];
    const address = `0x${((start + page) * PAGE_BYTES).toString(16)}`;
    this.tell(
      `${formatNs(timeNs)}: ${address} of process ${process} is ${owner === 'nowhere' ? owner : `in ${owner}`}`,
    );
  }

  private ownerAt(band: number, page: number, timeNs: number): number {
    const { changes } = this.data;
    let owner = 0;
    for (let i = 0; i < changes.length && changes[i] <= timeNs; i += WORDS) {
      const first = changes[i + 2];
      if (changes[i + 1] === band && first <= page && page < first + changes[i + 3]) owner = changes[i + 4];
    }
    return owner;
  }

  private listen(): void {
    const { canvas } = this;
    canvas.addEventListener('wheel', (event) => this.onWheel(event), { passive: false });
    canvas.addEventListener('pointerdown', (event) => {
      this.dragged = { x: event.offsetX, y: event.offsetY };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointerup', () => {
      this.dragged = null;
    });
    canvas.addEventListener('pointermove', (event) => this.onMove(event));
    canvas.addEventListener('dblclick', (event) =>
      this.zoomTime(0.5, this.pointAt(event.offsetX, event.offsetY).timeNs),
    );
    canvas.addEventListener('keydown', (event) => this.onKey(event));
  }

  private onWheel(event: WheelEvent): void {
    event.preventDefault();
    const point = this.pointAt(event.offsetX, event.offsetY);
    // Some systems turn the wheel sideways when Shift is held.
    const factor = event.deltaY + event.deltaX < 0 ? WHEEL_ZOOM : 1 / WHEEL_ZOOM;
    if (event.shiftKey) this.zoomPages(factor, point.row);
    else this.zoomTime(factor, point.timeNs);
  }

  private onMove(event: PointerEvent): void {
    if (this.dragged === null) {
      this.tellAt(this.pointAt(event.offsetX, event.offsetY));
      return;
    }
    const before = this.pointAt(this.dragged.x, this.dragged.y);
    const now = this.pointAt(event.offsetX, event.offsetY);
    this.dragged = { x: event.offsetX, y: event.offsetY };
    this.move(before.timeNs - now.timeNs, before.row - now.row);
  }

  private move(timeNs: number, rows: number): void {
    [this.fromNs, this.toNs] = moved(this.fromNs, this.toNs, timeNs, this.spanNs);
    [this.fromRow, this.toRow] = moved(this.fromRow, this.toRow, rows, this.scale.rows);
    this.draw();
  }

  private moveMark(times: number, rows: number): void {
    const { timeNs, row } = this.mark ?? {
      timeNs: (this.fromNs + this.toNs) / 2,
      row: (this.fromRow + this.toRow) / 2,
    };
    this.mark = {
      timeNs: clamp(timeNs + times * (this.toNs - this.fromNs), this.fromNs, this.toNs),
      row: clamp(row + rows * (this.toRow - this.fromRow), this.fromRow, this.toRow - 1e-6),
    };
    this.draw();
    this.tellAt(this.mark);
  }

  private onKey(event: KeyboardEvent): void {
    const act = this.actionFor(event);
    if (act === null || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  }

  private actionFor({ key, shiftKey }: KeyboardEvent): (() => void) | null {
    const times = (this.toNs - this.fromNs) * PAN;
    const rows = (this.toRow - this.fromRow) * PAN;
    const zoom = (factor: number) => () => (shiftKey ? this.zoomPages(factor) : this.zoomTime(factor));
    const actions: Readonly<Record<string, () => void>> = {
      '+': zoom(WHEEL_ZOOM),
      '=': zoom(WHEEL_ZOOM),
      '*': zoom(WHEEL_ZOOM),
      '-': zoom(1 / WHEEL_ZOOM),
      _: zoom(1 / WHEEL_ZOOM),
      '0': () => this.reset(),
      ArrowLeft: () => this.move(-times, 0),
      ArrowRight: () => this.move(times, 0),
      ArrowUp: () => this.move(0, -rows),
      ArrowDown: () => this.move(0, rows),
      a: () => this.moveMark(-MARK, 0),
      d: () => this.moveMark(MARK, 0),
      w: () => this.moveMark(0, -MARK),
      s: () => this.moveMark(0, MARK),
    };
    return actions[key.length === 1 ? key.toLowerCase() : key] ?? null;
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

function zoomed(from: number, to: number, factor: number, around: number, max: number): [number, number] {
  const length = Math.min(max, Math.max(max * 1e-6, (to - from) * factor));
  const share = (around - from) / (to - from);
  const start = clamp(around - share * length, 0, max - length);
  return [start, start + length];
}

function moved(from: number, to: number, by: number, max: number): [number, number] {
  const start = clamp(from + by, 0, max - (to - from));
  return [start, start + (to - from)];
}

const TILE = 8;

const HALF = TILE / 2;
type Rectangle = readonly [x: number, y: number, width: number, height: number];
const rising = Array.from({ length: TILE }, (_, i): Rectangle => [i, TILE - 1 - i, 1, 1]);
const falling = Array.from({ length: TILE }, (_, i): Rectangle => [i, i, 1, 1]);
const across: Rectangle = [0, HALF, TILE, 1];
const down: Rectangle = [HALF, 0, 1, TILE];

/** By number of the pattern; each is seen without colours. */
const patterns: readonly (readonly Rectangle[])[] = [
  [],
  rising,
  [across],
  [[HALF, HALF, 2, 2]],
  falling,
  [down],
  [across, down],
  [
    [0, 0, HALF, HALF],
    [HALF, HALF, HALF, HALF],
  ],
];

function fillOf(context: CanvasRenderingContext2D, owner: number): string | CanvasPattern {
  const color = ownerColor(owner);
  const pattern = owner <= 1 ? [] : patterns[lookOf(owner - 2).pattern];
  if (pattern.length === 0) return color;
  const tile = document.createElement('canvas');
  tile.width = TILE;
  tile.height = TILE;
  const drawing = contextOf(tile);
  drawing.fillStyle = color;
  drawing.fillRect(0, 0, TILE, TILE);
  drawing.fillStyle = 'rgba(0, 0, 0, 0.28)';
  for (const [x, y, width, height] of pattern) drawing.fillRect(x, y, width, height);
  return context.createPattern(tile, 'repeat') ?? color;
}
