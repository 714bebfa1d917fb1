/** Light and dark, on the screen and on paper: who draws with colours is told when they change. */

import { lookOf } from './ownerLook.js';

export interface Palette {
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly surface: string;
  readonly accent: string;
  /** RAM, then devices: told apart by lightness too. */
  readonly owners: readonly string[];
}

const OWNERS_LIGHT = [
  '#b4b9c1',
  '#0f5fa8',
  '#e08a00',
  '#138a67',
  '#b5478f',
  '#58aee0',
  '#c44d12',
  '#8a8f1c',
  '#5b3f95',
];
const OWNERS_DARK = [
  '#7d8590',
  '#4f9fe6',
  '#f0b040',
  '#2fbd92',
  '#e58bc6',
  '#9cd3f5',
  '#ef8354',
  '#d7d95a',
  '#ab93e6',
];

const light: Palette = {
  text: '#1b1f24',
  muted: '#59626d',
  line: '#d5d9df',
  surface: '#ffffff',
  accent: '#0f5fa8',
  owners: OWNERS_LIGHT,
};

const dark: Palette = {
  text: '#e8eaed',
  muted: '#a5adb8',
  line: '#363c45',
  surface: '#171a1f',
  accent: '#6cb2f2',
  owners: OWNERS_DARK,
};

type Mode = 'light' | 'dark';

const prefersDark = matchMedia('(prefers-color-scheme: dark)');
const printing = matchMedia('print');
const listeners: (() => void)[] = [];
/** Null: as the system says. */
let chosen: Mode | null = null;

function wanted(): Mode {
  return chosen ?? (prefersDark.matches ? 'dark' : 'light');
}

/** On paper everything is dark on white. */
export function palette(): Palette {
  return printing.matches || wanted() === 'light' ? light : dark;
}

export function ownerColor(owner: number): string {
  const { owners } = palette();
  return owner <= 1 ? owners[0] : owners[1 + lookOf(owner - 2).color];
}

/** Lines of a chart: each has a colour and a dash of its own, so that colour alone need not tell them apart. */
export function lineStyle(index: number): { readonly stroke: string; readonly dash: number[] } {
  const { owners } = palette();
  const dashes = [[], [7, 3], [2, 2], [10, 3, 2, 3], [5, 2], [1, 3]];
  return { stroke: owners[1 + (index % (owners.length - 1))], dash: dashes[index % dashes.length] };
}

export function onThemeChange(listener: () => void): void {
  listeners.push(listener);
}

function tell(): void {
  document.documentElement.dataset.theme = wanted();
  for (const listener of listeners) listener();
}

export function toggleTheme(): void {
  chosen = wanted() === 'dark' ? 'light' : 'dark';
  tell();
}

export function startTheme(): void {
  prefersDark.addEventListener('change', tell);
  printing.addEventListener('change', tell);
  document.documentElement.dataset.theme = wanted();
}
