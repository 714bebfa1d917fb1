/** Where pages were when: addresses from top to bottom, time from left to right, coloured by owner. */

import type { RunData } from '../html/reportData.js';
import { formatCount, formatNs } from '../units.js';
import { button, h, note } from './dom.js';
import { ResidencyPicture } from './residencyPicture.js';
import { clockNote, needsTrace, type Section, type Traced, traced } from './section.js';
import { onThemeChange } from './theme.js';

/** Redrawn when the page is in the document. */
const pictures: ResidencyPicture[] = [];

export function drawResidency(): void {
  for (const picture of pictures) picture.draw();
}

export function residencySection(runs: readonly RunData[]): Section {
  const all = traced(runs);
  return {
    id: 'residency',
    title: 'Residency',
    intro: `Each row is a stretch of addresses, each column a moment (${clockNote(runs)}); the colour says who has the page. Wheel or plus and minus zoom into time, with Shift into addresses; drag or arrow keys move; 0 shows all.`,
    body: all.length === 0 ? [needsTrace()] : all.flatMap(ofRun),
  };
}

function ofRun({ trace, label }: Traced): HTMLElement[] {
  const { residency, spanNs } = trace;
  const title = label === '' ? [] : [h('h3', {}, label)];
  if (residency.changes.length === 0)
    return [...title, note('No page was touched while the trace was recorded.')];
  const canvas = h('canvas', {
    class: 'residency',
    tabindex: 0,
    role: 'img',
    'aria-label':
      'Residency of pages over time. Plus and minus zoom into time, with Shift into addresses; arrows move; 0 shows all.',
  });
  const readout = h(
    'p',
    { class: 'readout', 'aria-live': 'polite' },
    'Point at the picture, or move the mark with A, D, W and S.',
  );
  // A picture of no time would have no width: where time is not modelled all happens at once.
  const picture = new ResidencyPicture(canvas, residency, Math.max(1, spanNs), (text) => {
    readout.textContent = text;
  });
  pictures.push(picture);
  onThemeChange(() => picture.draw());
  const tools = h(
    'div',
    { class: 'tools', role: 'toolbar', 'aria-label': 'Zoom' },
    button('+ time', 'zoom into time', () => picture.zoomTime(0.5)),
    button('− time', 'zoom out of time', () => picture.zoomTime(2)),
    button('+ address', 'zoom into addresses', () => picture.zoomPages(0.5)),
    button('− address', 'zoom out of addresses', () => picture.zoomPages(2)),
    button('all', 'show all', () => picture.reset()),
  );
  return [...title, legend(residency.owners, picture), tools, canvas, readout, ...remarks(residency)];
}

function legend(owners: readonly string[], picture: ResidencyPicture): HTMLElement {
  const items = owners.slice(1).map((owner, i) => {
    const swatch = h('canvas', { class: 'swatch', width: 28, height: 28, 'aria-hidden': 'true' });
    const paint = (): void => picture.paintSwatch(swatch, i + 1);
    paint();
    onThemeChange(paint);
    return h('li', {}, swatch, owner);
  });
  return h(
    'ul',
    { class: 'keys' },
    ...items,
    h('li', {}, h('span', { class: 'swatch empty' }), 'nowhere: never touched, or unmapped'),
  );
}

function remarks({ grainNs, pagesLeftOut, bands }: Traced['trace']['residency']): HTMLElement[] {
  const texts = [
    `${formatCount(bands.length)} stretches of addresses in which something happened; what lies between them is left out.`,
    ...(grainNs === 0 ? [] : [`So many changes that each is drawn at the end of its ${formatNs(grainNs)}.`]),
    ...(pagesLeftOut === 0 ? [] : [`${formatCount(pagesLeftOut)} pages more did not fit.`]),
  ];
  return [note(texts.join(' '))];
}
