/** The pages of reports in a real browser: each section has its data, zoom and steps work, by mouse and by keyboard, in light, dark and on paper. */

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatBytes, formatCount } from '../../src/report/units.js';
import { tempFolder } from '../tempFolder.js';
import { browserPath, openBrowser } from './browser.js';
import { HOSTILE, makePages, type Pages, VERSION } from './reportPages.js';

/** Runs are made and recorded, a failure is found, a browser starts. */
const START_MS = 240_000;
/** Less than what a test has; other work may hold the browser up for long. */
const TIMEOUT_MS = 50_000;

const executable = browserPath();
const title = executable === null ? ' (no Chromium: install it, or name it with CHROMIUM)' : '';

/** All colours in the picture of residency; told as text, since the types of a browser are not those of this program. */
const COLORS = `(() => {
  const canvas = document.querySelector('canvas.residency');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const found = new Set();
  for (let i = 0; i < data.length; i += 4) found.add([data[i], data[i + 1], data[i + 2]].join(','));
  return [...found];
})()`;

const folder = tempFolder();

describe.skipIf(executable === null)(`a report in a browser${title}`, () => {
  let browser: Browser;
  let pages: Pages;
  beforeAll(async () => {
    pages = await makePages(folder);
    browser = await openBrowser(executable ?? '');
  }, START_MS);
  afterAll(() => browser?.close());

  /** Errors and requests of the page go into `faults`, which must stay empty. */
  async function opened(url: string, options: { dark?: boolean; width?: number } = {}): Promise<Opened> {
    const page = await browser.newPage({
      viewport: { width: options.width ?? 1200, height: 900 },
      colorScheme: options.dark === true ? 'dark' : 'light',
    });
    page.setDefaultTimeout(TIMEOUT_MS);
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    page.on('request', (request) => {
      if (request.url() !== url) faults.push(`asks for ${request.url()}`);
    });
    await page.goto(url);
    await page.locator('html[data-ready=yes]').waitFor();
    return { page, faults };
  }

  async function background(page: Page): Promise<string> {
    return page.evaluate('getComputedStyle(document.body).backgroundColor');
  }

  describe('of a run', () => {
    let page: Page;
    let faults: string[];
    beforeAll(async () => {
      ({ page, faults } = await opened(pages.run));
    });
    afterAll(() => page.close());

    it('opens without an error and without asking for anything', () => {
      expect(faults).toEqual([]);
    });

    it('says what was run, and that it holds', async () => {
      const text = await page.locator('#summary').innerText();
      expect(text).toContain('PASSED');
      expect(text).toContain('times are simulated');
      expect(await page.locator('#summary tbody tr').count()).toBe(pages.runs[0].summary?.workloads.length);
      expect(await page.locator('footer').innerText()).toContain(VERSION);
    });

    it('has a row for each device and their sum', async () => {
      const devices = pages.runs[0].summary?.devices;
      expect(await page.locator('#devices tbody tr').count()).toBe(devices?.rows.length);
      const cells = await page.locator('#devices tbody tr').first().locator('td').allInnerTexts();
      expect(cells[0]).toBe(formatCount(devices?.rows[0].values[0] ?? -1));
    });

    it('has each two places in the heat map, with the bytes of the trace', async () => {
      const traffic = pages.runs[0].trace?.traffic;
      const size = traffic?.places.length ?? 0;
      expect(await page.locator('#traffic tbody td').count()).toBe(size * (size + 1));
      const total = (traffic?.bytes ?? []).flat().reduce((sum, bytes) => sum + bytes, 0);
      expect(total).toBeGreaterThan(0);
      expect(await page.locator('#traffic tfoot td').last().innerText()).toBe(formatBytes(total));
    });

    it('draws residency in the colours of its owners', async () => {
      const colors: string[] = await page.evaluate(COLORS);
      // RAM and the first device.
      expect(colors).toContain('180,185,193');
      expect(colors).toContain('15,95,168');
    });

    it('zooms into residency by wheel, button and key, and shows all again', async () => {
      const canvas = page.locator('canvas.residency');
      const share = async (): Promise<number> => Number(await canvas.getAttribute('data-share'));
      await canvas.scrollIntoViewIfNeeded();
      await canvas.hover({ position: { x: 600, y: 200 } });
      await page.mouse.wheel(0, -100);
      await expect.poll(share).toBeCloseTo(0.8);
      await page.locator('#residency button', { hasText: '+ time' }).click();
      expect(await share()).toBeCloseTo(0.4);
      await canvas.focus();
      await page.keyboard.press('+');
      expect(await share()).toBeCloseTo(0.32);
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('0');
      expect(await share()).toBe(1);
    });

    it('tells whose the page under the pointer and under the mark is', async () => {
      const canvas = page.locator('canvas.residency');
      await canvas.hover({ position: { x: 900, y: 30 } });
      const readout = page.locator('.readout');
      expect(await readout.innerText()).toMatch(/0x[0-9a-f]+ of process \d+ is (nowhere|in (RAM|gpu\d))/);
      const before = await readout.innerText();
      await canvas.focus();
      await page.keyboard.press('s');
      expect(await readout.innerText()).not.toBe(before);
    });

    it('has percentiles and a histogram of each kind of latency', async () => {
      const latencies = pages.runs[0].trace?.latencies ?? [];
      expect(latencies.length).toBeGreaterThan(5);
      expect(await page.locator('#latencies .scroll tbody tr').count()).toBe(latencies.length);
      expect(await page.locator('#latencies canvas').count()).toBe(latencies.length);
    });

    it('splits migrations into phases, and says why pages moved and what invalidations cost', async () => {
      const { phases = [], causes = [], invalidations = [] } = pages.runs[0].trace ?? {};
      expect(await page.locator('.phase').count()).toBe(phases.length);
      const texts = await page.locator('#phases').innerText();
      for (const { cause } of causes) expect(texts).toContain(cause);
      for (const { name } of invalidations) expect(texts).toContain(name);
    });

    it('shows what happened over time, and zooms by mouse and by keys', async () => {
      const charts = page.locator('#time .chart');
      expect(await charts.count()).toBe(4);
      const range = async (): Promise<number[]> =>
        (await charts.first().getAttribute('data-range'))?.split(' ').map(Number) ?? [];
      const [from, to] = await range();
      await charts.first().focus();
      await page.keyboard.press('+');
      const [, zoomedTo] = await range();
      expect(zoomedTo).toBeLessThan(to);
      await page.keyboard.press('0');
      expect(await range()).toEqual([from, to]);
      const over = charts.first().locator('.u-over');
      await over.hover({ position: { x: 100, y: 50 } });
      await page.mouse.down();
      await over.hover({ position: { x: 300, y: 50 } });
      await page.mouse.up();
      expect((await range())[1]).toBeLessThan(to);
    });

    it('lists waits for locks with their holders, and retries', async () => {
      const { locks, retries = [] } = pages.runs[0].trace ?? {};
      const first = await page.locator('#locks tbody tr').first().innerText();
      expect(first).toContain(locks?.rows[0].what);
      expect(first).toContain(locks?.rows[0].holder);
      expect(await page.locator('#retries tbody tr').count()).toBe(retries.length);
    });
  });

  it('is light or dark as the system says, or as the reader wants it', async () => {
    const { page } = await opened(pages.run, { dark: true });
    const dark = await background(page);
    await page.locator('header button').click();
    const light = await background(page);
    expect(dark).toBe('rgb(16, 18, 22)');
    expect(light).toBe('rgb(246, 247, 249)');
    await page.close();
  });

  it('is dark on white on paper, without what only a screen has', async () => {
    const { page, faults } = await opened(pages.run, { dark: true });
    await page.emulateMedia({ media: 'print' });
    expect(await background(page)).toBe('rgb(255, 255, 255)');
    expect(await page.locator('nav').isVisible()).toBe(false);
    expect((await page.pdf()).length).toBeGreaterThan(10_000);
    expect(faults).toEqual([]);
    await page.close();
  });

  it('is not wider than a small screen', async () => {
    const { page } = await opened(pages.run, { width: 400 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400);
    await page.close();
  });

  it('can be walked through by keyboard, from a link to the summary on', async () => {
    const { page } = await opened(pages.run);
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the summary');
    const regions = page.locator('.scroll');
    const focusable = page.locator('.scroll[tabindex="0"][aria-label]');
    expect(await regions.count()).toBe(await focusable.count());
    await page.close();
  });

  it('says what is missing where there is no trace', async () => {
    const { page, faults } = await opened(pages.withoutTrace);
    for (const id of ['traffic', 'residency', 'phases', 'time', 'locks'])
      expect(await page.locator(`#${id}`).innerText()).toContain('--trace FILE.svmtrace');
    expect(await page.locator('#latencies .scroll tbody tr').count()).toBeGreaterThan(0);
    expect(faults).toEqual([]);
    await page.close();
  });

  it('takes no text for markup', async () => {
    const { page, faults } = await opened(pages.hostile);
    expect(await page.title()).toContain(HOSTILE);
    expect(await page.locator('h1').innerText()).toContain(HOSTILE);
    expect(await page.locator('img').count()).toBe(0);
    expect(faults).toEqual([]);
    await page.close();
  });

  it('compares two runs', async () => {
    const { page, faults } = await opened(pages.pair);
    const changes = await page.locator('#changes').innerText();
    expect(changes).toContain('protocol steps');
    expect(changes).toContain('one-to-one');
    for (const id of ['traffic .heat', 'residency canvas.residency', 'summary .verdict'])
      expect(await page.locator(`#${id}`).count(), id).toBe(2);
    expect(await page.locator('#time .chart').count()).toBe(8);
    expect(faults).toEqual([]);
    await page.close();
  });

  describe('of a failure', () => {
    let page: Page;
    let faults: string[];
    beforeAll(async () => {
      ({ page, faults } = await opened(pages.failure));
    });
    afterAll(() => page.close());

    const heading = (): Promise<string> => page.locator('.panel h3').innerText();

    it('opens at the last step, without an error', async () => {
      const { steps, actors } = pages.failed;
      const last = steps[steps.length - 1];
      expect(faults).toEqual([]);
      expect(await heading()).toBe(`Step ${last.step}: ${actors[last.actor]}`);
      expect(await page.locator('.lane-row.current').innerText()).toContain(last.task);
    });

    it('has a lane for each actor, an arrow for each message, a bar for each lock held', async () => {
      const { actors, steps, messages, holds } = pages.failed;
      expect(await page.locator('.lane-head span').count()).toBe(1 + actors.length);
      expect(await page.locator('.lane-row').count()).toBe(steps.length);
      expect(messages.length).toBeGreaterThan(0);
      expect(await page.locator('.overlay .message').count()).toBe(messages.length);
      expect(holds.length).toBeGreaterThan(0);
      expect(await page.locator('.overlay .hold').count()).toBe(holds.length);
    });

    it('steps by buttons and by keys, never beyond its ends', async () => {
      const { steps } = pages.failed;
      const at = async (index: number): Promise<void> =>
        expect(await heading()).toContain(`Step ${steps[index].step}:`);
      await page.getByLabel('first step').click();
      await at(0);
      await page.getByLabel('one step back').click();
      await at(0);
      await page.getByLabel('one step on').click();
      await at(1);
      await page.locator('.lanes').focus();
      await page.keyboard.press('ArrowDown');
      await at(2);
      await page.keyboard.press('ArrowUp');
      await at(1);
      await page.keyboard.press('End');
      await at(steps.length - 1);
      await page.locator('.lane-row').first().click();
      await at(0);
    });

    it('shows the state of pages after the step, and which locks are held', async () => {
      const { steps, pages: changes, holds } = pages.failed;
      const change = changes[changes.length - 1];
      const index = steps.findIndex(({ step }) => step >= change.step);
      await page.locator('.lane-row').nth(index).click();
      const panel = await page.locator('.panel').innerText();
      expect(panel).toContain(change.page);
      for (const part of change.parts) expect(panel).toContain(part);
      const hold = holds[holds.length - 1];
      await page
        .locator('.lane-row')
        .nth(steps.findIndex(({ step }) => step >= hold.fromStep))
        .click();
      expect(await page.locator('.panel').innerText()).toContain(hold.lock);
    });
  });
});

interface Opened {
  readonly page: Page;
  readonly faults: string[];
}
