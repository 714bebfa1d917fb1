/** Cost presets: numbers, their sources, and mistakes in a preset of one's own. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { costConfig } from '../../src/scenario/costKeys.js';
import { loadScenario } from '../../src/scenario/loadScenario.js';
import { configDir, loadPreset } from '../../src/scenario/presets.js';
import { Scratch } from './scratch.js';

const scratch = new Scratch();
const plainText = readFileSync(join(configDir(), 'presets', 'plain.yaml'), 'utf8');

describe('the preset plain', () => {
  const plain = loadPreset('plain', '.');

  it('has a source for every number', () => {
    expect(Object.keys(plain.sources)).toEqual(Object.keys(plain.numbers));
    for (const source of Object.values(plain.sources)) expect(source).toMatch(/.{10}/);
  });

  it('has published numbers for what was published', () => {
    expect(plain.numbers['host-link']).toBe(26);
    expect(plain.numbers['peer-link']).toBe(47.9);
    expect(plain.numbers['gpu-fault']).toBe(20_000);
    expect(plain.devices).toEqual({ 'copy-engines': 1, 'fault-batch': 32, 'fault-buffer': 256 });
  });

  it('adds up to the cost of a page that it was derived from', () => {
    const { migratePageNs, hmmPageNs } = costConfig('plain', plain.numbers);
    const publishedNs = (966_000 * 0.77) / 512;
    expect(migratePageNs + hmmPageNs).toBeGreaterThan(publishedNs * 0.99);
    expect(migratePageNs + hmmPageNs).toBeLessThan(publishedNs * 1.01);
  });
});

describe('a preset of the user', () => {
  it('is found from the scenario, and names itself in the configuration', () => {
    scratch.write(
      'costs/mine.yaml',
      plainText.replace('name: plain', 'name: mine').replace('26GB/s', '52GB/s'),
    );
    const config = loadScenario(scratch.write('s.yaml', 'cost: { preset: costs/mine.yaml, syscall: 1us }'));
    expect(config.cost).toMatchObject({
      preset: 'mine',
      hostLinkGBps: 52,
      syscallNs: 1000,
      copySetupNs: 1000,
    });
  });

  it('that is missing is a mistake of the scenario', () => {
    const path = scratch.write('s.yaml', 'seed: 1\ncost:\n  preset: none.yaml');
    expect(scratch.mistakeOf(() => loadScenario(path))).toBe(
      "s.yaml:3: key 'cost.preset': found none.yaml, no such file, allowed: a cost preset: a YAML map with name and numbers",
    );
  });

  it('by a name that is none is told with those that there are', () => {
    const path = scratch.write('s.yaml', 'cost: { preset: plane }');
    expect(scratch.mistakeOf(() => loadScenario(path))).toMatch(
      /^s\.yaml:1: key 'cost\.preset': found plane, allowed: .*, plain, .* or a file that ends in \.yaml \(did you mean plain\?\)$/,
    );
  });

  it('that lacks a source names its own line', () => {
    scratch.write('bad.yaml', plainText.replace(/ {4}source: nvbandwidth.*\n/, ''));
    const path = scratch.write('s.yaml', 'cost: { preset: bad.yaml }');
    const line = 1 + plainText.split('\n').findIndex((text) => text.startsWith('  host-link:'));
    expect(scratch.mistakeOf(() => loadScenario(path))).toBe(
      `bad.yaml:${line}: key 'numbers.host-link.source': found nothing, allowed: a text of 1 to 500 characters`,
    );
  });

  it('that lacks a number, or has one too many, is refused', () => {
    const load = (text: string) => scratch.mistakeOf(() => loadPreset(scratch.write('bad.yaml', text), '.'));
    expect(load('name: x\nnumbers: {}\ndevices: {}')).toMatch(
      /^bad\.yaml:2: key 'numbers\.peers': found nothing, allowed: a map with the keys value, source$/,
    );
    expect(load(plainText.replace('numbers:', 'numbers:\n  warp: { value: 1us, source: guessed }'))).toMatch(
      /key 'numbers\.warp': found an unknown key, allowed: peers, devices-per-switch, host-link, /,
    );
  });
});

describe('a preset that stands on another', () => {
  const extending = (body: string): string => `name: mine\nextends: plain\n${body}`;
  const load = (file: string) => loadPreset(scratch.path(file), '.');

  it.each([
    [
      'fault-batch: { value: 300, source: x }',
      'fault-batch',
      'found 300, allowed: at most the fault-buffer, 256',
    ],
    ['fault-buffer: { value: 1, source: x }', 'fault-buffer', 'found 1, allowed: at least the fault-batch, '],
  ])('has devices that keep what they deliver at once: not %s', (device, key, message) => {
    scratch.write('mine.yaml', extending(`devices:\n  ${device}`));
    expect(scratch.mistakeOf(() => load('mine.yaml'))).toContain(
      `mine.yaml:4: key 'devices.${key}.value': ${message}`,
    );
  });

  it('has the numbers of the other one, but for its own', () => {
    scratch.write('mine.yaml', extending('numbers:\n  host-link: { value: 52GB/s, source: measured }\n'));
    const mine = load('mine.yaml');
    const plain = loadPreset('plain', '.');
    expect(mine.name).toBe('mine');
    expect(mine.numbers).toEqual({ ...plain.numbers, 'host-link': 52 });
    expect(mine.sources['host-link']).toBe('measured');
    expect(mine.sources.vram).toBe(plain.sources.vram);
    expect(mine.devices).toEqual(plain.devices);
  });

  it('may stand on a file beside it that stands on a third', () => {
    scratch.write('deep/base.yaml', extending('numbers:\n  vram: { value: 1GB/s, source: measured }\n'));
    scratch.write(
      'deep/top.yaml',
      'name: top\nextends: base.yaml\ndevices: { copy-engines: { value: 3, source: counted } }',
    );
    const top = load('deep/top.yaml');
    expect([top.numbers.vram, top.numbers['host-link'], top.devices['copy-engines']]).toEqual([1, 26, 3]);
  });

  it('may say of a time from what it is drawn, and of a link that nothing limits it', () => {
    scratch.write(
      'mine.yaml',
      extending(`numbers:
  gpu-fault: { value: 20us..50us, source: measured }
  syscall: { value: 200ns +- 50ns, source: measured }
  cpu-fault: { value: 1us p99 9us, source: measured }
  host-duplex: { value: 30GB/s, source: measured }
`),
    );
    expect(load('mine.yaml').numbers).toMatchObject({
      'gpu-fault': { kind: 'uniform', leastNs: 20_000, mostNs: 50_000 },
      syscall: { kind: 'normal', meanNs: 200, deviationNs: 50 },
      'cpu-fault': { kind: 'lognormal', medianNs: 1000, p99Ns: 9000 },
      'host-duplex': 30,
      'peer-duplex': Number.POSITIVE_INFINITY,
    });
  });

  it.each([
    [
      'numbers:\n  gpu-fault: { value: 50us..20us, source: x }',
      "mine.yaml:4: key 'numbers.gpu-fault.value': found 50us..20us, allowed: 0 to 1s",
    ],
    [
      'numbers:\n  gpu-fault: { value: 0 p99 20us, source: x }',
      "mine.yaml:4: key 'numbers.gpu-fault.value': found 0 p99 20us, allowed: 0 to 1s",
    ],
    [
      'numbers:\n  gpu-bind: { value: 1us..2us, source: x }',
      "mine.yaml:4: key 'numbers.gpu-bind.value': found 1us..2us, allowed: 0 to 1s",
    ],
    [
      'numbers:\n  peers: { value: wifi, source: x }',
      "mine.yaml:4: key 'numbers.peers.value': found wifi, allowed: direct, switch, pcie",
    ],
    [
      'devices:\n  copy-engines: { value: 0, source: x }',
      "mine.yaml:4: key 'devices.copy-engines.value': found 0, allowed: a whole number from 1 to 16",
    ],
    [
      'claims:\n  - figure: warp',
      "mine.yaml:4: key 'claims.0.figure': found warp, allowed: xe-prefetch-serial, ",
    ],
    [
      'claims:\n  - figure: xe-copy-2m',
      "mine.yaml:4: key 'claims.0.fitted': found nothing, allowed: none, or a list of one or more of peers, ",
    ],
    [
      'claims:\n  - figure: xe-copy-2m\n    fitted: [warp]',
      "mine.yaml:5: key 'claims.0.fitted': found [warp], allowed: none, or a list of one or more of peers, ",
    ],
  ])('is refused for %j', (body, message) => {
    scratch.write('mine.yaml', extending(body));
    expect(scratch.mistakeOf(() => load('mine.yaml'))).toContain(message);
  });

  it('is refused where it stands on itself, or on what is not there', () => {
    scratch.write('a.yaml', 'name: a\nextends: b.yaml');
    scratch.write('b.yaml', 'name: b\nextends: a.yaml');
    expect(scratch.mistakeOf(() => load('a.yaml'))).toBe(
      "b.yaml:2: key 'extends': found a circle: a.yaml extends b.yaml extends a.yaml, allowed: a preset that does not stand on this one",
    );
    scratch.write('self.yaml', 'name: a\nextends: self.yaml');
    expect(scratch.mistakeOf(() => load('self.yaml'))).toContain('a circle: self.yaml extends self.yaml');
    scratch.write('lost.yaml', 'name: a\nextends: nowhere.yaml');
    expect(scratch.mistakeOf(() => load('lost.yaml'))).toMatch(
      /^lost\.yaml:2: key 'extends': found .*nowhere\.yaml, no such file/,
    );
  });
});
