/** Builds elements: text is always text, never markup, since much of it comes from files of strangers. */

type Child = Node | string | null;
type Attributes = Readonly<Record<string, string | number | boolean | null>>;

/** `class`, `title`, `aria-label` and the like; null and false leave an attribute out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue;
    element.setAttribute(name, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

export function append(parent: Node, children: readonly Child[]): void {
  for (const child of children) {
    if (child !== null)
      parent.appendChild(typeof child === 'string' ? document.createTextNode(child) : child);
  }
}

export function button(label: string, name: string, press: () => void): HTMLButtonElement {
  const element = h('button', { type: 'button', 'aria-label': name, title: name }, label);
  element.addEventListener('click', press);
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

export function svg(tag: string, attributes: Attributes = {}, ...children: readonly Node[]): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  append(element, children);
  return element;
}

/** The drawing context of a canvas, which every browser that runs this page has. */
export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('no canvas');
  return context;
}

export interface TableColumn {
  readonly title: string;
  /** Numbers stand at the right, under one another. */
  readonly number?: boolean;
}

/** A table that scrolls within itself where the page is narrow. */
export function table(
  caption: string,
  columns: readonly TableColumn[],
  rows: readonly (readonly Child[])[],
  footer: readonly Child[] | null = null,
): HTMLElement {
  const kind = (i: number): string | null => (columns[i]?.number === true ? 'number' : null);
  const cells = (row: readonly Child[]): HTMLElement[] =>
    row.map((cell, i) =>
      i === 0 ? h('th', { scope: 'row', class: kind(i) }, cell) : h('td', { class: kind(i) }, cell),
    );
  const head = columns.map(({ title }, i) => h('th', { scope: 'col', class: kind(i) }, title));
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
    h(
      'table',
      {},
      h('caption', {}, caption),
      h('thead', {}, h('tr', {}, ...head)),
      h('tbody', {}, ...rows.map((row) => h('tr', {}, ...cells(row)))),
      footer === null ? null : h('tfoot', {}, h('tr', {}, ...cells(footer))),
    ),
  );
}

/** A number with a bar as long as its share of the largest one. */
export function barred(text: string, share: number): HTMLElement {
  const bar = h('span', { class: 'bar', 'aria-hidden': 'true' });
  bar.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return h('span', { class: 'barred' }, h('span', { class: 'track' }, bar), h('span', {}, text));
}

export function note(text: string): HTMLElement {
  return h('p', { class: 'note' }, text);
}
